//! `on_meta`: when it is asked, by which lines, and what its answer does.

mod support;

use support::frame::{GOP, Tracks};
use support::{Answer, Conf, NotifyServer, Publisher, RtmpClient, Server};

fn start(notify: &NotifyServer, server: &str) -> Server {
    Server::start(&Conf::new(server).var("callback", notify.url("")))
}

fn publish(server: &Server, app: &str, tracks: Tracks) -> Publisher {
    Publisher::with(RtmpClient::publish(server.rtmp, app, "s"), tracks)
}

#[test]
fn eight_lines_have_their_own_addresses_groups_and_timers() {
    let notify = NotifyServer::start();
    let lines: String = (1..=8)
        .map(|n| {
            // Odd ones are updated, and some never for as long as this takes.
            let stages = if n % 2 == 1 { "start,update,done" } else { "start,done" };
            let update = if n <= 4 { "100ms" } else { "1h" };
            format!("on_meta {{callback}}/m{n} groupid=g{n} stage={stages} update={update} args=line={n};\n")
        })
        .collect();
    let server = start(&notify, &format!("application live {{ live on;\n{lines} }}"));
    let publisher = publish(&server, "live", Tracks::Both).keep_sending();
    notify.wait_count("act=update groupid=g1", 3);
    notify.wait_count("act=update groupid=g3", 3);
    publisher.stop().leave();
    for n in 1..=8 {
        let done = notify.wait(&format!("act=done groupid=g{n}"));
        let start = notify.wait(&format!("act=start groupid=g{n}"));
        for request in [start, done] {
            assert_eq!(
                (request.path, request.query.contains(&format!("&line={n}"))),
                (format!("/m{n}"), true)
            );
        }
        let updates = notify.requests_of(&format!("act=update groupid=g{n}"));
        assert_eq!(!updates.is_empty(), n == 1 || n == 3, "line {n}");
        assert!(updates.iter().all(|request| request.path == format!("/m{n}")));
        assert_eq!(notify.requests_of(&format!("act=start groupid=g{n}")).len(), 1);
        assert_eq!(notify.requests_of(&format!("act=done groupid=g{n}")).len(), 1);
    }
}

#[test]
fn the_kind_of_header_and_how_often_are_configured() {
    let notify = NotifyServer::start();
    let apps: String = [
        ("video", "on_meta_type video;"),
        ("audio", "on_meta_type audio;"),
        ("once", "on_meta_type both;"),
        ("each", "on_meta_type both; on_meta_once off;"),
    ]
    .map(|(name, lines)| {
        format!(
            "application {name} {{ live on; on_meta {{callback}}/; on_publish {{callback}}/ stage=done; {lines} }}\n"
        )
    })
    .concat();
    let server = start(&notify, &apps);
    let cases = [
        ("video", Tracks::Both, 1),
        ("audio", Tracks::Both, 1),
        ("once", Tracks::Both, 1),
        ("each", Tracks::Both, 2),
        ("video", Tracks::Audio, 0),
        ("audio", Tracks::Audio, 1),
    ];
    for (number, (app, tracks, wanted)) in cases.into_iter().enumerate() {
        let name = format!("s{number}");
        let mut publisher = Publisher::with(RtmpClient::publish(server.rtmp, app, &name), tracks);
        publisher.send(GOP);
        notify.wait_count(&format!("call=meta name={name}"), wanted);
        publisher.leave();
        // By now every header has been looked at.
        notify.wait(&format!("call=publish act=done name={name}"));
        assert_eq!(notify.requests_of(&format!("call=meta name={name}")).len(), wanted, "{app}");
    }
}

#[test]
fn a_refusal_ends_the_publisher_and_its_done_follows() {
    let notify = NotifyServer::start();
    let server = start(&notify, "application live { live on; on_meta {callback}/ stage=start,update,done; }");
    notify.answer("call=meta act=start", Answer::Status(403));
    let mut publisher = publish(&server, "live", Tracks::Both);
    publisher.send(2);
    publisher.client.wait_end();
    notify.wait("call=meta act=done");
    assert_eq!(notify.sequence(), ["meta start s", "meta done s"]);
}

#[test]
fn a_yes_makes_no_relay_and_the_publisher_goes_on() {
    let notify = NotifyServer::start();
    let server = start(&notify, "application live { live on; on_meta {callback}/ stage=start,done; }");
    let publisher = publish(&server, "live", Tracks::Both).keep_sending();
    notify.wait("call=meta act=start");
    publisher.stop().leave();
    notify.wait("call=meta act=done");
    assert!(server.log_lines("relay push").is_empty());
}
