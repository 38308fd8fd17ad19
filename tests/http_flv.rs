//! HTTP: live FLV, files, fixed answers, and which location takes a request.

mod support;

use std::fs;
use std::time::{Duration, SystemTime};

use pingosd::wire::MediaKind;
use support::frame::Tracks;
use support::http::{Connection, get, get_with, request};
use support::server::Prefix;
use support::{Conf, End, Player, Publisher, RtmpClient, Server};

/// An http server with these directives, and an application `live`.
fn start(http_server: &str) -> Server {
    Server::start(&Conf::live("cache_time 1s;").http_server(http_server))
}

#[test]
fn a_live_response_is_an_endless_flv_file() {
    let server = start("location /flv { flv_live {rtmp_port} app=live; }");
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::http(server.http, "/flv/s");
    player.wait_key();
    player.assert_whole(Tracks::Both, feed.stop().next() - 1);
    let got = player.got();
    let head = got.head.as_ref().unwrap();
    assert_eq!((head.version.as_str(), head.status), ("HTTP/1.1", 200));
    for (name, value) in [
        ("content-type", "video/x-flv"),
        ("cache-control", "no-cache"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(head.header(name), Some(value), "{name}");
    }
    assert_eq!(head.header("content-length"), None);
    assert_eq!(got.file_header, b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
    let kinds: Vec<MediaKind> = got.media.iter().take(3).map(|media| media.kind).collect();
    assert_eq!(kinds, [MediaKind::Data, MediaKind::Audio, MediaKind::Video]);
}

#[test]
fn a_stream_has_many_addresses() {
    let server = start(
        "location /flv { flv_live {rtmp_port} app=live; }
         location /live { flv_live {rtmp_port}; }
         location /wrong { flv_live {rtmp_port} app=wrong; }",
    );
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let targets = [
        "/flv/s",
        "/flv/s.flv",
        "/flv/some/where/s.flv",
        "/flv/s.flv?token=1",
        "/live/s.flv",
        "/wrong/s.flv?app=live",
    ];
    let players = targets.map(|target| (target, Player::http(server.http, target)));
    for (target, player) in &players {
        player.wait_key();
        assert_eq!(player.got().head.as_ref().unwrap().status, 200, "{target}");
    }
    let last = feed.stop().next() - 1;
    for (_, player) in &players {
        player.assert_whole(Tracks::Both, last);
    }
}

#[test]
fn what_cannot_be_played_has_a_status() {
    let server = Server::start(
        &Conf::new("application live { live on; idle_streams off; } application dead { }").http_server(
            "location /flv { flv_live {rtmp_port} app=live; } location /any { flv_live {rtmp_port} app=any; }",
        ),
    );
    for (target, status) in [
        ("/flv", 400),
        ("/flv/", 400),
        ("/flv/.flv", 400),
        ("/any/s", 404),
        ("/flv/s?app=nowhere", 404),
        ("/flv/nobody.flv", 404),
        ("/flv/s?app=dead", 404),
    ] {
        assert_eq!(get(server.http, target).status(), status, "{target}");
    }
}

#[test]
fn access_rules_hold_for_http_players() {
    let server = Server::start(&Conf::live("deny play all;").with_flv());
    let _feed = Publisher::start(server.rtmp, "s").keep_sending();
    assert_eq!(get(server.http, "/flv/s").status(), 403);
}

#[test]
fn nothing_is_answered_before_the_first_media() {
    let server = start("location /flv { flv_live {rtmp_port} app=live; }");
    let player = Player::http(server.http, "/flv/s");
    server.wait_log("play: name='s'");
    let publisher = Publisher::start(server.rtmp, "s");
    server.wait_log("publishing 's'");
    assert_eq!(player.got().head, None);
    let feed = publisher.keep_sending();
    player.wait_key();
    player.assert_whole(Tracks::Both, feed.stop().next() - 1);
}

#[test]
fn tracks_may_be_left_out_of_the_file_header() {
    let server = start(
        "location /silent { flv_live {rtmp_port} app=live audio=0; }
         location /blind { flv_live {rtmp_port} app=live video=0; }",
    );
    let _feed = Publisher::start(server.rtmp, "s").keep_sending();
    for (target, flags) in [("/silent/s", 1), ("/blind/s", 4)] {
        let player = Player::http(server.http, target);
        player.wait_key();
        assert_eq!(player.got().file_header[4], flags, "{target}");
    }
}

#[test]
fn a_live_response_ends_with_its_connection() {
    let server = Server::start(&Conf::live("cache_time 1s; idle_streams off;").http_server(
        "location /flv { flv_live {rtmp_port} app=live; chunked_transfer_encoding off; }
         location /chunked { flv_live {rtmp_port} app=live; }",
    ));
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let off = Player::http(server.http, "/flv/s");
    let old = Player::http_request(server.http, "GET /chunked/s HTTP/1.0\r\n\r\n");
    let chunked = Player::http(server.http, "/chunked/s");
    for player in [&off, &old, &chunked] {
        player.wait_key();
    }
    let publisher = feed.stop();
    for player in [&off, &old, &chunked] {
        player.assert_whole(Tracks::Both, publisher.next() - 1);
    }
    for player in [&off, &old] {
        let head = player.got().head.clone().unwrap();
        assert_eq!((head.status, head.header("transfer-encoding")), (200, None));
        assert_eq!(head.header("content-length"), None);
    }
    publisher.leave();
    for player in [&off, &old, &chunked] {
        assert_eq!(player.wait_end(), End::Closed);
    }
}

#[test]
fn head_is_answered_without_media() {
    let server = start("location /flv { flv_live {rtmp_port} app=live; }");
    let _publisher = Publisher::start(server.rtmp, "s");
    let response = request(server.http, "HEAD", "/flv/s.flv", "");
    assert_eq!((response.status(), response.header("content-type")), (200, Some("video/x-flv")));
}

#[test]
fn a_server_is_chosen_by_its_name() {
    let server = Server::start(&Conf::live("").http_server("return 200 first;").http(
        "server { listen {http_port}; server_name a.example *.wild.example; return 200 $server_name; }
             server { listen {http_port}; server_name ~^r[0-9]+\\.example$; return 200 regex; }",
    ));
    for (host, answer) in [
        ("a.example", "a.example"),
        ("A.Example:80", "a.example"),
        ("x.wild.example", "a.example"),
        ("r17.example", "regex"),
    ] {
        assert_eq!(get_with(server.http, "/", &format!("Host: {host}\r\n")).text(), answer, "{host}");
    }
}

#[test]
fn the_location_is_chosen_as_nginx_does() {
    let server = start(
        r#"location = /exact { return 200 exact; }
           location / { return 200 root; }
           location /a/ { return 200 a; }
           location /a/long/ { return 200 long; }
           location ^~ /stop/ { return 200 stop; }
           location ~ \.php$ { return 200 regex; }
           location ~ \.php5?$ { return 200 "second regex"; }
           location ~* \.JPG$ { return 200 image; }
           location ~ ^/user/([0-9]+)/(.*)$ { return 200 "user $1 $2"; }"#,
    );
    for (target, answer) in [
        ("/exact", "exact"),
        ("/exact?query=1", "exact"),
        ("/exact/", "root"),
        ("/", "root"),
        ("/other", "root"),
        ("/a", "root"),
        ("/a/x", "a"),
        ("/a/long/x", "long"),
        ("/a/./b/../long//x", "long"),
        ("/a%2Flong/x", "long"),
        ("/a/x.php", "regex"),
        ("/a/x.php5", "second regex"),
        ("/stop/x.php", "stop"),
        ("/x.jpg", "image"),
        ("/user/17/rest/of/it", "user 17 rest/of/it"),
    ] {
        assert_eq!(get(server.http, target).text(), answer, "{target}");
    }
}

#[test]
fn fixed_answers_have_text_or_a_place_to_go_to() {
    let server = start(
        "location /text { return 200 'uri=$uri args=$args host=$host'; }
         location /empty { return 204; }
         location /missing { return 404; }
         location /teapot { return 418 short; }
         location /moved { return 301 /new?$args; }
         location /away { return http://other.example$request_uri; }",
    );
    let text = get_with(server.http, "/text/%41?x=1", "Host: h.example:80\r\n");
    assert_eq!((text.status(), text.text().as_str()), (200, "uri=/text/A args=x=1 host=h.example"));
    assert_eq!(text.header("content-type"), Some("text/plain"));
    assert_eq!(get(server.http, "/empty").status(), 204);
    let missing = get(server.http, "/missing");
    assert_eq!((missing.status(), missing.header("content-type")), (404, Some("text/html")));
    assert!(missing.text().contains("404 Not Found"));
    assert_eq!(get(server.http, "/teapot").text(), "short");
    let moved = get_with(server.http, "/moved?a=b", "Host: h.example\r\n");
    assert_eq!(
        (moved.status(), moved.header("location")),
        (301, Some(format!("http://h.example:{}/new?a=b", server.http).as_str()))
    );
    let away = get(server.http, "/away/x?y");
    assert_eq!((away.status(), away.header("location")), (302, Some("http://other.example/away/x?y")));
}

#[test]
fn headers_are_added_to_successes_and_where_asked_for_always() {
    let server = start(
        "add_header X-Outer outer;
         location /plain { return 200 x; }
         location /own { return 200 x; add_header X-Name $arg_name; add_header X-Empty $arg_none; }
         location /missing { return 404; add_header X-Some some; add_header X-Always always always; }",
    );
    assert_eq!(get(server.http, "/plain").header("x-outer"), Some("outer"));
    let own = get(server.http, "/own?name=n");
    assert_eq!((own.header("x-name"), own.header("x-empty"), own.header("x-outer")), (Some("n"), None, None));
    let missing = get(server.http, "/missing");
    assert_eq!((missing.header("x-some"), missing.header("x-always")), (None, Some("always")));
}

#[test]
fn a_header_of_ones_own_replaces_the_one_for_browsers() {
    let server = start(
        "location /flv { flv_live {rtmp_port} app=live; add_header Access-Control-Allow-Origin https://me.example; }",
    );
    let _feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::http(server.http, "/flv/s");
    player.wait_key();
    let head = player.got().head.clone().unwrap();
    let origins: Vec<_> =
        head.headers.iter().filter(|(name, _)| name == "access-control-allow-origin").collect();
    assert_eq!(origins.len(), 1);
    assert_eq!(origins[0].1, "https://me.example");
}

/// A server with files below `files/`.
fn with_files(http_server: &str) -> Server {
    let prefix = Prefix::new();
    prefix.write("files/index.html", "<p>index</p>");
    prefix.write("files/a.txt", "0123456789");
    prefix.write("files/b.m3u8", "#EXTM3U\n");
    prefix.write("files/name with blank.txt", "blank");
    prefix.write("files/empty/hidden/x", "x");
    prefix.write("files/sub/index.html", "sub");
    prefix.write("secret.txt", "secret");
    Server::start_in(prefix, &Conf::live("").http_server(http_server))
}

#[test]
fn files_are_served_with_their_types() {
    let server = with_files(
        "root {dir}/files; types { application/vnd.apple.mpegurl m3u8; text/html html; } default_type text/x-other;
         location /alias/ { alias {dir}/files/sub/; }
         location /relative/ { root html; }",
    );
    server.prefix().write("html/relative/x", "relative");
    for (target, kind, text) in [
        ("/", "text/html", "<p>index</p>"),
        ("/sub/", "text/html", "sub"),
        ("/a.txt", "text/x-other", "0123456789"),
        ("/b.m3u8", "application/vnd.apple.mpegurl", "#EXTM3U\n"),
        ("/name%20with%20blank.txt", "text/x-other", "blank"),
        ("/alias/index.html", "text/html", "sub"),
        ("/relative/x", "text/x-other", "relative"),
    ] {
        let response = get(server.http, target);
        assert_eq!((response.status(), response.text().as_str()), (200, text), "{target}");
        assert_eq!(response.header("content-type"), Some(kind), "{target}");
        assert_eq!(response.header("content-length"), Some(text.len().to_string().as_str()), "{target}");
    }
    for (target, status) in
        [("/none", 404), ("/none/", 404), ("/a.txt/x", 404), ("/empty/", 403), ("/empty/hidden/", 403)]
    {
        assert_eq!(get(server.http, target).status(), status, "{target}");
    }
    let moved = get_with(server.http, "/sub", "Host: h.example\r\n");
    assert_eq!(
        (moved.status(), moved.header("location")),
        (301, Some(format!("http://h.example:{}/sub/", server.http).as_str()))
    );
    assert_eq!(request(server.http, "POST", "/a.txt", "Content-Length: 0\r\n").status(), 405);
    let head = request(server.http, "HEAD", "/a.txt", "");
    assert_eq!((head.status(), head.header("content-length")), (200, Some("10")));
}

#[test]
fn parts_of_a_file_can_be_asked_for() {
    let server = with_files("root {dir}/files;");
    for (range, status, text, content_range) in [
        ("bytes=0-3", 206, "0123", "bytes 0-3/10"),
        ("bytes=8-", 206, "89", "bytes 8-9/10"),
        ("bytes=-1", 206, "9", "bytes 9-9/10"),
        ("bytes=5-100", 206, "56789", "bytes 5-9/10"),
    ] {
        let response = get_with(server.http, "/a.txt", &format!("Range: {range}\r\n"));
        assert_eq!((response.status(), response.text().as_str()), (status, text), "{range}");
        assert_eq!(response.header("content-range"), Some(content_range), "{range}");
    }
    let beyond = get_with(server.http, "/a.txt", "Range: bytes=10-\r\n");
    assert_eq!((beyond.status(), beyond.header("content-range")), (416, Some("bytes */10")));
    let nonsense = get_with(server.http, "/a.txt", "Range: bytes=x\r\n");
    assert_eq!((nonsense.status(), nonsense.header("content-range")), (416, Some("bytes */10")));
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    let server = with_files("root {dir}/files;");
    let path = server.prefix().path().join("files/a.txt");
    let first = get(server.http, "/a.txt");
    let (date, etag) = (first.header("last-modified").unwrap(), first.header("etag").unwrap());
    for header in [format!("If-Modified-Since: {date}\r\n"), format!("If-None-Match: {etag}\r\n")] {
        let again = get_with(server.http, "/a.txt", &header);
        assert_eq!((again.status(), again.body.len()), (304, 0), "{header}");
    }
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    for header in [format!("If-Modified-Since: {date}\r\n"), format!("If-None-Match: {etag}\r\n")] {
        assert_eq!(get_with(server.http, "/a.txt", &header).status(), 200, "{header}");
    }
}

#[test]
fn no_path_leaves_the_root() {
    let server = with_files("root {dir}/files; location /alias { alias {dir}/files; }");
    for target in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/sub/../../secret.txt",
        "/sub/..%2F..%2Fsecret.txt",
        "/.%2e/secret.txt",
        "//../secret.txt",
        "/....//secret.txt",
        "/..\\secret.txt",
        "/%00/../secret.txt",
        "/a.txt%00.html",
        "/alias../../secret.txt",
        "/alias/../../secret.txt",
        "/%2Fetc/passwd",
        "//etc/passwd",
    ] {
        let response = get(server.http, target);
        assert!((400..500).contains(&response.status()), "{target}: {}", response.status());
        assert!(!response.text().contains("secret") && !response.text().contains("root:"), "{target}");
    }
}

#[test]
fn a_location_without_slash_is_no_way_out_of_its_alias() {
    let server = with_files("location /alias { alias {dir}/files; } location /other { alias {dir}/files/; }");
    assert_eq!(get(server.http, "/alias/a.txt").status(), 200);
    for target in ["/alias../secret.txt", "/alias..%2fsecret.txt", "/other../secret.txt"] {
        let response = get(server.http, target);
        assert!((400..500).contains(&response.status()), "{target}: {}", response.status());
    }
}

#[test]
fn requests_share_a_connection() {
    let server = with_files("root {dir}/files; location /text { return 200 text; }");
    let mut connection = Connection::open(server.http);
    for _ in 0..3 {
        connection.send(b"GET /text HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(connection.response(false).text(), "text");
        connection.send(b"GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(connection.response(false).text(), "0123456789");
    }
    // Three at once: answered in order.
    connection.send(
        b"GET /text HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\n\
          GET /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    let answers = [(); 3].map(|()| connection.response(false).status());
    assert_eq!(answers, [200, 404, 200]);
    assert_eq!(connection.rest(), b"");
}

#[test]
fn a_large_file_is_read_as_it_is_taken() {
    let server = with_files("root {dir}/files;");
    let contents = b"0123456789abcdefg".repeat(1_500_000);
    server.prefix().write("files/large", &contents);
    let before = server.resident();
    let mut slow: Vec<Connection> = (0..10).map(|_| Connection::open(server.http)).collect();
    for connection in &mut slow {
        connection.send(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    // One that takes everything bounds the time in which the others could have made the server hold it.
    assert!(get(server.http, "/large").body == contents);
    assert!(server.resident() < before + 16 * 1024, "{before} -> {} KiB", server.resident());
    assert!(slow[0].response(false).body == contents);
}

#[test]
fn control_drops_sessions_and_statistics_name_them() {
    let server = start(
        "location /control { rtmp_control all; } location /stat { rtmp_stat all; }
         location /flv { flv_live {rtmp_port} app=live; }",
    );
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    let web = Player::http(server.http, "/flv/s");
    web.wait_key();
    player.wait_key();
    let stat = get(server.http, "/stat");
    assert_eq!((stat.status(), stat.header("content-type")), (200, Some("text/xml")));
    assert!(stat.text().contains("<name>s</name>"), "{}", stat.text());
    assert_eq!(stat.text().matches("<client>").count(), 3);
    let control = |target: &str| {
        let response = get(server.http, &format!("/control/{target}"));
        (response.status(), response.text())
    };
    assert_eq!(control("drop/subscriber?srv=default&app=live&name=none"), (200, "0".into()));
    assert_eq!(control("drop/subscriber?srv=default&app=live&name=s"), (200, "2".into()));
    player.wait_end();
    web.wait_end();
    assert_eq!(control("drop/subscriber?app=live").0, 500);
    assert_eq!(control("nothing/subscriber?srv=default").0, 404);
    let mut publisher = feed.stop().client;
    assert_eq!(control("drop/publisher?srv=default&name=s"), (200, "1".into()));
    publisher.wait_end();
    RtmpClient::publish(server.rtmp, "live", "s").wait_started();
}
