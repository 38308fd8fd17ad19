//! The bench's own decoders, which a bench without a harness cannot test.

#![expect(dead_code, reason = "the bench uses the rest")]

#[path = "../benches/fanout/flv.rs"]
mod flv;
#[path = "../benches/fanout/rtmp.rs"]
mod rtmp;
#[path = "../benches/fanout/stamp.rs"]
mod stamp;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

use stamp::Stamp;

fn picture(size: usize) -> Vec<u8> {
    let mut picture = vec![0x27, 1, 0, 0, 0];
    picture.extend((0..size).map(|n| n as u8));
    picture
}

#[test]
fn http_body_is_read_whatever_its_pieces() {
    let mut stream = flv::HEADER.to_vec();
    stream.extend(flv::tag(rtmp::VIDEO, 0x0102_0304, &picture(9000)));
    stream.extend(flv::tag(rtmp::AUDIO, 40, b"sound"));
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut chunked = head.to_vec();
    for piece in stream.chunks(1000) {
        chunked.extend(format!("{:x}\r\n", piece.len()).bytes());
        chunked.extend_from_slice(piece);
        chunked.extend(b"\r\n");
    }
    let mut plain = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    plain.extend(&stream);
    for response in [chunked, plain] {
        for size in [1, 7, 1000, response.len()] {
            let (mut http, mut reader) = (flv::HttpBody::default(), flv::Reader::default());
            let mut messages = Vec::new();
            for piece in response.chunks(size) {
                let mut body = Vec::new();
                http.push(piece, &mut body).unwrap();
                reader.push(&body);
                while let Some(message) = reader.poll_message().unwrap() {
                    messages.push(message);
                }
            }
            let found: Vec<_> = messages
                .iter()
                .map(|message| (message.kind, message.timestamp, message.payload.len()))
                .collect();
            assert_eq!(found, [(rtmp::VIDEO, 0x0102_0304, 9005), (rtmp::AUDIO, 40, 5)]);
        }
    }
}

#[test]
fn refused_http_request_is_an_error() {
    let mut body = Vec::new();
    assert!(flv::HttpBody::default().push(b"HTTP/1.1 404 Not Found\r\n\r\n", &mut body).is_err());
}

#[test]
fn interleaved_chunks_come_out_as_messages_whatever_their_pieces() {
    let mut bytes = rtmp::control(rtmp::SET_CHUNK_SIZE, &4096_u32.to_be_bytes());
    let video = rtmp::chunks(6, rtmp::VIDEO, 1, 1000, &picture(9000));
    // A short audio message between the first and the second chunk of the video.
    let first_chunk = rtmp::PAYLOAD_AT + rtmp::CHUNK_SIZE;
    bytes.extend_from_slice(&video[..first_chunk]);
    bytes.extend(rtmp::chunks(4, rtmp::AUDIO, 1, 1010, b"sound"));
    bytes.extend_from_slice(&video[first_chunk..]);
    // Type 1 and type 3 headers: a delta of 21 ms, then the same again.
    bytes.extend([0x44, 0, 0, 21, 0, 0, 2, rtmp::AUDIO, 1, 2, 0xc4, 3, 4]);
    for size in [1, 13, bytes.len()] {
        let mut reader = rtmp::ChunkReader::new();
        let mut found = Vec::new();
        for piece in bytes.chunks(size) {
            reader.push(piece);
            while let Some(message) = reader.poll_message().unwrap() {
                found.push((message.kind, message.timestamp, message.payload.len()));
            }
        }
        let audio = |timestamp, size| (rtmp::AUDIO, timestamp, size);
        let expected = [(1, 0, 4), audio(1010, 5), (rtmp::VIDEO, 1000, 9005), audio(1031, 2), audio(1052, 2)];
        assert_eq!(found, expected);
    }
}

#[test]
fn stamp_is_found_in_front_and_behind_other_units() {
    let stamp = Stamp { sent_ns: 0x00ff_1234_5678_9abc, sequence: 42 };
    let mut stamped = stamp::with_room(&picture(500));
    let digits = stamp.digits();
    stamped[stamp::NUMBERS_AT..stamp::NUMBERS_AT + digits.len()].copy_from_slice(&digits);
    assert_eq!(Stamp::find(&stamped), Some(stamp));
    stamped.splice(5..5, [0, 0, 0, 2, 9, 0xf0]);
    assert_eq!(Stamp::find(&stamped), Some(stamp));
    assert_eq!(Stamp::find(&picture(500)), None);
}
