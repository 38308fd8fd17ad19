//! `broadcast`: answers of all workers in one response.

mod support;

use support::http::{Connection, get, request};
use support::server::Prefix;
use support::{Conf, Server};

/// A server of two workers with these directives.
fn start(http_server: &str) -> Server {
    let prefix = Prefix::new();
    prefix.write("html/w/9000", "[first]");
    prefix.write("html/w/9001", "[second]");
    prefix.write("html/own.txt", "dropped");
    Server::start_in(prefix, &Conf::live("").http_server(http_server))
}

#[test]
fn workers_answer_one_after_the_other() {
    let server = start(
        "root html;
         location /w/ { internal; }
         location /echo/ { return 200 \"<$request_method $uri $args>\"; }
         location /files { broadcast 9000 /w; return 200; }
         location /unix { broadcast unix:/tmp/http /echo; return 200; }
         location /host { broadcast 127.0.0.1:9000 /echo; return 200; }
         location /own.txt { broadcast 9000 /w; add_header X-Own yes; }
         location /none { broadcast 9000 /w; }
         location /edited { broadcast 9000 /w; broadcast_rewrite_prefix [ ((; broadcast_suffix )); return 200;
             location /edited/inner { return 200; } }
         location /other { broadcast 9000 /w; broadcast_rewrite_prefix x y; return 200; }",
    );
    for (target, text) in [
        ("/files", "[first][second]"),
        ("/unix?a=1", "<GET /echo/unix:/tmp/http.0 a=1><GET /echo/unix:/tmp/http.1 a=1>"),
        ("/host", "<GET /echo/127.0.0.1:9000 ><GET /echo/127.0.0.1:9001 >"),
        ("/own.txt", "[first][second]"),
        // The location's own page of status 404 is dropped, as in the original.
        ("/none", "[first][second]"),
        ("/edited", "((first][second]))"),
        ("/edited/inner", "((first][second]))"),
        ("/other", "[first][second]"),
    ] {
        let got = get(server.http, target);
        assert_eq!((got.status(), got.text().as_str()), (200, text), "{target}");
        assert_eq!(got.header("content-length"), None, "{target}");
        assert_eq!(got.header("accept-ranges"), None, "{target}");
    }
    assert_eq!(get(server.http, "/own.txt").header("x-own"), Some("yes"));
    assert_eq!(get(server.http, "/own.txt").header("content-type"), Some("text/plain"));
    let posted = request(server.http, "POST", "/host", "");
    assert_eq!(posted.text(), "<POST /echo/127.0.0.1:9000 ><POST /echo/127.0.0.1:9001 >");
}

#[test]
fn what_the_location_refuses_no_worker_answers() {
    let server = start(
        "root html;
         location /w/ { internal; }
         location /denied { deny all; broadcast 9000 /w; }
         location /password { auth_basic x; auth_basic_user_file none; broadcast 9000 /w; }
         location /gone { broadcast 9000 /w; return 410; }
         location /internal { internal; broadcast 9000 /w; }
         location /returned { if ($arg_k != 1) { return 404; } broadcast 9000 /w; }
         location /hidden { deny all; error_page 403 =404 /missing; broadcast 9000 /w; }
         location /missing { broadcast 9000 /w; return 404; }
         location /moved { broadcast 9000 /w; return 302 /elsewhere; }",
    );
    for (target, status) in [
        ("/denied", 403),
        ("/password", 401),
        ("/gone", 410),
        ("/internal", 404),
        ("/returned", 404),
        ("/hidden", 404),
        ("/moved", 302),
    ] {
        let got = get(server.http, target);
        assert_eq!(got.status(), status, "{target}");
        assert!(!got.text().contains("first"), "{target}");
    }
    assert_eq!(get(server.http, "/returned?k=1").text(), "[first][second]");
}

#[test]
fn a_head_request_asks_no_worker() {
    let server = start("root html; location /files { broadcast 9000 /none; return 200; }");
    let mut connection = Connection::open(server.http);
    connection.send(b"HEAD /files HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = connection.response(true);
    assert_eq!((head.status(), head.header("content-length")), (200, None));
    // The connection stays usable.
    connection.send(b"GET /files HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(connection.response(false).text(), "");
    let line = "broadcast subrequest send non 200 response: 404";
    server.wait_log(line);
    assert_eq!(server.log_lines(line).len(), 2, "only the second request asked");
}

#[test]
fn failing_workers_are_left_out() {
    let server = start(
        "root html;
         location = /w/9000 { return 403; }
         location = /x/9000 { return 444; }
         location = /x/9001 { return 200 [b]; }
         location /one { broadcast 9000 /w; broadcast_rewrite_prefix [ (; broadcast_suffix ); return 200; }
         location /closed { broadcast 9000 /x; return 200; }
         location /proxy/ { rewrite ^/proxy/(.*) /sys_stat break; proxy_pass http://$1:; }
         location /shipped { broadcast unix:/tmp/http /proxy; broadcast_suffix ]; return 200; }
         location /bad { broadcast 65535 /w; return 200; }",
    );
    // The first answer is the one of the second worker.
    assert_eq!(get(server.http, "/one").text(), "(second])");
    assert_eq!(get(server.http, "/closed").text(), "[b]");
    server.wait_log("broadcast subrequest send non 200 response: 444");
    assert_eq!(get(server.http, "/shipped").text(), "]");
    let mut connection = Connection::open(server.http);
    connection.send(b"GET /bad HTTP/1.1\r\nHost: h\r\n\r\n");
    connection.rest();
    server.wait_log("broadcast get port error, 65535 1");
}
