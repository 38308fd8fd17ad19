//! The chunk reader against chunks written by hand, as encoders send them.

use bytes::Bytes;
use pingosd::wire::rtmp::RtmpError;
use pingosd::wire::rtmp::chunk::{ChunkReader, Limits};

/// Type, message stream, timestamp and payload of a message.
type Seen = (u8, u32, u32, Bytes);

fn limits() -> Limits {
    Limits { max_message: 1000, max_chunk_streams: 64, max_partial: 4000, publish_time_fix: true }
}

fn read_with(limits: Limits, bytes: &[u8], step: usize) -> Result<Vec<Seen>, RtmpError> {
    let mut reader = ChunkReader::new(limits);
    let mut seen = Vec::new();
    for mut part in bytes.chunks(step) {
        while let Some(message) = reader.read(&mut part)? {
            seen.push((message.type_id, message.stream_id, message.timestamp, message.payload));
        }
    }
    Ok(seen)
}

/// The same in any portions.
fn read(bytes: &[u8]) -> Result<Vec<Seen>, RtmpError> {
    let whole = read_with(limits(), bytes, usize::MAX);
    for step in 1..=bytes.len() {
        assert_eq!(read_with(limits(), bytes, step), whole, "in portions of {step}");
    }
    whole
}

fn seen(type_id: u8, stream_id: u32, timestamp: u32, payload: &'static [u8]) -> Seen {
    (type_id, stream_id, timestamp, Bytes::from_static(payload))
}

/// Set Chunk Size to 4.
const CHUNKS_OF_4: &[u8] = b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\0\x04";

#[test]
fn every_chunk_type_inherits_what_it_leaves_out() {
    let bytes = [
        &b"\x04\0\x03\xE8\0\0\x02\x09\x01\0\0\0ab"[..],
        b"\x44\0\0\x28\0\0\x01\x08c",
        b"\x84\0\0\x0Ad",
        b"\xC4e",
        b"\xC4f",
        b"\x04\0\0\x05\0\0\x01\x12\x02\0\0\0g",
    ]
    .concat();
    assert_eq!(
        read(&bytes),
        Ok(vec![
            seen(9, 1, 1000, b"ab"),
            seen(8, 1, 1040, b"c"),
            seen(8, 1, 1050, b"d"),
            seen(8, 1, 1060, b"e"),
            seen(8, 1, 1070, b"f"),
            seen(18, 2, 5, b"g"),
        ])
    );
}

#[test]
fn message_by_type_3_after_type_0_keeps_its_timestamp() {
    let bytes = b"\x04\0\x03\xE8\0\0\x01\x09\x01\0\0\0a\xC4b";
    assert_eq!(read(bytes), Ok(vec![seen(9, 1, 1000, b"a"), seen(9, 1, 1000, b"b")]));
}

#[test]
fn timestamps_wrap() {
    let bytes = b"\x04\xFF\xFF\xFF\0\0\x01\x09\x01\0\0\0\xFF\xFF\xFF\xFEa\x84\0\0\x05b";
    assert_eq!(read(bytes), Ok(vec![seen(9, 1, u32::MAX - 1, b"a"), seen(9, 1, 3, b"b")]));
}

#[test]
fn chunks_of_several_messages_interleave() {
    let bytes = [
        CHUNKS_OF_4,
        b"\x04\0\0\0\0\0\x06\x09\x01\0\0\0abcd",
        b"\x06\0\0\x01\0\0\x05\x08\x01\0\0\0uvwx",
        b"\x02\0\0\0\0\0\x04\x03\0\0\0\0\0\0\0\x01",
        b"\xC6y",
        b"\xC4ef",
    ]
    .concat();
    assert_eq!(
        read(&bytes),
        Ok(vec![seen(3, 0, 0, b"\0\0\0\x01"), seen(8, 1, 1, b"uvwxy"), seen(9, 1, 0, b"abcdef")])
    );
}

#[test]
fn type_1_opens_a_fresh_chunk_stream() {
    let bytes = b"\x42\0\0\x07\0\0\x06\x04\0\x07\0\0\0\x01";
    assert_eq!(read(bytes), Ok(vec![seen(4, 0, 7, b"\0\x07\0\0\0\x01")]));
}

#[test]
fn types_2_and_3_need_a_header_before_them() {
    assert_eq!(read(b"\x84\0\0\0"), Err(RtmpError::HeaderWithoutPrevious { csid: 4, format: 2 }));
    assert_eq!(read(b"\xC4"), Err(RtmpError::HeaderWithoutPrevious { csid: 4, format: 3 }));
}

#[test]
fn new_header_inside_a_message_is_refused() {
    for (format, header) in
        [(0, &b"\x04\0\0\0\0\0\x06\x09\x01\0\0\0"[..]), (1, b"\x44\0\0\0\0\0\x06\x09"), (2, b"\x84\0\0\0")]
    {
        let bytes = [CHUNKS_OF_4, b"\x04\0\0\0\0\0\x06\x09\x01\0\0\0abcd", header].concat();
        assert_eq!(read(&bytes), Err(RtmpError::HeaderInsideMessage { csid: 4, format }));
    }
}

#[test]
fn abort_makes_room_for_a_new_header() {
    let bytes = [
        CHUNKS_OF_4,
        b"\x04\0\0\0\0\0\x06\x09\x01\0\0\0abcd",
        b"\x02\0\0\0\0\0\x04\x02\0\0\0\0\0\0\0\x04",
        b"\x04\0\0\x09\0\0\x01\x09\x01\0\0\0x",
    ]
    .concat();
    assert_eq!(read(&bytes), Ok(vec![seen(9, 1, 9, b"x")]));
}

#[test]
fn empty_messages_have_no_payload_to_wait_for() {
    let bytes = b"\x04\0\0\0\0\0\0\x09\x01\0\0\0\xC4\xC4\x44\0\0\x01\0\0\x01\x08a";
    assert_eq!(
        read(bytes),
        Ok(vec![seen(9, 1, 0, b""), seen(9, 1, 0, b""), seen(9, 1, 0, b""), seen(8, 1, 1, b"a")])
    );
}

/// Nine bytes, the second chunk starting like the timestamp, in chunks of four at 0x01020304; `repeat` goes before each continuation.
fn extended(repeat: &[u8]) -> Vec<u8> {
    [
        CHUNKS_OF_4,
        b"\x04\xFF\xFF\xFF\0\0\x09\x09\x01\0\0\0\x01\x02\x03\x04abcd",
        b"\xC4",
        repeat,
        b"\x01\x02\x03g",
        b"\xC4",
        repeat,
        b"i",
    ]
    .concat()
}

#[test]
fn extended_timestamp_is_taken_where_it_is_repeated() {
    let message = seen(9, 1, 0x0102_0304, b"abcd\x01\x02\x03gi");
    assert_eq!(read(&extended(b"\x01\x02\x03\x04")), Ok(vec![message.clone()]));
    assert_eq!(read(&extended(b"")), Ok(vec![message]));
}

#[test]
fn extended_timestamp_is_never_taken_without_publish_time_fix() {
    let limits = Limits { publish_time_fix: false, ..limits() };
    let message = seen(9, 1, 0x0102_0304, b"abcd\x01\x02\x03gi");
    for step in 1..40 {
        assert_eq!(read_with(limits, &extended(b""), step), Ok(vec![message.clone()]));
    }
    let bytes = [CHUNKS_OF_4, b"\x04\xFF\xFF\xFF\0\0\x08\x09\x01\0\0\0\0\0\0\x07abcd\xC4\0\0\0\x07"].concat();
    assert_eq!(read_with(limits, &bytes, 100), Ok(vec![seen(9, 1, 7, b"abcd\0\0\0\x07")]));
}

#[test]
fn extended_delta_is_repeated_as_delta_or_as_timestamp() {
    for repeat in [b"\x01\0\0\0", b"\x01\0\0\x05"] {
        let bytes = [
            CHUNKS_OF_4,
            b"\x04\0\0\x05\0\0\x01\x09\x01\0\0\0x",
            b"\x44\xFF\xFF\xFF\0\0\x05\x09\x01\0\0\0abcd\xC4",
            repeat,
            b"e",
        ]
        .concat();
        assert_eq!(read(&bytes), Ok(vec![seen(9, 1, 5, b"x"), seen(9, 1, 0x0100_0005, b"abcde")]));
    }
}

#[test]
fn long_chunk_stream_ids_are_read() {
    let wide = Limits { max_chunk_streams: 65_600, ..limits() };
    for (head, csid) in
        [(&b"\x00\x00"[..], 64), (b"\x00\xFF", 319), (b"\x01\x00\x01", 320), (b"\x01\xFF\xFF", 65_599)]
    {
        let bytes = [head, b"\0\0\0\0\0\x01\x09\x01\0\0\0x"].concat();
        for step in 1..=bytes.len() {
            let mut reader = ChunkReader::new(wide);
            let mut ids = Vec::new();
            for mut part in bytes.chunks(step) {
                while let Some(message) = reader.read(&mut part).unwrap() {
                    ids.push(message.chunk_stream_id);
                }
            }
            assert_eq!(ids, [csid]);
        }
    }
}

#[test]
fn message_of_the_longest_allowed_length_is_read() {
    let mut bytes = b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\x10\0\x04\0\0\0\0\x03\xE8\x09\x01\0\0\0".to_vec();
    bytes.extend_from_slice(&[b'm'; 1000]);
    assert_eq!(read_with(limits(), &bytes, 100).map(|seen| seen[0].3.len()), Ok(1000));
    let longer = b"\x04\0\0\0\0\x03\xE9\x09\x01\0\0\0";
    assert_eq!(read(longer), Err(RtmpError::MessageTooLong { type_id: 9, length: 1001, limit: 1000 }));
}

#[test]
fn only_so_many_chunk_streams_are_kept() {
    let wide = Limits { max_chunk_streams: 65_600, ..limits() };
    let mut reader = ChunkReader::new(wide);
    // Type 0 headers of empty messages, each on a chunk stream of its own with an id of two bytes more.
    let head = |csid: u16| {
        let [low, high] = (csid - 64).to_le_bytes();
        [&[0x01, low, high][..], &[0; 6], &[9], &[0; 4]].concat()
    };
    for csid in 0..256 {
        reader.read(&mut &head(64 + csid * 200)[..]).unwrap();
    }
    // Known chunk streams continue.
    reader.read(&mut &head(64)[..]).unwrap();
    let refused = reader.read(&mut &head(65)[..]);
    assert_eq!(refused.unwrap_err(), RtmpError::ChunkStreams { limit: 256 });
}
