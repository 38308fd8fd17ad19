//! A client session against a server session.

mod wire_support;

use bytes::Bytes;
use pingosd::wire::MediaKind;
use pingosd::wire::rtmp::RtmpError;
use pingosd::wire::rtmp::chunk::write_absolute;
use pingosd::wire::rtmp::client_session::{self, ClientPurpose, ClientSession, ClientSettings};
use pingosd::wire::rtmp::message::{UserControl, type_id};
use pingosd::wire::rtmp::server_session::ServerEvent;
use wire_support::{Pair, show_event};

fn publish() -> ClientPurpose {
    ClientPurpose::Publish { name: "s1".into() }
}

fn play() -> ClientPurpose {
    ClientPurpose::Play { name: "s1".into() }
}

fn show(events: &[ServerEvent]) -> Vec<String> {
    events.iter().map(show_event).collect()
}

fn status(code: &'static str, description: &'static str) -> client_session::ClientEvent {
    client_session::ClientEvent::Status {
        level: "status".into(),
        code: code.into(),
        description: description.into(),
    }
}

#[test]
fn client_publishes_in_any_portions_and_with_either_handshake() {
    for digest in [false, true] {
        for step in [1, 3, 100, 10_000] {
            let mut pair = Pair::new(publish(), digest, step);
            let (server, client) = pair.exchange();
            assert_eq!(
                show(&server),
                [
                    "HandshakeDone",
                    "Connect live rtmp://host/live",
                    "CreateStream { stream_id: 1 }",
                    "Publish#1 s1 live",
                ]
            );
            assert_eq!(
                client,
                [
                    client_session::ClientEvent::Connected,
                    status("NetStream.Publish.Start", "Start publishing"),
                    client_session::ClientEvent::Started,
                ]
            );

            let long = Bytes::from(vec![b'k'; 20_000]);
            let metadata = Bytes::from_static(b"\x02\x00\x0AonMetaData\x05");
            let cue = Bytes::from_static(b"\x02\x00\x05onCue");
            pair.client.send_media(MediaKind::Data, 0, &metadata).unwrap();
            pair.client.send_media(MediaKind::Data, 1, &cue).unwrap();
            pair.client.send_media(MediaKind::Video, 0xFF_FFFE, &long).unwrap();
            pair.client.send_media(MediaKind::Video, 0xFF_FFFF, &long).unwrap();
            pair.client.send_media(MediaKind::Audio, 0xFFFF_FFFF, &long).unwrap();
            let (server, _) = pair.exchange();
            let media = |kind, timestamp, payload: &Bytes| ServerEvent::Media {
                stream_id: 1,
                kind,
                timestamp,
                payload: payload.clone(),
            };
            assert!(
                server
                    == [
                        media(MediaKind::Data, 0, &metadata),
                        media(MediaKind::Data, 1, &cue),
                        media(MediaKind::Video, 0xFF_FFFE, &long),
                        media(MediaKind::Video, 0xFF_FFFF, &long),
                        media(MediaKind::Audio, 0xFFFF_FFFF, &long),
                    ]
            );

            pair.client.close();
            let (server, client) = pair.exchange();
            assert_eq!(show(&server), ["CloseStream { stream_id: 1 }"]);
            let unpublished = status("NetStream.Unpublish.Success", "Stop publishing.");
            assert_eq!(client, [unpublished]);
        }
    }
}

#[test]
fn client_plays_what_is_written_beside_the_session() {
    for step in [1, 3, 100, 10_000] {
        let mut pair = Pair::new(play(), true, step);
        let (server, client) = pair.exchange();
        assert_eq!(
            show(&server),
            [
                "HandshakeDone",
                "Connect live rtmp://host/live",
                "CreateStream { stream_id: 1 }",
                "BufferLength { stream_id: 1, millis: 1000 }",
                "Play#1 s1 -2 -1 true",
            ]
        );
        assert_eq!(
            client,
            [
                client_session::ClientEvent::Connected,
                client_session::ClientEvent::StreamBegin,
                status("NetStream.Play.Start", "Start live"),
                client_session::ClientEvent::Started,
                client_session::ClientEvent::Media {
                    kind: MediaKind::Data,
                    timestamp: 0,
                    payload: Bytes::from_static(b"\x02\x00\x11|RtmpSampleAccess\x01\x01\x01\x01"),
                },
            ]
        );

        let mut shared = bytes::BytesMut::new();
        let payload = vec![b'v'; 9000];
        write_absolute(&mut shared, 7, 40, type_id::VIDEO, 1, &payload, pair.server.chunk_size());
        for bytes in shared.chunks(step) {
            pair.client.handle_input(bytes, pair.now).unwrap();
        }
        pair.server.send_user_control(UserControl::StreamEof(1));
        let (_, client) = pair.exchange();
        let video = client_session::ClientEvent::Media {
            kind: MediaKind::Video,
            timestamp: 40,
            payload: payload.into(),
        };
        assert!(client == [video, client_session::ClientEvent::StreamEof]);

        pair.client.close();
        let (server, _) = pair.exchange();
        assert_eq!(show(&server), ["CloseStream { stream_id: 1 }"]);
    }
}

#[test]
fn client_reports_a_refused_connect_with_its_description() {
    let mut pair = Pair::new(play(), false, 1000);
    let request = loop {
        while let Some(bytes) = pair.client.poll_transmit() {
            pair.server.handle_input(&bytes, pair.now).unwrap();
        }
        while let Some(bytes) = pair.server.poll_transmit() {
            pair.client.handle_input(&bytes, pair.now).unwrap();
        }
        if let Some(ServerEvent::Connect { request, .. }) = pair.server.poll_event() {
            break request;
        }
    };
    pair.server.reject_connect(request, "NetConnection.Connect.Rejected", "Go away.");
    let answer = pair.server.poll_transmit().unwrap();
    let error = pair.client.handle_input(&answer, pair.now).unwrap_err();
    assert_eq!(
        error,
        RtmpError::ConnectRefused {
            code: "NetConnection.Connect.Rejected".into(),
            description: "Go away.".into()
        }
    );
}

#[test]
fn client_reports_a_refused_publish_as_status() {
    let mut pair = Pair::new(publish(), false, 1000);
    let mut seen = Vec::new();
    for _ in 0..10 {
        while let Some(bytes) = pair.client.poll_transmit() {
            pair.server.handle_input(&bytes, pair.now).unwrap();
        }
        while let Some(event) = pair.server.poll_event() {
            match event {
                ServerEvent::Connect { request, .. } => {
                    pair.server.accept_connect(request, Default::default());
                }
                ServerEvent::Publish { request, .. } => {
                    pair.server.reject_request(request, "NetStream.Publish.BadName", "Taken.");
                }
                _ => {}
            }
        }
        while let Some(bytes) = pair.server.poll_transmit() {
            pair.client.handle_input(&bytes, pair.now).unwrap();
        }
        seen.extend(std::iter::from_fn(|| pair.client.poll_event()));
    }
    assert_eq!(
        seen,
        [
            client_session::ClientEvent::Connected,
            client_session::ClientEvent::Status {
                level: "error".into(),
                code: "NetStream.Publish.BadName".into(),
                description: "Taken.".into(),
            },
        ]
    );
    let payload = Bytes::from_static(b"x");
    assert_eq!(pair.client.send_media(MediaKind::Audio, 0, &payload), Err(RtmpError::NotPublishing));
}

#[test]
fn client_sends_no_media_before_it_may() {
    let settings = ClientSettings::new("live", "rtmp://host/live", publish());
    let mut client = ClientSession::new(settings, std::time::Instant::now(), [0; 32]);
    let payload = Bytes::from_static(b"x");
    assert_eq!(client.send_media(MediaKind::Audio, 0, &payload), Err(RtmpError::NotPublishing));
    let mut pair = Pair::new(play(), false, 1000);
    pair.exchange();
    assert_eq!(pair.client.send_media(MediaKind::Audio, 0, &payload), Err(RtmpError::NotPublishing));
    let mut pair = Pair::new(publish(), false, 1000);
    pair.exchange();
    let long = Bytes::from(vec![0; 0x100_0000]);
    assert_eq!(
        pair.client.send_media(MediaKind::Audio, 0, &long),
        Err(RtmpError::PayloadTooLong { length: 0x100_0000 })
    );
}
