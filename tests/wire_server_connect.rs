//! Connecting a server session, as a transcript: messages of the peer, answers, and events for the caller.

mod wire_support;

use bytes::Bytes;
use pingosd::wire::amf0::AmfValue;
use pingosd::wire::rtmp::RtmpError;
use pingosd::wire::rtmp::message::type_id;
use pingosd::wire::rtmp::server_session::{ConnectionPhase, ServerEvent, ServerSessionSettings};
use wire_support::{Peer, app};

fn settings() -> ServerSessionSettings {
    ServerSessionSettings::default()
}

#[test]
fn connect_is_answered_as_recorded() {
    let mut peer = Peer::shaken(settings());
    assert_eq!(peer.server.phase(), ConnectionPhase::Connecting);
    peer.command(0, "connect", 1.0, &[app("live")]).unwrap();
    let Some(ServerEvent::Connect { request, connect }) = peer.server.poll_event() else {
        panic!("connect is an event");
    };
    assert_eq!(connect.app, "live");
    assert_eq!(connect.tc_url, "rtmp://host/live");
    assert_eq!(connect.flash_ver, "FMLE/3.0");
    assert_eq!(peer.replies(), [""; 0]);

    assert!(peer.server.accept_connect(request, settings()));
    assert_eq!(
        peer.replies(),
        [
            "WindowAckSize(5000000)",
            "PeerBandwidth { size: 5000000, limit: Dynamic }",
            "20#0 _result 1 {fmsVer: FMS/3,0,1,123, capabilities: 31} {level: status, \
             code: NetConnection.Connect.Success, description: Connection succeeded., objectEncoding: 0}",
        ]
    );
    assert_eq!(peer.server.phase(), ConnectionPhase::Connected);
    assert_eq!(peer.server.chunk_size(), 4096);
    assert!(!peer.server.accept_connect(request, settings()));
    assert_eq!(peer.replies(), [""; 0]);
}

#[test]
fn connect_keeps_what_it_does_not_know() {
    let mut peer = Peer::shaken(settings());
    let object = AmfValue::object([
        ("app", "live".into()),
        ("audioCodecs", 4071.0.into()),
        ("videoCodecs", (-1.0).into()),
        ("objectEncoding", 3.0.into()),
        ("tcUrl", 5.0.into()),
        ("fourCcList", AmfValue::StrictArray(vec!["hvc1".into()])),
    ]);
    peer.command(0, "connect", 1.0, &[object, "user".into()]).unwrap();
    let Some(ServerEvent::Connect { request, connect }) = peer.server.poll_event() else {
        panic!("connect is an event");
    };
    assert_eq!((connect.audio_codecs, connect.video_codecs), (4071, 0));
    assert_eq!(connect.object_encoding, 3.0);
    assert_eq!(connect.tc_url, "");
    assert_eq!(connect.extra.len(), 2);
    assert_eq!(connect.arguments, ["user".into()]);

    peer.server.accept_connect(request, settings());
    let replies = peer.replies();
    assert!(replies[2].contains("fourCcList"), "{replies:?}");
    assert!(replies[2].contains("objectEncoding: 3"), "{replies:?}");
}

#[test]
fn rejected_connect_gets_an_error_and_nothing_else() {
    let mut peer = Peer::shaken(settings());
    peer.command(0, "connect", 1.0, &[app("none")]).unwrap();
    let Some(ServerEvent::Connect { request, .. }) = peer.server.poll_event() else {
        panic!("connect is an event");
    };
    let code = "NetConnection.Connect.Rejected";
    assert!(peer.server.reject_connect(request, code, "No such application."));
    assert_eq!(
        peer.replies(),
        [
            "20#0 _error 1 null {level: error, code: NetConnection.Connect.Rejected, description: No such application.}"
        ]
    );
    assert_eq!(peer.server.phase(), ConnectionPhase::Rejected);
    peer.command(0, "createStream", 2.0, &[AmfValue::Null]).unwrap();
    assert_eq!(peer.replies(), [""; 0]);
    assert_eq!(peer.events(), [""; 0]);
}

#[test]
fn second_connect_is_an_error() {
    let mut peer = Peer::connected(settings());
    assert_eq!(peer.command(0, "connect", 1.0, &[app("live")]), Err(RtmpError::SecondConnect));
}

#[test]
fn commands_that_need_a_connection_are_errors_before_connect() {
    for command in ["createStream", "publish", "play"] {
        let mut peer = Peer::shaken(settings());
        assert_eq!(
            peer.command(0, command, 1.0, &[AmfValue::Null]),
            Err(RtmpError::NotConnected { command })
        );
    }
    let mut peer = Peer::shaken(settings());
    peer.command(0, "releaseStream", 1.0, &[AmfValue::Null]).unwrap();
    assert_eq!(peer.replies(), [""; 0]);
}

#[test]
fn commands_sent_before_connect_was_answered_wait_for_it() {
    let mut peer = Peer::shaken(settings());
    peer.command(0, "connect", 1.0, &[app("live")]).unwrap();
    let Some(ServerEvent::Connect { request, .. }) = peer.server.poll_event() else {
        panic!("connect is an event");
    };
    peer.command(0, "createStream", 2.0, &[AmfValue::Null]).unwrap();
    peer.command(1, "publish", 3.0, &[AmfValue::Null, "s1".into(), "live".into()]).unwrap();
    peer.message(type_id::AUDIO, 1, b"dropped").unwrap();
    assert_eq!(peer.events(), [""; 0]);
    assert_eq!(peer.replies(), [""; 0]);

    peer.server.accept_connect(request, settings());
    assert_eq!(peer.replies()[3..], ["20#0 _result 2 null 1"]);
    assert_eq!(peer.events(), ["CreateStream { stream_id: 1 }", "Publish#1 s1 live"]);
}

#[test]
fn commands_that_wait_for_connect_are_bounded() {
    let mut peer = Peer::shaken(settings());
    peer.command(0, "connect", 1.0, &[app("live")]).unwrap();
    let flood = (0..100).try_for_each(|_| peer.command(0, "createStream", 2.0, &[AmfValue::Null]));
    assert_eq!(flood, Err(RtmpError::DeferredCommands));

    let mut peer = Peer::shaken(settings());
    peer.command(0, "connect", 1.0, &[app("live")]).unwrap();
    let long: AmfValue = Bytes::from(vec![b'x'; 30_000]).into();
    let flood = (0..10).try_for_each(|_| peer.command(0, "x", 2.0, std::slice::from_ref(&long)));
    assert_eq!(flood, Err(RtmpError::DeferredCommands));
    assert!(peer.server.held_bytes() <= 64 * 1024);
}

#[test]
fn failure_of_a_command_that_waited_is_raised_by_the_next_call() {
    let mut peer = Peer::shaken(settings());
    peer.command(0, "connect", 1.0, &[app("live")]).unwrap();
    let Some(ServerEvent::Connect { request, .. }) = peer.server.poll_event() else {
        panic!("connect is an event");
    };
    peer.command(1, "publish", 2.0, &[AmfValue::Null]).unwrap();
    peer.server.accept_connect(request, settings());
    assert!(peer.server.poll_timeout().unwrap() <= peer.now);
    assert!(matches!(peer.server.handle_timeout(peer.now), Err(RtmpError::Argument { .. })));
}
