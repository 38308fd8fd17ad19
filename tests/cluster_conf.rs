//! One configuration for a group of servers, in a real etcd.
#![cfg(feature = "cluster")]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};

use support::etcd::{Etcd, conf_at};
use support::server::{PROGRAM, Signal};
use support::wait::{until, until_true};
use support::{Conf, Server};

/// A configuration that every server takes.
const GOOD: &str = "error_log logs/good.log info;\n";
/// One that a server without directory `there` refuses.
const THERE: &str = "error_log there/there.log info;\n";

/// A server of group `web`, with these directives in `main` as well.
fn conf(etcd: &str, node: &str, more: &str) -> Conf {
    let own = conf_at(etcd, node, "", "lease 60s;");
    own.then_main(&format!("cluster_conf web; {more}"))
}

fn member(etcd: &str, node: &str) -> Server {
    let server = Server::start(&conf(etcd, node, ""));
    server.wait_log("joined as");
    server
}

/// Servers with these names; those in `with` have the directory `there`.
fn members<const N: usize>(etcd: &Etcd, nodes: [&str; N], with: &[&str]) -> [Server; N] {
    let servers = nodes.map(|node| member(&etcd.address(), node));
    for (server, node) in servers.iter().zip(nodes) {
        if with.contains(&node) {
            fs::create_dir(server.prefix().path().join("there")).unwrap();
        }
    }
    until_true("all are in the group", || {
        nodes.iter().all(|node| !etcd.group(&format!("nodes/{node}")).is_empty())
    });
    servers
}

trait OfGroup {
    fn group(&self, key: &str) -> String;
    fn put(&self, key: &str, value: &[u8]);
}

impl OfGroup for Etcd {
    /// The value of a key of group `web`.
    fn group(&self, key: &str) -> String {
        self.ctl(&["get", "--print-value-only", &format!("/pingosd-conf/c/web/{key}")]).unwrap_or_default()
    }

    /// Puts a key of group `web`.
    fn put(&self, key: &str, value: &[u8]) {
        let mut ctl = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .arg(format!("--endpoints={}", self.address()))
            .args(["put", &format!("/pingosd-conf/c/web/{key}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        ctl.stdin.take().unwrap().write_all(value).unwrap();
        assert!(ctl.wait().unwrap().success());
    }
}

/// Begins `pingosd cluster apply`, with the configuration of this server.
fn begin(server: &Server, name: &str, text: &str, more: &[&str]) -> Child {
    let file = server.prefix().write(&format!("group/{name}"), text);
    Command::new(PROGRAM)
        .args(["cluster", "apply"])
        .arg(file)
        .args(["--group", "web"])
        .args(more)
        .arg("-p")
        .arg(server.prefix().path())
        .arg("-c")
        .arg(server.prefix().conf())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs it: whether it succeeded, and its output.
fn apply(server: &Server, text: &str, more: &[&str]) -> (bool, String) {
    told(begin(server, "group.conf", text, more).wait_with_output().unwrap())
}

fn run(server: &Server, words: &[&str]) -> (bool, String) {
    told(server.run(words))
}

fn told(output: Output) -> (bool, String) {
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{text}");
    (output.status.success(), text)
}

/// What the server itself says of its group.
fn state(server: &Server) -> serde_json::Value {
    let output = server.run(&["cluster", "status", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    status["configuration"].clone()
}

/// Names of the logs that exist.
fn logs(server: &Server) -> Vec<String> {
    let name =
        |dir: &str, name: &str| server.prefix().path().join(dir).join(name).exists().then(|| name.to_owned());
    [name("logs", "good.log"), name("there", "there.log")].into_iter().flatten().collect()
}

#[test]
fn one_of_five_servers_refuses_a_configuration_and_keeps_its_own() {
    let etcd = Etcd::three();
    let addresses: Vec<String> = etcd.iter().map(Etcd::address).collect();
    let nodes = ["a", "b", "c", "d", "e"];
    let servers = nodes.map(|node| member(&addresses.join(" "), node));
    for (server, node) in servers.iter().zip(nodes) {
        if node != "c" {
            fs::create_dir(server.prefix().path().join("there")).unwrap();
        }
    }
    until_true("all are in the group", || {
        nodes.iter().all(|node| !etcd[0].group(&format!("nodes/{node}")).is_empty())
    });
    let (done, text) = apply(&servers[0], GOOD, &[]);
    assert!(done, "{text}");
    for (server, node) in servers.iter().zip(nodes) {
        assert!(text.contains(&format!("\n{node}: applied, revision ")), "{text}");
        assert_eq!(logs(server), ["good.log"]);
    }
    let good = state(&servers[2]);
    assert_eq!(good["outcome"], "applied");
    let (done, text) = apply(&servers[0], THERE, &[]);
    assert!(!done, "{text}");
    assert_eq!(text.matches(": applied, revision ").count(), 4, "{text}");
    assert!(text.contains("\nc: refused, revision ") && text.contains("there.log"), "{text}");
    let kept = state(&servers[2]);
    assert_eq!((&kept["outcome"], &kept["in_force"]), (&"refused".into(), &good["in_force"]));
    assert_ne!(kept["hash"], kept["in_force"]);
    servers[2].wait_log("configuration of group \"web\" refused");
    let (done, text) = run(&servers[2], &["cluster", "status", "--group", "web"]);
    assert!(!done && text.contains("\nc: refused"), "{text}");
    // What was missing is there.
    fs::create_dir(servers[2].prefix().path().join("there")).unwrap();
    let (done, text) = apply(&servers[0], THERE, &[]);
    assert!(done && text.contains("\nc: applied"), "{text}");
    assert_eq!(logs(&servers[2]), ["good.log", "there.log"]);
    let (done, text) = run(&servers[2], &["cluster", "status", "--group", "web"]);
    assert!(done, "{text}");
    // As it was before the last change.
    let (done, text) = run(&servers[4], &["cluster", "rollback", "--group", "web"]);
    assert!(done, "{text}");
    servers.iter().for_each(|server| assert_eq!(state(server)["in_force"], good["in_force"]));
}

#[test]
fn a_canary_that_refuses_stops_the_others() {
    let etcd = Etcd::start();
    let servers = members(&etcd, ["a", "b", "c", "d", "e"], &["a", "c", "d", "e"]);
    assert!(apply(&servers[0], GOOD, &["--canary", "2"]).0);
    let good = state(&servers[0]);
    let (done, text) = apply(&servers[4], THERE, &["--canary", "1"]);
    assert!(!done, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    for (line, begins) in lines.iter().zip([
        "a: applied, revision ",
        "b: refused, revision ",
        "c: not tried",
        "d: not tried",
        "e: not tried",
        "stopped: group web keeps revision ",
    ]) {
        assert!(line.starts_with(begins), "{text}");
    }
    // The first one has returned to the group's, and the others have never had another.
    servers.iter().for_each(|server| {
        let now = state(server);
        assert_eq!((&now["outcome"], &now["in_force"]), (&"applied".into(), &good["in_force"]));
    });
    assert_eq!(logs(&servers[0]), ["good.log", "there.log"]);
    servers[2..].iter().for_each(|server| assert_eq!(logs(server), ["good.log"]));
    assert!(etcd.group("offered/trial").is_empty());
}

#[test]
fn a_start_without_etcd_uses_the_last_good_copy() {
    let mut etcd = Etcd::start();
    let [server] = members(&etcd, ["a"], &[]);
    assert!(apply(&server, GOOD, &[]).0);
    let good = state(&server);
    let (done, text) = apply(&server, THERE, &[]);
    assert!(!done, "{text}");
    let directory = server.prefix().path().join("cluster_conf");
    let copies: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(copies.len(), 1, "no unfinished file is left");
    assert_eq!(copies[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    etcd.kill();
    fs::remove_file(server.prefix().path().join("logs/good.log")).unwrap();
    let server = server.again();
    assert_eq!(logs(&server), ["good.log"]);
    let kept = until("it says so", || Some(state(&server)).filter(|state| !state.is_null()));
    assert_eq!((&kept["outcome"], &kept["in_force"]), (&"kept".into(), &good["in_force"]));
    // Without etcd nothing can be applied.
    let (done, text) = apply(&server, GOOD, &["--timeout", "1s"]);
    assert!(!done && text.starts_with("pingosd: "), "{text}");
    etcd.start_again();
    server.wait_log("configuration of group \"web\" refused");
    let (done, text) = apply(&server, GOOD, &[]);
    assert!(done, "{text}");
}

#[test]
fn a_server_that_joins_later_takes_the_current_configuration() {
    let etcd = Etcd::start();
    let [first] = members(&etcd, ["a"], &["a"]);
    let (done, text) = run(&first, &["cluster", "rollback", "--group", "web"]);
    assert!(!done && text.contains("no earlier configuration"), "{text}");
    assert!(apply(&first, GOOD, &[]).0);
    assert!(apply(&first, THERE, &[]).0);
    assert!(apply(&first, GOOD, &[]).0);
    let later = member(&etcd.address(), "later");
    later.wait_log("configuration of group \"web\" applied");
    assert_eq!(logs(&later), ["good.log"]);
    assert_eq!(state(&later)["in_force"], state(&first)["in_force"]);
    // Nothing is applied anew at the next start.
    let later = later.again();
    later.wait_log("configuration of group \"web\" applied");
    assert!(later.log_lines(" reloaded, generation ").is_empty());
}

#[test]
fn of_two_that_apply_at_once_one_is_told_that_it_lost() {
    let etcd = Etcd::start();
    let servers = members(&etcd, ["a", "b"], &["a", "b"]);
    assert!(apply(&servers[1], GOOD, &[]).0);
    let good = etcd.group("offered/current");
    servers[0].signal(Signal::SIGSTOP);
    let first = begin(&servers[1], "first.conf", THERE, &["--canary", "1"]);
    until_true("the trial has begun", || !etcd.group("offered/trial").is_empty());
    let (done, text) = apply(&servers[1], GOOD, &[]);
    assert!(!done && text.contains("another configuration is on trial since"), "{text}");
    // Another change comes between.
    etcd.put("offered/current", good.trim_end_matches('\n').as_bytes());
    servers[0].signal(Signal::SIGCONT);
    let (done, text) = told(first.wait_with_output().unwrap());
    assert!(!done && text.contains("another configuration was applied meanwhile"), "{text}");
    until_true("the group's configuration is in force", || {
        servers.iter().all(|server| {
            state(server)["outcome"] == "applied" && state(server)["hash"] == state(server)["in_force"]
        })
    });
    // Without a trial, two commands at the same time: one that is refused says why.
    let texts = ["error_log logs/x.log info;\n", "error_log logs/y.log info;\n"];
    let both = ["x", "y"].map(|name| begin(&servers[0], name, texts[usize::from(name == "y")], &[]));
    for child in both {
        let (done, text) = told(child.wait_with_output().unwrap());
        assert!(done || text.contains("another configuration was applied meanwhile"), "{text}");
    }
    let (same, text) = run(&servers[0], &["cluster", "status", "--group", "web"]);
    assert!(same, "{text}");
}

#[test]
fn hostile_values_are_refused_and_change_nothing() {
    let etcd = Etcd::start();
    let [server] = members(&etcd, ["a"], &["a"]);
    assert!(apply(&server, GOOD, &[]).0);
    let good = state(&server)["in_force"].clone();
    let generation = server.status()["configuration"]["generation"].clone();
    let other = r#"{"cluster":"c","group":"db","sha256":"","at":""}"#.to_owned() + "\nhttp { }\n";
    let hash = etcd.group("offered/current").replace("good", "evil");
    for (value, why) in [
        (vec![b'x'; 1 << 20], "has not written it"),
        (b"\xff\xfe\x00\n\xff".to_vec(), "has not written it"),
        (other.into_bytes(), "it is of group \"db\" of cluster \"c\""),
        (hash.into_bytes(), "does not match its hash"),
    ] {
        for key in ["offered/trial", "offered/current"] {
            let before = server.log_lines(why).len();
            etcd.put(key, &value);
            until_true(&format!("{key}: {why}"), || server.log_lines(why).len() > before);
        }
        etcd.ctl(&["del", "/pingosd-conf/c/web/offered/trial"]).unwrap();
        let now = state(&server);
        assert_eq!((&now["outcome"], &now["in_force"]), (&"refused".into(), &good), "{why}");
    }
    assert_eq!(server.status()["configuration"]["generation"], generation);
    let (done, text) = run(&server, &["cluster", "status", "--group", "web"]);
    assert!(!done && text.contains("not usable"), "{text}");
    // Answers are no orders to a terminal.
    etcd.put("nodes/z", b"\x1b[2J");
    etcd.put("nodes/\x1b[2J", b"{}");
    let (done, text) = apply(&server, THERE, &["--timeout", "1s"]);
    assert!(!done && text.contains("a: applied") && text.contains("z: no answer in time"), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn a_server_says_when_it_has_another_configuration_than_its_group() {
    let etcd = Etcd::start();
    let [server] = members(&etcd, ["a"], &["a"]);
    assert!(apply(&server, GOOD, &[]).0);
    assert!(apply(&server, THERE, &[]).0);
    let there = state(&server)["in_force"].clone();
    // A rollback at the server stays until the next reload.
    assert!(run(&server, &["rollback"]).0);
    server.wait_log("it was rolled back or changed at this server");
    until_true("the group sees it", || etcd.group("nodes/a").contains("\"changed\""));
    assert!(run(&server, &["cluster", "status"]).1.contains("changed at the server"));
    server.signal(Signal::SIGHUP);
    until_true("it is as the group's again", || state(&server)["outcome"] == "applied");
    assert_eq!(state(&server)["in_force"], there);
    // Changes of its own file and of the group's come together.
    server.reload(&conf(&etcd.address(), "a", "error_log logs/own.log info;"));
    assert_eq!(state(&server)["in_force"], there);
    assert!(server.prefix().path().join("logs/own.log").exists());
    // A reload that waits for confirmation comes first.
    server.prefix().write("conf/pingosd.conf", server.prefix().read("conf/pingosd.conf") + "\n# another\n");
    assert!(run(&server, &["reload", "--confirm", "10m"]).0);
    let waiting = begin(&server, "waiting.conf", GOOD, &[]);
    until_true("it is offered", || etcd.group("offered/current").contains("good"));
    assert!(run(&server, &["confirm"]).0);
    let (done, text) = told(waiting.wait_with_output().unwrap());
    assert!(done, "{text}");
    assert!(apply(&server, THERE, &[]).0);
    // What stands in both is refused.
    let (done, text) = apply(&server, "cluster_conf web;", &[]);
    assert!(
        !done && text.contains("\"cluster_conf\" is not allowed in the configuration of a group"),
        "{text}"
    );
    let (done, text) = apply(&server, "events { }", &[]);
    assert!(!done && text.contains("\"events\" directive is duplicate"), "{text}");
    assert_eq!(state(&server)["in_force"], there);
    // Without the directive it leaves the group, and says so.
    server.reload(&conf_at(&etcd.address(), "a", "", "lease 60s;"));
    server.wait_log("the configuration of group \"web\" is not taken any more");
    until_true("its answer is gone", || etcd.group("nodes/a").is_empty());
    assert!(state(&server).is_null());
}

#[test]
fn changes_of_the_kept_file_by_hand_are_seen() {
    let etcd = Etcd::start();
    let server = Server::start(&conf(&etcd.address(), "a", "conf_watch on;"));
    server.wait_log("joined as");
    until_true("it is in the group", || !etcd.group("nodes/a").is_empty());
    assert!(apply(&server, GOOD, &[]).0);
    let directory = server.prefix().path().join("cluster_conf");
    let copy = fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
    let changed = fs::read_to_string(&copy).unwrap().replace("good", "by-hand");
    fs::write(&copy, changed).unwrap();
    server.wait_log("it was rolled back or changed at this server");
    // The file may have been read before it was complete.
    until_true("it is in force", || server.prefix().path().join("logs/by-hand.log").exists());
    // The group's next one replaces it.
    let (done, text) = apply(&server, "error_log logs/next.log info;\n", &[]);
    assert!(done, "{text}");
    assert!(fs::read_to_string(&copy).unwrap().contains("next.log"));
}

#[test]
fn included_files_travel_along_and_what_is_too_large_is_refused() {
    let etcd = Etcd::start();
    let [server] = members(&etcd, ["a"], &[]);
    server.prefix().write("group/part.conf", GOOD);
    let (done, text) = apply(&server, "include part.conf;\n", &[]);
    assert!(done, "{text}");
    assert_eq!(logs(&server), ["good.log"]);
    assert!(!etcd.group("offered/current").contains("include"));
    let before = etcd.group("offered/current");
    let large = "# a comment of some length\n".repeat(26_000);
    for (text, why) in [
        (&*large, "at most 655360 are allowed"),
        ("worker_processes 4;", "\"worker_processes\" is not allowed in the configuration of a group"),
        ("http {", "unexpected end of file"),
        ("no_such_directive on;", "unknown directive \"no_such_directive\""),
    ] {
        let (done, said) = apply(&server, text, &[]);
        assert!(!done && said.contains(why), "{said}");
    }
    assert_eq!(etcd.group("offered/current"), before);
    // The largest one is taken, and another one after it: etcd gets both at once.
    let largest = |letter: &str| format!("{}{GOOD}", format!("#{}\n", letter.repeat(98)).repeat(6553));
    for letter in ["x", "y", "z"] {
        let (done, said) = apply(&server, &largest(letter), &[]);
        assert!(done, "{said}");
    }
}

/// Runs `pingosd cluster apply` with these words, this standard input, and this file.
fn apply_from(server: &Server, file: &str, input: Stdio, more: &[&str]) -> (bool, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["cluster", "apply", file]).args(more);
    command.arg("-p").arg(server.prefix().path()).arg("-c").arg(server.prefix().conf());
    told(command.stdin(input).output().unwrap())
}

#[test]
fn a_group_that_nobody_takes_is_refused_unless_it_is_new() {
    let etcd = Etcd::start();
    let [server] = members(&etcd, ["a"], &[]);
    let file = server.prefix().write("group/group.conf", GOOD);
    let file = file.to_str().unwrap();
    for words in [&["--group", "wep"][..], &["--group", "wep", "--canary", "1"]] {
        let (done, text) = apply_from(&server, file, Stdio::null(), words);
        assert!(
            !done && text.contains("there is no group \"wep\"") && text.contains("did you mean \"web\"?"),
            "{text}"
        );
    }
    let (done, text) = run(&server, &["cluster", "status", "--group", "wep"]);
    assert!(!done && text.contains("there is no group \"wep\""), "{text}");
    assert!(etcd.ctl(&["get", "--prefix", "--keys-only", "/pingosd-conf/c/wep/"]).unwrap().is_empty());
    let (done, text) = apply_from(&server, file, Stdio::null(), &["--group", "wep", "--new"]);
    assert!(done && text.contains("no server takes the configuration of group wep now"), "{text}");
    // It is known from now on.
    let (done, text) = apply_from(&server, file, Stdio::null(), &["--group", "wep"]);
    assert!(done, "{text}");
}

#[test]
fn a_configuration_may_come_through_a_pipe_and_must_not_be_empty() {
    let etcd = Etcd::start();
    let [server] = members(&etcd, ["a"], &[]);
    let prefix = server.prefix().path().to_owned();
    // A shell's process substitution, and standard input.
    let script = format!(
        "{PROGRAM} cluster apply <(printf 'error_log logs/good.log info;') --group web -p {0} -c {1}",
        prefix.display(),
        server.prefix().conf().display()
    );
    let (done, text) = told(Command::new("bash").args(["-c", &script]).output().unwrap());
    assert!(done && text.contains("\na: applied"), "{text}");
    assert_eq!(logs(&server), ["good.log"]);
    let file = server.prefix().write("group/other.conf", "error_log logs/other.log info;\n");
    let input = Stdio::from(fs::File::open(file).unwrap());
    let (done, text) = apply_from(&server, "-", input, &["--group", "web"]);
    assert!(done && text.contains("\na: applied"), "{text}");
    let before = etcd.group("offered/current");
    // Pipes without a writer end at once, and devices are no files.
    let fifo = prefix.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    server.prefix().write("group/none.conf", "include nothing/*.conf;\n");
    server.prefix().write("group/comment.conf", "# nothing\n");
    for (file, why) in [
        (fifo.to_str().unwrap(), "the configuration has no directive, nothing was written"),
        ("/dev/null", "is neither a file nor a pipe"),
        ("/dev/zero", "is neither a file nor a pipe"),
        (prefix.to_str().unwrap(), "is neither a file nor a pipe"),
        ("-", "the configuration has no directive, nothing was written"),
        (prefix.join("group/none.conf").to_str().unwrap(), "names no file, nothing was written"),
        (prefix.join("group/comment.conf").to_str().unwrap(), "the configuration has no directive"),
        ("missing.conf", "No such file or directory"),
    ] {
        let (done, text) = apply_from(&server, file, Stdio::null(), &["--group", "web"]);
        assert!(!done && text.contains(why), "{file}: {text}");
    }
    assert_eq!(etcd.group("offered/current"), before);
}

#[test]
fn a_trial_that_no_command_keeps_blocks_nothing() {
    let etcd = Etcd::start();
    let servers = members(&etcd, ["a", "b"], &["a", "b"]);
    assert!(apply(&servers[0], GOOD, &[]).0);
    let good = state(&servers[0])["in_force"].clone();
    // The command is killed in the middle: its trial ends with its lease.
    servers[0].signal(Signal::SIGSTOP);
    let mut killed = begin(&servers[1], "killed.conf", THERE, &["--canary", "1"]);
    until_true("the trial has begun", || !etcd.group("offered/trial").is_empty());
    killed.kill().unwrap();
    killed.wait().unwrap();
    servers[0].signal(Signal::SIGCONT);
    let (done, text) = apply(&servers[1], GOOD, &[]);
    assert!(!done && text.contains("another configuration is on trial since"), "{text}");
    let trial = etcd.group("offered/trial");
    let leases = etcd.ctl(&["lease", "list"]).unwrap();
    let of_trial = leases.lines().find(|lease| {
        let keys = etcd.ctl(&["lease", "timetolive", "--keys", lease]).unwrap_or_default();
        keys.contains("offered/trial") && keys.contains("granted with TTL(30s)")
    });
    // What the end of those 30 s does.
    etcd.ctl(&["lease", "revoke", of_trial.expect("the trial has a lease of 30 s")]).unwrap();
    let (done, text) = apply(&servers[1], GOOD, &[]);
    assert!(done, "{text}");
    assert_eq!(state(&servers[0])["in_force"], good);
    // One without a lease would never end: servers ignore it, and the next command takes its place.
    etcd.put("offered/trial", trial.trim_end_matches('\n').as_bytes());
    servers[0].wait_log("it is a trial without a lease");
    let (_, text) = run(&servers[0], &["cluster", "status", "--group", "web"]);
    assert!(text.contains("group web has a trial that no command keeps"), "{text}");
    assert_eq!(state(&servers[0])["in_force"], good);
    let (done, text) = apply(&servers[1], THERE, &["--canary", "1"]);
    assert!(done, "{text}");
    etcd.put("offered/trial", trial.trim_end_matches('\n').as_bytes());
    let (done, text) = apply(&servers[1], GOOD, &[]);
    assert!(done, "{text}");
    assert!(etcd.group("offered/trial").is_empty());
}

#[test]
fn who_does_not_answer_in_time_is_named() {
    let mut etcd = Etcd::start();
    let servers = members(&etcd, ["a", "b", "c"], &["a", "b", "c"]);
    assert!(apply(&servers[0], GOOD, &[]).0);
    servers[1].signal(Signal::SIGSTOP);
    let began = std::time::Instant::now();
    let (done, text) = apply(&servers[0], THERE, &["--timeout", "5s"]);
    println!("a command of 5 s took {} ms", began.elapsed().as_millis());
    assert!(!done && text.contains("\na: applied") && text.contains("\nc: applied"), "{text}");
    assert!(text.contains("\nb: no answer in time (applied, revision "), "{text}");
    // A trial that is not confirmed: servers that have applied it return to the configuration before.
    let (done, text) = apply(&servers[0], GOOD, &["--timeout", "5s", "--canary", "1"]);
    assert!(!done && text.contains("\nb: no answer in time"), "{text}");
    assert!(
        text.contains("\nc: not tried") && text.contains("a: returns to it, which is not waited for"),
        "{text}"
    );
    servers[1].signal(Signal::SIGCONT);
    // Without etcd they are named too, and etcd with its address.
    servers[0].signal(Signal::SIGSTOP);
    let waiting = begin(&servers[2], "waiting.conf", GOOD, &["--timeout", "10s"]);
    until_true("it is offered", || etcd.group("offered/current").contains("good"));
    etcd.kill();
    let (done, text) = told(waiting.wait_with_output().unwrap());
    servers[0].signal(Signal::SIGCONT);
    assert!(!done && text.contains("\na: no answer in time"), "{text}");
    assert!(text.contains(&format!("etcd ({}): ", etcd.address())), "{text}");
}

#[test]
fn commands_go_over_to_another_address_of_etcd() {
    let etcd = Etcd::start();
    let both = format!("http://127.0.0.1:1 {}", etcd.address());
    let server = member(&both, "a");
    until_true("it is in the group", || !etcd.group("nodes/a").is_empty());
    let (done, text) = apply(&server, GOOD, &[]);
    assert!(done && text.contains("\na: applied"), "{text}");
}
