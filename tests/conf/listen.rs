//! Parameters of `listen`: accepted and refused as by nginx 1.22, with its messages. Where nginx is installed, the table is
//! compared with it too.

use std::path::Path;
use std::process::Command;

use crate::support::Prefix;

const NGINX: &str = "/usr/sbin/nginx";

/// Lines after `listen` and nginx's message. An empty one means that the configuration is accepted silently; one that
/// begins with `+`, that it is accepted with this message.
const LINES: &[(&str, &str)] = &[
    ("18080 setfib=1", "invalid parameter \"setfib=1\""),
    ("18080 fastopen=3", ""),
    ("18080 fastopen=0", ""),
    ("18080 fastopen=x", "invalid fastopen \"fastopen=x\""),
    ("18080 fastopen=", "invalid fastopen \"fastopen=\""),
    ("18080 backlog=7", ""),
    ("18080 backlog=0", "invalid backlog \"backlog=0\""),
    ("18080 backlog=-1", "invalid backlog \"backlog=-1\""),
    ("18080 backlog=x", "invalid backlog \"backlog=x\""),
    ("18080 backlog", "invalid parameter \"backlog\""),
    ("18080 rcvbuf=4k sndbuf=1M", ""),
    ("18080 rcvbuf=0", ""),
    ("18080 rcvbuf=x", "invalid rcvbuf \"rcvbuf=x\""),
    ("18080 rcvbuf=1g", "invalid rcvbuf \"rcvbuf=1g\""),
    ("18080 sndbuf=", "invalid sndbuf \"sndbuf=\""),
    (
        "18080 accept_filter=httpready",
        "+accept filters \"accept_filter=httpready\" are not supported on this platform, ignored",
    ),
    ("18080 deferred", ""),
    ("18080 deferred=1", "invalid parameter \"deferred=1\""),
    ("18080 Deferred", "invalid parameter \"Deferred\""),
    ("18080 bind", ""),
    ("18080 bind=1", "invalid parameter \"bind=1\""),
    ("18080 ipv6only=on", ""),
    ("18080 ipv6only=off", ""),
    ("18080 ipv6only=x", "invalid parameter \"ipv6only=x\""),
    ("18080 ipv6only=", "invalid parameter \"ipv6only=\""),
    ("18080 ipv6only=onx", "invalid ipv6only flags \"onx\""),
    ("[::]:18080 ipv6only=ox", "invalid ipv6only flags \"ox\""),
    ("[::]:18080 ipv6only=off", ""),
    ("18080 reuseport", ""),
    ("18080 reuseport=1", "invalid parameter \"reuseport=1\""),
    ("18080 so_keepalive=on", ""),
    ("18080 so_keepalive=off", ""),
    ("18080 so_keepalive=1:2:3", ""),
    ("18080 so_keepalive=30m::10", ""),
    ("18080 so_keepalive=1:2", ""),
    ("18080 so_keepalive=1", ""),
    ("18080 so_keepalive=0:0:3", ""),
    ("18080 so_keepalive=", "invalid so_keepalive value: \"\""),
    ("18080 so_keepalive=x", "invalid so_keepalive value: \"x\""),
    ("18080 so_keepalive=::", "invalid so_keepalive value: \"::\""),
    ("18080 so_keepalive=0:0:0", "invalid so_keepalive value: \"0:0:0\""),
    ("18080 so_keepalive=1:2:3:4", "invalid so_keepalive value: \"1:2:3:4\""),
    ("18080 so_keepalive=30ms::10", "invalid so_keepalive value: \"30ms::10\""),
    ("18080 so_keepalive=::x", "invalid so_keepalive value: \"::x\""),
    ("18080 so_keepalive", "invalid parameter \"so_keepalive\""),
    ("18080 proxy_protocol", ""),
    ("18080 proxy_protocol=1", "invalid parameter \"proxy_protocol=1\""),
    ("18080 default", ""),
    ("18080 default_server", ""),
    ("18080 DEFAULT_SERVER", "invalid parameter \"DEFAULT_SERVER\""),
    ("18080 bogus", "invalid parameter \"bogus\""),
    ("18080 spdy", "invalid parameter \"spdy\""),
    ("backlog=3", "host not found in \"backlog=3\" of the \"listen\" directive"),
    ("0", "invalid port in \"0\" of the \"listen\" directive"),
    ("65536", "invalid port in \"65536\" of the \"listen\" directive"),
    ("18080-18082", ""),
    ("127.0.0.1:18080-18081 backlog=9", ""),
    ("18082-18080", "invalid port range in \"18082-18080\" of the \"listen\" directive"),
    ("18080-", "host not found in \"18080-\" of the \"listen\" directive"),
    ("127.0.0.1:18080-", "invalid port in \"127.0.0.1:18080-\" of the \"listen\" directive"),
    ("[::1]:18080", ""),
    ("[::1", "invalid host in \"[::1\" of the \"listen\" directive"),
    ("[::1]x", "invalid host in \"[::1]x\" of the \"listen\" directive"),
    ("[fe80::1%lo]:18080", "invalid IPv6 address in \"[fe80::1%lo]:18080\" of the \"listen\" directive"),
    ("unix:", "no path in the unix domain socket in \"unix:\" of the \"listen\" directive"),
    ("unix:s.sock backlog=7 rcvbuf=8k reuseport", ""),
];

/// As [`LINES`], with whole servers.
const SERVERS: &[(&str, &str)] = &[
    (
        "server { listen 18080 backlog=5; } server { listen 18080 rcvbuf=4k; }",
        "duplicate listen options for 0.0.0.0:18080",
    ),
    (
        "server { listen 18080 bind; } server { listen 18080 bind; }",
        "duplicate listen options for 0.0.0.0:18080",
    ),
    (
        "server { listen 18080 reuseport; } server { listen *:18080 deferred; }",
        "duplicate listen options for 0.0.0.0:18080",
    ),
    (
        "server { listen 18080 ipv6only=on; } server { listen 18080 so_keepalive=on; }",
        "duplicate listen options for 0.0.0.0:18080",
    ),
    (
        "server { listen 18080 fastopen=3; } server { listen 18080 deferred; }",
        "duplicate listen options for 0.0.0.0:18080",
    ),
    (
        "server { listen [::1]:18080 backlog=3; } server { listen [0::1]:18080 backlog=3; }",
        "duplicate listen options for [::1]:18080",
    ),
    (
        "server { listen 18080-18081 backlog=3; } server { listen 18081 backlog=3; }",
        "duplicate listen options for 0.0.0.0:18081",
    ),
    ("server { listen 18080 bind; listen 18080; }", "a duplicate listen 0.0.0.0:18080"),
    (
        "server { listen 18080 default_server; } server { listen 18080 default_server backlog=5; }",
        "a duplicate default server for 0.0.0.0:18080",
    ),
    ("server { listen 18080; server_name a; } server { listen 18080 backlog=5; }", ""),
    ("server { listen 18080 proxy_protocol; server_name a; } server { listen 18080; }", ""),
    (
        "server { listen 18080 proxy_protocol backlog=5; server_name a; } server { listen 18080 proxy_protocol; }",
        "",
    ),
    (
        "server { listen 18080 accept_filter=x; server_name a; } server { listen 18080 backlog=5; }",
        "+accept filters \"accept_filter=x\" are not supported on this platform, ignored",
    ),
    ("server { listen 18080; server_name a; } server { listen 127.0.0.1:18080 backlog=3; }", ""),
];

/// Configurations of `http { }` with the messages expected.
fn cases() -> impl Iterator<Item = (String, &'static str)> {
    let lines = LINES.iter().map(|(line, message)| (format!("server {{ listen {line}; }}"), *message));
    lines.chain(SERVERS.iter().map(|(servers, message)| ((*servers).to_owned(), *message)))
}

/// Whether a test with this outcome said what is expected.
fn agrees(expected: &str, accepted: bool, said: &str) -> bool {
    let (accepts, message) = match expected.strip_prefix('+') {
        Some(message) => (true, message),
        None => (expected.is_empty(), expected),
    };
    let is_said = said.lines().any(|line| line.contains(&format!("{message} in ")));
    let is_silent = !said.contains("[emerg]") && !said.contains("[warn]");
    accepts == accepted && if message.is_empty() { is_silent } else { is_said }
}

#[test]
fn parameters_are_accepted_and_refused_as_by_nginx() {
    for (servers, message) in cases() {
        let prefix = Prefix::new(format!("events {{}} http {{ {servers} }}"), &[]);
        let (accepted, said) = prefix.test("");
        assert!(agrees(message, accepted, &said), "{servers}: {said}");
    }
}

#[test]
fn nginx_says_the_same() {
    if !Path::new(NGINX).exists() {
        return;
    }
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {name};"))
        .concat();
    let conf = |servers: &str| {
        format!("pid p; error_log stderr; events {{}} http {{ access_log off; {paths} {servers} }}")
    };
    let prefix = Prefix::new("", &[]);
    for (servers, message) in cases() {
        prefix.write("nginx.conf", conf(&servers));
        let mut test = Command::new(NGINX);
        test.arg("-t").arg("-p").arg(prefix.path()).args(["-c", "conf/nginx.conf"]);
        let output = test.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(agrees(message, output.status.success(), &said), "{servers}: {said}");
    }
}

#[test]
fn rtmp_takes_the_socket_options_too() {
    let servers = "server { listen 19350 proxy_protocol deferred fastopen=5 backlog=9 reuseport so_keepalive=1:2:3; \
                   listen 19351 ipv6only=on; application a { live on; } }";
    let prefix = Prefix::new(format!("events {{}} rtmp {{ {servers} }}"), &[]);
    let (accepted, said) = prefix.test("");
    assert!(accepted && said.contains("ipv6only is not supported on addr"), "{said}");
    let config = prefix.load().unwrap();
    let options = &config.rtmp.as_ref().unwrap().listeners[0].options;
    assert!(options.proxy_protocol && options.deferred && options.reuseport);
    assert_eq!((options.fastopen, options.backlog), (Some(5), Some(9)));
}

#[test]
fn socket_options_make_a_socket_of_their_own() {
    let sockets = |servers: &str| {
        let prefix = Prefix::new(format!("events {{}} http {{ {servers} }}"), &[]);
        let config = prefix.load().unwrap();
        config.http.as_ref().unwrap().listeners.iter().map(|l| l.addr.to_string()).collect::<Vec<_>>()
    };
    let other = |options: &str| {
        sockets(&format!("server {{ listen 18080; }} server {{ listen 127.0.0.1:18080 {options}; }}"))
    };
    assert_eq!(other(""), ["0.0.0.0:18080"]);
    assert_eq!(other("proxy_protocol"), ["0.0.0.0:18080"]);
    for options in
        ["bind", "backlog=3", "so_keepalive=off", "deferred", "rcvbuf=8k", "reuseport", "fastopen=1"]
    {
        assert_eq!(other(options), ["0.0.0.0:18080", "127.0.0.1:18080"], "{options}");
    }
}
