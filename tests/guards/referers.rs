//! Referers: `valid_referers` and `$invalid_referer`, as nginx 1.22 answers the same lines and requests.

use std::process::Command;

use crate::support::http::{get, get_with};
use crate::support::server::{PROGRAM, Prefix};

use crate::support::{Conf, Server};

/// What the requests say; the first has no such header.
const REFERERS: [&str; 37] = [
    "none",
    "",
    "a.test",
    "http://a.test",
    "http://a.test/",
    "HTTP://A.TEST/in",
    "https://a.test:8080/in/x",
    "http://a.test:8080",
    "http://a.test/?q=/in",
    "http://www.a.test/in/",
    "http://x.www.a.test/in",
    "http://.a.test/",
    "http://a.test./in",
    "http://a.org/in",
    "http://www.a.org/in",
    "http://b.test/",
    "http://c.b.test/y",
    "http://d.c.b.test/x",
    "http://b.c",
    "http://i.r",
    "http://i.ru",
    "httpx://a.test/",
    "//a.test/in",
    "http:///xxxxxxx",
    "http://a.test#in",
    "http://u@a.test/in/",
    "http://srv.test/",
    "http://x.wild.test/z",
    "http://re7.test/",
    "http://one.test/",
    "http://two.test/",
    "ftp://a.test/in",
    "http://www./in/",
    "www.a.test/in/index",
    "http://www.a",
    "http://a.test/IN",
    " http://a.test/in",
];

/// Lines, and for each referer whether it is invalid.
const ANSWERS: &[(&str, &str)] = &[
    ("a.test", "111......11111111111111111111111111.."),
    ("none a.test", ".11......11111111111111111111111111.."),
    ("blocked a.test", "1........111111111..1..11111111.1.1.."),
    ("none blocked a.test", ".........111111111..1..11111111.1.1.."),
    ("*.a.test", "111111111...1111111111111111111111111"),
    (".a.test", "111.........11111111111111111111111.."),
    ("a.*", "111......111..1111111111.1111111111.."),
    ("www.a.*", "111111111.1111.1111111111111111111111"),
    ("a.test/in", "11111..11111111111111111111111111111."),
    ("*.a.test/in/", "111111111.111111111111111111111111111"),
    ("a.*/in", "11111..11111..1111111111111111111111."),
    ("server_names", "11111111111111111111111111...11111111"),
    ("none server_names", ".1111111111111111111111111...11111111"),
    ("~a\\.test", "111..........11111111111..111111111.."),
    ("~^a\\.test/in", "11111.11111111111111111111111111111.."),
    ("~:8080", "111111..11111111111111111111111111111"),
    ("a.test/in ~a\\.test", "11111..11....11111111111..1111111111."),
    ("*.b.test .c.b.test/x *.test/y", "11111111111111111.1111111111111111111"),
    ("www.* www.a.*/in", "111111111.1111.11111111111111111.1.11"),
    ("A.TEST ~B", "111......111111...11111111111111111.."),
    ("a.test:8080", "1111111111111111111111111111111111111"),
    ("/x", "11111111111111111111111.1111111111111"),
    (".", "1111111111111111111111111111111111111"),
    ("one.test; valid_referers two.test none", ".1111111111111111111111111111..111111"),
    ("www.", "11111111111111111111111111111111.1111"),
    ("*.test a.test/in", "11111..11...111...1111111......11111."),
];

#[test]
fn referers_are_judged_as_by_nginx() {
    let mut http_server = "server_name srv.test *.wild.test ~^re\\d\\.test$;".to_owned();
    for (number, (line, _)) in ANSWERS.iter().enumerate() {
        http_server +=
            &format!("location /l{number} {{ valid_referers {line}; return 200 i$invalid_referer; }}\n");
    }
    let server = Server::start(&Conf::live("").http_server(&http_server));
    for (number, (line, want)) in ANSWERS.iter().enumerate() {
        let mut got = String::new();
        for referer in REFERERS {
            let header = if referer == "none" { String::new() } else { format!("Referer: {referer}\r\n") };
            let answer = get_with(server.http, &format!("/l{number}"), &header).text();
            got.push(if answer == "i1" { '1' } else { '.' });
        }
        assert_eq!(&got, want, "valid_referers {line}\n{REFERERS:?}");
    }
    // A host of more than 256 bytes is none.
    for (length, want) in [(256, "i"), (257, "i1")] {
        let header = format!("Referer: http://{}/a.test\r\n", "a".repeat(length));
        let at = ANSWERS.iter().position(|(line, _)| *line == "~a\\.test").unwrap();
        assert_eq!(get_with(server.http, &format!("/l{at}"), &header).text(), want, "{length}");
    }
}

#[test]
fn the_first_use_decides_for_the_request_and_inner_lines_replace_outer_ones() {
    let server = Server::start(&Conf::live("").http_server(
        "valid_referers a.test;
         location /in { valid_referers b.test; return 200 i$invalid_referer; }
         location /out { return 200 i$invalid_referer; }
         location /if {
             valid_referers b.test;
             if ($invalid_referer) { return 403; }
             location /if/in { valid_referers c.test; if ($invalid_referer) { return 404; } return 200 in; }
             location /if/out { if ($invalid_referer = 1) { return 410; } return 200 out; }
             return 200 if;
         }
         location /first {
             valid_referers b.test;
             set $kept i$invalid_referer;
             if ($invalid_referer != 1) { add_header X-Kept $kept; return 200 $invalid_referer; }
             return 403 $kept;
         }",
    ));
    let asked = |target: &str, host: &str| {
        let response = get_with(server.http, target, &format!("Referer: http://{host}/\r\n"));
        (response.status(), response.text())
    };
    let want = |status, text: &str| (status, text.to_owned());
    assert_eq!(asked("/in", "a.test.test"), want(200, "i1"));
    assert_eq!(asked("/in", "b.test.test"), want(200, "i1"));
    assert_eq!(asked("/in", "www.b.test"), want(200, "i1"));
    assert_eq!(asked("/in", "b.test:80"), want(200, "i"));
    assert_eq!(asked("/out", "a.test:80"), want(200, "i"));
    assert_eq!(asked("/out", "b.test:80"), want(200, "i1"));
    assert_eq!(asked("/if", "b.test:80"), want(200, "if"));
    assert_eq!(asked("/if", "c.test:80").0, 403);
    assert_eq!(asked("/if/in", "c.test:80"), want(200, "in"));
    assert_eq!(asked("/if/in", "b.test:80").0, 404);
    assert_eq!(asked("/if/out", "b.test:80"), want(200, "out"));
    assert_eq!(asked("/if/out", "c.test:80").0, 410);
    assert_eq!(asked("/first", "b.test:80"), want(200, ""));
    assert_eq!(asked("/first", "c.test:80"), want(403, "i1"));
    assert_eq!(get(server.http, "/if").status(), 403, "without the header, unless `none` is there");

    let server = Server::start(&Conf::live("").http_server(
        "valid_referers a.test; if ($invalid_referer) { set $seen yes; }
         location / { valid_referers b.test; if ($invalid_referer) { return 403; } return 200 in; }",
    ));
    let status = |host: &str| get_with(server.http, "/", &format!("Referer: http://{host}:80/\r\n")).status();
    assert_eq!((status("a.test"), status("b.test")), (200, 403), "as nginx: it keeps its first value");
}

/// As nginx 1.22 complains of the same lines, or does not.
#[test]
fn lines_that_do_not_fit_together_are_refused() {
    const ALONE: &str = "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive \
                         without any valid referer";
    let prefix = Prefix::new();
    for (lines, complaint) in [
        ("valid_referers none;", ALONE),
        ("valid_referers blocked;", ALONE),
        ("valid_referers none ~x;", ALONE),
        ("valid_referers ~x;", ""),
        ("valid_referers \"\";", "invalid referer \"\""),
        ("valid_referers ~;", "empty regex in \"~\""),
        ("valid_referers none server_names;", ""),
        ("server_name ~x; valid_referers none server_names;", ALONE),
        ("server_name *.a.b; valid_referers none server_names;", ""),
        ("server_name a.b; valid_referers server_names a.b;", "conflicting parameter \"a.b\""),
        ("valid_referers a.b; valid_referers c.d a.b;", "conflicting parameter \"a.b\""),
        ("valid_referers *.a.b .a.b;", "conflicting parameter \".a.b\""),
        ("valid_referers .a.b a.b;", "conflicting parameter \"a.b\""),
        ("valid_referers *.a.b a.b;", ""),
        ("valid_referers a.* a.*/x;", "conflicting parameter \"a.*\""),
        ("valid_referers A.b a.B;", "conflicting parameter \"a.b\""),
        ("valid_referers a.*.b;", "invalid hostname or wildcard \"a.*.b\""),
        ("valid_referers *.a.*;", "invalid hostname or wildcard \"*.a.*\""),
        ("valid_referers a..b/x;", "invalid hostname or wildcard \"a..b\""),
        ("valid_referers *.;", "invalid hostname or wildcard \"*.\""),
        ("valid_referers . .* www. /x a.b:80;", ""),
        ("valid_referers a.b; location / { valid_referers none; }", ALONE),
        ("valid_referers none a.b; location / { if ($invalid_referer) { return 403; } }", ""),
        (
            "location / { if ($args) { valid_referers a.b; } }",
            "\"valid_referers\" directive is not allowed here",
        ),
    ] {
        prefix.write("conf/pingosd.conf", Conf::live("").http_server(lines).text(1, 2, prefix.path()));
        let mut command = Command::new(PROGRAM);
        let told =
            command.arg("-t").arg("-p").arg(prefix.path()).arg("-c").arg(prefix.conf()).output().unwrap();
        let text = String::from_utf8_lossy(&told.stderr);
        assert_eq!(told.status.success(), complaint.is_empty(), "{lines}\n{text}");
        assert!(text.contains(&format!("{complaint} in ")) || complaint.is_empty(), "{lines}\n{text}");
        assert!(!text.contains("yet"), "{text}");
    }
}
