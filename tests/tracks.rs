//! Several tracks of a kind, and what stands beside codec headers (Enhanced RTMP version 2): kept for late players and
//! recordings. Which tracks an FLV file announces.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingosd::limits;
use pingosd::wire::MediaKind;
use pingosd::wire::amf0::{self, AmfValue};
use pingosd::wire::flv::FlvReader;
use support::frame::{Frame, GOP, Tracks, audio_header, number, video_header};
use support::raw::Script;
use support::server::Prefix;
use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Player, Publisher, RtmpClient, Server, http};

fn frame(kind: MediaKind, timestamp: u32, payload: &[u8]) -> Frame {
    Frame { kind, timestamp, payload: Bytes::copy_from_slice(payload) }
}

/// `head`, and the decoder configuration record of [`video_header`].
fn with_record(head: &[u8]) -> Frame {
    frame(MediaKind::Video, 0, &[head, &video_header().payload[5..]].concat())
}

/// `colorInfo` as the clip of the specification's authors has it.
const COLOUR: &[u8] = b"\x02\x00\x09colorInfo\x03\x00\x0bcolorConfig\x03\x00\x12matrixCoefficients\
                        \x00\0\0\0\0\0\0\0\0\0\0\x09\0\0\x09";

/// What describes further tracks, colours and channels, in all forms.
fn extras() -> Vec<Frame> {
    vec![
        with_record(b"\x96\x00avc1\x01"),
        // Behind a modifier of three bytes.
        with_record(b"\x97\x02\x00\x00\x09\x06\x00avc1\x02"),
        // Two tracks in one message.
        frame(MediaKind::Video, 0, b"\x96\x20vp09\x03\0\0\x02ababc1\x04\0\0\x01c"),
        frame(MediaKind::Video, 0, &[b"\xD4avc1", COLOUR].concat()),
        frame(MediaKind::Video, 0, &[b"\x96\x04avc1\x01", COLOUR].concat()),
        frame(MediaKind::Audio, 0, b"\x95\x00mp4a\x01\x12\x10"),
        frame(MediaKind::Audio, 0, b"\x95\x00Opus\x02OpusHead"),
        frame(MediaKind::Audio, 0, b"\x94mp4a\x01\x02\x00\x00\x00\x03"),
        frame(MediaKind::Audio, 0, b"\x95\x04Opus\x02\x01\x02\x00\x00\x00\x03"),
    ]
}

/// Checks that all of it came, unchanged, before the first frame.
#[track_caller]
fn assert_described(what: &str, media: &[(MediaKind, Bytes)], wanted: &[Frame]) {
    let first = media.iter().position(|(_, payload)| number(payload).is_some()).expect("a frame came");
    for wanted in wanted {
        let found = media[..first].iter().filter(|(_, payload)| *payload == wanted.payload).count();
        assert_eq!(found, 1, "{what}: {:02x?} before frame {first}", wanted.payload);
    }
}

fn media(player: &Player) -> Vec<(MediaKind, Bytes)> {
    player.wait_key();
    player.got().media.iter().map(|media| (media.kind, media.payload.clone())).collect()
}

fn tags(path: &Path) -> Vec<(MediaKind, Bytes)> {
    let bytes = fs::read(path).unwrap();
    let (mut input, mut reader) = (&bytes[..], FlvReader::new(1 << 20));
    std::iter::from_fn(|| reader.read(&mut input).unwrap()).map(|tag| (tag.kind, tag.payload)).collect()
}

fn start(directives: &str) -> Server {
    let prefix = Prefix::new();
    fs::create_dir_all(prefix.path().join("rec")).unwrap();
    let conf =
        Conf::live(&format!("recorder m {{ record all manual; record_path {{dir}}/rec; }} {directives}"));
    let locations =
        "location /flv { flv_live {rtmp_port} app=live; } location /control { rtmp_control all; }";
    Server::start_in(prefix, &conf.http_server(locations))
}

#[test]
fn late_players_and_recordings_get_what_describes_every_track() {
    for cache in ["cache_time 0;", "cache_time 1s;"] {
        let server = start(cache);
        let mut publisher = Publisher::start(server.rtmp, "s");
        for (n, extra) in extras().into_iter().enumerate() {
            publisher.send_frame(&extra);
            // In the middle of the stream, too.
            publisher.send(n as u64 * 3 + 1);
        }
        let feed = publisher.keep_sending();
        let wanted = [extras(), vec![audio_header(), video_header()]].concat();
        assert_described("RTMP", &media(&Player::start(server.rtmp, "s")), &wanted);
        assert_described("HTTP-FLV", &media(&Player::http(server.http, "/flv/s")), &wanted);

        let control = |method: &str| {
            let target = format!("/control/record/{method}?srv=default&app=live&name=s&rec=m");
            assert_eq!(http::get(server.http, &target).status(), 200);
        };
        let path = server.prefix().path().join("rec/s.flv");
        // The recorder may be behind the players; its second file begins behind what the first one ends with.
        for count in 1..=2 {
            let _ = fs::remove_file(&path);
            control("start");
            until_true("the recording has what was sent last", || {
                path.exists() && tags(&path).iter().any(|(_, payload)| number(payload) > Some(200))
            });
            control("stop");
            until_true("the recording is complete", || server.log_lines("record: recorded ").len() == count);
        }
        assert_described("recording", &tags(&path), &wanted);
        feed.stop().leave();
    }
}

#[test]
fn relays_pass_it_on_and_who_takes_over_from_one_has_kept_it() {
    const QUICK: &str = "failed_reconnect 20ms; relay_reconnect 200ms;";
    let pushed = start("");
    let origin = start(&format!("idle_streams off; {QUICK} push rtmp://127.0.0.1:{};", pushed.rtmp));
    let edge = start(&format!("{QUICK} pull rtmp://127.0.0.1:{};", origin.rtmp));
    let wanted = [vec![audio_header(), video_header()], extras()].concat();
    let mut publisher = Publisher::start(origin.rtmp, "s");
    extras().iter().for_each(|extra| publisher.send_frame(extra));
    let feed = publisher.keep_sending();
    for server in [&edge, &pushed] {
        Player::start(server.rtmp, "s").wait_key();
    }
    for (what, server) in [("pulled", &edge), ("pushed", &pushed)] {
        assert_described(what, &media(&Player::start(server.rtmp, "s")), &wanted);
    }

    // Stays, so that the relay does until its publisher leaves.
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    let mut next = Publisher::start(edge.rtmp, "s");
    let own = frame(MediaKind::Audio, 0, b"\x95\x00mp4a\x07\x11\x88");
    next.send_frame(&own);
    next.send(GOP);
    feed.stop().leave();
    origin.wait_log("stopped publishing 's'");
    let next = next.keep_sending();
    player.wait("the header of the publisher that stood by", |got| {
        got.media.iter().any(|media| media.payload == own.payload).then_some(())
    });
    assert_described(
        "taken over",
        &media(&Player::start(edge.rtmp, "s")),
        &[own, audio_header(), video_header()],
    );
    next.stop().leave();
}

/// A second language three seconds behind, and a second picture that comes in an order of its own.
#[test]
fn further_tracks_keep_their_timestamps() {
    let server = start("cache_time 2s;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    for head in [&b"\x95\x00mp4a\x01\x12\x10"[..], b"\x95\x00mp4a\x02\x12\x10"] {
        publisher.send_frame(&frame(MediaKind::Audio, 0, head));
    }
    publisher.send_frame(&with_record(b"\x96\x00avc1\x01"));
    let players = [Player::start(server.rtmp, "s"), Player::http(server.http, "/flv/s")];
    let mut sent = Vec::new();
    for n in 300..400u32 {
        publisher.skip_to(n.into());
        publisher.send(1);
        if n < 320 {
            continue;
        }
        players.iter().for_each(Player::wait_key);
        let at = n * 20;
        let kinds = [
            (MediaKind::Audio, &b"\x95\x01mp4a\x01"[..], at - 3_000),
            (MediaKind::Audio, b"\x95\x01mp4a\x02", at + 900),
            (MediaKind::Video, b"\xA6\x03avc1\x01", at - 100),
        ];
        for (kind, head, timestamp) in kinds {
            let further = frame(kind, timestamp, &[head, &n.to_be_bytes()].concat());
            publisher.send_frame(&further);
            sent.push(further);
        }
    }
    for player in players {
        player.assert_whole(Tracks::Both, 399);
        let last = &sent[sent.len() - 1].payload;
        player.wait("the last frame of a further track", |got| {
            got.media.iter().any(|media| media.payload == *last).then_some(())
        });
        let got = player.got();
        let main: Vec<_> =
            got.media.iter().filter_map(|m| Some((number(&m.payload)?, m.timestamp))).collect();
        assert!(main.iter().all(|(n, timestamp)| *timestamp == *n as u32 * 20), "{main:?}");
        let frames = got.media.iter().filter(|media| matches!(media.payload[..2], [0x95, 1] | [0xA6, 3]));
        let frames =
            frames.map(|m| Frame { kind: m.kind, timestamp: m.timestamp, payload: m.payload.clone() });
        assert_eq!(frames.collect::<Vec<_>>(), sent);
    }
}

#[test]
fn a_newer_description_takes_the_place_of_the_older_one_of_its_track() {
    let server = start("");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let (old, new) = (b"\x95\x00mp4a\x01\x11\x90", b"\x95\x00mp4a\x01\x12\x08");
    publisher.send_frame(&frame(MediaKind::Audio, 0, old));
    publisher.send(GOP);
    let witness = Player::start(server.rtmp, "s");
    publisher.send_frame(&frame(MediaKind::Audio, 0, new));
    // What comes behind the description has arrived, so it has too.
    witness.wait_frame(publisher.send(1));
    let feed = publisher.keep_sending();
    let got = media(&Player::start(server.rtmp, "s"));
    assert_described("RTMP", &got, &[frame(MediaKind::Audio, 0, new), audio_header(), video_header()]);
    assert!(got.iter().all(|(_, payload)| payload[..] != old[..]));
    feed.stop().leave();
}

#[test]
fn tracks_beyond_the_bound_go_to_those_who_are_there_and_it_is_said_once() {
    let server = start("");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let present = Player::start(server.rtmp, "s");
    publisher.send(GOP + 1);
    present.wait_key();
    let track = |id: usize| frame(MediaKind::Audio, 0, &[b"\x95\x00Opus", &[id as u8][..]].concat());
    let count = limits::TRACKS + 3;
    (1..count).for_each(|id| publisher.send_frame(&track(id)));
    let last = publisher.send(GOP);
    present.wait_frame(last);
    let all = present.got().media.iter().filter(|media| media.payload.starts_with(b"\x95")).count();
    assert_eq!(all, count - 1);
    let feed = publisher.keep_sending();
    let late = media(&Player::start(server.rtmp, "s"));
    // Track 0 is the one of the usual header.
    let kept: Vec<Frame> = (1..limits::TRACKS).map(track).collect();
    assert_described("late", &late, &kept);
    assert_eq!(late.iter().filter(|(_, payload)| payload.starts_with(b"\x95")).count(), kept.len());
    assert_eq!(server.log_lines("more headers of tracks than are kept").len(), 1);
    feed.stop().leave();
}

#[test]
fn metadata_and_headers_beyond_the_bound_are_not_kept_and_it_is_said_once() {
    let server = start("");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let present = Player::start(server.rtmp, "s");
    present.wait_frame(publisher.send(GOP + 1));
    let long = vec![b'q'; limits::HEADERS_BYTES - 60];
    publisher.send_frame(&frame(MediaKind::Video, 0, &[&video_header().payload[..], &long].concat()));
    publisher.send_frame(&frame(MediaKind::Audio, 0, &[&audio_header().payload[..], &long].concat()));
    let last = publisher.send(GOP);
    present.wait_frame(last);
    let feed = publisher.keep_sending();
    let late = media(&Player::start(server.rtmp, "s"));
    let headers = late.iter().filter(|(_, payload)| number(payload).is_none());
    let headers: usize = headers.map(|(_, payload)| payload.len()).sum();
    assert!(headers <= limits::HEADERS_BYTES, "{headers} bytes");
    assert_eq!(server.log_lines("more headers of tracks than are kept").len(), 1);
    feed.stop().leave();
}

#[test]
fn what_comes_before_the_verdict_is_kept_of_every_track() {
    let notify = NotifyServer::start();
    notify.answer("call=publish", Answer::Late(Duration::from_millis(500), 200));
    let conf = Conf::live("on_publish {publish}; cache_time 5s;").var("publish", notify.url("/publish"));
    let server = Server::start(&conf);
    let wanted = [vec![audio_header(), video_header()], extras()].concat();
    let script = wanted.iter().fold(Script::publishing("s"), |script, extra| script.frame(extra));
    let mut publisher = script.send(server.rtmp);
    server.wait_log("publishing");
    let frames = (0..2 * GOP).map(|n| Tracks::Both.frame(n, 100));
    publisher.send(&frames.fold(Script::default(), |script, frame| script.frame(&frame)).finish());
    assert_described("RTMP", &media(&Player::start(server.rtmp, "s")), &wanted);
}

#[test]
fn heads_that_are_cut_short_harm_nobody() {
    let server = start("hls on; hls_path {dir}/hls;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    publisher.send(GOP);
    let long = b"\x97\xFF\x00\xFF";
    let many: [&[u8]; 2] = [b"\x96\x10avc1\x01\xFF\xFF\xFF", b"\x97\x00\x00\x07"];
    let heads = extras().into_iter().map(|extra| extra.payload.to_vec());
    for head in heads.chain(many.map(|head| head.to_vec())).chain([long.to_vec()]) {
        for length in 1..head.len().min(20) {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                publisher.send_frame(&frame(kind, publisher.next() as u32 * 20, &head[..length]));
            }
        }
    }
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    publisher.leave();
    assert!(server.log_lines("panick").is_empty() && server.log_lines("[crit]").is_empty());
}

/// Publishes these messages, in this order.
fn publish(server: &Server, name: &str, frames: &[Frame]) -> RtmpClient {
    let mut client = RtmpClient::publish(server.rtmp, "live", name).wait_started();
    for frame in frames {
        client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
    }
    client.flush();
    client
}

/// Three seconds of one kind.
fn only(tracks: Tracks) -> impl Iterator<Item = Frame> {
    (0..150).map(move |n| tracks.frame(n, 60))
}

/// `onMetaData` with these codec ids.
fn codecs(audio: f64, video: f64) -> Frame {
    let mut out = BytesMut::new();
    let object = AmfValue::object([("audiocodecid", audio.into()), ("videocodecid", video.into())]);
    amf0::encode_all(&["onMetaData".into(), object], &mut out);
    frame(MediaKind::Data, 0, &out)
}

#[test]
fn an_flv_file_announces_the_tracks_that_are_known() {
    const AUDIO: u8 = 4;
    const VIDEO: u8 = 1;
    let server = start("record all; record_path {dir}/rec; cache_time 1s;");
    let cases: [(&str, Vec<Frame>, Tracks, u8); 5] = [
        ("audio", vec![audio_header()], Tracks::Audio, AUDIO),
        ("video", vec![video_header()], Tracks::Video, VIDEO),
        ("both", vec![audio_header(), video_header()], Tracks::Both, AUDIO | VIDEO),
        // The video may come yet.
        ("announced", vec![codecs(10.0, 7.0), audio_header()], Tracks::Audio, AUDIO | VIDEO),
        ("without", vec![codecs(10.0, 0.0), audio_header()], Tracks::Audio, AUDIO),
    ];
    for (name, headers, tracks, want) in cases {
        let client = publish(&server, name, &headers.into_iter().chain(only(tracks)).collect::<Vec<_>>());
        let player = Player::http(server.http, &format!("/flv/{name}"));
        let flags = player.wait("the head of the file", |got| got.file_header.get(4).copied());
        assert_eq!(flags, want, "{name} over HTTP");
        // While the publisher is there, the file says what was known when it began.
        let path = server.prefix().path().join(format!("rec/{name}.flv"));
        until_true("the recording has begun", || fs::metadata(&path).is_ok_and(|file| file.len() > 1_000));
        assert_eq!(fs::read(&path).unwrap()[4], want, "{name} recorded");
        drop(client);
    }
}
