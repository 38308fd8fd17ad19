//! What `-t` refuses as nginx 1.22 does, since it would not hold; and what may be defined and then counts.

use std::process::Command;

use crate::support::http::get;
use crate::support::server::{PROGRAM, Prefix};
use crate::support::{Conf, Server};

/// What `-t` says of lines of an http server.
fn told(http: &str, lines: &str) -> (bool, String) {
    let prefix = Prefix::new();
    let conf = Conf::live("").http(http).http_server(lines);
    prefix.write("conf/pingosd.conf", conf.text(1, 2, prefix.path()));
    let mut command = Command::new(PROGRAM);
    let told = command.arg("-t").arg("-p").arg(prefix.path()).arg("-c").arg(prefix.conf()).output().unwrap();
    (told.status.success(), String::from_utf8(told.stderr).unwrap())
}

#[track_caller]
fn refuses(http: &str, lines: &str, complaint: &str) {
    let (ok, text) = told(http, lines);
    assert!(!ok && text.contains(&format!("[emerg] {complaint} in ")), "{http} {lines}: {text}");
}

#[test]
fn conditions_have_nothing_too_much() {
    for (condition, complaint) in [
        ("($arg_x = a b)", "invalid condition \"$arg_x\""),
        ("($arg_x a)", "invalid condition \"$arg_x\""),
        ("($arg_x a b)", "unexpected \"a\" in condition"),
        ("($arg_x ~ a b)", "invalid condition \"$arg_x\""),
        ("(-f a b)", "invalid condition \"-f\""),
        ("(-f)", "invalid condition \"-f\""),
        ("($arg_x =)", "invalid condition \"$arg_x\""),
        ("( $arg_x = )", "invalid condition \"$arg_x\""),
        ("( ! -f x )", "invalid condition \"!\""),
        ("(!$arg_x)", "invalid condition \"!$arg_x\""),
        ("($arg_x) b", "invalid condition \"b\""),
        ("()", "invalid condition \")\""),
        ("($arg_x \"\" a)", "unexpected \"\" in condition"),
        ("($arg_x = a ))", "invalid condition \"$arg_x\""),
    ] {
        refuses("", &format!("location / {{ if {condition} {{ return 403; }} }}"), complaint);
    }
    for condition in ["($arg_x = a ) )", "( $arg_x )", "($arg_x = \"\" )", "($arg_x = a) )"] {
        let (ok, text) = told("", &format!("location / {{ if {condition} {{ return 403; }} }}"));
        assert_eq!(ok, condition != "($arg_x = a ) )", "{condition}: {text}");
    }
}

#[test]
fn variables_of_the_server_cannot_be_defined() {
    for name in ["host", "uri", "query_string", "remote_addr", "request_uri", "status", "Host", "http_host"] {
        let complaint = format!("the duplicate \"{name}\" variable");
        refuses("", &format!("set ${name} x;"), &complaint);
    }
    for (http, lines, complaint) in [
        ("", "location ~ (?<host>x) { }", "the duplicate \"host\" variable"),
        ("", "if ($args ~ (?<uri>x)) { return 403; }", "the duplicate \"uri\" variable"),
        ("", "server_name ~(?<host>x);", "the duplicate \"host\" variable"),
        ("", "rewrite (?<uri>x) /y;", "the duplicate \"uri\" variable"),
        ("map $uri $host { default 1; }", "", "the duplicate \"host\" variable"),
        ("geo $host { default 1; }", "", "the duplicate \"host\" variable"),
        ("split_clients $uri $uri { * a; }", "", "the duplicate \"uri\" variable"),
    ] {
        refuses(http, lines, complaint);
    }
}

#[test]
fn what_may_be_defined_counts_in_place_of_what_was_asked() {
    let server = Server::start(&Conf::live("").http_server(
        r#"location /args { set $args "t=ok"; if ($arg_t != ok) { return 403; } return 200 "$args|$query_string|$arg_t"; }
           location /empty { set $args ""; if ($arg_t = ok) { return 403; } return 200 "$args|$is_args|$request_uri"; }
           location /arg { set $arg_t mine; if ($arg_t = ok) { return 403; } return 200 "$arg_t"; }
           location /header { set $http_x_a mine; return 200 "$http_x_a"; }
           location /referer { valid_referers a.test; set $invalid_referer 1; if ($invalid_referer) { return 403; } return 200 in; }
"#,
    ));
    for (target, text) in [
        ("/args?t=no", "t=ok|t=ok|ok"),
        ("/empty?t=ok", "||/empty?t=ok"),
        ("/arg?t=ok", "mine"),
        ("/header", "mine"),
    ] {
        assert_eq!(get(server.http, target).text(), text, "{target}");
    }
    assert_eq!(get(server.http, "/referer").status(), 403);
    // A group is a variable, and leaves the query string as it is.
    let server = Server::start(
        &Conf::live("").http_server(r#"location ~ ^/group/(?<args>.*)$ { return 200 "$args|$arg_t"; }"#),
    );
    assert_eq!(get(server.http, "/group/t=x?t=y").text(), "t=x|y");
}

#[test]
fn an_address_that_the_machine_does_not_have_cannot_be_listened_on() {
    let (ok, text) = told("", "listen 192.0.2.1:3;");
    let complaint = "[emerg] bind() to 192.0.2.1:3 failed (99: Cannot assign requested address)";
    assert!(!ok && text.contains(complaint), "{text}");
}

#[test]
fn one_line_of_an_address_says_how_its_socket_is_made() {
    for (one, other) in [
        ("backlog=10", "backlog=20"),
        ("backlog=10", "backlog=10"),
        ("rcvbuf=1k", "backlog=10"),
        ("bind", "bind"),
        ("so_keepalive=on", "deferred"),
    ] {
        let servers = format!(
            "server {{ listen 127.0.0.1:3 {one}; }} server {{ listen 127.0.0.1:3 {other}; server_name b; }}"
        );
        refuses(&servers, "", "duplicate listen options for 127.0.0.1:3");
    }
    let servers = "server { listen 127.0.0.1:3 backlog=1; } server { listen 127.0.0.1:3 default_server; server_name b; }
                   server { listen 3 backlog=2; }";
    let (ok, text) = told(servers, "");
    assert!(ok, "{text}");
}
