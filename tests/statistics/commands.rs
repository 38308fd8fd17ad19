//! Streams and clients in a terminal: `pingosd status streams` and `pingosd top`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use crate::start;
use crate::support::frame::GOP;
use crate::support::server::PROGRAM;
use crate::support::{Conf, Player, Publisher, Server};

fn server() -> (Server, Publisher, Player) {
    let server = start("cache_time 1s;");
    let mut publisher = Publisher::start(server.rtmp, "evil\u{1b}[2J");
    let player = Player::start(server.rtmp, "evil\u{1b}[2J");
    player.wait_frame(publisher.send(2 * GOP));
    (server, publisher, player)
}

#[test]
fn status_lists_streams_and_clients() {
    let (server, _publisher, _player) = server();
    let output = server.run(&["status", "streams"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with(&format!("process {}, up ", server.pid())), "{text}");
    assert!(text.contains(": 1 stream, 2 clients, in "), "{text}");
    assert!(text.contains("\nserver default, application live\n"), "{text}");
    assert!(text.contains("\n  evil\u{fffd}[2J: published, 2 clients, in "), "{text}");
    assert!(text.contains("H264 320x240"), "{text}");
    assert!(
        text.contains(" publisher rtmp 127.0.0.1:") && text.contains(" player rtmp 127.0.0.1:"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text:?}");
    for words in [&["status", "nothing"][..], &["status", "streams", "--none"], &["top", "fast"]] {
        assert!(!server.run(words).status.success(), "{words:?}");
    }
}

#[test]
fn json_of_the_list_is_that_of_the_location() {
    let (server, _publisher, _player) = server();
    let output = server.run(&["status", "streams", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let location = crate::json(&server, "/json");
    let names = |document: &serde_json::Value| -> Vec<String> {
        let stream = &document["rtmp"]["servers"][0]["applications"][0]["streams"][0];
        stream.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(&list), names(&location));
    let stream = &list["rtmp"]["servers"][0]["applications"][0]["streams"][0];
    assert_eq!((&stream["name"], &stream["nclients"]), (&"evil\u{1b}[2J".into(), &2.into()));
}

#[test]
fn a_watched_list_comes_again_and_again() {
    let (server, _publisher, _player) = server();
    for (words, begin) in [
        (&["status", "streams", "--json", "--watch"][..], "{\"rtmp\":"),
        (&["status", "streams", "--watch"], "process "),
        (&["status", "--json", "--watch"], "{\"version\":"),
    ] {
        let mut command = server.prefix().command();
        let mut child = command.args(words).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let found = lines.map(Result::unwrap).filter(|line| line.starts_with(begin)).take(2).count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, 2, "{words:?}");
    }
}

#[test]
fn top_shows_streams_in_a_terminal_until_q() {
    let (server, _publisher, _player) = server();
    let output = server.run(&["top"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains("top needs a terminal"), "{text}");
    let prefix = server.prefix();
    let line = format!(
        "stty rows 30 cols 120; exec {PROGRAM} -p {} -c {} top",
        prefix.path().display(),
        prefix.conf().display()
    );
    // It gives its child a terminal.
    let mut script = Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let Ok(mut child) = script.spawn() else {
        eprintln!("left out: script is missing (Debian package bsdutils)");
        return;
    };
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut seen, mut some) = (Vec::new(), [0; 4096]);
    let mut wait_for = |text: &str| {
        while !String::from_utf8_lossy(&seen).contains(text) {
            let count = screen.read(&mut some).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&some[..count]);
        }
    };
    wait_for("sort: out");
    keys.write_all(b"s").unwrap();
    keys.write_all(b"q").unwrap();
    while screen.read(&mut some).unwrap() > 0 {}
    assert!(child.wait().unwrap().success());
}

/// Not with the publisher's address, which a relay's session has.
#[test]
fn relays_are_listed_with_the_address_of_the_other_server() {
    let target = Server::start(&Conf::live(""));
    let server = start(&format!("push rtmp://127.0.0.1:{};", target.rtmp));
    let _publisher = Publisher::start(server.rtmp, "s").keep_sending();
    target.wait_log("publishing 's'");
    let text = String::from_utf8(server.run(&["status", "streams"]).stdout).unwrap();
    assert!(text.contains(&format!(" push rtmp 127.0.0.1:{}, ", target.rtmp)), "{text}");
    let stream = &crate::json(&server, "/json")["rtmp"]["servers"][0]["applications"][0]["streams"][0];
    let clients = stream["clients"].as_array().unwrap();
    let relay = clients.iter().find(|client| client["relay"] == true).unwrap();
    assert_eq!(relay["address"], "127.0.0.1");
    assert_eq!(relay["remote_address"], format!("127.0.0.1:{}", target.rtmp));
}
