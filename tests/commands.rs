//! The commands that are words: `fmt`, `json`.

#[allow(dead_code, reason = "the commands need only some of it")]
mod support;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use pingosd::cli::Command;
use pingosd::command::Streams;
use pingosd::conf::parser::{Parser, Reading};
use pingosd::conf::registry::Registry;
use pingosd::conf::render::Style;
use pingosd::conf::text;
use proptest::prelude::*;
use support::Prefix;

/// What a command answers: exit code, output, complaints.
struct Answer {
    ok: bool,
    out: Vec<u8>,
    err: String,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }
}

/// Runs `pingosd -p PREFIX WORDS...` with that standard input.
fn run(prefix: &Prefix, words: &[&str], mut input: &[u8]) -> Answer {
    let path = prefix.path().to_str().unwrap();
    let words = ["-p", path].into_iter().chain(words.iter().copied()).map(std::ffi::OsString::from);
    let Command::Word(task) = Command::parse(words).unwrap() else { panic!("not a command") };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let style = Style::default();
    let code = task.run(&mut Streams { input: &mut input, out: &mut out, err: &mut err, style }).unwrap();
    let err = String::from_utf8_lossy(&err).replace(path, "PREFIX");
    Answer { ok: code == ExitCode::SUCCESS, out, err }
}

/// A text read by itself; nothing if it is refused.
fn read(text: &[u8]) -> Option<Reading> {
    let none = Registry::new(&[], &[]);
    let mut parser = Parser::new("".into(), &none).apart();
    parser.given(Path::new("text"), Bytes::copy_from_slice(text));
    Some(parser.finish()).filter(|r| !r.reports.has_errors())
}

fn assert_same(before: &[u8], after: &[u8]) {
    let shown = || (String::from_utf8_lossy(before).into_owned(), String::from_utf8_lossy(after).into_owned());
    let Some(read_before) = read(before) else { return };
    let read_after = read(after).unwrap_or_else(|| panic!("refused: {:?}", shown()));
    assert!(text::same(read_before.tree.body(), read_after.tree.body()), "{:?}", shown());
}

/// Every text at hand: the observed cases of the language and the examples.
fn texts() -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    let cases = fs::read(support::data().join("grammar_cases.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&cases).unwrap();
    for case in cases {
        texts.extend(case["conf_base64"].as_str().map(|t| BASE64_STANDARD.decode(t).unwrap()));
        texts.extend(case["conf"].as_str().map(|t| t.as_bytes().to_vec()));
    }
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("conf")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|e| e == "conf") {
                texts.push(fs::read(path).unwrap());
            }
        }
    }
    assert!(texts.len() > 300);
    texts
}

fn assert_formats(text: &[u8]) {
    if read(text).is_none() {
        return;
    }
    let once = text::format(text);
    assert_same(text, &once);
    assert_eq!(String::from_utf8_lossy(&text::format(&once)), String::from_utf8_lossy(&once));
    let count = |text: &[u8]| text::comments(text).len();
    assert_eq!(count(text), count(&once));
}

#[test]
fn formatting_keeps_the_meaning_of_every_text() {
    texts().iter().for_each(|text| assert_formats(text));
}

#[test]
fn fmt_prints_checks_and_writes() {
    let prefix = Prefix::new("events{} # \u{e7}\n", &[("tidy.conf", "a;\n")]);
    let printed = run(&prefix, &["fmt"], b"");
    assert!(printed.ok);
    assert_eq!(printed.text(), "events {} # \u{e7}\n");
    let checked = run(&prefix, &["fmt", "--check"], b"");
    assert!(!checked.ok);
    assert_eq!(checked.err, "pingosd: PREFIX/conf/nginx.conf would change\n");
    assert!(run(&prefix, &["fmt", "--write"], b"").ok);
    assert!(run(&prefix, &["fmt", "--check"], b"").ok);
    let tidy = prefix.path().join("conf/tidy.conf");
    assert!(run(&prefix, &["fmt", "--check", tidy.to_str().unwrap()], b"").ok);
    assert_eq!(run(&prefix, &["fmt", "-"], b"a{b;\xff c;}").out, b"a {\n    b;\n    \xff c;\n}\n");
    assert_eq!(fs::read_dir(prefix.path().join("conf")).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn fmt_refuses_what_the_reader_refuses() {
    let prefix = Prefix::new("events {\n", &[]);
    let answer = run(&prefix, &["fmt", "--write"], b"");
    assert!(!answer.ok);
    assert!(answer.err.starts_with("nginx: [emerg] unexpected end of file, expecting \"}\" in PREFIX/conf/nginx.conf:2"));
    assert_eq!(fs::read(prefix.path().join("conf/nginx.conf")).unwrap(), b"events {\n");
    assert!(run(&prefix, &["fmt", "--what"], b"").err.starts_with("usage: pingosd fmt"));
    assert!(run(&prefix, &["fmt", "--write", "-"], b"a;").err.starts_with("usage: pingosd fmt"));
    assert!(run(&prefix, &["fmt", "nowhere"], b"").err.contains("No such file"));
}

#[test]
fn json_has_the_shape_of_crossplane() {
    let prefix = Prefix::new(
        "events { }\n# rtmp\nhttp {\n    include s/*.conf;\n    if ($a = \"b\") { return 200 'a b'; } # why\n}\n",
        &[("s/a.conf", "server { listen 80; }\n"), ("s/b.conf", "x\n y;\n")],
    );
    let answer = run(&prefix, &["json"], b"");
    assert!(answer.ok, "{}", answer.err);
    let path = prefix.path().to_str().unwrap();
    let json: serde_json::Value = serde_json::from_str(&answer.text().replace(path, "PREFIX")).unwrap();
    let want = serde_json::json!({
        "status": "ok", "errors": [], "config": [
            { "file": "PREFIX/conf/nginx.conf", "status": "ok", "errors": [], "parsed": [
                { "directive": "events", "line": 1, "args": [], "block": [] },
                { "directive": "#", "line": 2, "args": [], "comment": " rtmp" },
                { "directive": "http", "line": 3, "args": [], "block": [
                    { "directive": "include", "line": 4, "args": ["s/*.conf"], "includes": [1, 2] },
                    { "directive": "if", "line": 5, "args": ["$a", "=", "b"], "block": [
                        { "directive": "return", "line": 5, "args": ["200", "a b"] } ] },
                    { "directive": "#", "line": 5, "args": [], "comment": " why" } ] } ] },
            { "file": "PREFIX/conf/s/a.conf", "status": "ok", "errors": [], "parsed": [
                { "directive": "server", "line": 1, "args": [], "block": [
                    { "directive": "listen", "line": 1, "args": ["80"] } ] } ] },
            { "file": "PREFIX/conf/s/b.conf", "status": "ok", "errors": [], "parsed": [
                { "directive": "x", "line": 1, "args": ["y"] } ] },
        ]
    });
    assert_eq!(json, want);

    let combined = run(&prefix, &["json", "--combine"], b"");
    let json: serde_json::Value = serde_json::from_slice(&combined.out).unwrap();
    assert_eq!(json["config"].as_array().unwrap().len(), 1);
    assert_eq!(json["config"][0]["parsed"][2]["block"][0]["directive"], "server");
}

#[test]
fn json_tells_of_errors() {
    let prefix = Prefix::new("events { }\ninclude a.conf;\ninclude b.conf;\n", &[("a.conf", "x }\n")]);
    let answer = run(&prefix, &["json"], b"");
    assert!(!answer.ok);
    let json: serde_json::Value = serde_json::from_slice(&answer.out).unwrap();
    assert_eq!(json["status"], "failed");
    assert_eq!(json["config"][1]["status"], "failed");
    assert_eq!(json["config"][1]["errors"][0]["line"], 1);
    let texts = json["errors"].to_string();
    assert!(texts.contains("unexpected \\\"}\\\""), "{texts}");
    assert!(texts.contains("b.conf\\\" failed (2: No such file or directory)"), "{texts}");
}

/// JSON and back.
fn round_trip(text: &[u8]) -> Vec<u8> {
    let prefix = Prefix::new("", &[]);
    let json = run(&prefix, &["json", "-"], text);
    let back = run(&prefix, &["json", "--to-conf", "-"], &json.out);
    assert!(back.ok, "{}", back.err);
    back.out
}

#[test]
fn json_and_back_keeps_the_meaning_of_every_text() {
    for text in texts() {
        // The parentheses of a condition are attached anew, and files are read on the way.
        let lossy = |name: &[u8]| text.windows(name.len()).any(|w| w == name);
        if read(&text).is_some() && !lossy(b"if") && !lossy(b"include") {
            assert_same(&text, &round_trip(&text));
        }
    }
}

#[test]
fn json_keeps_every_byte() {
    let text = b"a \"\xd6\xb1 \xf4\x8f\xbf\x80\" '\xc3\xa9\t\0' \\.x$ ''; # \xff\n";
    let back = round_trip(text);
    assert_same(text, &back);
    assert!(back.ends_with(b"; # \xff\n"));
    for condition in ["if ($a) {}\n", "if ($a = \"b c\") {}\n", "if ($a ~* \"x{2}\") {}\n", "if ( $a = b ) {}\n"] {
        let back = String::from_utf8(round_trip(condition.as_bytes())).unwrap();
        assert_eq!(back, condition.replace("( ", "(").replace(" )", ")"));
    }
}

#[test]
fn hostile_json_is_refused() {
    let prefix = Prefix::new("", &[]);
    for text in ["", "{}", "[]", &"[".repeat(1_000_000), "{\"config\":[{\"parsed\":[{\"directive\":\"#\",\"comment\":\"a\\nb\"}]}]}"] {
        let answer = run(&prefix, &["json", "--to-conf"], text.as_bytes());
        assert!(!answer.ok && answer.err.starts_with("pingosd: "), "{}", answer.err);
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just(b" ".to_vec()),
        2 => Just(b"\n".to_vec()),
        3 => Just(b";".to_vec()),
        2 => Just(b" {".to_vec()),
        2 => Just(b"}".to_vec()),
        2 => Just(b" # c\n".to_vec()),
        3 => Just(b"a".to_vec()),
        1 => Just(b"'x \\' y'".to_vec()),
        1 => Just(b"\"$\\\"{\"".to_vec()),
        1 => Just(b"\\;".to_vec()),
        1 => Just(b"${b}".to_vec()),
        1 => any::<u8>().prop_map(|b| vec![b]),
    ]
}

proptest! {
    #[test]
    fn whatever_is_read_is_formatted_without_change(pieces in proptest::collection::vec(piece(), 0..40)) {
        assert_formats(&pieces.concat());
    }

    #[test]
    fn text_and_bytes_are_one(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        use pingosd::command::json::{from_text, to_text};
        prop_assert_eq!(from_text(&to_text(&bytes)), bytes);
    }
}
