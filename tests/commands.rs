//! The commands that are words: `explain`, `fmt`, `json`, `migrate-check`.

#[path = "conf/support.rs"]
#[allow(dead_code, reason = "the commands need only some of it")]
mod support;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use pingosd::cli::Command;
use pingosd::cli::command::Streams;
use pingosd::directive::context::APPLICATION;
use pingosd::directive::registry::Registry;
use pingosd::modules::{MODULES, REGISTRY};
use pingosd::syntax::parser::Parser;
use pingosd::syntax::reading::Reading;
use pingosd::syntax::render::Style;
use pingosd::syntax::text;
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
    let shown =
        || (String::from_utf8_lossy(before).into_owned(), String::from_utf8_lossy(after).into_owned());
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
    assert!(
        checked.text().ends_with("@@ -1 +1 @@\n-events{} # \u{e7}\n+events {} # \u{e7}\n"),
        "{}",
        checked.text()
    );
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
    assert!(
        answer.err.starts_with(
            "nginx: [emerg] unexpected end of file, expecting \"}\" in PREFIX/conf/nginx.conf:2"
        )
    );
    assert_eq!(fs::read(prefix.path().join("conf/nginx.conf")).unwrap(), b"events {\n");
    assert!(run(&prefix, &["fmt", "--what"], b"").err.contains("usage: pingosd fmt"));
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
        // The parentheses of a condition are added again, and files are read on the way.
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
    for condition in
        ["if ($a) {}\n", "if ($a = \"b c\") {}\n", "if ($a ~* \"x{2}\") {}\n", "if ( $a = b ) {}\n"]
    {
        let back = String::from_utf8(round_trip(condition.as_bytes())).unwrap();
        assert_eq!(back, condition.replace("( ", "(").replace(" )", ")"));
    }
}

#[test]
fn hostile_json_is_refused() {
    let prefix = Prefix::new("", &[]);
    for text in [
        "",
        "{}",
        "[]",
        &"[".repeat(1_000_000),
        "{\"config\":[{\"parsed\":[{\"directive\":\"#\",\"comment\":\"a\\nb\"}]}]}",
    ] {
        let answer = run(&prefix, &["json", "--to-conf"], text.as_bytes());
        assert!(!answer.ok && answer.err.starts_with("pingosd: "), "{}", answer.err);
    }
}

const SERVERS: &str = "\
worker_processes 1;
events { }
rtmp {
    timeout 10s;
    server {
        listen 1935;
        server_name other.example.com;
        application live { live on; }
    }
    server {
        listen 1935;
        server_name live.example.com *.cdn.example.com;
        chunk_size 8192;
        serverid s1;
        include apps/*.conf;
    }
}
http {
    server {
        listen 8080;
        location / { root html; }
        location /live {
            flv_live 1935 app=live;
            location /live/deep { etag off; }
        }
    }
}
";
const APPS: &str = "\
sync 1s;
application live {
    live on;
    sync 500ms;
    on_play http://127.0.0.1:99/cb groupid=g args=s=$stream&t=$parg_token;
    allow publish 10.0.0.0/8;
    deny publish all;
    push rtmp://a.example.com;
}
application * {
    live on;
}
";

fn servers() -> Prefix {
    Prefix::new(SERVERS, &[("apps/a.conf", APPS)])
}

/// An answer of `explain` without its runs of blanks and the prefix.
fn explained(prefix: &Prefix, words: &[&str]) -> String {
    let words: Vec<&str> = ["explain"].iter().chain(words).copied().collect();
    let answer = run(prefix, &words, b"");
    assert!(answer.ok, "{}", answer.err);
    let text = answer.text().replace(prefix.path().to_str().unwrap(), "PREFIX");
    text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[test]
fn explain_finds_server_application_and_origins() {
    let prefix = servers();
    let text = explained(&prefix, &["live.example.com/live/cam1"]);
    let main = "PREFIX/conf/nginx.conf";
    let app = "PREFIX/conf/apps/a.conf";
    for line in [
        format!("rtmp server (on 0.0.0.0:1935; named \"live.example.com\")\nat {main}:10"),
        format!("application live (of that name)\nat {app}:2, included at {main}:15"),
        format!("timeout 10s inherited from rtmp at {main}:4"),
        format!("chunk_size 8192 inherited from rtmp server at {main}:13"),
        format!("sync 500ms {app}:4, included at {main}:15\n(instead of 1s at {app}:1, included at {main}:15)"),
        "buffer 0 default".into(),
        format!("on_play http://127.0.0.1:99/cb groupid=g args=s=$stream&t=$parg_token {app}:5, included at {main}:15"),
        "GET http://127.0.0.1:99/cb?call=play&act=start&domain=live.example.com&app=live&name=cam1&clientid=1\
         &groupid=g&s=s1/live/cam1&t="
            .into(),
        format!("allow publish 10.0.0.0/8 {app}:6"),
        format!("deny publish all {app}:7"),
        format!("push rtmp://a.example.com {app}:8, included at {main}:15"),
    ] {
        assert!(text.contains(&line), "lacks {line} in\n{text}");
    }
    assert!(!text.contains("worker_processes"));
    let order: Vec<usize> = ["\nlive\n", "\nnotify\n"].iter().map(|m| text.find(m).unwrap()).collect();
    assert!(order.is_sorted());
}

#[test]
fn explain_chooses_as_the_server_does() {
    let prefix = servers();
    let head = |words: &[&str]| explained(&prefix, words).lines().take(4).collect::<Vec<_>>().join("\n");
    assert!(head(&["x.cdn.example.com/live"]).contains("nginx.conf:10"));
    assert!(head(&["rtmp://192.0.2.1:1935/live/x"]).contains("the default there"));
    assert!(head(&["unknown.example.com/live"]).contains("nginx.conf:5\n"));
    assert!(head(&["live.example.com/vod"]).contains("takes every name without a block of its own"));
    assert!(head(&["http://h:8080/live/x.flv"]).contains("location /live (takes that path)"));
    assert!(head(&["http://h:8080/live/deep/x"]).contains("location /live/deep"));
    let failed = |word: &str| run(&prefix, &["explain", word], b"").err;
    assert!(failed("other.example.com/vod").contains("no application \"vod\" in this server; it has: live"));
    assert!(failed("live.example.com:1936/live").contains("no rtmp server listens on that port"));
    assert!(failed("live.example.com").starts_with("usage: pingosd explain"));
}

#[test]
fn explain_tells_blocks_in_one_line_apart() {
    let conf = "events { }\nhttp {\nserver { listen 8080; location /a { } location /b/a { } location = /b { } }\n}\n";
    let prefix = Prefix::new(conf, &[]);
    let text = |path: &str| explained(&prefix, &[&format!("http://h:8080{path}")]);
    assert!(text("/a").contains("location /a (takes that path)"), "{}", text("/a"));
    assert!(text("/b/a").contains("location /b/a (takes that path)"), "{}", text("/b/a"));
    assert!(text("/b").contains("location = /b (takes that path)"), "{}", text("/b"));
    assert!(text("/c").contains("no location takes that path;"), "{}", text("/c"));
}

#[test]
fn explain_leaves_predicates_to_requests() {
    let conf = "events { }\nhttp {\nserver { listen 8080;\nlocation /a {\nlocation $arg_p { } } }\nserver { listen 8081;\nlocation /a { } } }\n";
    let prefix = Prefix::new(conf, &[]);
    let text = |port: u16, path: &str| explained(&prefix, &[&format!("http://h:{port}{path}")]);
    assert!(text(8080, "/a").contains("location /a (takes that path, unless a predicate holds)"));
    assert!(text(8080, "/b").contains("no location takes that path, unless a predicate holds;"));
    assert!(text(8081, "/a").contains("location /a (takes that path)"));
}

#[test]
fn explain_tells_what_a_line_means() {
    let prefix = servers();
    let text = explained(&prefix, &["a.conf:1"]);
    for line in [
        "sync 1s;\nat PREFIX/conf/apps/a.conf:1, included at PREFIX/conf/nginx.conf:15\n",
        "in rtmp server at PREFIX/conf/nginx.conf:10\nin rtmp at PREFIX/conf/nginx.conf:3\n",
        "instead of the default 300ms\n",
        "but 500ms in application live at PREFIX/conf/apps/a.conf:4",
        "### `sync`",
    ] {
        assert!(text.contains(line), "lacks {line} in\n{text}");
    }
    assert!(explained(&prefix, &["apps/a.conf:4"]).contains("instead of 1s from rtmp server at"));
    assert!(
        explained(&prefix, &["a.conf:5"])
            .contains("sends, for example: GET http://127.0.0.1:99/cb?call=play")
    );
    assert!(explained(&prefix, &["a.conf:9"]).starts_with("application live { ... }\n"));
    assert!(explained(&prefix, &["nginx.conf:8"]).contains("live on;"));
    assert!(run(&prefix, &["explain", "none.conf:1"], b"").err.contains("is no file of"));
    assert!(run(&prefix, &["explain", "a.conf:99"], b"").err.contains("nothing is said"));
}

#[test]
fn options_stand_before_and_behind_a_command() {
    let prefix = servers();
    prefix.write("b.conf", "events { }\nrtmp { server { application a { } } }\n");
    let after = run(&prefix, &["explain", "h/a", "-c", "conf/b.conf"], b"");
    let before = run(&prefix, &["-c", "conf/b.conf", "explain", "h/a"], b"");
    assert!(after.ok && before.ok && after.out == before.out);
}

#[test]
fn migrate_check_judges_every_directive() {
    // Which directives still wait for their feature changes; any switch of an application will do.
    let rows = MODULES.iter().flat_map(|module| module.rows);
    let inert = rows.filter(|r| r.inert && r.contexts & APPLICATION != 0 && r.default == Some("off"));
    let Some(inert) = inert.map(|row| row.name()).find(|name| REGISTRY.find(name.as_bytes()).len() == 1)
    else {
        return;
    };
    let conf = format!(
        "events {{ accept_mutex off; }}\nrtmp {{\n server {{\n  application a {{\n   live on;\n   {inert} on;\n   \
         hls off;\n   on_publish_done http://h;\n   sync 5x;\n   allow 10.0.0.1;\n  }}\n }}\n}}\nmail {{ server {{ }} }}\n"
    );
    let prefix = Prefix::new(conf, &[]);
    let answer = run(&prefix, &["migrate-check"], b"");
    assert!(!answer.ok);
    let path = prefix.path().join("conf/nginx.conf");
    let text = answer.text().replace(path.to_str().unwrap(), "FILE");
    for line in [
        "FILE:1: needless: accept_mutex: Makes worker processes accept in turn",
        &format!("FILE:6: no effect yet: {inert}: missing so far: "),
        "FILE:8: unsupported: on_publish_done: unknown directive: it belongs to nginx-rtmp; here",
        "FILE:9: unsupported: sync: \"sync\" directive invalid value",
        "FILE:14: unsupported: mail: unknown directive",
    ] {
        assert!(text.contains(line), "lacks {line} in\n{text}");
    }
    assert!(!text.contains(": live"), "{text}");
    assert!(
        text.ends_with("7 honoured, 1 without effect yet, 0 refused, 1 needless, 3 unsupported\n"),
        "{text}"
    );

    let json = run(&prefix, &["migrate-check", "--json", path.to_str().unwrap()], b"");
    let json: serde_json::Value = serde_json::from_slice(&json.out).unwrap();
    assert_eq!(json["summary"]["unsupported"], 3);
    assert_eq!(json["directives"][4]["directive"], "application");
    assert_eq!(json["directives"][4]["status"], "honoured");

    let fine = run(&servers(), &["migrate-check", "--all"], b"");
    assert!(fine.ok);
    assert!(fine.text().contains(": honoured: live\n"), "{}", fine.text());
    // Differences from PingOS are shown where all lines are asked for.
    let difference = ": honoured: chunk_size: Differs from PingOS: a value below 128";
    assert!(fine.text().contains(difference), "{}", fine.text());
    let brief = run(&servers(), &["migrate-check"], b"");
    assert!(!brief.text().contains("PingOS"), "{}", brief.text());
    let lint =
        Prefix::new("events { }\nrtmp { server { application a { live on;\nallow 10.0.0.1;\n} } }\n", &[]);
    let text = run(&lint, &["migrate-check"], b"");
    assert!(
        text.ok && text.text().contains(":3: honoured: allow: \"allow\" is not followed"),
        "{}",
        text.text()
    );
    let broken = run(&Prefix::new("events {\n", &[]), &["migrate-check"], b"");
    assert!(
        !broken.ok && broken.text().contains(": unsupported: unexpected end of file"),
        "{}",
        broken.text()
    );
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
        use pingosd::cli::command::json::{from_text, to_text};
        prop_assert_eq!(from_text(&to_text(&bytes)), bytes);
    }
}
