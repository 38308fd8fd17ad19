//! Each rule reports the smallest source that breaks it, and nothing about the same source without the fault.

use crate::circles::{arrows, circles};
use crate::code_rules::{misplaced_logs, text_errors, unexplained_blocks, unsafe_lines, vague_comments};
use crate::pure::{impure, wrongly_listed};
use crate::source::{Library, made_up};
use crate::upward;

/// A library of one file.
fn one(path: &str, text: &str) -> Library {
    made_up([(path, text)])
}

/// A library of two files of different rooms, the second of which is imported from.
fn importing(from: &str, text: &str, to: &str) -> Library {
    made_up([(from, text), (to, "pub struct Stream;")])
}

#[test]
fn imports_that_do_not_point_down_are_reported() {
    for (from, text, to) in [
        ("wire/flv", "use crate::hub::Stream;", "hub"),
        ("wire/flv", "use crate::{hub::{Other, Stream}, limits};", "hub"),
        ("wire/flv/writer", "use super::super::super::hub::Stream;", "hub"),
        ("hub/cursor", "fn a() { crate::media::Stream::new() }", "media"),
        ("module/hls/conf", "use crate::module::dash::Stream;", "module/dash"),
        ("module/hls/conf", "use super::super::dash::{self, Stream};", "module/dash"),
        ("module/hls/conf", "pub use crate::server::Stream as Other;", "server"),
    ] {
        let upward = upward(&importing(from, text, to));
        assert!(!upward.is_empty(), "{text}");
        assert!(upward.iter().all(|line| line.contains(&format!("{from}.rs imports"))), "{upward:?}");
    }
    for (from, text, to) in [
        ("hub/cursor", "use crate::wire::Stream;", "wire"),
        ("module/hls/conf", "use crate::media::Stream; // unlike crate::server::Stream", "media"),
        ("module/hls/conf", "pub(in crate::server) struct A;", "server"),
        ("wire/flv", "mod tests {\n    use crate::hub::Stream;\n}", "hub"),
    ] {
        assert_eq!(upward(&importing(from, text, to)), [] as [&str; 0], "{text}");
    }
}

#[test]
#[should_panic(expected = "attic is in no list of rooms")]
fn a_room_that_is_not_listed_is_reported() {
    upward(&importing("attic", "use crate::hub::Stream;", "hub"));
}

#[test]
fn circles_are_reported() {
    let of = |a: &str, b: &str| {
        circles(&arrows(&made_up([("media/a", a), ("media/b", b), ("media", "mod a;\nmod b;\n")])))
    };
    assert_eq!(
        of("use super::b::B;\npub struct A;", "use super::a::A;\npub struct B;"),
        ["media::a -> media::b", "media::b -> media::a"]
    );
    assert_eq!(of("use super::b::B;\npub struct A;", "pub struct B;"), [] as [&str; 0]);
    // A parent that calls its child, which imports from the parent.
    let family = made_up([("hub", "mod a;\nfn f() { a::g() }\n"), ("hub/a", "use crate::hub::f;\n")]);
    assert_eq!(circles(&arrows(&family)), ["hub -> hub::a", "hub::a -> hub"]);
    // Through what a parent hands on.
    let handed_on = made_up([
        ("hub", "mod a;\nmod b;\npub use b::B;\n"),
        ("hub/a", "use crate::hub::B;\n"),
        ("hub/b", "use crate::hub::a;\n"),
    ]);
    assert_eq!(circles(&arrows(&handed_on)), ["hub::a -> hub::b", "hub::b -> hub::a"]);
}

#[test]
fn what_pure_rooms_do_without_is_reported() {
    for (path, text) in [
        ("wire/flv", "use tokio::net::TcpStream;"),
        ("wire/flv", "use tokio;"),
        ("wire/flv", "use tokio as other;"),
        ("wire/flv", "use std::{fs, io};"),
        ("wire/flv", "use std::time::{Duration, SystemTime};"),
        ("wire/flv", "fn a() { let now = Instant::now(); }"),
        ("hub/stream", "fn a() { tokio::spawn(b); }"),
        ("hub/stream", "use tokio::{sync, time};"),
        ("directive/value", "use ::std::fs::File;"),
        ("syntax/lexer", "use std::net::{IpAddr, TcpStream};"),
        ("config/model", "use reqwest::Client;"),
    ] {
        let impure = impure(&one(path, text));
        assert!(impure.iter().any(|line| line.starts_with(&format!("{path}.rs: "))), "{text}: {impure:?}");
    }
    for (path, text) in [
        ("wire/flv", "use std::{fmt, io}; // not tokio::net"),
        ("wire/flv", "use std::time::{Duration, Instant};"),
        ("wire/flv", "use crate::tokio_like::A;"),
        ("hub/stream", "use tokio::sync::watch;"),
        ("net/socket", "use tokio::net::TcpStream;"),
    ] {
        assert_eq!(impure(&one(path, text)), [] as [&str; 0], "{text}");
    }
}

#[test]
fn files_that_wait_are_listed_and_others_are_not() {
    for text in [
        "pub async fn a() {}",
        "fn a() { b().await }",
        "use std::{fs, io};",
        "use std::process::{self, Command};",
        "fn a() { std::thread::spawn(b); }",
        "use nix::sys::stat;",
    ] {
        for room in ["module/hls/rules", "media/rules", "notify/rules"] {
            let module = room.replace('/', "::");
            let library = one(room, text);
            assert_eq!(wrongly_listed(&library, &[]), (vec![module.clone()], vec![]), "{text}");
            assert_eq!(wrongly_listed(&library, &[&module]), (vec![], vec![]), "{text}");
        }
        assert_eq!(wrongly_listed(&one("net/socket", text), &[]), (vec![], vec![]), "{text}");
    }
    let rules = one("media/rules", "use std::{fmt, net::IpAddr, time::Instant};");
    assert_eq!(wrongly_listed(&rules, &[]), (vec![], vec![]));
    assert_eq!(wrongly_listed(&rules, &["media::rules"]), (vec![], vec!["media::rules".into()]));
}

#[test]
fn misplaced_log_lines_are_reported() {
    for (path, text) in [
        ("media/session", "fn a() { tracing::error!(\"b\") }"),
        ("http/serve", "fn a() { info!(b) }"),
        ("media/log", "fn a(b: &Path) { info!(\"{}\", b.display()) }"),
        ("media/log", "fn a() { info!(b = %BStr::new(c)) }"),
    ] {
        assert_eq!(misplaced_logs(&one(path, text)).len(), 1, "{text}");
    }
    assert_eq!(misplaced_logs(&one("media/log", "fn a() { info!(b) }")), [] as [&str; 0]);
    assert_eq!(misplaced_logs(&one("media/session", "fn a() { log::begun(b) }")), [] as [&str; 0]);
}

#[test]
fn unsafe_code_is_reported() {
    for text in [
        concat!("#![allow(", "uns", "afe", "_code)]"),
        concat!("#[expect(dead_code, ", "uns", "afe", "_code, reason = \"a\")]"),
        concat!("fn a() { ", "uns", "afe", " { b() } }"),
        concat!("pub ", "uns", "afe", " fn a() {}"),
    ] {
        assert_eq!(unsafe_lines(text), [1], "{text}");
    }
    assert!(unsafe_lines(concat!("#![forbid(", "uns", "afe", "_code)] // ", "uns", "afe", " {")).is_empty());
    let block = concat!("let a = ", "uns", "afe", " { b() };\n");
    assert_eq!(unexplained_blocks(block), [1]);
    assert_eq!(unexplained_blocks(&format!("// It is fine.\n{block}")), [2]);
    assert!(unexplained_blocks(&format!("// SAFETY: b checks\n// its arguments.\n{block}")).is_empty());
}

#[test]
fn vague_comments_are_reported() {
    // In two parts, or this file would be reported.
    for comment in [
        concat!("// Who", "ever is later wins."),
        concat!("let a = 1; // for some", "body"),
        concat!("//! No", "body is told."),
        concat!("    /// They end by them", "selves."),
    ] {
        assert_eq!(vague_comments(&format!("\n{comment}")).len(), 1, "{comment}");
        assert_eq!(vague_comments(&format!("\n{comment}"))[0].0, 2);
    }
    assert_eq!(vague_comments("/// Runs as the system's user `nobody`."), []);
    assert_eq!(vague_comments("let nobody = 1;"), []);
}

#[test]
fn errors_that_are_texts_are_reported() {
    for error in [
        "String",
        "&'static str",
        "Cow<'static, str>",
        "Box<str>",
        "Vec<String>",
        "Box<dyn std::error::Error>",
    ] {
        let text = format!("fn a() -> Result<Vec<(u8, u8)>, {error}> {{}}");
        assert_eq!(text_errors(&one("media/a", &text)), [("media/a.rs".into(), error.to_owned())]);
    }
    assert_eq!(text_errors(&one("media/a", "fn a() -> Result<String, Missing> {}")), []);
    assert_eq!(text_errors(&one("media/a", "fn a() -> io::Result<String> {}")), []);
}
