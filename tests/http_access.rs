//! HTTP: restrictions apply before every handler, and an undecidable restriction refuses.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use support::http::{Connection, get, get_with, request};
use support::server::Prefix;
use support::wait::until;
use support::{Answer, Conf, NotifyServer, Publisher, Server};

fn start(http: &str, http_server: &str) -> Server {
    let prefix = Prefix::new();
    prefix.write("html/f.txt", "text");
    Server::start_in(prefix, &Conf::live("").http(http).http_server(http_server))
}

#[test]
fn conditions_are_met_at_both_levels() {
    let server = start(
        "",
        r#"if ($http_user_agent ~* "bad(?<kind>bot)") { return 403 $kind; }
           location /f.txt { if ($arg_token != sesame) { return 403; } root html; }
           location /flv { if ($arg_token != sesame) { return 403; } flv_live {rtmp_port} app=live; }
           location /control { if ($request_method = POST) { return 403; } rtmp_control all; }
           location /peer { if ($remote_addr ~ ^127\.) { return 403; } return 200 in; }
           location /options {
               set $seen none;
               if ($request_method = 'OPTIONS') { set $seen yes; add_header X-Seen $seen; return 204; }
               return 200 $seen;
           }
           location /after { if ($args) { add_header X-Args $args; } return 200 x; }"#,
    );
    assert_eq!(get(server.http, "/f.txt?token=no").status(), 403);
    assert_eq!(get(server.http, "/f.txt?token=sesame").text(), "text");
    assert_eq!(get(server.http, "/flv/s?token=no").status(), 403);
    assert_eq!(request(server.http, "POST", "/control/x", "").status(), 403);
    assert_eq!(get(server.http, "/peer").status(), 403);
    let agent = get_with(server.http, "/f.txt?token=sesame", "User-Agent: a BadBot\r\n");
    assert_eq!((agent.status(), agent.text()), (403, "Bot".into()));
    let options = request(server.http, "OPTIONS", "/options", "");
    assert_eq!((options.status(), options.header("x-seen")), (204, Some("yes")));
    let got = get(server.http, "/options");
    assert_eq!((got.text(), got.header("x-seen")), ("none".into(), None));
    assert_eq!(get(server.http, "/after?a=1").header("x-args"), Some("a=1"));
}

/// As in nginx, which says nothing of a check where another one may grant access.
#[test]
fn with_satisfy_any_a_refused_address_is_not_logged() {
    let server = start(
        "",
        r#"location /any { satisfy any; deny all; auth_basic x; auth_basic_user_file html/f.txt; }
           location /all { deny all; }"#,
    );
    assert_eq!(get(server.http, "/any").status(), 401);
    assert_eq!(get(server.http, "/all").status(), 403);
    server.wait_log("request: \"GET /all");
    assert_eq!(server.log_lines("access forbidden by rule").len(), 1);
}

#[test]
fn what_restricts_refuses() {
    let server = start(
        "map $uri $mapped { default 1; } limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m;",
        r#"root html;
           location /mapped { if ($mapped) { return 403; } return 200 in; }
           location /kept { set $kept $mapped; if ($kept) { return 403; } return 200 in; }
           location /file { if (!-f $document_root/none) { return 403; } return 200 in; }
           location /limit { limit_req zone=z; alias html; }
           location /links { disable_symlinks on; alias html; }
           location /plain { disable_symlinks off; alias html; }
           location /moved { rewrite ^/moved/a /f.txt last; alias html; }
           location /password { auth_basic realm; auth_basic_user_file html/f.txt; alias html; }"#,
    );
    let link = server.prefix().path().join("html/link");
    std::os::unix::fs::symlink(server.prefix().path().join("html/f.txt"), link).unwrap();
    assert_eq!(get(server.http, "/limit/f.txt").status(), 200);
    for (target, status) in [
        ("/mapped", 403),
        ("/kept", 403),
        ("/file", 403),
        ("/limit/f.txt", 503),
        ("/links/link", 403),
        ("/password/f.txt", 401),
        ("/plain/link", 200),
        ("/moved/a", 200),
    ] {
        assert_eq!(get(server.http, target).status(), status, "{target}");
    }
}

#[test]
fn other_methods_have_rules_of_their_own() {
    let server = start("", "location /f.txt { limit_except GET { deny all; } root html; }");
    assert_eq!(get(server.http, "/f.txt").text(), "text");
    assert_eq!(request(server.http, "HEAD", "/f.txt", "").status(), 200);
    assert_eq!(request(server.http, "DELETE", "/f.txt", "").status(), 403);
}

#[test]
fn return_comes_before_access_and_444_closes() {
    let server = start(
        "",
        "location /first { deny all; return 200 in; } location /empty { return 200; }
         location /close { return 444; }",
    );
    assert_eq!(get(server.http, "/first").text(), "in");
    let empty = get(server.http, "/empty");
    assert_eq!((empty.status(), empty.text()), (200, String::new()));
    let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    socket.write_all(b"GET /close HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty(), "{answer:?}");
}

/// Targets and answers as nginx 1.22 gives them for the same lines.
#[test]
fn alias_is_inherited_and_replaces_the_prefix_of_its_location() {
    let prefix = Prefix::new();
    for (file, text) in
        [("html/f.txt", "html"), ("data/f.txt", "data"), ("data/in/f.txt", "in"), ("data/d/f.txt", "d")]
    {
        prefix.write(file, text);
    }
    let root = prefix.path().display().to_string();
    let server = Server::start_in(
        prefix,
        &Conf::live("").http_server(&format!(
            "root {root}/html;
             location /a/ {{
                 alias {root}/data/;
                 location /a/in/ {{ add_header X-In yes; }}
                 location /a/root/ {{ root {root}/data; }}
                 location ~ /d/ {{ add_header X-In regex; }}
                 if ($arg_x) {{ add_header X-In if; }}
             }}
             location ~ ^/one/ {{ alias {root}/data/in/f.txt; }}"
        )),
    );
    let got = |target: &str| {
        let response = get(server.http, target);
        let text = if response.status() == 200 { response.text() } else { String::new() };
        (response.status(), text, response.header("x-in").unwrap_or("").to_owned())
    };
    let want = |status, text: &str, header: &str| (status, text.to_owned(), header.to_owned());
    assert_eq!(got("/a/f.txt"), want(200, "data", ""));
    assert_eq!(got("/a/in/f.txt"), want(200, "in", "yes"));
    assert_eq!(got("/a/root/f.txt"), want(404, "", ""));
    assert_eq!(got("/a/d/f.txt"), want(200, "d", "regex"));
    assert_eq!(got("/a/f.txt?x=1"), want(200, "data", "if"));
    assert_eq!(got("/one/any"), want(200, "in", ""));
}

#[test]
fn control_says_why_it_fails_and_decodes_what_it_is_told() {
    let server = Server::start(&Conf::live("").http_server("location /control { rtmp_control all; }"));
    let mut publisher = Publisher::start(server.rtmp, "a b%20c");
    for (target, why) in [
        ("/control/drop/publisher?app=live", "srv= is missing"),
        ("/control/record/start?app=live", "srv= is missing"),
        ("/control/drop/all?srv=default", "drop knows publisher, subscriber and client"),
        ("/control/record/start?srv=default&name=none", "no stream that is published"),
    ] {
        let answer = get(server.http, target);
        assert_eq!(answer.status(), 500, "{target}");
        assert!(answer.text().starts_with(why), "{}", answer.text());
        server.wait_log(&format!("control: {why}"));
    }
    let drop =
        |name: &str| get(server.http, &format!("/control/drop/publisher?srv=default&name={name}")).text();
    assert_eq!(drop("a%20b%20c"), "0");
    assert_eq!(drop("a%20b%2520c"), "1");
    publisher.client.wait_end();
}

#[test]
fn the_built_in_configuration_shows_statistics_to_this_machine_only() {
    let conf = include_str!("../conf/pingosd.conf");
    let location = &conf[conf.find("location /stat").unwrap()..];
    let location = &location[..=location.find('}').unwrap()];
    let server = Server::start(&Conf::live("").http_server(location));
    assert_eq!(get(server.http, "/stat").status(), 200);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let other: SocketAddr = ([127, 0, 0, 2], 0).into();
    socket.bind(&other.into()).unwrap();
    let here: SocketAddr = ([127, 0, 0, 1], server.http).into();
    socket.connect(&here.into()).unwrap();
    let mut socket = TcpStream::from(socket);
    socket.write_all(b"GET /stat HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[test]
fn other_methods_start_no_stream() {
    let notify = NotifyServer::start();
    let conf =
        Conf::live("on_play {callback}/; hls2 on; mpegts_cache_time 1s;").var("callback", notify.url(""));
    let server = Server::start(&conf.http_server(
        "add_header X-Own yes always;
         location /flv { flv_live {rtmp_port} app=live; }
         location /ts { ts_live {rtmp_port} app=live; }
         location /hls { hls2_live {rtmp_port} app=live; }
         location /stat { rtmp_stat all; }
         location /control { rtmp_control all; }",
    ));
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    for target in ["/flv/s", "/ts/s.ts", "/hls/s.m3u8"] {
        let options = request(server.http, "OPTIONS", target, "");
        assert_eq!((options.status(), options.text()), (204, String::new()), "{target}");
        assert_eq!(options.header("access-control-allow-origin"), Some("*"), "{target}");
        assert_eq!(options.header("x-own"), Some("yes"), "{target}");
        for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"] {
            let refused = request(server.http, method, target, "Content-Length: 0\r\n");
            assert_eq!(refused.status(), 405, "{method} {target}");
            assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"), "{method} {target}");
        }
    }
    let drop = "/control/drop/publisher?srv=default&app=live&name=s";
    assert_eq!(request(server.http, "OPTIONS", drop, "").status(), 204);
    assert_eq!(request(server.http, "OPTIONS", "/stat", "").status(), 204);
    assert_eq!(request(server.http, "POST", "/stat", "Content-Length: 0\r\n").status(), 200);
    assert!(notify.requests_of("call=play").is_empty());
    let mut publisher = publisher.stop();
    assert_eq!(request(server.http, "POST", drop, "Content-Length: 0\r\n").text(), "1");
    publisher.client.wait_end();
}

/// The same requests to nginx 1.22 have the same answers, apart from its lack of `Allow`.
#[test]
fn the_empty_gif_is_that_of_nginx() {
    let server = start(
        "add_header X-Own yes;",
        "location /gif { empty_gif; types { image/other gif; } location /gif/in { root html; } }
         location /if { empty_gif; if ($arg_none) { return 204; } if ($arg_set) { set $x y; } }",
    );
    let modified = "Mon, 28 Sep 1970 06:00:00 GMT";
    let gif: &[u8] = b"GIF89a\x01\0\x01\0\x80\x01\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\x01\0,\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;";
    for (method, target, headers) in [
        ("GET", "/gif", "Range: bytes=0-3\r\n"),
        ("GET", "/gif/x.gif?y", "If-Modified-Since: Mon, 28 Sep 1970 06:00:01 GMT\r\n"),
        ("GET", "/if?set=1", ""),
        ("HEAD", "/gif", ""),
    ] {
        let got = request(server.http, method, target, headers);
        assert_eq!((got.status(), got.header("content-type")), (200, Some("image/gif")), "{method} {target}");
        assert_eq!((got.header("last-modified"), got.header("content-length")), (Some(modified), Some("43")));
        assert_eq!(got.header("x-own"), Some("yes"));
        assert_eq!((got.header("etag"), got.header("accept-ranges")), (None, None));
        assert_eq!(got.body, if method == "HEAD" { b"" } else { gif }, "{method} {target}");
    }
    for headers in [format!("If-Modified-Since: {modified}\r\n"), "If-None-Match: *\r\n".to_owned()] {
        let got = get_with(server.http, "/gif", &headers);
        assert_eq!((got.status(), got.header("last-modified")), (304, Some(modified)), "{headers}");
        assert_eq!(got.header("content-type"), None);
    }
    let older = get_with(server.http, "/gif", "If-Unmodified-Since: Mon, 28 Sep 1960 06:00:00 GMT\r\n");
    assert_eq!((older.status(), older.header("last-modified")), (412, None));
    for method in ["POST", "PUT", "OPTIONS", "DELETE"] {
        let refused = request(server.http, method, "/gif", "Content-Length: 0\r\n");
        assert_eq!(refused.status(), 405, "{method}");
    }
    assert_eq!(get(server.http, "/if?none=1").status(), 204);
    // Locations inside do not inherit a handler.
    assert_eq!(get(server.http, "/gif/in").status(), 404);
}

/// The same requests to nginx 1.22 have the same headers.
#[test]
fn headers_are_added_as_by_nginx() {
    let statuses =
        [200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 403, 404, 500].map(|status: u16| {
            let to = if (301..304).contains(&status) || status > 306 && status < 309 { " /" } else { "" };
            format!("location = /{status} {{ return {status}{to}; }}")
        });
    let server = start(
        "add_header X-Http outer;",
        &format!(
            "add_header X-Usual \"u $arg_a\"; add_header X-Always a always; add_header X-Empty \"$arg_none\";
             {} root html;
             location /own {{ alias html; add_header X-Own o; add_header X-Own p always; }}
             location /if {{ alias html; if ($arg_i) {{ add_header X-If $arg_i; }} }}
             location /one {{ alias html; add_header ETag e; add_header Last-Modified \"\"; }}
             location /two {{ alias html; add_header Cache-Control c; add_header Cache-Control d; }}
             location /else {{ alias html; add_header ETag e; }}",
            statuses.concat()
        ),
    );
    let usual = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];
    for status in usual.into_iter().chain([202, 400, 403, 404, 500]) {
        let got = get(server.http, &format!("/{status}?a=b"));
        assert_eq!(got.status(), status);
        assert_eq!(got.header("x-usual"), usual.contains(&status).then_some("u b"), "{status}");
        assert_eq!(got.header("x-always"), Some("a"), "{status}");
        assert_eq!((got.header("x-empty"), got.header("x-http")), (None, None), "{status}");
    }
    let all = |target: &str, name: &str| -> Vec<String> {
        let got = get(server.http, target);
        let lines = got.head.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value.clone()).collect()
    };
    assert_eq!(all("/own/f.txt", "x-own"), ["o", "p"]);
    assert_eq!(all("/own/none", "x-own"), ["p"]);
    assert!(all("/own/f.txt", "x-always").is_empty());
    assert_eq!(
        (all("/if/f.txt?i=z", "x-if"), all("/if/f.txt", "x-always")),
        (vec!["z".into()], vec!["a".into()])
    );
    assert!(all("/if/f.txt?i=z", "x-always").is_empty());
    assert_eq!((all("/one/f.txt", "etag"), all("/one/f.txt", "last-modified")), (vec!["e".into()], vec![]));
    assert_eq!(all("/two/f.txt", "cache-control"), ["c", "d"]);
    // A response without the line's status keeps its own.
    assert!(all("/else/none", "etag").is_empty());
}

#[test]
fn head_answers_as_get() {
    let conf = Conf::live("idle_streams off; mpegts_cache_time 1s;").http_server(
        "location /flv { flv_live {rtmp_port} app=live; } location /ts { ts_live {rtmp_port} app=live; }",
    );
    let server = Server::start(&conf);
    for target in ["/flv/s", "/ts/s"] {
        assert_eq!(request(server.http, "HEAD", target, "").status(), 404, "{target}");
    }
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    server.wait_log("publishing 's'");
    for target in ["/flv/s", "/ts/s"] {
        assert_eq!(request(server.http, "HEAD", target, "").status(), 200, "{target}");
    }
    publisher.stop().leave();
}

#[test]
fn an_early_head_comes_with_the_admission_and_after_the_answer_to_a_pull() {
    let notify = NotifyServer::start();
    let conf = Conf::new(
        "application live { live on; on_play {callback}/; }
         application pulled { live on; on_pull {callback}/; relay_reconnect 200ms; }",
    )
    .var("callback", notify.url(""))
    .http_server(
        "http_early_head on;
         location /live { flv_live {rtmp_port} app=live; }
         location /pulled { flv_live {rtmp_port} app=pulled; }
         location /late { http_early_head off; flv_live {rtmp_port} app=live; }",
    );
    let server = Server::start(&conf);
    let ask = |target: &str| {
        let mut connection = Connection::open(server.http);
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        connection
    };
    // Nothing comes before the stream does, and with the line the head.
    let late = ask("/late/s");
    let early = ask("/live/s");
    assert_eq!(early.head().status, 200);
    notify.answer("call=pull name=no", Answer::Status(404));
    assert_eq!(ask("/pulled/no").head().status, 404);
    notify.answer("call=pull name=slow", Answer::Late(Duration::from_millis(300), 404));
    assert_eq!(ask("/pulled/slow").head().status, 404);
    assert_eq!(ask("/pulled/yes").head().status, 200);
    late.socket.set_nonblocking(true).unwrap();
    let nothing = late.socket.peek(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    late.socket.set_nonblocking(false).unwrap();
    // The file begins with the media.
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    for mut connection in [late, early] {
        until("the head and the first tag", || {
            let mut bytes = [0; 4096];
            let count = connection.socket.peek(&mut bytes).unwrap();
            bytes[..count].windows(4).any(|window| window == b"FLV\x01").then_some(())
        });
        let _ = &mut connection;
    }
    publisher.stop().leave();
}

/// As nginx 1.22 answers the same bytes.
#[test]
fn requests_without_a_host_that_can_be_one_are_refused() {
    let server = start("", "location / { return 200 in; }");
    let answer = |text: &str| {
        let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
        socket.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer.split(' ').nth(1).unwrap_or_else(|| panic!("{text:?}: {answer}")).to_owned()
    };
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.0\r\n\r\n", "200"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400"),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
        ("GET http://a/ HTTP/1.1\r\n\r\n", "400"),
        ("GET http://a..b/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
        ("TRACE / HTTP/1.1\r\n\r\n", "400"),
    ] {
        assert_eq!(answer(request), status, "{request:?}");
    }
    for host in ["", ".", ":80", "a..b", "a/b", "a b", "a\tb"] {
        assert_eq!(answer(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), "400", "{host:?}");
    }
    for host in ["a.", "a:x", "[::1", "a@b", "a,b", "a\"b", "\u{fc}"] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(answer(&request), "200", "{host:?}");
    }
    server.wait_log(
        "client sent HTTP/1.1 request without \"Host\" header while reading client request headers, client: ",
    );
}

#[test]
fn a_fifo_ends_no_file_work() {
    let server = start("", "root html;");
    let fifo = server.prefix().path().join("html/fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for _ in 0..1_100 {
        assert_eq!(get(server.http, "/fifo").status(), 404);
    }
    assert_eq!(get(server.http, "/f.txt").text(), "text");
}
