//! How peers publish to and play from a server session, read like a transcript.

mod wire_support;

use pingosd::wire::amf0::AmfValue;
use pingosd::wire::rtmp::RtmpError;
use pingosd::wire::rtmp::message::{UserControl, type_id};
use pingosd::wire::rtmp::server_session::{ServerEvent, ServerSessionSettings};
use wire_support::Peer;

const UNPUBLISHED: &str =
    "20#1 onStatus 0 null {level: status, code: NetStream.Unpublish.Success, description: Stop publishing.}";

fn settings() -> ServerSessionSettings {
    ServerSessionSettings::default()
}

#[test]
fn publisher_from_start_to_end() {
    let mut peer = Peer::connected(settings());
    peer.command(0, "releaseStream", 2.0, &[AmfValue::Null, "s1".into()]).unwrap();
    peer.command(0, "FCPublish", 3.0, &[AmfValue::Null, "s1".into()]).unwrap();
    assert_eq!(
        peer.replies(),
        [
            "20#0 _result 2 null Undefined",
            "20#0 _result 3 null Undefined",
            "20#0 onFCPublish 0 null {level: status, code: NetStream.Publish.Start, description: s1}",
        ]
    );
    peer.command(0, "createStream", 4.0, &[AmfValue::Null]).unwrap();
    assert_eq!(peer.replies(), ["20#0 _result 4 null 1"]);
    assert_eq!(peer.events(), ["CreateStream { stream_id: 1 }"]);

    peer.command(1, "publish", 5.0, &[AmfValue::Null, "s1?a=1".into(), "record".into()]).unwrap();
    peer.message(type_id::VIDEO, 1, b"early").unwrap();
    let Some(ServerEvent::Publish { request, name, kind, .. }) = peer.server.poll_event() else {
        panic!("publish is an event");
    };
    assert_eq!((&name[..], &kind[..]), (&b"s1?a=1"[..], &b"record"[..]));
    // Encoders need not wait for the answer; the caller decides what of the early media counts.
    assert_eq!(peer.events(), ["Video#1 @0 early"]);
    assert!(peer.server.accept_publish(request));
    assert_eq!(
        peer.replies(),
        [
            "20#1 onStatus 0 null {level: status, code: NetStream.Publish.Start, description: Start publishing}"
        ]
    );

    peer.message_at(type_id::DATA, 1, 0, b"\x02\x00\x0D@setDataFrame\x02\x00\x0AonMetaData").unwrap();
    peer.message_at(type_id::DATA_AMF3, 1, 1, b"\x00\x02\x00\x01x").unwrap();
    peer.message_at(type_id::VIDEO, 1, 40, b"video").unwrap();
    peer.message_at(type_id::AUDIO, 1, 0xFFFF_FFFF, b"audio").unwrap();
    peer.message_at(type_id::AUDIO, 1, 0, b"").unwrap();
    assert_eq!(
        peer.events(),
        [
            r"Data#1 @0 \x02\x00\nonMetaData",
            r"Data#1 @1 \x02\x00\x01x",
            "Video#1 @40 video",
            "Audio#1 @4294967295 audio",
        ]
    );

    peer.command(0, "FCUnpublish", 6.0, &[AmfValue::Null, "s1".into()]).unwrap();
    peer.command(0, "deleteStream", 7.0, &[AmfValue::Null, 1.0.into()]).unwrap();
    peer.message(type_id::VIDEO, 1, b"late").unwrap();
    assert_eq!(peer.events(), ["CloseStream { stream_id: 1 }"]);
    assert_eq!(
        peer.replies(),
        [
            "20#0 onFCUnpublish 0 null {level: status, code: NetStream.Unpublish.Success, description: s1}",
            UNPUBLISHED,
            "20#0 _result 6 null Undefined",
        ]
    );
}

#[test]
fn connection_may_publish_again_after_delete_stream() {
    let mut peer = Peer::publishing(settings(), "s1");
    peer.command(0, "deleteStream", 7.0, &[AmfValue::Null, 1.0.into()]).unwrap();
    assert_eq!(peer.replies(), [UNPUBLISHED]);
    peer.command(0, "createStream", 8.0, &[AmfValue::Null]).unwrap();
    assert_eq!(peer.replies(), ["20#0 _result 8 null 1"]);
    peer.command(1, "publish", 9.0, &[AmfValue::Null, "s2".into()]).unwrap();
    assert_eq!(
        peer.events(),
        ["CloseStream { stream_id: 1 }", "CreateStream { stream_id: 1 }", "Publish#1 s2 live",]
    );
}

#[test]
fn player_sees_stream_begin_start_and_sample_access() {
    let mut peer = Peer::connected(settings());
    peer.command(0, "createStream", 4.0, &[AmfValue::Null]).unwrap();
    peer.replies();
    let buffer = UserControl::SetBufferLength { stream_id: 1, millis: 1000 };
    peer.message(type_id::USER_CONTROL, 0, &buffer.to_message().payload).unwrap();
    peer.command(1, "play", 5.0, &[AmfValue::Null, "s1".into(), (-2000.0).into()]).unwrap();
    assert_eq!(
        peer.events(),
        [
            "CreateStream { stream_id: 1 }",
            "BufferLength { stream_id: 1, millis: 1000 }",
            "Play#1 s1 -2000 -1 true",
        ]
    );

    let mut peer = Peer::connected(settings());
    peer.command(1, "play", 5.0, &[AmfValue::Null, "s1".into()]).unwrap();
    let request = peer.request();
    assert!(!peer.server.accept_publish(request));
    assert!(peer.server.accept_play(request));
    assert_eq!(
        peer.replies(),
        [
            "User(StreamBegin(1))",
            "20#1 onStatus 0 null {level: status, code: NetStream.Play.Start, description: Start live}",
            "18#1 |RtmpSampleAccess true true",
        ]
    );
}

#[test]
fn player_is_told_of_pause_and_seek() {
    let mut peer = Peer::playing(settings(), "s1");
    peer.command(1, "pause", 6.0, &[AmfValue::Null, true.into(), 100.0.into()]).unwrap();
    peer.command(1, "pause", 7.0, &[AmfValue::Null, false.into(), 100.0.into()]).unwrap();
    peer.command(1, "seek", 8.0, &[AmfValue::Null, 5000.0.into()]).unwrap();
    assert_eq!(
        peer.replies(),
        [
            "20#1 onStatus 0 null {level: status, code: NetStream.Pause.Notify, description: Paused live}",
            "20#1 onStatus 0 null {level: status, code: NetStream.Unpause.Notify, description: Unpaused live}",
            "20#1 onStatus 0 null {level: status, code: NetStream.Seek.Notify, description: Seeking}",
        ]
    );
    assert_eq!(
        peer.events(),
        [
            "Pause { stream_id: 1, paused: true }",
            "Pause { stream_id: 1, paused: false }",
            "Seek { stream_id: 1, position: 5000.0 }",
        ]
    );
    let mut publisher = Peer::publishing(settings(), "s1");
    publisher.command(1, "pause", 6.0, &[AmfValue::Null, true.into()]).unwrap();
    assert_eq!(publisher.replies(), [""; 0]);
}

#[test]
fn player_that_leaves_hears_nothing_more() {
    for (command, argument) in
        [("closeStream", AmfValue::Null), ("deleteStream", 1.0.into()), ("play", false.into())]
    {
        let mut peer = Peer::playing(settings(), "s1");
        peer.command(1, command, 0.0, &[AmfValue::Null, argument]).unwrap();
        assert_eq!(peer.events(), ["CloseStream { stream_id: 1 }"]);
        assert_eq!(peer.replies(), [""; 0]);
    }
}

#[test]
fn close_of_a_pending_request_makes_it_stale() {
    for command in ["publish", "play"] {
        let mut peer = Peer::connected(settings());
        peer.command(1, command, 5.0, &[AmfValue::Null, "s1".into()]).unwrap();
        let request = peer.request();
        peer.command(1, "closeStream", 0.0, &[AmfValue::Null]).unwrap();
        assert_eq!(peer.events(), ["CloseStream { stream_id: 1 }"]);
        assert!(!peer.server.accept_publish(request));
        assert!(!peer.server.accept_play(request));
        assert!(!peer.server.reject_request(request, "code", "text"));
        assert_eq!(peer.replies(), [""; 0]);
    }
}

#[test]
fn refused_publisher_stays_and_its_media_is_dropped() {
    let mut peer = Peer::connected(settings());
    peer.command(1, "publish", 5.0, &[AmfValue::Null, "s1".into()]).unwrap();
    let request = peer.request();
    let code = "NetStream.Publish.BadName";
    assert!(peer.server.reject_request(request, code, "Already publishing"));
    assert_eq!(
        peer.replies(),
        [
            "20#1 onStatus 0 null {level: error, code: NetStream.Publish.BadName, description: Already publishing}"
        ]
    );
    peer.message(type_id::VIDEO, 1, b"video").unwrap();
    assert_eq!(peer.events(), [""; 0]);

    peer.command(1, "publish", 6.0, &[AmfValue::Null, "s2".into()]).unwrap();
    let request = peer.request();
    assert!(peer.server.reject_request(request, code, "Already publishing"));
    peer.replies();
    peer.command(0, "deleteStream", 7.0, &[AmfValue::Null, 1.0.into()]).unwrap();
    assert_eq!(peer.events(), ["CloseStream { stream_id: 1 }"]);
    assert_eq!(peer.replies(), [""; 0]);
}

#[test]
fn stream_in_use_refuses_the_other_role_and_other_names() {
    let mut peer = Peer::publishing(settings(), "s1");
    peer.command(1, "play", 6.0, &[AmfValue::Null, "s2".into()]).unwrap();
    peer.command(1, "publish", 7.0, &[AmfValue::Null, "s2".into()]).unwrap();
    // A repeated publish of the same name changes nothing.
    peer.command(1, "publish", 8.0, &[AmfValue::Null, "s1".into()]).unwrap();
    assert_eq!(
        peer.replies(),
        [
            "20#1 onStatus 0 null {level: error, code: NetStream.Play.Failed, description: Stream is in use.}",
            "20#1 onStatus 0 null {level: error, code: NetStream.Publish.BadName, description: Stream is in use.}",
        ]
    );
    assert_eq!(peer.events(), [""; 0]);
    peer.message(type_id::AUDIO, 1, b"audio").unwrap();
    assert_eq!(peer.events(), ["Audio#1 @0 audio"]);

    let mut peer = Peer::playing(settings(), "s1");
    peer.command(1, "publish", 7.0, &[AmfValue::Null, "s1".into()]).unwrap();
    assert_eq!(
        peer.replies(),
        [
            "20#1 onStatus 0 null {level: error, code: NetStream.Publish.BadName, description: Stream is in use.}"
        ]
    );
}

#[test]
fn play_on_a_playing_stream_replaces_it() {
    let mut peer = Peer::playing(settings(), "s1");
    peer.command(1, "play", 6.0, &[AmfValue::Null, "s2".into(), 0.0.into(), 5.0.into(), false.into()])
        .unwrap();
    assert_eq!(peer.events(), ["CloseStream { stream_id: 1 }", "Play#1 s2 0 5 false"]);
}

#[test]
fn stream_that_was_never_created_is_made() {
    for stream_id in [0, 1, 9] {
        let mut peer = Peer::connected(settings());
        peer.command(stream_id, "publish", 5.0, &[AmfValue::Null, "s1".into()]).unwrap();
        let request = peer.request();
        assert!(peer.server.accept_publish(request));
        peer.message(type_id::AUDIO, stream_id, b"audio").unwrap();
        peer.command(0, "deleteStream", 6.0, &[AmfValue::Null, f64::from(stream_id.max(1)).into()]).unwrap();
        assert_eq!(
            peer.events(),
            [format!("Audio#{stream_id} @0 audio"), format!("CloseStream {{ stream_id: {stream_id} }}"),]
        );
    }
}

#[test]
fn number_of_message_streams_is_bounded() {
    let mut peer = Peer::connected(settings());
    let flood = (0..100).try_for_each(|_| peer.command(0, "createStream", 2.0, &[AmfValue::Null]));
    assert_eq!(flood, Err(RtmpError::MessageStreams { limit: 32 }));
}

#[test]
fn name_that_is_no_string_is_an_error() {
    for command in ["publish", "play"] {
        for name in [AmfValue::Null, 1.0.into(), AmfValue::object([])] {
            let mut peer = Peer::connected(settings());
            assert_eq!(
                peer.command(1, command, 5.0, &[AmfValue::Null, name]),
                Err(RtmpError::Argument { command, argument: "stream name" })
            );
        }
    }
    let mut peer = Peer::connected(settings());
    peer.command(1, "publish", 5.0, &[AmfValue::Null, "".into()]).unwrap();
    assert_eq!(peer.events(), ["Publish#1  live"]);
}

#[test]
fn aggregate_is_taken_apart() {
    let mut peer = Peer::publishing(settings(), "s1");
    let payload = b"\x08\0\0\x02\0\0\x64\0\0\0\0ab\0\0\0\x0D\x09\0\0\x01\0\0\x7B\0\0\0\0c\0\0\0\x0C\x16\0\0\0\0\0\0\0\0\0\0";
    peer.message_at(type_id::AGGREGATE, 1, 1000, payload).unwrap();
    assert_eq!(peer.events(), ["Audio#1 @1000 ab", "Video#1 @1023 c"]);
}

#[test]
fn a_running_stream_may_be_asked_for_again() {
    let mut peer = Peer::connected(settings());
    peer.command(0, "createStream", 4.0, &[AmfValue::Null]).unwrap();
    assert_eq!(peer.server.ask_again(1), None, "it does nothing yet");
    peer.command(1, "publish", 5.0, &[AmfValue::Null, "s".into()]).unwrap();
    let request = loop {
        if let Some(ServerEvent::Publish { request, .. }) = peer.server.poll_event() {
            break request;
        }
    };
    assert_eq!(peer.server.ask_again(1), None, "the first request is pending");
    assert!(peer.server.accept_publish(request));
    peer.replies();
    let again = peer.server.ask_again(1).unwrap();
    assert!(!peer.server.accept_publish(request), "the first request is over");
    peer.message(type_id::VIDEO, 1, b"video").unwrap();
    assert_eq!(peer.events(), ["Video#1 @0 video"], "media is not dropped meanwhile");
    assert!(peer.server.accept_publish(again));
    // The encoder still ends what it has begun.
    peer.command(0, "FCUnpublish", 6.0, &[AmfValue::Null, "s".into()]).unwrap();
    assert_eq!(peer.events(), ["CloseStream { stream_id: 1 }"]);
    assert_eq!(peer.server.ask_again(1), None);
    assert_eq!(peer.server.ask_again(7), None);
}
