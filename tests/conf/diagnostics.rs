//! What people see when a configuration is wrong.
//!
//! Each `tests/conf/diagnostics/NAME.conf` is tested with `-t`; what it says is `tests/conf/snapshots/NAME.snap`.
//! Further files of a configuration begin with a line `==> NAME <==`. `PINGOSD_BLESS=1` writes the snapshots; read what
//! it wrote as the author of the mistake would.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use insta::Settings;

use crate::support::{self, Prefix};

/// What separates the files of a case.
const RULER: &str = "==> ";

#[test]
fn errors_explain_themselves() {
    let mut failed = Vec::new();
    let mut names: Vec<PathBuf> =
        fs::read_dir(support::data().join("diagnostics")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= 60, "{} cases", names.len());
    for path in names {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (_, said) = case(&fs::read(&path).unwrap()).test("");
        if !agrees(name, &said) {
            failed.push(name.to_owned());
        }
    }
    assert!(failed.is_empty(), "these say something else now: {}", failed.join(", "));
}

/// Texts that no editor would show: too long, or of bytes that are no text.
#[test]
fn odd_texts_are_explained_too() {
    let letters = "a".repeat(5_000);
    let many: String = (0..150).map(|n| format!("nonsense_{n} on;\n")).collect();
    let deep = format!("events {{}}\nhttp {{ server {{\n{}", "location / {\n".repeat(300));
    let far = format!(
        "events {{}}\nrtmp {{ server {{ application a {{\nlive on;\n{}live off;\n}} }} }}\n",
        "    # a comment that keeps the two apart\n".repeat(600)
    );
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("odd_long_word", format!("events {{}}\nuser {letters};\n").into()),
        ("odd_long_quoted_word", format!("events {{}}\nuser \"{letters}\";\n").into()),
        ("odd_long_comment", format!("events {{}}\n# {letters}\n").into()),
        ("odd_long_quote_without_end", format!("events {{}}\nuser \"{letters}\n").into()),
        (
            "odd_long_line",
            format!(
                "events {{}} rtmp {{ server {{ application a {{ {} live yes; }} }} }}",
                "allow play 10.0.0.1; ".repeat(30)
            )
            .into(),
        ),
        ("odd_far_apart", far.into()),
        ("odd_nested_deep", deep.into()),
        ("odd_too_many_errors", format!("events {{}}\n{many}").into()),
        ("odd_crlf", b"events { }\r\nrtmp {\r\n    server {\r\n        lisen 1935;\r\n    }\r\n}\r\n".into()),
        ("odd_carriage_returns_only", b"events { }\rrtmp {\r    lisen 1935;\r}\r".into()),
        ("odd_tabs", b"events { }\nrtmp {\n\tserver {\n\t\tapplication live {\n\t\t\tlive\t\tyes;\n\t\t}\n\t}\n}\n".into()),
        ("odd_byte_order_mark", b"\xef\xbb\xbfevents { }\n".into()),
        ("odd_nul", b"events { }\nwork\0er_processes 1;\nuser \0root;\n".into()),
        // "live" and "record" in GBK, as editors in China write them.
        ("odd_gbk", b"events { } # \xd6\xb1\xb2\xa5\nrtmp { server { application \xd6\xb1\xb2\xa5 { \xc2\xbc\xd6\xc6 on; live yes; } } }\n".into()),
        ("odd_latin1", b"events { }\nrtmp { server { application caf\xe9 { livve on; } } }\n".into()),
        ("odd_wide_letters", "events { }\nrtmp { server { application 直播 { live 开; } } }\n".into()),
        ("odd_no_break_space", "events {\u{a0}worker_connections 64; }\n".into()),
        ("odd_control_bytes", b"events { }\n\x1b[31mred\x1b[0m on;\nuser \"\x07\x0c\";\n".into()),
        ("odd_empty_file", b"".into()),
    ];
    let said = cases.iter().map(|(name, text)| (*name, last_lines(&Prefix::new(text, &[]).test("").1)));
    let failed: Vec<&str> = said.filter(|(name, said)| !agrees(name, said)).map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "these say something else now: {}", failed.join(", "));
}

/// Mistakes in what surrounds the file: the command line, files that are not there.
#[test]
fn mistakes_around_the_file_are_explained_too() {
    let good = Prefix::new("daemon off;\nevents { }\n", &[]);
    let mut failed = Vec::new();
    for (name, globals) in [
        ("command_line_unknown", "deamon off;"),
        ("command_line_block", "events { }"),
        ("command_line_no_semicolon", "user root"),
        ("command_line_duplicate", "user root; daemon on;"),
        ("command_line_brace", "user root }"),
        ("command_line_quote", "user \"root;"),
    ] {
        if !agrees(name, &good.test(globals).1) {
            failed.push(name);
        }
    }
    let missing = Prefix::new("", &[]);
    fs::remove_file(missing.path().join("conf/nginx.conf")).unwrap();
    let mut options = missing.options("");
    options.conf_file = Some(missing.path().join("conf/nginx.conf"));
    if !agrees("no_such_file", &missing.said(options).1) {
        failed.push("no_such_file");
    }
    let directory = Prefix::new("events { }\ninclude apps;\ninclude 'apps/a';\n", &[("apps/a/b", "")]);
    if !agrees("include_of_a_directory", &directory.test("").1) {
        failed.push("include_of_a_directory");
    }
    assert!(failed.is_empty(), "these say something else now: {}", failed.join(", "));
}

/// The end of a text, which is enough of a long one.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Lays out the files of a case.
fn case(text: &[u8]) -> Prefix {
    let text = std::str::from_utf8(text).expect("a case is text");
    let mut parts = text.split(RULER);
    let main = parts.next().unwrap();
    let files: Vec<(&str, &str)> =
        parts.map(|part| part.split_once(" <==\n").expect("a file has a name")).collect();
    let prefix = Prefix::new(main, &files);
    // Some cases name certificates.
    for entry in fs::read_dir(support::data().join("tls")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, prefix.path().join("conf").join(path.file_name().unwrap())).unwrap();
    }
    prefix
}

/// Whether the snapshot of that name holds this text; writes it when blessing.
///
/// The list `later.txt` covers directives without effect; here they would change with every feature.
fn agrees(name: &str, said: &str) -> bool {
    let effects = |line: &&str| {
        !["\" directive has no effect yet in ", "\" directive does not work yet, "]
            .iter()
            .any(|e| line.contains(e))
    };
    let said = &said.lines().filter(effects).collect::<Vec<_>>().join("\n");
    let snapshots = support::data().join("snapshots");
    if support::blessing() {
        fs::create_dir_all(&snapshots).unwrap();
        let text = format!("---\nsource: tests/conf/diagnostics.rs\n---\n{}\n", said.trim_end());
        fs::write(snapshots.join(format!("{name}.snap")), text).unwrap();
        return true;
    }
    let mut settings = Settings::new();
    settings.set_snapshot_path(snapshots);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| catch_unwind(AssertUnwindSafe(|| insta::assert_snapshot!(name, said))).is_ok())
}
