//! Peers that want memory, recursion or a panic.

mod wire_support;

use bytes::BytesMut;
use pingosd::limits;
use pingosd::wire::amf0;
use pingosd::wire::rtmp::RtmpError;
use pingosd::wire::rtmp::message::{UserControl, type_id};
use pingosd::wire::rtmp::server_session::ServerSessionSettings;
use proptest::prelude::*;
use wire_support::{Pair, Peer};

fn settings() -> ServerSessionSettings {
    ServerSessionSettings::default()
}

/// A type 0 header without payload.
fn header(csid: u8, length: u32, type_id: u8) -> Vec<u8> {
    let mut bytes = vec![csid, 0, 0, 0];
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.push(type_id);
    bytes.extend_from_slice(&[1, 0, 0, 0]);
    bytes
}

#[test]
fn declared_length_beyond_the_limit_is_refused_at_the_header() {
    let mut peer = Peer::connected(settings());
    assert_eq!(
        peer.bytes(&header(4, 0xFF_FFFF, 9)),
        Err(RtmpError::MessageTooLong { type_id: 9, length: 0xFF_FFFF, limit: 1024 * 1024 })
    );
    let mut peer = Peer::connected(settings());
    peer.bytes(&header(4, 1024 * 1024, 9)).unwrap();
    let mut peer = Peer::connected(settings());
    assert!(peer.bytes(&header(4, 1024 * 1024 + 1, 9)).is_err());
}

#[test]
fn declared_length_costs_nothing_until_bytes_arrive() {
    let mut peer =
        Peer::connected(ServerSessionSettings { max_message: limits::MESSAGE_LENGTH, ..settings() });
    for csid in 3..32 {
        let before = peer.server.held_bytes();
        peer.bytes(&header(csid, 0xFF_FFFF, 9)).unwrap();
        assert_eq!(peer.server.held_bytes(), before);
        peer.bytes(&[0; 128]).unwrap();
    }
    assert_eq!(peer.server.held_bytes(), 29 * limits::PAYLOAD_RESERVE);
}

#[test]
fn incomplete_messages_of_all_chunk_streams_share_a_bound() {
    let mut peer = Peer::connected(ServerSessionSettings { max_message: 100_000, ..settings() });
    peer.message(type_id::SET_CHUNK_SIZE, 0, &90_000u32.to_be_bytes()).unwrap();
    let flood = (3..32).try_for_each(|csid| {
        peer.bytes(&header(csid, 100_000, 9))?;
        peer.bytes(&[0; 90_000])
    });
    assert_eq!(flood, Err(RtmpError::PartialMessages { limit: 400_000 }));
    assert!(peer.server.held_bytes() <= 400_000);
}

#[test]
fn memory_before_admission_is_bounded() {
    let mut peer = Peer::shaken(settings());
    assert_eq!(
        peer.bytes(&header(3, 64 * 1024 + 1, 20)),
        Err(RtmpError::MessageTooLong {
            type_id: 20,
            length: 64 * 1024 + 1,
            limit: limits::UNADMITTED_MESSAGE
        })
    );

    let mut peer = Peer::shaken(settings());
    peer.message(type_id::SET_CHUNK_SIZE, 0, &50_000u32.to_be_bytes()).unwrap();
    let flood = (3..32).try_for_each(|csid| {
        peer.bytes(&header(csid, 60_000, 9))?;
        peer.bytes(&[0; 50_000])
    });
    assert!(matches!(flood, Err(RtmpError::PartialMessages { .. })));
    assert!(peer.server.held_bytes() <= limits::UNADMITTED_PARTIAL);
}

#[test]
fn chunk_sizes_that_make_no_sense_are_refused() {
    for size in [0, 0x8000_0000, 0xFFFF_FFFF] {
        let mut peer = Peer::shaken(settings());
        assert_eq!(
            peer.message(type_id::SET_CHUNK_SIZE, 0, &u32::to_be_bytes(size)),
            Err(RtmpError::ChunkSize(size))
        );
    }
    for size in [1, 0xFF_FFFF, 0x7FFF_FFFF] {
        let mut peer = Peer::shaken(settings());
        peer.message(type_id::SET_CHUNK_SIZE, 0, &u32::to_be_bytes(size)).unwrap();
    }
}

#[test]
fn chunk_stream_ids_beyond_the_limit_are_refused() {
    for (bytes, csid) in [(&[32][..], 32), (&[0, 0], 64), (&[1, 0xFF, 0xFF], 65_599)] {
        let mut peer = Peer::shaken(settings());
        assert_eq!(peer.bytes(bytes), Err(RtmpError::ChunkStreamId { csid, limit: 32 }));
    }
    let mut peer = Peer::shaken(settings());
    peer.bytes(&[31]).unwrap();
}

#[test]
fn deeply_nested_command_is_an_error() {
    let mut body = BytesMut::new();
    amf0::encode_all(&["connect".into(), 1.0.into()], &mut body);
    for _ in 0..10_000 {
        body.extend_from_slice(b"\x03\x00\x01a");
    }
    let mut peer = Peer::shaken(settings());
    assert_eq!(peer.message(type_id::COMMAND, 0, &body), Err(RtmpError::Amf0(amf0::AmfError::TooDeep)));
}

#[test]
fn control_messages_without_their_fields_are_errors() {
    for type_id in [1, 2, 3, 4, 5, 6] {
        let mut peer = Peer::shaken(settings());
        assert_eq!(peer.message(type_id, 0, &[0]), Err(RtmpError::ShortControl { type_id, length: 1 }));
    }
}

#[test]
fn peer_that_never_reads_answers_is_given_up() {
    let mut peer = Peer::connected(settings());
    let ping = UserControl::PingRequest(1).to_message();
    let flood = (0..100_000).try_for_each(|_| peer.message(type_id::USER_CONTROL, 0, &ping.payload));
    assert_eq!(flood, Err(RtmpError::RepliesUnread { limit: limits::QUEUED_REPLIES }));
}

#[test]
fn abort_frees_an_incomplete_message() {
    let mut peer = Peer::connected(settings());
    peer.bytes(&header(4, 100_000, 9)).unwrap();
    peer.bytes(&[0; 128]).unwrap();
    assert!(peer.server.held_bytes() > 0);
    peer.message(type_id::ABORT, 0, &4u32.to_be_bytes()).unwrap();
    assert_eq!(peer.server.held_bytes(), 0);
    peer.message(type_id::ABORT, 0, &999u32.to_be_bytes()).unwrap();
    peer.message(type_id::AUDIO, 1, b"new message on the same chunk stream").unwrap();
}

/// Everything that a client session says from C0 to media, cut into portions as it was sent.
fn conversation() -> (Vec<Vec<u8>>, usize) {
    use pingosd::wire::MediaKind;
    use pingosd::wire::rtmp::client_session::ClientPurpose;

    let mut pair = Pair::new(ClientPurpose::Publish { name: "s1".into() }, true, usize::MAX);
    let mut portions = Vec::new();
    for round in 0..8 {
        if let Some(bytes) = pair.client.poll_transmit() {
            pair.server.handle_input(&bytes, pair.now).unwrap();
            portions.push(bytes.to_vec());
        }
        answer(&mut pair.server);
        if let Some(bytes) = pair.server.poll_transmit() {
            pair.client.handle_input(&bytes, pair.now).unwrap();
        }
        if round == 6 {
            let payload = vec![7; 5000].into();
            pair.client.send_media(MediaKind::Video, 1, &payload).unwrap();
        }
    }
    let total = portions.iter().map(Vec::len).sum();
    (portions, total)
}

fn answer(server: &mut pingosd::wire::rtmp::ServerSession) {
    use pingosd::wire::rtmp::server_session::ServerEvent;
    while let Some(event) = server.poll_event() {
        match event {
            ServerEvent::Connect { request, .. } => {
                server.accept_connect(request, ServerSessionSettings::default());
            }
            ServerEvent::Publish { request, .. } => {
                server.accept_publish(request);
            }
            ServerEvent::Play { request, .. } => {
                server.accept_play(request);
            }
            _ => {}
        }
    }
}

#[test]
fn conversation_that_ends_anywhere_is_no_error() {
    let (portions, total) = conversation();
    for end in 0..total {
        let mut peer = Peer::silent(settings());
        let mut left = end;
        for portion in &portions {
            let taken = portion.len().min(left);
            peer.bytes(&portion[..taken]).unwrap();
            answer(&mut peer.server);
            left -= taken;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn changed_conversation_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        step in 1usize..3000,
    ) {
        let (mut portions, total) = conversation();
        for (index, byte) in changes {
            let mut at = index.index(total);
            for portion in &mut portions {
                if at < portion.len() {
                    portion[at] = byte;
                    break;
                }
                at -= portion.len();
            }
        }
        let mut peer = Peer::silent(settings());
        let _ = portions.iter().try_for_each(|portion| {
            portion.chunks(step).try_for_each(|bytes| {
                let result = peer.bytes(bytes);
                answer(&mut peer.server);
                result
            })
        });
    }

    #[test]
    fn random_bytes_after_the_handshake_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..4000),
        connected in any::<bool>(),
    ) {
        let mut peer = if connected {
            Peer::connected(settings())
        } else {
            Peer::shaken(settings())
        };
        let _ = peer.bytes(&bytes);
        let bound = if connected { 4 * 1024 * 1024 } else { limits::UNADMITTED_PARTIAL + limits::DEFERRED_BYTES };
        prop_assert!(peer.server.held_bytes() <= bound);
    }

    #[test]
    fn random_messages_never_panic(
        messages in prop::collection::vec(
            (prop_oneof![0u8..23, any::<u8>()], 0u32..3, prop::collection::vec(any::<u8>(), 0..100)),
            0..20,
        ),
    ) {
        let mut peer = Peer::publishing(settings(), "s1");
        for (type_id, stream_id, payload) in messages {
            if peer.message(type_id, stream_id, &payload).is_err() {
                break;
            }
            answer(&mut peer.server);
        }
    }
}
