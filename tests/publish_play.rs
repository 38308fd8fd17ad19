//! Publishing and playing over RTMP.

mod support;

use std::net::TcpStream;

use bytes::Bytes;
use pingosd::wire::MediaKind;
use pingosd::wire::amf0::AmfValue;
use pingosd::wire::rtmp::client_session::{ClientPurpose, ClientSettings};
use support::frame::{self, GOP, Tracks};
use support::player::numbered;
use support::raw::{Raw, Script};
use support::rtmp::settings;
use support::wait::until_true;
use support::{Conf, End, Player, Publisher, RtmpClient, Server};

#[test]
fn a_player_gets_what_is_published() {
    let server = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let last = publisher.send(5 * GOP);
    player.assert_whole(Tracks::Both, last);
    let got = player.got();
    let header = |frame: frame::Frame| got.media.iter().position(|media| media.payload == frame.payload);
    let first = got.media.iter().position(|media| frame::number(&media.payload).is_some());
    assert!(header(frame::video_header()).is_some_and(|at| Some(at) < first), "codec headers go first");
    assert!(header(frame::audio_header()).is_some_and(|at| Some(at) < first), "codec headers go first");
    assert_eq!(payload_name(&got.media[0].payload), "|RtmpSampleAccess");
    assert_eq!(payload_name(&got.media[1].payload), "onMetaData");
    assert!(got.statuses.iter().any(|code| code == "NetStream.Play.Start"));
}

#[test]
fn a_late_player_begins_with_headers_and_a_cached_key_frame() {
    let server = Server::start(&Conf::live("cache_time 1s;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let early = Player::start(server.rtmp, "s");
    let last = publisher.send(10 * GOP + 7);
    early.wait_frame(last);
    let player = Player::start(server.rtmp, "s");
    player.assert_whole(Tracks::Both, last);
    let got = player.got();
    let kinds: Vec<_> = got.media.iter().take(4).map(|media| media.kind).collect();
    assert_eq!(kinds, [MediaKind::Data, MediaKind::Data, MediaKind::Audio, MediaKind::Video]);
    let frames = numbered(&got);
    assert!(frame::is_key(&frames[0].1.payload), "the first frame is a key frame");
    // A second of frames of 20 ms, in whole groups: at least 50 frames, at most a group more.
    let cached = last - frames[0].0 + 1;
    assert!((50..50 + 2 * GOP).contains(&cached), "{cached} frames came from the cache");
}

#[test]
fn zero_start_counts_timestamps_from_the_first_frame() {
    let server = Server::start(&Conf::live("cache_time 1s; zero_start on;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.skip_to(1000 * GOP);
    let early = Player::start(server.rtmp, "s");
    let last = publisher.send(5 * GOP);
    early.wait_frame(last);
    let player = Player::start(server.rtmp, "s");
    player.assert_whole(Tracks::Both, last);
    let frames = numbered(&player.got());
    let first = frames[0].0;
    for (n, media) in &frames {
        assert_eq!(
            u64::from(media.timestamp),
            (n - first) * u64::from(frame::STEP),
            "timestamp of frame {n}"
        );
    }
}

#[test]
fn timestamps_beyond_24_bits_arrive_as_sent() {
    let server = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    // 0xFFFFFF ms are 838,860 frames: from below the extended timestamp to above it.
    publisher.skip_to(838_860 / GOP * GOP - GOP);
    let player = Player::start(server.rtmp, "s");
    let last = publisher.send(4 * GOP);
    player.assert_whole(Tracks::Both, last);
    for (n, media) in numbered(&player.got()) {
        assert_eq!(u64::from(media.timestamp), n * u64::from(frame::STEP));
    }
}

#[test]
fn a_player_may_come_before_the_publisher() {
    let server = Server::start(&Conf::live(""));
    let player = Player::start(server.rtmp, "s");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    assert_eq!(player.frames()[0], 0);
}

#[test]
fn a_second_publisher_gets_bad_name_and_the_first_goes_on() {
    let server = Server::start(&Conf::live(""));
    let mut first = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let mut second = RtmpClient::publish(server.rtmp, "live", "s");
    second.wait_status("NetStream.Publish.BadName");
    let last = first.send(3 * GOP);
    player.assert_whole(Tracks::Both, last);
    assert_eq!(player.frames().len() as u64, 3 * GOP);
}

#[test]
fn a_name_is_free_again_when_its_publisher_has_left() {
    let server = Server::start(&Conf::live(""));
    for leave in [Publisher::leave, Publisher::reset] {
        let mut publisher = Publisher::start(server.rtmp, "s");
        publisher.send(3);
        let stopped = server.log_lines("stopped publishing 's'").len();
        leave(publisher);
        until_true("the publisher is gone", || server.log_lines("stopped publishing 's'").len() > stopped);
    }
    Publisher::start(server.rtmp, "s");
}

#[test]
fn players_stay_for_the_next_publisher() {
    let server = Server::start(&Conf::live("idle_streams on;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let last = publisher.send(2 * GOP);
    player.wait_frame(last);
    publisher.reset();
    server.wait_log("stopped publishing 's'");
    let mut publisher = Publisher::start(server.rtmp, "s");
    // Its frames begin with number 0 again, and with time 0.
    let again = publisher.send(4 * GOP);
    player.wait_frame(again);
    let got = player.got();
    let frames = numbered(&got);
    let second = 1 + frames.windows(2).position(|pair| pair[1].0 < pair[0].0).unwrap();
    assert_eq!((frames[second - 1].0, frames[second].0), (last, 0));
    assert!(frame::is_key(&frames[second].1.payload));
    let times: Vec<u32> = frames.iter().map(|(_, media)| media.timestamp).collect();
    assert!(times.is_sorted(), "time never runs backwards: {times:?}");
    assert!(times[second] - times[second - 1] < 1000, "the new publisher's time joins the old one's");
}

/// A relay sends codec headers with time 0 and continues at the time of its source.
#[test]
fn the_time_of_a_relay_joins_that_of_the_publisher_before() {
    let server = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let last = publisher.send(2 * GOP);
    player.wait_frame(last);
    publisher.leave();
    server.wait_log("stopped publishing 's'");
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.skip_to(1000 * GOP);
    let last = publisher.send(2 * GOP);
    player.wait_frame(last);
    let frames = numbered(&player.got());
    let second = frames.iter().position(|(n, _)| *n == 1000 * GOP).unwrap();
    let step = frames[second].1.timestamp.wrapping_sub(frames[second - 1].1.timestamp);
    assert!(step < 1000, "time jumps by {step} ms");
}

#[test]
fn without_idle_streams_players_leave_with_the_publisher() {
    let server = Server::start(&Conf::live("idle_streams off;"));
    let mut nobody = RtmpClient::play(server.rtmp, "live", "s");
    nobody.wait_status("NetStream.Play.StreamNotFound");
    nobody.wait_end();
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let last = publisher.send(2 * GOP);
    player.wait_frame(last);
    publisher.leave();
    player.wait_end();
}

#[test]
fn audio_and_video_may_come_alone() {
    let server = Server::start(&Conf::live("wait_key on; wait_video on; cache_time 1s;"));
    for (tracks, name) in [(Tracks::Audio, "audio"), (Tracks::Video, "video")] {
        let mut publisher = Publisher::with(RtmpClient::publish(server.rtmp, "live", name), tracks);
        let player = Player::start(server.rtmp, name);
        let last = publisher.send(3 * GOP);
        player.assert_whole(tracks, last);
        let late = Player::start(server.rtmp, name);
        let last = publisher.send(3 * GOP);
        late.assert_whole(tracks, last);
    }
}

#[test]
fn chunk_sizes_of_both_sides_may_be_any() {
    for size in [128u32, 1000, 65_536] {
        let conf = Conf::live("cache_time 1s;").rtmp(&format!("chunk_size {size};"));
        let server = Server::start(&conf);
        for chunk_size in [1, 128, 100_000] {
            let name = format!("s{chunk_size}");
            let purpose = ClientPurpose::Publish { name: name.clone().into() };
            let settings = ClientSettings { chunk_size, ..settings(server.rtmp, "live", purpose) };
            let mut publisher = Publisher::with(RtmpClient::open(server.rtmp, settings), Tracks::Both);
            publisher.set_size(5000);
            let player = Player::start(server.rtmp, &name);
            let last = publisher.send(2 * GOP);
            player.assert_whole(Tracks::Both, last);
        }
    }
}

#[test]
fn a_slow_rtmp_player_skips_to_a_key_frame_and_disturbs_nobody() {
    slow_player(|server| {
        let socket = small_window(server.rtmp);
        let purpose = ClientPurpose::Play { name: Bytes::from_static(b"s") };
        let slow = Player::rtmp(RtmpClient::over(socket, settings(server.rtmp, "live", purpose)));
        slow.wait("play was accepted", |got| got.started.then_some(()));
        slow
    });
}

#[test]
fn a_slow_http_player_skips_to_a_key_frame_and_disturbs_nobody() {
    slow_player(|server| {
        Player::http_over(small_window(server.http), "GET /flv/s HTTP/1.1\r\nHost: h\r\n\r\n")
    });
}

/// A connection with a small window, so that the server soon notices a client that does not read.
fn small_window(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket2::SockRef::from(&socket).set_recv_buffer_size(256 * 1024).unwrap();
    socket
}

/// `join` begins to play the stream `s`.
fn slow_player(join: impl FnOnce(&Server) -> Player) {
    let server = Server::start(
        &Conf::live("")
            .rtmp("out_queue 256;")
            .http_server("location /flv { flv_live {rtmp_port} app=live; }"),
    );
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.set_size(20_000);
    let fast = Player::start(server.rtmp, "s");
    let slow = join(&server);
    until_true("the slow player has begun", || {
        let last = publisher.send(GOP);
        fast.wait_frame(last);
        !slow.frames().is_empty()
    });
    slow.hold();
    let mut largest = 0;
    until_true("the slow player was moved forward twice", || {
        let last = publisher.send(GOP);
        fast.wait_frame(last);
        largest = largest.max(server.resident());
        server.log_lines("slow player").len() > 1
    });
    slow.resume();
    let last = publisher.send(2 * GOP);
    fast.assert_whole(Tracks::Both, last);
    slow.wait_frame(last);
    let got = slow.got();
    assert_eq!(got.end, None);
    let frames = numbered(&got);
    let gaps: Vec<usize> = (1..frames.len()).filter(|&at| frames[at].0 != frames[at - 1].0 + 1).collect();
    assert!(!gaps.is_empty());
    for at in gaps {
        let video = frames[at..].iter().find(|(_, media)| media.kind == MediaKind::Video);
        assert!(video.is_some_and(|(_, media)| frame::is_key(&media.payload)), "a gap ends at a key frame");
    }
    for (n, media) in &frames {
        assert!(
            media.payload == Tracks::Both.frame(*n, media.payload.len()).payload,
            "frame {n} has changed"
        );
        assert_eq!(u64::from(media.timestamp), n * u64::from(frame::STEP), "timestamp of frame {n}");
    }
    // 256 frames of 20 kB are 5 MB; a server that kept everything for the slow one would hold many times that.
    assert!(largest < 100 * 1024, "{largest} KiB resident");
}

#[test]
fn a_connection_may_publish_one_stream_after_the_other() {
    let server = Server::start(&Conf::live(""));
    let players = ["one", "two"].map(|name| Player::start(server.rtmp, name));
    let mut raw = Script::publishing("one").send(server.rtmp);
    server.wait_log("publishing 'one'");
    let group = || (0..=GOP).fold(Script::default(), |script, n| script.frame(&Tracks::Both.frame(n, 100)));
    let delete = group().command(0, "deleteStream", &[AmfValue::Null, 1.0.into()]);
    let again = delete.command(0, "createStream", &[AmfValue::Null]);
    raw.send(&again.command(1, "publish", &[AmfValue::Null, "two".into(), "live".into()]).finish());
    server.wait_log("publishing 'two'");
    raw.send(&group().finish());
    for player in &players {
        player.assert_whole(Tracks::Both, GOP);
    }
    assert_eq!(server.log_lines("stopped publishing 'one'").len(), 1);
}

#[test]
fn a_connection_may_play_one_stream_after_the_other() {
    let server = Server::start(&Conf::live(""));
    let mut publishers = ["one", "two"].map(|name| Publisher::start(server.rtmp, name));
    let client = RtmpClient::play(server.rtmp, "live", "one").wait_started();
    let mut raw = Raw(client.socket.try_clone().unwrap());
    let player = Player::rtmp(client);
    for round in 0..6 {
        // Numbers tell the rounds apart.
        let publisher = &mut publishers[round % 2];
        publisher.skip_to(1000 * GOP * round as u64);
        publisher.set_size(10_000);
        let last = publisher.send(GOP);
        player.wait_frame(last);
        let next = ["two", "one"][round % 2];
        let script = Script::default().command(1, "closeStream", &[AmfValue::Null]);
        raw.send(&script.command(1, "play", &[AmfValue::Null, next.into()]).finish());
        player.wait("the next play was accepted", |got| {
            let started = got.statuses.iter().filter(|code| *code == "NetStream.Play.Start").count();
            (started == round + 1).then_some(())
        });
    }
    let got = player.got();
    assert_eq!(got.end, None);
    for round in 0..6 {
        let first = 1000 * GOP * round;
        let frames: Vec<u64> =
            numbered(&got).iter().map(|(n, _)| *n).filter(|n| (first..first + GOP).contains(n)).collect();
        assert_eq!(frames, (first..first + GOP).collect::<Vec<_>>(), "round {round}");
    }
}

#[test]
fn fifty_players_get_every_frame() {
    let server = Server::start(&Conf::live("cache_time 1s;"));
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let players: Vec<Player> = (0..50).map(|_| Player::start(server.rtmp, "s")).collect();
    let joined = feed.next();
    until_true("all have watched for a while", || feed.next() > joined + 10 * GOP);
    let last = feed.stop().next() - 1;
    for player in &players {
        player.assert_whole(Tracks::Both, last);
    }
}

#[test]
fn low_latency_begins_with_the_newest_key_frame() {
    let server = Server::start(&Conf::live("cache_time 1s; low_latency on;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let early = Player::start(server.rtmp, "s");
    let last = publisher.send(5 * GOP + 7);
    early.wait_frame(last);
    let player = Player::start(server.rtmp, "s");
    player.assert_whole(Tracks::Both, last);
    assert_eq!(player.frames()[0], 5 * GOP);
}

#[test]
fn the_digest_handshake_is_spoken() {
    let server = Server::start(&Conf::live(""));
    let open = |purpose| {
        let settings = ClientSettings { digest_handshake: true, ..settings(server.rtmp, "live", purpose) };
        RtmpClient::open(server.rtmp, settings)
    };
    let name = Bytes::from_static(b"s");
    let mut publisher = Publisher::with(open(ClientPurpose::Publish { name: name.clone() }), Tracks::Both);
    let player = Player::rtmp(open(ClientPurpose::Play { name }));
    player.wait("play was accepted", |got| got.started.then_some(()));
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
}

#[test]
fn virtual_servers_are_told_apart_by_host() {
    let server = Server::start(
        &Conf::new("server_name a.example; serverid first; application live { live on; }").rtmp(
            "server { listen {rtmp_port}; server_name b.example; serverid second; application live { live on; } }",
        ),
    );
    let open = |host: &str, purpose| {
        let settings = ClientSettings::new("live", format!("rtmp://{host}:{}/live", server.rtmp), purpose);
        RtmpClient::open(server.rtmp, settings)
    };
    let name = Bytes::from_static(b"s");
    let publish = |host| {
        let purpose = ClientPurpose::Publish { name: name.clone() };
        Publisher::with(open(host, purpose), Tracks::Both)
    };
    // The same name twice: these are two streams.
    let (mut a, mut b) = (publish("a.example"), publish("b.example"));
    b.skip_to(1000 * GOP);
    let [a_player, b_player] = ["a.example", "b.example"].map(|host| {
        let player = Player::rtmp(open(host, ClientPurpose::Play { name: name.clone() }));
        player.wait("play was accepted", |got| got.started.then_some(()));
        player
    });
    let (a_last, b_last) = (a.send(GOP), b.send(GOP));
    a_player.assert_whole(Tracks::Both, a_last);
    b_player.assert_whole(Tracks::Both, b_last);
    assert_eq!((a_player.frames()[0], b_player.frames()[0]), (0, 1000 * GOP));
}

#[test]
fn a_publisher_without_media_is_dropped_where_configured() {
    let server = Server::start(&Conf::live("drop_idle_publisher 300ms;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(1);
    publisher.client.wait_end();
    assert_eq!(server.log_lines("reason: drop_idle").len(), 1);
}

#[test]
fn who_answers_pings_stays() {
    let server = Server::start(&Conf::live("").rtmp("ping 100ms; ping_timeout 2s;"));
    let mut silent = Script::playing("s").send(server.rtmp);
    let player = Player::start(server.rtmp, "s");
    // It answers no ping either, but what it sends shows that it is there.
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    silent.wait_closed();
    server.wait_log("ping request was not answered");
    player.assert_whole(Tracks::Both, feed.stop().next() - 1);
}

#[test]
fn a_player_that_takes_nothing_is_given_up_in_the_end() {
    let server = Server::start(&Conf::live("").rtmp("timeout 1s; out_queue 64;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.set_size(20_000);
    let fast = Player::start(server.rtmp, "s");
    let slow = Player::start(server.rtmp, "s");
    slow.hold();
    until_true("the slow player is given up", || {
        let last = publisher.send(GOP);
        fast.wait_frame(last);
        server.log_lines("reason: rtmp_send_timeout").len() == 1
    });
    slow.resume();
    slow.wait_end();
    fast.assert_whole(Tracks::Both, publisher.next() - 1);
}

#[test]
fn an_unknown_application_closes_the_connection() {
    let server = Server::start(&Conf::live(""));
    let mut client = RtmpClient::play(server.rtmp, "nowhere", "s");
    let End::Protocol(why) = client.wait_end() else { panic!("the connect is refused by an answer") };
    assert!(why.contains("NetConnection.Connect.InvalidApp"), "{why}");
    server.wait_log("application not found: 'nowhere'");
    assert!(server.log_lines("[notice]").iter().any(|line| line.contains("application not found")));
}

#[test]
fn an_application_that_is_not_live_says_so() {
    let server = Server::start(&Conf::new("application off { live off; }"));
    let mut publisher = RtmpClient::publish(server.rtmp, "off", "s");
    publisher.wait_status("NetStream.Publish.Forbidden");
    publisher.wait_end();
    let mut player = RtmpClient::play(server.rtmp, "off", "s");
    player.wait_status("NetStream.Play.Forbidden");
    player.wait_end();
    let said = server.log_lines("live is off in application 'off'");
    assert!(said.len() == 2 && said.iter().all(|line| line.contains("[notice]")), "{said:?}");
}

#[test]
fn an_application_with_an_asterisk_takes_the_others() {
    let server = Server::start(&Conf::new("application live { live on; } application * { live on; }"));
    let mut publisher = Publisher::with(RtmpClient::publish(server.rtmp, "some", "s"), Tracks::Both);
    let player = Player::rtmp(RtmpClient::play(server.rtmp, "some", "s"));
    let elsewhere = Player::rtmp(RtmpClient::play(server.rtmp, "other", "s"));
    for player in [&player, &elsewhere] {
        player.wait("play was accepted", |got| got.started.then_some(()));
    }
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    assert!(elsewhere.frames().is_empty());
}

#[test]
fn access_rules_refuse_publishers_and_players() {
    let server = Server::start(&Conf::new(
        "application nopub { live on; deny publish all; } application noplay { live on; deny play 127.0.0.0/8; }",
    ));
    let mut refused = RtmpClient::publish(server.rtmp, "nopub", "s");
    refused.wait_status("NetStream.Publish.Forbidden");
    refused.wait_end();
    let mut refused = RtmpClient::play(server.rtmp, "noplay", "s");
    refused.wait_status("NetStream.Play.Forbidden");
    refused.wait_end();
    Publisher::with(RtmpClient::publish(server.rtmp, "noplay", "s"), Tracks::Both);
    assert_eq!(server.log_lines("access forbidden by rule").len(), 2);
}

/// The name a data message begins with.
fn payload_name(payload: &[u8]) -> String {
    let values = pingosd::wire::amf0::decode_all(Bytes::copy_from_slice(payload)).unwrap();
    String::from_utf8_lossy(values[0].as_str().unwrap()).into_owned()
}

/// A server of a single address shares the wildcard's socket, and is the one that is met there.
#[test]
fn a_server_of_a_single_address_beside_a_wildcard_is_met_there() {
    let server = Server::start(
        &Conf::new("serverid wild; application live { live on; } application wide { live on; }")
            .rtmp(
                "server { listen 127.0.0.1:{rtmp_port}; serverid own; application live { live on; } \
                 application narrow { live on; } }",
            )
            .http_server(
                "location /own { flv_live 127.0.0.1:{rtmp_port} app=live; } \
                 location /wild { flv_live {rtmp_port} app=live; }",
            ),
    );
    let at =
        |address: &str, app: &str| RtmpClient::publish_at(&format!("{address}:{}", server.rtmp), app, "s");
    let mut own = Publisher::with(at("127.0.0.1", "live"), Tracks::Both);
    let mut wild = Publisher::with(at("127.0.0.2", "live"), Tracks::Both);
    wild.skip_to(1000 * GOP);
    let players = ["/own/s", "/wild/s"].map(|target| Player::http(server.http, target));
    for (n, player) in players.iter().enumerate() {
        until_true("the player is sent media", || {
            own.send(1);
            wild.send(1);
            !player.frames().is_empty()
        });
        assert_eq!(player.frames()[0] >= 1000 * GOP, n == 1, "each location serves its own server's stream");
    }
    Publisher::with(at("127.0.0.1", "narrow"), Tracks::Both);
    Publisher::with(at("127.0.0.2", "wide"), Tracks::Both);
    for (address, app) in [("127.0.0.1", "wide"), ("127.0.0.2", "narrow")] {
        at(address, app).wait_end();
    }
}

#[test]
fn a_player_that_pauses_gets_nothing_until_it_goes_on() {
    for conf in ["", "cache_time 2s;", "send_delay 100ms;"] {
        let server = Server::start(&Conf::live(conf));
        let mut publisher = Publisher::start(server.rtmp, "s");
        let client = RtmpClient::play(server.rtmp, "live", "s").wait_started();
        let mut socket = client.socket.try_clone().unwrap();
        let (player, witness) = (Player::rtmp(client), Player::start(server.rtmp, "s"));
        let mut pause = |on: bool| {
            let command = Script::default().command(1, "pause", &[AmfValue::Null, on.into(), 0.0.into()]);
            std::io::Write::write_all(&mut socket, &command.finish()).unwrap();
        };
        let before = publisher.send(2 * GOP + 3);
        player.wait_frame(before);
        pause(true);
        player.wait_status("NetStream.Pause.Notify");
        let during = publisher.send(10 * GOP);
        witness.wait_frame(during);
        pause(false);
        player.wait_status("NetStream.Unpause.Notify");
        let after = publisher.send(3 * GOP);
        player.wait_frame(after);
        let got = player.got();
        let numbered = numbered(&got);
        let first = numbered.iter().find(|(n, _)| *n > before).expect("it goes on");
        assert!(first.0 > during && frame::is_key(&first.1.payload), "{conf} goes on with {}", first.0);
        let headers = got.media.iter().filter(|media| media.payload == frame::video_header().payload);
        assert_eq!(headers.count(), 2, "{conf}");
    }
}

#[test]
fn the_log_tells_the_bytes_of_a_name_that_is_not_utf_8() {
    let server = Server::start(&Conf::live("").main("log_args on;"));
    let name = b"caf\xE9 \xC3\xA9\"\\\n?k=\xFF".as_slice();
    let settings = settings(server.rtmp, "live", ClientPurpose::Publish { name: name.into() });
    let publisher = RtmpClient::open(server.rtmp, settings).wait_started();
    server.wait_log(r#"publishing 'caf\xE9 \xC3\xA9\x22\x5C\x0A', client: "#);
    server.wait_log(r#"publish: name='caf\xE9 \xC3\xA9\x22\x5C\x0A' args='k=\xFF' app='live'"#);
    drop(publisher);
}
