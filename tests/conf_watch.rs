//! `conf_watch`: changed files are used without a signal.

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use support::server::{Prefix, Signal};
use support::wait::until_true;
use support::{Conf, Server, http};

const NOTICED: &str = "configuration files have changed";

/// A configuration that answers `answer`, watched as `watch` says.
fn conf(watch: &str, answer: &str) -> Conf {
    Conf::live("").main(&format!("conf_watch {watch};")).http_server(&format!("return 200 {answer};"))
}

#[track_caller]
fn wait_answer(server: &Server, answer: &str) {
    until_true(&format!("the answer `{answer}`"), || http::get(server.http, "/").text() == answer);
}

#[test]
fn a_file_written_in_place_is_used() {
    let server = Server::start(&conf("on", "a"));
    server.rewrite(&conf("on", "b"));
    wait_answer(&server, "b");
    server.rewrite(&conf("on", "c"));
    wait_answer(&server, "c");
}

#[test]
fn a_file_renamed_over_the_other_is_used() {
    let server = Server::start(&conf("on", "a"));
    for answer in ["b", "c", "d"] {
        let text = conf("on", answer).text(server.rtmp, server.http, server.prefix().path());
        let new = server.prefix().write("conf/.pingosd.conf.swp", text);
        // As vim does: the old one moves away first.
        fs::rename(server.prefix().conf(), server.prefix().path().join("conf/pingosd.conf~")).unwrap();
        fs::rename(new, server.prefix().conf()).unwrap();
        wait_answer(&server, answer);
    }
}

#[test]
fn the_same_contents_are_no_change() {
    let server = Server::start(&conf("20ms", "a"));
    for _ in 0..20 {
        server.rewrite(&conf("20ms", "a"));
    }
    // Written in place the file is empty for a moment, so it is replaced here.
    let before = server.log_lines(NOTICED).len();
    for _ in 0..20 {
        let text = conf("20ms", "a").text(server.rtmp, server.http, server.prefix().path());
        fs::rename(server.prefix().write("conf/new", text), server.prefix().conf()).unwrap();
    }
    let text = conf("20ms", "b").text(server.rtmp, server.http, server.prefix().path());
    fs::rename(server.prefix().write("conf/new", text), server.prefix().conf()).unwrap();
    wait_answer(&server, "b");
    assert!(server.log_lines(NOTICED).len() <= before + 2, "{}", server.log());
}

#[test]
fn a_pattern_that_gains_a_file_is_noticed() {
    let prefix = Prefix::new();
    let server =
        Server::start_in(prefix, &Conf::live("").main("conf_watch on;").http_server("include more/*.conf;"));
    assert_eq!(http::get(server.http, "/new").status(), 404);
    server.prefix().write("conf/more/new.conf", "location /new { return 200 here; }");
    until_true("the new location", || http::get(server.http, "/new").text() == "here");
    fs::write(server.prefix().path().join("conf/more/new.conf"), "location /new { return 200 other; }")
        .unwrap();
    until_true("its change", || http::get(server.http, "/new").text() == "other");
    fs::remove_file(server.prefix().path().join("conf/more/new.conf")).unwrap();
    until_true("its end", || http::get(server.http, "/new").status() == 404);
}

#[test]
fn a_link_swapped_as_kubernetes_does_is_noticed() {
    let prefix = Prefix::new();
    let dir = prefix.path().join("conf/map");
    for (name, answer) in [("..1", "first"), ("..2", "second"), ("..3", "third")] {
        prefix.write(&format!("conf/map/{name}/a.conf"), format!("location /map {{ return 200 {answer}; }}"));
    }
    symlink("..1", dir.join("..data")).unwrap();
    symlink("..data/a.conf", dir.join("a.conf")).unwrap();
    let server =
        Server::start_in(prefix, &Conf::live("").main("conf_watch on;").http_server("include map/a.conf;"));
    assert_eq!(http::get(server.http, "/map").text(), "first");
    for (name, answer) in [("..2", "second"), ("..3", "third")] {
        symlink(name, dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
        until_true(answer, || http::get(server.http, "/map").text() == answer);
    }
}

#[test]
fn a_directory_replaced_by_another_is_noticed() {
    let server = Server::start_in(
        Prefix::new(),
        &Conf::live("").main("conf_watch on;").http_server("include more/*.conf;"),
    );
    let dir = server.prefix().path().join("conf");
    for answer in ["one", "two", "three"] {
        server.prefix().write("conf/next/a.conf", format!("location /a {{ return 200 {answer}; }}"));
        let _ = fs::rename(dir.join("more"), dir.join(format!("before-{answer}")));
        fs::rename(dir.join("next"), dir.join("more")).unwrap();
        until_true(answer, || http::get(server.http, "/a").text() == answer);
    }
}

#[test]
fn a_burst_of_changes_is_taken_together() {
    let server = Server::start(&conf("on", "0"));
    for n in 1..=200 {
        server.rewrite(&conf("on", &n.to_string()));
    }
    wait_answer(&server, "200");
    assert!(server.log_lines(NOTICED).len() < 100, "{}", server.log_lines(NOTICED).len());
}

#[test]
fn looking_now_and_then_is_enough() {
    let server = Server::start(&conf("50ms", "a"));
    server.rewrite(&conf("50ms", "b"));
    wait_answer(&server, "b");
    server.rewrite(&conf("on", "c"));
    wait_answer(&server, "c");
    server.rewrite(&conf("on", "d"));
    wait_answer(&server, "d");
}

#[test]
fn a_broken_file_is_refused_once_and_the_next_is_used() {
    let server = Server::start(&conf("20ms", "a"));
    let broken = conf("20ms", "b").http("no_such_directive;");
    let text = broken.text(server.rtmp, server.http, server.prefix().path());
    fs::rename(server.prefix().write("conf/new", text), server.prefix().conf()).unwrap();
    server.wait_log("reload refused");
    assert_eq!(http::get(server.http, "/").text(), "a");
    let text = conf("20ms", "c").text(server.rtmp, server.http, server.prefix().path());
    fs::rename(server.prefix().write("conf/new", text), server.prefix().conf()).unwrap();
    wait_answer(&server, "c");
    assert_eq!(server.log_lines("no_such_directive").len(), 1, "it is not tried again and again");
}

#[test]
fn watching_can_be_turned_on_and_off_by_a_reload() {
    let server = Server::start(&conf("off", "a"));
    server.rewrite(&conf("on", "b"));
    server.signal(Signal::SIGHUP);
    wait_answer(&server, "b");
    server.rewrite(&conf("off", "c"));
    wait_answer(&server, "c");
    let noticed = server.log_lines(NOTICED).len();
    server.reload(&conf("off", "d"));
    assert_eq!(http::get(server.http, "/").text(), "d");
    server.reload(&conf("off", "e"));
    assert_eq!(server.log_lines(NOTICED).len(), noticed);
}
