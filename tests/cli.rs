//! The command line: testing a configuration, versions, mistakes, and a server in the background.

mod support;

use std::fs;
use std::process::{Command, Output, Stdio};

use support::server::{PROGRAM, Prefix, Signal, free_port};
use support::wait::{until, until_true};
use support::{Conf, RtmpClient, Server, process};

/// Runs the program to its end.
fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).stdin(Stdio::null()).output().unwrap()
}

/// A prefix with this configuration.
fn prefix(conf: &str) -> Prefix {
    let prefix = Prefix::new();
    fs::write(prefix.conf(), conf).unwrap();
    prefix
}

/// Runs the program with `-p` and `-c` and further words.
fn run_in(prefix: &Prefix, args: &[&str]) -> Output {
    prefix.command().args(args).stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const GOOD: &str = "events {} rtmp { server { listen 127.0.0.1:1935; application live { live on; } } }\n";

#[test]
fn a_good_file_is_said_to_be_good() {
    let prefix = prefix(GOOD);
    let output = run_in(&prefix, &["-t"]);
    assert_eq!(output.status.code(), Some(0));
    let conf = prefix.conf().display().to_string();
    assert_eq!(
        stderr(&output),
        format!(
            "nginx: the configuration file {conf} syntax is ok\nnginx: configuration file {conf} test is successful\n"
        )
    );
    assert_eq!(stdout(&output), "");
    let quiet = run_in(&prefix, &["-t", "-q"]);
    assert_eq!((quiet.status.code(), stderr(&quiet).as_str()), (Some(0), ""));
}

#[test]
fn what_a_start_could_not_open_is_no_good_file() {
    let nowhere = ["error_log none/error.log;", "pid none/pid;", "control_socket none/control;"];
    for line in nowhere {
        let prefix = prefix(&format!("{line}\n{GOOD}"));
        let output = run_in(&prefix, &["-t"]);
        assert_eq!(output.status.code(), Some(1), "{line}");
        let said = stderr(&output);
        assert!(said.contains("failed (2: No such file or directory)"), "{said}");
        assert!(said.ends_with("test failed\n"), "{said}");
    }
    let prefix = prefix(&format!("error_log made.log; pid made.pid;\n{GOOD}"));
    assert_eq!(run_in(&prefix, &["-t"]).status.code(), Some(0));
    let made: Vec<bool> = ["made.log", "made.pid"].map(|name| prefix.path().join(name).exists()).into();
    assert_eq!(made, [true, false], "as by nginx the log is made; the pid file is not");
}

#[test]
fn a_test_leaves_a_running_server_alone() {
    let server = Server::start(&Conf::live(""));
    let pid = fs::read(server.prefix().path().join("logs/pingosd.pid")).unwrap();
    let output = server.prefix().command().arg("-t").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read(server.prefix().path().join("logs/pingosd.pid")).unwrap(), pid);
    let status = server.prefix().command().arg("status").stdin(Stdio::null()).output().unwrap();
    assert_eq!(status.status.code(), Some(0), "{}", stderr(&status));
}

#[test]
fn all_mistakes_of_a_bad_file_are_told_with_their_place() {
    let prefix = prefix(
        "events {}\nrtmp {\n  server {\n    lisen 1935;\n    application live { live maybe; }\n  }\n}\n",
    );
    for args in [&["-t"][..], &["-t", "-q"], &[]] {
        let output = run_in(&prefix, args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = stderr(&output);
        let conf = prefix.conf().display().to_string();
        assert!(said.contains(&format!("[emerg] unknown directive \"lisen\" in {conf}:4")), "{said}");
        assert!(said.contains("listen"), "it says what was probably meant: {said}");
        assert!(said.contains(&format!("{conf}:5")), "the second mistake is told as well: {said}");
        assert_eq!(args.contains(&"-t"), said.contains(&format!("configuration file {conf} test failed")));
    }
}

#[test]
fn a_missing_file_is_an_error() {
    let prefix = Prefix::new();
    for args in [&["-t"][..], &[], &["-s", "stop"]] {
        let output = run_in(&prefix, args);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("[emerg] open() "), "{}", stderr(&output));
        assert!(stderr(&output).contains("(2: No such file or directory)"), "{}", stderr(&output));
    }
}

#[test]
fn the_configuration_is_printed_with_all_its_files() {
    let prefix = prefix("events {}\ninclude more/*.conf; # everything else\n");
    prefix.write("conf/more/a.conf", "rtmp { server { listen 127.0.0.1:1935; } }\n");
    let output = run_in(&prefix, &["-T"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("test is successful"));
    let text = stdout(&output);
    let main = format!(
        "# configuration file {}:\nevents {{}}\ninclude more/*.conf; # everything else\n",
        prefix.conf().display()
    );
    assert!(text.starts_with(&main), "{text}");
    assert!(text.contains("/conf/more/a.conf:\nrtmp {"), "{text}");
}

#[test]
fn files_are_dumped_once_each_in_the_order_of_their_first_use() {
    let prefix = prefix("events {}\ninclude d/*.conf;\ninclude d/b.conf; include d/none*.conf;\n");
    prefix.write("conf/d/c.conf", "# c \u{e7}\n");
    prefix.write("conf/d/b.conf", "# b without end");
    prefix.write("conf/d/a.conf", "");
    let conf = prefix.conf().display().to_string();
    let here = prefix.conf().parent().unwrap().display().to_string();
    let output = run_in(&prefix, &["-T", "-g", "timer_resolution 1s;"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let want = format!(
        "# configuration file {conf}:\nevents {{}}\ninclude d/*.conf;\ninclude d/b.conf; include d/none*.conf;\n\n\
         # configuration file {here}/d/a.conf:\n\n# configuration file {here}/d/b.conf:\n# b without end\n\
         # configuration file {here}/d/c.conf:\n# c \u{e7}\n\n"
    );
    assert_eq!(stdout(&output), want);
    // Where nginx itself is at hand, it has the last word.
    let place = format!("{}/", prefix.path().display());
    if let Ok(nginx) = Command::new("/usr/sbin/nginx").args(["-T", "-p", &place, "-c", &conf]).output()
        && nginx.status.success()
    {
        assert_eq!(stdout(&output), stdout(&nginx));
    }
    let broken = run_in(&prefix, &["-T", "-g", "no_such;"]);
    assert_eq!((broken.status.code(), stdout(&broken)), (Some(1), String::new()));
}

#[test]
fn relative_paths_start_where_nginx_starts_them() {
    let prefix = prefix("events {} include more.conf;\n");
    prefix.write("conf/sub/more.conf", "error_log logs/own.log;\n");
    prefix.write("conf/sub/own.conf", "events {} include more.conf;\n");
    let parent = prefix.path().parent().unwrap();
    let name = prefix.path().file_name().unwrap().to_str().unwrap();
    let run = |words: &[&str]| Command::new(PROGRAM).current_dir(parent).args(words).output().unwrap();
    // The conf file starts at the prefix, includes at the conf file's directory.
    let good = run(&["-t", "-p", name, "-c", "conf/sub/own.conf"]);
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    assert!(
        stderr(&good).contains(&format!("configuration file {name}/conf/sub/own.conf test is successful"))
    );
    let main = prefix.conf().strip_prefix(prefix.path()).unwrap().display().to_string();
    let bad = run(&["-t", "-p", name, "-c", &main]);
    assert_eq!(bad.status.code(), Some(1));
    let sentence = format!("open() \"{name}/conf/more.conf\" failed (2: No such file or directory)");
    assert!(stderr(&bad).contains(&sentence), "{}", stderr(&bad));
}

/// Tests a file of that many MiB with 512 MiB of address space.
fn test_huge(line: &str, mebibytes: usize) -> Output {
    let prefix = prefix("");
    let mut file = std::io::BufWriter::new(fs::File::create(prefix.conf()).unwrap());
    for _ in 0..(mebibytes << 20) / line.len() {
        std::io::Write::write_all(&mut file, line.as_bytes()).unwrap();
    }
    drop(file);
    let (conf, script) = (prefix.conf(), "ulimit -v 524288 && exec \"$@\"");
    Command::new("sh").args(["-c", script, "sh", PROGRAM, "-t", "-c"]).arg(conf).output().unwrap()
}

#[test]
fn a_file_of_100_mebibytes_is_refused_by_its_size() {
    let output = test_huge("user root; # 0123456789\n", 100);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.starts_with("nginx: [emerg] \"") && said.contains("is larger than 64 MiB"), "{said}");
}

#[test]
fn global_directives_may_come_from_the_command_line() {
    let prefix = prefix(GOOD);
    let output = run_in(&prefix, &["-t", "-g", "worker_processes 3; no_such_directive;"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("unknown directive \"no_such_directive\""), "{}", stderr(&output));
    let output = run_in(&prefix, &["-tq", "-g", "worker_processes 3;"]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn version_and_help_go_to_standard_error() {
    let version = format!("nginx version: nginx/1.17.5 (pingosd/{})\n", env!("CARGO_PKG_VERSION"));
    let short = run(&["-v"]);
    assert_eq!(
        (short.status.code(), stderr(&short), stdout(&short)),
        (Some(0), version.clone(), String::new())
    );
    let long = run(&["-V"]);
    assert_eq!(long.status.code(), Some(0));
    assert!(
        stderr(&long).starts_with(&version) && stderr(&long).contains("\nconfigure arguments: --prefix=")
    );
    for word in ["-h", "-?"] {
        let help = run(&[word]);
        assert_eq!(help.status.code(), Some(0));
        for option in ["-t", "-T", "-q", "-s signal", "-p prefix", "-c filename", "-g directives"] {
            assert!(stderr(&help).contains(option), "{option}");
        }
    }
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    for (args, said) in [
        (&["-x"][..], "invalid option: \"x\""),
        (&["word"], "invalid option: \"word\""),
        (&["-s", "kill"], "invalid option: \"-s kill\""),
        (&["-c"], "option \"-c\" requires file name"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).starts_with(&format!("nginx: {said}\npingosd: ")), "{}", stderr(&output));
    }
    for (word, next) in
        [("statu", "did you mean \"pingosd status\"?"), ("--hlep", "\"pingosd --help\" lists")]
    {
        let said = stderr(&run(&[word]));
        assert!(said.contains(next), "{said}");
    }
}

#[test]
fn an_option_that_a_command_lacks_is_named() {
    for (args, said) in [
        (&["status", "--jsn"][..], "pingosd: status has no option \"--jsn\"\nusage: pingosd status "),
        (&["fmt", "--check", "-x"], "pingosd: fmt has no option \"-x\"\nusage: pingosd fmt "),
        // The words are wrong, but each option exists.
        (&["status", "--json", "now"], "usage: pingosd status "),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).starts_with(said), "{}", stderr(&output));
    }
}

#[test]
fn what_cannot_be_read_as_a_configuration_says_what_to_do() {
    let prefix = prefix(GOOD);
    let directory = prefix.path().display().to_string();
    let said = stderr(&run(&["-c", &directory, "-t"]));
    assert!(
        said.contains(&format!("pingosd: \"{directory}\" is a directory; give a file in it to -c")),
        "{said}"
    );
    let output = run(&["migrate-check", "/none/nginx.conf"]);
    let wanted = "pingosd: open() \"/none/nginx.conf\" failed (2: No such file or directory)\n";
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), wanted));
    assert_eq!(stdout(&output), "");
    // The built-in configuration has no pid file, so -s finds no server.
    let said = stderr(&run(&["-p", &format!("{directory}/"), "-s", "stop"]));
    assert!(said.contains("no pid file") && said.contains("with -p or -c"), "{said}");
}

#[test]
fn each_command_has_help() {
    let help = run(&["--help"]);
    assert!(help.stderr.is_empty() && stdout(&help).contains("\nCommands:\n"));
    assert!(stdout(&run(&["--version"])).contains(env!("CARGO_PKG_VERSION")));
    for entry in pingosd::cli::help::COMMANDS {
        let usage = format!("usage: pingosd {}", entry.word);
        for args in [&["help", entry.word], &[entry.word, "--help"]] {
            let help = run(args);
            let said = stdout(&help);
            assert!(help.status.success() && said.starts_with(&usage), "{args:?}: {said}");
            assert!(said.contains("\nExit status:\n  0  "), "{said}");
        }
    }
    let unknown = run(&["help", "relaod"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("did you mean \"reload\"?"), "{}", stderr(&unknown));
}

#[test]
fn a_file_of_this_directory_is_found_by_those_who_expect_it_there() {
    let (here, elsewhere) = (prefix(GOOD), Prefix::new());
    let file = here.conf();
    let name = file.file_name().unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.current_dir(file.parent().unwrap()).arg("-p").arg(elsewhere.path()).args(args);
        command.arg("-c").arg(name).stdin(Stdio::null()).output().unwrap()
    };
    for args in [&["-t"][..], &[]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(1));
        let wanted = format!("did you mean \"./{}\"?", name.display());
        assert!(stderr(&output).contains(&wanted), "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("give -c {}\n", file.display())), "{}", stderr(&output));
    }
}

#[test]
fn a_start_that_fails_says_what_to_do() {
    let missing = prefix(&format!("error_log none/error.log; {GOOD}"));
    let said = stderr(&run_in(&missing, &[]));
    let directory = missing.path().join("none");
    assert!(said.contains(&format!("does not exist: mkdir -p {}\n", directory.display())), "{said}");
    let stale = prefix(&format!("pid stale.pid; {GOOD}"));
    let said = stderr(&run_in(&stale, &["-s", "stop"]));
    assert!(said.contains("no server runs with this configuration"), "{said}");
    // Larger than any process id of the system.
    fs::write(stale.path().join("stale.pid"), "4194305\n").unwrap();
    let said = stderr(&run_in(&stale, &["-s", "stop"]));
    assert!(said.contains("kill(4194305, 15) failed (3: No such process)"), "{said}");
    assert!(said.contains("has ended without removing its pid file"), "{said}");
}

/// A pid file that a killed server has left, after its number was given to another process.
#[test]
fn a_process_that_is_no_server_gets_no_signal() {
    let stale = prefix(&format!("pid stale.pid; {GOOD}"));
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(stale.path().join("stale.pid"), format!("{}\n", other.id())).unwrap();
    for signal in ["stop", "quit", "reload", "reopen"] {
        let output = run_in(&stale, &["-s", signal]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(&format!("names process {} (sleep), which is no server", other.id())),
            "{said}"
        );
        assert!(said.contains("has ended without removing its pid file"), "{said}");
        assert!(other.try_wait().unwrap().is_none(), "-s {signal} has ended it");
    }
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn without_a_file_the_built_in_configuration_is_used() {
    let empty = Prefix::new();
    let place = format!("{}/", empty.path().display());
    let output = run(&["-t", "-p", &place]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("test is successful"), "{}", stderr(&output));
    let dump = run(&["-T", "-p", &place]);
    assert!(
        stdout(&dump).contains("rtmp {") && stdout(&dump).contains("application live"),
        "{}",
        stdout(&dump)
    );
}

#[test]
fn an_address_in_use_ends_the_start() {
    let server = Server::start(&Conf::live(""));
    let prefix = prefix(&format!(
        "daemon off; error_log logs/error.log; events {{}} rtmp {{ server {{ listen {}; }} }}",
        server.rtmp
    ));
    let output = run_in(&prefix, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("[emerg] bind() to 0.0.0.0:") && said.contains("(98: Address already in use)"),
        "{said}"
    );
    assert!(said.contains(&format!("process {} (pingosd) listens on 0.0.0.0:", server.pid())), "{said}");
}

#[test]
fn a_daemon_detaches_and_is_found_by_its_pid_file() {
    let port = free_port();
    let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
    let prefix = prefix(&format!(
        "{user} daemon on; pid logs/daemon.pid; error_log logs/error.log info; events {{}}
         rtmp {{ server {{ listen {port}; application live {{ live on; }} }} }}"
    ));
    let output = run_in(&prefix, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let pid: i32 = until("the pid file", || prefix.read("logs/daemon.pid").trim().parse().ok());
    let _killed = Killed(pid);
    until_true("it serves", || prefix.read("logs/error.log").contains(" started, "));
    assert_eq!(process::status(pid, "PPid:"), "1", "it belongs to nobody");
    RtmpClient::publish(port, "live", "s").wait_started();
    let again = run_in(&prefix, &[]);
    assert_eq!(again.status.code(), Some(1), "a second one finds the pid file taken");
    assert!(
        stderr(&again).contains(&format!("belongs to process {pid}, which is running")),
        "{}",
        stderr(&again)
    );
    assert_eq!(prefix.read("logs/daemon.pid").trim(), pid.to_string(), "and leaves the pid file alone");
    assert_eq!(run_in(&prefix, &["-s", "stop"]).status.code(), Some(0));
    until_true("it has ended", || !process::is_running(pid));
    assert!(!prefix.path().join("logs/daemon.pid").exists());
}

/// Ends a process that is not a child of the test, whatever the result of the test.
struct Killed(i32);

impl Drop for Killed {
    fn drop(&mut self) {
        if process::is_running(self.0) {
            process::signal(self.0, Signal::SIGKILL);
        }
    }
}

#[test]
fn a_server_started_as_root_gives_its_privileges_up() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let prefix = Prefix::new();
    let port = free_port();
    let conf = format!(
        "daemon off; pid logs/root.pid; error_log logs/error.log info; events {{}}
         rtmp {{ server {{ listen {port}; application live {{ live on; }} }} }}"
    );
    fs::write(prefix.conf(), conf).unwrap();
    let mut child = prefix.command().stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let _killed = Killed(pid);
    until_true("it serves", || prefix.read("logs/error.log").contains(" started, "));
    let users = process::status(pid, "Uid:");
    assert!(users.split_whitespace().all(|user| user != "0"), "{users}");
    RtmpClient::publish(port, "live", "s").wait_started();
    process::signal(pid, Signal::SIGHUP);
    until_true("it can still reload", || prefix.read("logs/error.log").contains(" reloaded, generation "));
    process::signal(pid, Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
}
