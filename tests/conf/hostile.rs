//! Texts that mean harm, or that a cat wrote: bounded work, no panic, a sentence for each.

use std::time::{Duration, Instant};

use crate::support::Prefix;

/// More than any of these takes, even on a slow machine without optimisation.
const LONG: Duration = Duration::from_secs(60);

/// Tests a configuration and checks that it is refused in time and with bounded output.
fn refused(prefix: &Prefix) -> String {
    let start = Instant::now();
    let (ok, out) = prefix.test("");
    assert!(!ok);
    assert!(start.elapsed() < LONG);
    assert!(out.len() < 1 << 20, "{} bytes of output", out.len());
    out
}

#[test]
fn ten_thousand_nested_blocks_are_refused() {
    for name in ["x", "location /"] {
        let text = format!("events {{}} http {{ server {{ {} }} }}", format!("{name} {{ ").repeat(10_000));
        assert!(refused(&Prefix::new(text, &[])).contains("nested more than 256 deep"));
    }
}

#[test]
fn a_word_of_a_mebibyte_is_refused_and_not_printed() {
    let word = "a".repeat(1 << 20);
    let out = refused(&Prefix::new(format!("events {{}}\nuser {word};\n"), &[]));
    assert!(out.contains("too long parameter \"aaaaaaaaaa...\" started in PREFIX/conf/nginx.conf:2"));
    assert!(out.len() < 4096, "{}", out.len());
    for text in [format!("user \"{word}\";\n"), format!("user \"{word}\n"), format!("#{word}\nevents {{}}\n")]
    {
        refused(&Prefix::new(text, &[]));
    }
}

#[test]
fn a_long_run_of_anything_is_read() {
    for text in
        [";", "{", "}", "\"", "'", "\\", "$", "\"\"", "a;", "a{", "\0", "\n", "#\n", "$ {", "include a;"]
    {
        refused(&Prefix::new(text.repeat((1 << 18) / text.len()), &[]));
    }
}

#[test]
fn bytes_of_other_encodings_are_words() {
    let gbk =
        b"events {} # \xd6\xb1\xb2\xa5\nrtmp { server { application \xd6\xb1\xb2\xa5 { live on; } } }\n";
    let config = Prefix::new(gbk, &[]).load().unwrap();
    let server = &config.rtmp.unwrap().servers[0];
    assert!(server.application(b"\xd6\xb1\xb2\xa5").unwrap().get::<pingosd::media::live::conf::Conf>().live);
    let out = refused(&Prefix::new(b"events {}\n\xff\xfe\x00boom;\n", &[]));
    assert!(out.contains("unknown directive"));
    let out = refused(&Prefix::new(b"events { use \xb2\xa5\xff { }\n", &[]));
    assert!(out.contains("not terminated by \";\""));
}

#[test]
fn an_include_of_itself_and_of_many_is_bounded() {
    let out = refused(&Prefix::new("include nginx.conf;\n", &[]));
    assert!(out.contains("includes itself"));

    let names: Vec<String> = (0..40).map(|n| format!("{n}.conf")).collect();
    let texts: Vec<String> = (0..40).map(|n| format!("include {}.conf;\n", n + 1).repeat(2)).collect();
    let files: Vec<(&str, &str)> = names.iter().zip(&texts).map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let out = refused(&Prefix::new("include 0.conf;\n", &files));
    assert!(out.contains("too many or too large included files") || out.contains("failed (2:"));

    let names: Vec<String> = (0..100).map(|n| format!("{n}.conf")).collect();
    let texts: Vec<String> = (0..100).map(|n| format!("include {}.conf;\n", n + 1)).collect();
    let files: Vec<(&str, &str)> = names.iter().zip(&texts).map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let out = refused(&Prefix::new("include 0.conf;\n", &files));
    assert!(out.contains("is included more than 64 files deep"));
}

#[test]
fn an_include_bomb_is_bounded() {
    let names: Vec<String> = (0..40).map(|n| format!("{n}.conf")).collect();
    let texts: Vec<String> = (0..40)
        .map(|n| if n == 39 { String::new() } else { format!("include {}.conf;\n", n + 1).repeat(2) })
        .collect();
    let files: Vec<(&str, &str)> = names.iter().zip(&texts).map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let out = refused(&Prefix::new("include 0.conf;\n", &files));
    assert!(out.contains("too many or too large included files"));
}

#[test]
fn every_beginning_of_a_configuration_is_read() {
    let text = include_str!("../../conf/examples/http-flv.conf");
    for end in (0..text.len()).step_by(7) {
        Prefix::new(&text[..end], &[]).test("");
    }
}

#[test]
fn any_broken_byte_of_a_configuration_is_read() {
    let text = include_bytes!("../../conf/examples/notify.conf");
    // A small generator of its own: the same bytes each time.
    let mut state = 0x9e37_79b9_u32;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    for _ in 0..400 {
        let mut text = text.to_vec();
        for _ in 0..random() % 4 + 1 {
            let at = random() as usize % text.len();
            match random() % 3 {
                0 => text[at] = b"{};\"'\\$# \n"[random() as usize % 10],
                1 => text[at] = random().to_le_bytes()[0],
                _ => {
                    text.remove(at);
                }
            }
        }
        Prefix::new(text, &[]).test("");
    }
}

#[test]
fn directives_of_the_command_line_stand_before_the_file() {
    let prefix = Prefix::new("daemon off;\nevents {}\n", &[]);
    let (ok, out) = prefix.test("user root; error_log stderr;");
    assert!(ok, "{out}");
    let (ok, out) = prefix.test("daemon on;");
    assert!(!ok && out.contains("\"daemon\" directive is duplicate in PREFIX/conf/nginx.conf:1"), "{out}");
    let (ok, out) = prefix.test("boom 1;");
    assert!(!ok && out.contains("unknown directive \"boom\" in command line"), "{out}");
    let (ok, out) = prefix.test("user root");
    assert!(!ok && out.contains("unexpected end of parameter, expecting \";\" in command line"), "{out}");
    let (ok, out) = prefix.test("events { }");
    assert!(!ok && out.contains("block directives are not supported in -g option in command line"), "{out}");
}
