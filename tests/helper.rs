//! The privileged helper of a server that was started as root with `user`. Everything here needs root and a directory that root
//! alone may change.

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use nix::unistd::geteuid;
use support::frame::{GOP, Tracks};
use support::server::{PROGRAM, Prefix, Signal, free_port};
use support::wait::until_true;
use support::{Conf, Player, Publisher, Server, http, process, tls};

const NOBODY: u32 = 65534;

/// A prefix in `/run`, where root alone may change the directories, with the files that the server's user needs.
fn prefix() -> Option<Prefix> {
    geteuid().is_root().then(|| {
        let prefix = Prefix::below(Path::new("/run"));
        for name in ["conf", "logs", "html"] {
            fs::set_permissions(prefix.path().join(name), Permissions::from_mode(0o755)).unwrap();
        }
        prefix
    })
}

/// A configuration that becomes `nobody`.
fn conf() -> Conf {
    Conf::live("").user("nobody nogroup").with_flv()
}

fn tls_file(name: &str) -> Vec<u8> {
    fs::read(tls::file(name)).unwrap()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The processes that `pid` has started.
fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

fn uids(pid: i32) -> String {
    process::status(pid, "Uid:")
}

#[test]
fn the_process_that_serves_is_no_longer_root_and_the_helper_has_no_socket_of_a_peer() {
    let Some(prefix) = prefix() else { return };
    let server = Server::start_in(prefix, &conf());
    let _feed = Publisher::start(server.rtmp, "s").keep_sending();
    Player::http(server.http, "/flv/s").wait_key();
    let pid = server.pid();
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let uid = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        assert_eq!(uid.split_whitespace().skip(1).collect::<Vec<_>>(), ["65534"; 4], "{status}");
    }
    // It has secrets in memory that the other processes of its user must not read.
    assert_eq!(fs::metadata(format!("/proc/{pid}/mem")).unwrap().uid(), 0);
    let [helper] = children(pid)[..] else { panic!("{:?}", children(pid)) };
    assert!(uids(helper).starts_with("0\t0"), "{}", uids(helper));
    assert_eq!(fs::read_dir(format!("/proc/{helper}/task")).unwrap().count(), 1);
    assert_eq!(fs::read(format!("/proc/{helper}/environ")).unwrap(), b"");
    let open: Vec<String> = fs::read_dir(format!("/proc/{helper}/fd"))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap().display().to_string())
        .collect();
    let sockets: Vec<_> = open.iter().filter(|name| name.starts_with("socket:")).collect();
    assert_eq!(sockets.len(), 1, "{open:?}");
    let seqpacket = fs::read_to_string("/proc/net/unix").unwrap();
    let inode = sockets[0].trim_matches(|c: char| !c.is_ascii_digit());
    let ours = seqpacket.lines().find(|line| line.split_whitespace().nth(6) == Some(inode)).unwrap();
    assert_eq!(ours.split_whitespace().nth(4), Some("0005"), "{ours}");
    // The helper ends with the server, however that ends.
    process::signal(pid, Signal::SIGKILL);
    until_true("the helper ends", || !process::is_running(helper));
}

#[test]
fn the_owner_root_keeps_root_and_needs_no_helper() {
    if !geteuid().is_root() {
        return;
    }
    let server = Server::start(&Conf::live("").with_flv());
    assert_eq!(children(server.pid()), [0; 0]);
}

#[test]
fn what_only_root_may_read_is_read_at_reloads() {
    let Some(prefix) = prefix() else { return };
    for name in ["origin.crt", "origin.key", "ticket-1.key", "passwords"] {
        set_mode(&prefix.write(&format!("conf/{name}"), tls_file(name)), 0o600);
    }
    for name in ["ca.crt", "ca.crl", "client.crt", "client.key"] {
        set_mode(&prefix.write(&format!("conf/{name}"), tls_file(&format!("clients/{name}"))), 0o600);
    }
    let (port, front) = (free_port(), free_port());
    let encrypted = |more: &str| {
        conf().http(&format!(
            "{more} server {{ listen {port} ssl; ssl_certificate origin.crt; ssl_certificate_key origin.key; \
             ssl_client_certificate ca.crt; ssl_crl ca.crl; ssl_verify_client optional; ssl_session_ticket_key ticket-1.key; \
             ssl_password_file passwords; location / {{ return 200 $ssl_client_verify; }} }} \
             server {{ listen {front}; location / {{ proxy_pass https://127.0.0.1:{port}; proxy_ssl_certificate client.crt; \
             proxy_ssl_certificate_key client.key; }} }}"
        ))
    };
    let server = Server::start_in(prefix, &encrypted(""));
    assert_eq!(http::get(front, "/").text(), "SUCCESS");
    let path = |name: &str| server.prefix().path().join(name);
    // A renewed key, a configuration and an included file that only root may read.
    for name in ["origin.crt", "origin.key"] {
        let new = server.prefix().write("conf/new", tls_file(name));
        set_mode(&new, 0o600);
        fs::rename(new, path("conf").join(name)).unwrap();
    }
    set_mode(&server.prefix().write("conf/more.conf", "charset utf-8;"), 0o600);
    set_mode(&server.prefix().conf(), 0o600);
    server.reload(&encrypted("include more.conf;"));
    set_mode(&server.prefix().conf(), 0o600);
    server.signal(Signal::SIGHUP);
    server.wait_log("stays in force: no directive has changed");
    let status = server.status();
    assert_eq!(status["configuration"]["on_disk"], "same", "{status}");
    assert_eq!(http::get(server.http, "/none").status(), 404);
    assert_eq!(http::get(front, "/").text(), "SUCCESS");
    assert!(!server.log().contains("[emerg]") && !server.log().contains("[alert]"), "{}", server.log());
    assert!(!server.log().contains("cannot load"), "{}", server.log());
}

#[test]
fn what_only_root_may_bind_is_bound_at_reloads() {
    let Some(prefix) = prefix() else { return };
    // On a machine where every user may bind the port this shows less.
    let port = (900..1000).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
    let server = Server::start_in(prefix, &conf());
    let low = conf().http(&format!(
        "server {{ listen 127.0.0.1:{port}; location / {{ return 200 low; }} }}
         server {{ listen unix:{{dir}}/logs/http.sock; location / {{ return 200 unix; }} }}"
    ));
    server.reload(&low);
    assert_eq!(http::get(port, "/").text(), "low");
    assert!(server.prefix().path().join("logs/http.sock").exists());
    server.reload(&conf());
    // Workers close it after the reload is in force.
    until_true("the port is closed", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    server.reload(&low);
    assert_eq!(http::get(port, "/").text(), "low");
}

#[test]
fn reuseport_is_added_to_a_socket_that_root_has_opened() {
    let Some(prefix) = prefix() else { return };
    let port = free_port();
    let with = |options: &str| {
        conf().http(&format!(
            "server {{ listen 127.0.0.1:{port} {options}; location / {{ return 200 own; }} }}"
        ))
    };
    let server = Server::start_in(prefix, &with(""));
    // Each socket that listens has a line.
    let count = || {
        let all = fs::read_to_string("/proc/net/tcp").unwrap();
        all.matches(&format!("0100007F:{port:04X} 00000000:0000 0A")).count()
    };
    assert_eq!(count(), 1);
    server.reload(&with("reuseport"));
    assert_eq!(count(), 2);
    assert_eq!(http::get(port, "/").text(), "own");
}

#[test]
fn logs_that_only_root_may_write_are_reopened_and_added() {
    let Some(prefix) = prefix() else { return };
    let server = Server::start_in(prefix, &conf());
    let logs = server.prefix().path().join("logs");
    let log = logs.join("error.log");
    // logrotate with `create 0640 root root`.
    fs::rename(&log, logs.join("error.log.1")).unwrap();
    fs::write(&log, "").unwrap();
    set_mode(&log, 0o640);
    server.signal(Signal::SIGUSR1);
    until_true("the log is reopened", || fs::read_to_string(&log).unwrap().contains("reopening logs"));
    assert_eq!((fs::metadata(&log).unwrap().uid(), fs::metadata(&log).unwrap().mode() & 0o777), (0, 0o640));
    // logrotate without `create`: nginx's directory is root's.
    fs::rename(&log, logs.join("error.log.2")).unwrap();
    server.signal(Signal::SIGUSR1);
    until_true("the log is made", || {
        log.exists() && fs::read_to_string(&log).unwrap().contains("reopening logs")
    });
    assert_eq!(fs::metadata(&log).unwrap().uid(), NOBODY, "what the helper makes is the user's");
    let added = logs.join("added.log");
    server.reload(&conf().main("error_log logs/added.log notice;"));
    until_true("the added log is written", || fs::read_to_string(&added).is_ok_and(|text| !text.is_empty()));
    assert_eq!(fs::metadata(&added).unwrap().uid(), NOBODY);
}

#[test]
fn the_pid_file_and_the_control_socket_are_removed_at_the_end() {
    let Some(prefix) = prefix() else { return };
    let mut server = Server::start_in(prefix, &conf());
    let logs = server.prefix().path().join("logs");
    let own = ["pingosd.pid", "pingosd.sock"].map(|name| logs.join(name));
    assert_eq!(fs::read_to_string(&own[0]).unwrap().trim(), server.pid().to_string());
    assert!(own[1].exists());
    server.signal(Signal::SIGTERM);
    assert!(server.wait_exit().success());
    assert!(own.iter().all(|path| !path.exists()), "{:?}", fs::read_dir(&logs).unwrap().collect::<Vec<_>>());
}

#[test]
fn an_upgrade_starts_the_program_as_root() {
    let Some(prefix) = prefix() else { return };
    // The program is fixed at the start, and root alone may change it.
    let program = prefix.path().join("pingosd");
    fs::copy(PROGRAM, &program).unwrap();
    let server = Server::start_with(prefix, &conf(), |command, _, _| {
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        *command = Command::new(&program);
        command.args(args);
    });
    let (logs, old) = (server.prefix().path().join("logs"), server.pid());
    let number = |name: &str| fs::read_to_string(logs.join(name)).ok()?.trim().parse::<i32>().ok();
    let publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    server.signal(Signal::SIGUSR2);
    until_true("the new process serves", || {
        server.log_lines(" started, ").iter().any(|line| !line.contains(&format!(" {old}#")))
    });
    let new = number("pingosd.pid").unwrap();
    assert_ne!(new, old);
    assert_eq!(number("pingosd.pid.oldbin"), Some(old));
    assert_eq!(uids(new).split_whitespace().next(), Some("65534"));
    // Players of the new process find the streams of the old one, although both have become another user.
    process::signal(old, Signal::SIGWINCH);
    server.wait_log("accepting no more connections");
    let newcomer = Player::start(server.rtmp, "s");
    until_true("it plays in the new process", || {
        server.log_lines("playing 's'").iter().any(|line| line.contains(&format!(" {new}#")))
    });
    let feed = publisher.keep_sending();
    newcomer.wait_key();
    let mut publisher = feed.stop();
    drop(newcomer);
    // Its own helper makes what needs root.
    assert_eq!(children(new).len(), 1);
    // It ends: the old process takes the files back.
    process::signal(new, Signal::SIGTERM);
    until_true("the old process is alone again", || number("pingosd.pid") == Some(old));
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    assert!(server.run(&["status"]).status.success());
}

#[test]
fn what_others_may_change_is_opened_with_the_rights_of_the_user() {
    let Some(prefix) = prefix() else { return };
    prefix.write("secret/secret.key", tls_file("origin.key"));
    set_mode(&prefix.path().join("secret/secret.key"), 0o600);
    prefix.write("conf/origin.crt", tls_file("origin.crt"));
    prefix.write("open/more.conf", "");
    chown(prefix.path().join("open"), Some(NOBODY), None).unwrap();
    let base = conf().http("include {dir}/open/*.conf;");
    let server = Server::start_in(prefix, &base);
    let path = |name: &str| server.prefix().path().join(name);
    let port = free_port();
    // A user's file names a key of root's.
    server.prefix().write(
        "open/more.conf",
        format!(
            "server {{ listen {port} ssl; ssl_certificate origin.crt; ssl_certificate_key {}; }}",
            path("secret/secret.key").display()
        ),
    );
    server.signal(Signal::SIGHUP);
    server.wait_log("reload refused");
    assert!(server.log().contains("Permission denied"), "{}", server.log());
    // A user's file is a link to one of root's: its text does not come out in a message either.
    fs::remove_file(path("open/more.conf")).unwrap();
    symlink(path("secret/secret.key"), path("open/more.conf")).unwrap();
    let refused = server.log_lines("reload refused").len();
    server.signal(Signal::SIGHUP);
    until_true("it is refused again", || server.log_lines("reload refused").len() > refused);
    assert!(!server.log().contains("BEGIN"), "{}", server.log());
    assert!(server.log().lines().last().unwrap().contains("reload refused"));
}
