//! What a server session does whatever a connection is for: calls, acknowledgements, pings, chunk sizes.

mod wire_support;

use std::time::Duration;

use bytes::BytesMut;
use pingosd::wire::amf0::{AmfValue, encode_all};
use pingosd::wire::rtmp::RtmpError;
use pingosd::wire::rtmp::message::{self, UserControl, type_id};
use pingosd::wire::rtmp::server_session::{ConnectionPhase, ServerSessionSettings};
use wire_support::Peer;

fn settings() -> ServerSessionSettings {
    ServerSessionSettings::default()
}

#[test]
fn calls_are_answered_as_clients_expect() {
    let mut peer = Peer::connected(settings());
    peer.command(0, "_checkbw", 5.0, &[AmfValue::Null]).unwrap();
    peer.command(0, "checkBandwidth", 6.0, &[AmfValue::Null]).unwrap();
    peer.command(0, "getStreamLength", 7.0, &[AmfValue::Null, "s1".into()]).unwrap();
    peer.command(0, "FCSubscribe", 8.0, &[AmfValue::Null, "s1".into()]).unwrap();
    peer.command(0, "setPeerInfo", 9.0, &[AmfValue::Null]).unwrap();
    peer.command(0, "setPeerInfo", 0.0, &[AmfValue::Null]).unwrap();
    peer.command(1, "receiveAudio", 0.0, &[AmfValue::Null, false.into()]).unwrap();
    peer.command(0, "_result", 1.0, &[AmfValue::Null]).unwrap();
    assert_eq!(
        peer.replies(),
        [
            "20#0 _result 5 null null",
            "20#0 _result 6 null null",
            "20#0 _result 7 null 0",
            "20#0 onFCSubscribe 0 null {level: status, code: NetStream.Play.Start, description: s1}",
            "20#0 _error 9 null {level: error, code: NetConnection.Call.Failed, description: Method not found.}",
        ]
    );
    assert_eq!(peer.events(), [""; 0]);
}

#[test]
fn amf3_commands_are_understood() {
    let mut peer = Peer::connected(settings());
    let mut body = BytesMut::from(&[0][..]);
    encode_all(&["createStream".into(), 2.0.into(), AmfValue::Null], &mut body);
    peer.message(type_id::COMMAND_AMF3, 0, &body).unwrap();
    assert_eq!(peer.replies(), ["20#0 _result 2 null 1"]);
}

#[test]
fn received_bytes_are_acknowledged_after_each_window() {
    let mut peer = Peer::publishing(settings(), "s1");
    peer.message(type_id::WINDOW_ACK_SIZE, 0, &10_000u32.to_be_bytes()).unwrap();
    peer.replies();
    let before = peer.server.bytes_received();
    assert!(before > 3073);
    let mut acknowledged = Vec::new();
    for _ in 0..40 {
        peer.message(type_id::VIDEO, 1, &[0; 1000]).unwrap();
        for line in peer.replies() {
            acknowledged.push((line, peer.server.bytes_received()));
        }
    }
    // Each message takes 1,000 bytes, a header of 12 and seven headers of 1.
    let each = 1000 + 12 + 7;
    assert_eq!(peer.server.bytes_received(), before + 40 * each);
    assert!((4..=5).contains(&acknowledged.len()), "{acknowledged:?}");
    for (line, received) in acknowledged {
        assert_eq!(line, format!("Acknowledgement({received})"));
    }
}

#[test]
fn ping_of_the_peer_is_answered() {
    let mut peer = Peer::connected(settings());
    let ping = UserControl::PingRequest(77).to_message();
    peer.message(type_id::USER_CONTROL, 0, &ping.payload).unwrap();
    assert_eq!(peer.replies(), ["User(PingResponse(77))"]);
}

#[test]
fn quiet_peer_is_pinged_and_stays_when_it_answers() {
    let mut peer = Peer::connected(settings());
    let due = peer.now + Duration::from_secs(60);
    assert_eq!(peer.server.poll_timeout(), Some(due));
    peer.server.handle_timeout(peer.now).unwrap();
    assert_eq!(peer.replies(), [""; 0]);

    peer.after(Duration::from_secs(60));
    peer.server.handle_timeout(peer.now).unwrap();
    assert_eq!(peer.replies(), ["User(PingRequest(60000))"]);
    assert_eq!(peer.server.poll_timeout(), Some(due + Duration::from_secs(30)));

    peer.after(Duration::from_secs(29));
    peer.server.handle_timeout(peer.now).unwrap();
    let pong = UserControl::PingResponse(60_000).to_message();
    peer.message(type_id::USER_CONTROL, 0, &pong.payload).unwrap();
    assert_eq!(peer.server.poll_timeout(), Some(peer.now + Duration::from_secs(60)));
}

#[test]
fn unanswered_ping_ends_the_session() {
    let mut peer = Peer::connected(settings());
    peer.after(Duration::from_secs(60));
    peer.server.handle_timeout(peer.now).unwrap();
    peer.after(Duration::from_secs(30));
    assert_eq!(peer.server.handle_timeout(peer.now), Err(RtmpError::PingTimeout));
}

#[test]
fn busy_server_gives_a_quiet_peer_up_at_once() {
    let mut peer = Peer::connected(ServerSessionSettings { busy: true, ..settings() });
    peer.after(Duration::from_secs(59));
    peer.message(type_id::USER_CONTROL, 0, &[0, 99]).unwrap();
    peer.after(Duration::from_secs(59));
    peer.server.handle_timeout(peer.now).unwrap();
    peer.after(Duration::from_secs(1));
    assert_eq!(peer.server.handle_timeout(peer.now), Err(RtmpError::Idle));
}

#[test]
fn session_without_ping_has_no_timer() {
    let mut peer = Peer::connected(ServerSessionSettings { ping: None, ..settings() });
    assert_eq!(peer.server.poll_timeout(), None);
    peer.after(Duration::from_secs(1_000_000));
    peer.server.handle_timeout(peer.now).unwrap();
    assert_eq!(peer.replies(), [""; 0]);
}

#[test]
fn handshake_has_no_ping_timer() {
    let peer = Peer::silent(settings());
    assert_eq!(peer.server.poll_timeout(), None);
    assert_eq!(peer.server.phase(), ConnectionPhase::Handshake);
}

#[test]
fn messages_of_no_interest_are_ignored() {
    let mut peer = Peer::publishing(settings(), "s1");
    for type_id in [0, 7, 10, 16, 19, 21, 99, 255] {
        peer.message(type_id, 1, b"whatever").unwrap();
    }
    peer.message(type_id::ACKNOWLEDGEMENT, 0, &[0; 4]).unwrap();
    peer.message(type_id::PEER_BANDWIDTH, 0, &[0; 5]).unwrap();
    assert_eq!(peer.events(), [""; 0]);
    assert_eq!(peer.replies(), [""; 0]);
}

#[test]
fn set_chunk_size_of_the_peer_counts_from_the_next_chunk() {
    let mut peer = Peer::publishing(settings(), "s1");
    let size = message::set_chunk_size(65_536);
    peer.message(type_id::SET_CHUNK_SIZE, 0, &size.payload).unwrap();
    peer.chunk_size = 65_536;
    peer.message(type_id::VIDEO, 1, &[b'v'; 1000]).unwrap();
    assert_eq!(peer.events(), [format!("Video#1 @0 {}", "v".repeat(1000))]);
}

#[test]
fn quiet_session_keeps_no_buffers() {
    assert!(size_of::<pingosd::wire::rtmp::ServerSession>() <= 1024);
    let mut peer = Peer::publishing(settings(), "s1");
    peer.message(type_id::SET_CHUNK_SIZE, 0, &1000u32.to_be_bytes()).unwrap();
    peer.chunk_size = 1000;
    for _ in 0..100 {
        peer.message(type_id::VIDEO, 1, &[0; 10_000]).unwrap();
    }
    assert_eq!(peer.events().len(), 100);
    assert_eq!(peer.server.held_bytes(), 0);
    assert_eq!(peer.server.poll_transmit(), None);
}
