//! `hls2_live`.

use std::time::{Duration, Instant};

use crate::media::{Source, pids};
use crate::support::http::{self, Connection, Response};
use crate::support::playlist::checked;
use crate::support::wait::until_true;
use crate::support::{Answer, Conf, NotifyServer, Server};

const HLS2: &str = "hls2 on; hls2_fragment 1s; hls2_playlist_length 4s; hls2_minfrags 2;";

fn start(more: &str) -> Server {
    let location = "location /hls2 { hls2_live {rtmp_port} app=live; }";
    Server::start(&Conf::live(&format!("{HLS2} {more}")).http_server(location))
}

#[track_caller]
fn get(server: &Server, target: &str) -> Response {
    http::get(server.http, target)
}

/// Lines of a playlist that are no tags.
fn uris(playlist: &Response) -> Vec<String> {
    let text = playlist.text();
    if text.contains("#EXTINF") {
        checked(&text);
    }
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn master_playlist_names_a_session_whose_playlist_names_fragments() {
    let server = start("");
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    let master = get(&server, "/hls2/s.m3u8?k=v");
    assert_eq!(master.header("content-type"), Some("application/vnd.apple.mpegurl"));
    let media = uris(&master)[0].strip_prefix("http://localhost").unwrap().to_owned();
    assert!(media.starts_with("/hls2/s.m3u8?session=") && media.ends_with("&k=v"), "{media}");
    assert_ne!(uris(&get(&server, "/hls2/s.m3u8?k=v")), uris(&master), "each player has its own");
    let id = media.split(['=', '&']).nth(1).unwrap();
    let tag = id.rsplit('-').next().unwrap();
    assert!(
        tag.len() == 32 && tag.bytes().all(|b| b.is_ascii_hexdigit()),
        "128 bits that nobody can guess: {id}"
    );

    let playlist = get(&server, &media);
    assert_eq!(
        (playlist.status(), playlist.header("content-type")),
        (200, Some("application/vnd.apple.mpegurl"))
    );
    let fragments = uris(&playlist);
    assert_eq!(fragments.len(), 2, "{}", playlist.text());
    let fragment = get(&server, &format!("/hls2/{}", fragments[0]));
    assert_eq!((fragment.status(), fragment.header("content-type")), (200, Some("video/mp2t")));
    assert_eq!(fragment.header("content-length"), Some(fragment.body.len().to_string().as_str()));
    assert_eq!(pids(&fragment.body).len(), 4);

    source.send_to(6_500);
    until_true("the playlist grows", || uris(&get(&server, &media)).len() == 4);
    let head = http::request(server.http, "HEAD", &format!("/hls2/{}", fragments[0]), "");
    assert_eq!(head.header("content-length"), fragment.header("content-length"));
}

#[test]
fn playlist_waits_for_fragments_of_a_publisher_to_come() {
    let server = start("");
    let mut connection = Connection::open(server.http);
    connection.send(b"GET /hls2/s.m3u8?session=a HTTP/1.1\r\nHost: h\r\n\r\n");
    server.wait_log("playing 's'");
    let mut source = Source::start(&server, "s");
    source.send_to(2_050);
    let playlist = connection.response(false);
    assert_eq!(uris(&playlist), ["s-0.ts?session=a&slot=0", "s-1.ts?session=a&slot=0"]);
}

#[test]
fn a_first_playlist_has_three_fragments_unless_a_playlist_holds_fewer() {
    for (more, want) in [("", 3), ("hls2_playlist_length 2s;", 2), ("hls2_minfrags 1;", 1)] {
        let app = format!("hls2 on; hls2_fragment 1s; {more}");
        let location = "location /hls2 { hls2_live {rtmp_port} app=live; }";
        let server = Server::start(&Conf::live(&app).http_server(location));
        let mut source = Source::start(&server, "s");
        source.send_to(6_500);
        assert_eq!(uris(&get(&server, "/hls2/s.m3u8?session=a")).len(), want, "{more}");
    }
}

#[test]
fn a_session_is_one_player_to_callbacks_and_ends_when_it_is_silent() {
    let notify = NotifyServer::start();
    let hook = format!("hls2_timeout 700ms; on_play {} stage=start,done args=$pargs;", notify.url("/cb"));
    let server = start(&hook);
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    get(&server, "/hls2/s.m3u8");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        assert_eq!(get(&server, "/hls2/s.m3u8?session=a&k=v").status(), 200);
    }
    assert_eq!(notify.sequence(), ["play start s"]);
    let silent = Instant::now();
    let done = notify.wait("call=play act=done");
    assert!(silent.elapsed() > Duration::from_millis(600));
    assert!(done.query.ends_with("&session=a&k=v"), "{}", done.query);
    assert_eq!(get(&server, "/hls2/s-1.ts?session=a").status(), 404, "the session is gone");
}

#[test]
fn a_refused_session_gets_403_and_its_done() {
    let notify = NotifyServer::start();
    notify.answer("call=play act=start", Answer::Status(404));
    let server = start(&format!("on_play {} stage=start,done;", notify.url("/cb")));
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    assert_eq!(get(&server, "/hls2/s.m3u8?session=a").status(), 403);
    notify.wait("call=play act=done");
    assert_eq!(get(&server, "/hls2/s-0.ts?session=a").status(), 404);
}

/// `GET target` from another address than [`get`] comes from.
fn get_from_elsewhere(server: &Server, target: &str) -> Response {
    let mut connection = Connection::open_from("127.0.0.2", server.http);
    connection
        .send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes());
    connection.response(false)
}

/// A media playlist with an id that the server issues.
fn issued(server: &Server, query: &str) -> String {
    let master = get(server, &format!("/hls2/s.m3u8{query}"));
    uris(&master)[0].strip_prefix("http://localhost").unwrap().to_owned()
}

#[test]
fn an_id_that_was_not_issued_counts_for_its_address_and_an_issued_one_everywhere() {
    let notify = NotifyServer::start();
    let server = start(&format!("on_play {} stage=start;", notify.url("/cb")));
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    let asked = || notify.requests_of("call=play act=start").len();
    let media = issued(&server, "");
    assert_eq!(get(&server, &media).status(), 200);
    assert_eq!(get_from_elsewhere(&server, &media).status(), 200, "players may change their address");
    assert_eq!(asked(), 1);
    // Nearly the issued one, and one of a player's own: each has its own verdict at each address.
    let forged = format!("{media}0");
    for (own, count) in [(forged.as_str(), 2), ("/hls2/s.m3u8?session=a", 3)] {
        assert_eq!(get(&server, own).status(), 200);
        assert_eq!(asked(), count);
    }
    notify.answer("call=play act=start", Answer::Status(403));
    for own in [forged.as_str(), "/hls2/s.m3u8?session=a"] {
        assert_eq!(get_from_elsewhere(&server, own).status(), 403, "{own}");
        assert_eq!(get(&server, own).status(), 200, "{own}");
    }
    assert_eq!(get_from_elsewhere(&server, "/hls2/s-1.ts?session=a").status(), 404);
    assert_eq!(asked(), 5);
}

#[test]
fn sessions_are_bound_to_address_and_arguments_where_that_is_wanted() {
    let notify = NotifyServer::start();
    let hook = notify.url("/cb");
    let server = start(&format!("hls2_session_bind addr_args; on_play {hook} stage=start;"));
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    let media = issued(&server, "?token=t");
    let playlist = get(&server, &media);
    assert_eq!(playlist.status(), 200);
    let fragment = format!("/hls2/{}", uris(&playlist)[0]);
    assert_eq!(get(&server, &fragment).status(), 200);

    assert_eq!(get(&server, &format!("{media}&more=1")).status(), 403);
    assert_eq!(get(&server, media.strip_suffix("&token=t").unwrap()).status(), 403);
    server.wait_log("other arguments");
    notify.answer("call=play act=start", Answer::Status(403));
    assert_eq!(get_from_elsewhere(&server, &fragment).status(), 404);
    assert_eq!(get_from_elsewhere(&server, &media).status(), 403, "another session, with its own verdict");
    assert_eq!(notify.requests_of("call=play act=start").len(), 2);
    assert_eq!(get(&server, &media).status(), 200);
}

#[test]
fn requests_at_once_ask_once() {
    let notify = NotifyServer::start();
    notify.answer("call=play act=start", Answer::Late(Duration::from_millis(300), 200));
    let server = start(&format!("on_play {};", notify.url("/cb")));
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| assert_eq!(get(&server, "/hls2/s.m3u8?session=a").status(), 200));
        }
    });
    assert_eq!(notify.requests_of("call=play act=start").len(), 1);
}

#[test]
fn a_stop_sends_the_done_of_sessions() {
    let notify = NotifyServer::start();
    let mut server = start(&format!("on_play {} stage=start,done;", notify.url("/cb")));
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    assert_eq!(get(&server, "/hls2/s.m3u8?session=a").status(), 200);
    assert!(server.stop().success());
    assert_eq!(notify.sequence(), ["play start s", "play done s"]);
}

#[test]
fn the_next_publisher_follows_behind_a_discontinuity() {
    let server = start("");
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    let media = "/hls2/s.m3u8?session=a";
    assert_eq!(uris(&get(&server, media)).len(), 2);
    source.leave();
    server.wait_log("stopped publishing 's'");
    let mut source = Source::start(&server, "s");
    source.send_to(2_100);
    until_true("a fragment of the next one", || get(&server, media).text().contains("s-5.ts"));
    let text = get(&server, media).text();
    let (before, _) = text.split_once("s-5.ts").unwrap();
    assert_eq!(before.lines().rev().nth(1), Some("#EXT-X-DISCONTINUITY"), "{text}");
}

#[test]
fn odd_requests_are_refused() {
    let server = start("");
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    for (target, status) in [
        ("/hls2/s.txt", 404),
        ("/hls2/", 400),
        ("/hls2/s-0.ts", 404),
        ("/hls2/s-0.ts?session=unknown", 404),
        ("/hls2/s.m3u8?session=%0d%0aX", 200),
        (&format!("/hls2/s.m3u8?session={}", "a".repeat(129)), 404),
        ("/hls2/s.m3u8?session=a&app=nowhere", 404),
    ] {
        let response = get(&server, target);
        assert_eq!(response.status(), status, "{target}");
        // Players in browsers can read that.
        assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{target}");
    }
    let off =
        Server::start(&Conf::live("").http_server("location /hls2 { hls2_live {rtmp_port} app=live; }"));
    assert_eq!(get(&off, "/hls2/s.m3u8?session=a").status(), 404);
    off.wait_log("hls2 is off in application 'live'");
}

#[test]
fn a_master_playlist_tells_what_is_known_of_the_stream() {
    let server = start("");
    let line = || get(&server, "/hls2/s.m3u8").text().lines().nth(1).unwrap_or_default().to_owned();
    assert_eq!(line(), "#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1");
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    until_true("codecs and resolution", || {
        line().ends_with(",CODECS=\"avc1.42C00D,mp4a.40.2\",RESOLUTION=320x240")
    });
    let line = line();
    let bits: u64 = line.split(['=', ',']).nth(1).unwrap().parse().unwrap();
    // Pictures of 300 bytes, 25 a second, in packets of 188.
    assert!((60_000..300_000).contains(&bits), "{line}");
}
