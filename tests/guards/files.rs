//! Methods and preconditions of requests for files, as nginx 1.22 answers them.

use std::fs::{File, FileTimes};
use std::time::{Duration, UNIX_EPOCH};

use crate::support::http::{get_with, request};
use crate::support::server::Prefix;
use crate::support::{Conf, Server};

fn start() -> Server {
    let prefix = Prefix::new();
    let file = prefix.write("html/f.txt", "text");
    let modified = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_times(FileTimes::new().set_modified(modified))
        .unwrap();
    prefix.write("html/d/index.html", "index");
    prefix.write("html/e/other.txt", "other");
    let conf = Conf::live("").http_server("root html; location /et { etag off; alias html/f.txt; }");
    Server::start_in(prefix, &conf)
}

#[test]
fn other_methods_than_get_are_refused_as_by_nginx() {
    let server = start();
    for (target, post) in [
        ("/f.txt", 405),
        ("/none", 404),
        ("/d", 301),
        ("/d/", 405),
        ("/e/", 403),
        ("/e", 301),
        ("/none/", 404),
        ("/f.txt/", 404),
        ("/f.txt/x", 404),
    ] {
        let status = |method| request(server.http, method, target, "Content-Length: 0\r\n").status();
        assert_eq!(status("POST"), post, "{target}");
        for method in ["PUT", "DELETE", "OPTIONS", "PURGE"] {
            assert_eq!(status(method), 405, "{method} {target}");
        }
    }
}

#[test]
fn preconditions_are_judged_as_by_nginx() {
    const TAG: &str = "\"6553f100-4\"";
    const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
    let server = start();
    // With a tag, and without one.
    for (headers, with, without) in [
        ("If-Match: TAG", 200, 412),
        ("If-Match: \"x\"", 412, 412),
        ("If-Match: *", 200, 200),
        ("If-Match: \"a\", TAG", 200, 412),
        ("If-Match: W/TAG", 412, 412),
        ("If-Match: ", 412, 412),
        ("If-Match: xTAG", 412, 412),
        ("If-Match: TAGx", 412, 412),
        ("If-Match: \"a\",TAG, \"b\"", 200, 412),
        ("If-Unmodified-Since: DATE", 200, 200),
        ("If-Unmodified-Since: Tue, 14 Nov 2023 22:13:19 GMT", 412, 412),
        ("If-Unmodified-Since: Tue, 14 Nov 2023 22:13:21 GMT", 200, 200),
        ("If-Unmodified-Since: x", 412, 412),
        ("If-None-Match: TAG", 304, 200),
        ("If-None-Match: W/TAG", 304, 200),
        ("If-None-Match: \"x\"", 200, 200),
        ("If-None-Match: *", 304, 304),
        ("If-None-Match: \"a\", TAG", 304, 200),
        ("If-None-Match: xTAG", 200, 200),
        ("If-None-Match: ", 200, 200),
        ("If-Modified-Since: DATE", 304, 304),
        ("If-Modified-Since: Tue, 14 Nov 2023 22:13:21 GMT", 200, 200),
        ("If-Modified-Since: x", 200, 200),
        ("If-Match: TAG\r\nIf-None-Match: TAG", 304, 412),
        ("If-Match: \"x\"\r\nIf-Unmodified-Since: DATE", 412, 412),
        ("If-None-Match: \"x\"\r\nIf-Modified-Since: DATE", 200, 200),
        ("If-None-Match: TAG\r\nIf-Modified-Since: x", 200, 200),
        ("Range: bytes=0-1\r\nIf-Range: TAG", 206, 200),
        ("Range: bytes=0-1\r\nIf-Range: \"x\"", 200, 200),
        ("Range: bytes=0-1\r\nIf-Range: DATE", 206, 206),
        ("Range: bytes=0-1\r\nIf-Range: Tue, 14 Nov 2023 22:13:21 GMT", 200, 200),
        ("Range: bytes=0-1\r\nIf-Match: \"x\"", 412, 412),
        ("Range: bytes=0-1\r\nIf-Range: W/TAG", 200, 200),
        ("Range: bytes=0-1\r\nIf-Range: ", 200, 200),
    ] {
        let lines = format!("{}\r\n", headers.replace("TAG", TAG).replace("DATE", DATE));
        let status = |target| get_with(server.http, target, &lines).status();
        assert_eq!((status("/f.txt"), status("/et")), (with, without), "{headers}");
    }
    assert_eq!(get_with(server.http, "/none", "If-Match: \"x\"\r\n").status(), 404);
}
