//! Encoders and decoders that must agree, and decoders that must survive anything.

use bytes::{Bytes, BytesMut};
use pingosd::wire::MediaKind;
use pingosd::wire::amf0::{self, AmfValue, Decoder};
use pingosd::wire::codec::aac::AudioSpecificConfig;
use pingosd::wire::codec::avc::{AvcConfig, AvcSps};
use pingosd::wire::codec::hevc::{HevcConfig, HevcSps};
use pingosd::wire::codec::{AudioTag, ChannelLayout, VideoTag};
use pingosd::wire::flv;
use pingosd::wire::rtmp::chunk::{ChunkReader, Limits, write_absolute, write_delta};
use pingosd::wire::rtmp::message::{CommandMessage, Message, set_chunk_size, split_aggregate};
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn value() -> impl Strategy<Value = AmfValue> {
    let leaf = prop_oneof![
        any::<f64>()
            .prop_filter("NaN differs from itself", |number| !number.is_nan())
            .prop_map(AmfValue::Number),
        any::<bool>().prop_map(AmfValue::Boolean),
        bytes().prop_map(AmfValue::String),
        Just(AmfValue::Null),
        Just(AmfValue::Undefined),
        any::<u16>().prop_map(AmfValue::Reference),
        (-1e15..1e15f64, any::<i16>()).prop_map(|(millis, zone)| AmfValue::Date { millis, zone }),
        bytes().prop_map(AmfValue::LongString),
        Just(AmfValue::Unsupported),
        bytes().prop_map(AmfValue::Xml),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let members = prop::collection::vec((bytes(), inner.clone()), 0..6).boxed();
        prop_oneof![
            members.clone().prop_map(AmfValue::Object),
            members.clone().prop_map(AmfValue::EcmaArray),
            (bytes(), members).prop_map(|(class, members)| AmfValue::Typed { class, members }),
            prop::collection::vec(inner, 0..6).prop_map(AmfValue::StrictArray),
        ]
    })
}

fn encoded(values: &[AmfValue]) -> Bytes {
    let mut out = BytesMut::new();
    amf0::encode_all(values, &mut out);
    out.freeze()
}

/// A message and how it is sent.
#[derive(Clone, Debug)]
struct Sent {
    message: Message,
    as_delta: bool,
    chunk_size: usize,
}

fn sent() -> impl Strategy<Value = Sent> {
    let time = prop_oneof![0u32..2000, 0xFF_FFF0u32..0x100_0010, any::<u32>()];
    let csid = prop_oneof![3u32..64, 64u32..320, 320u32..65_600];
    let length = prop_oneof![0usize..300, 0usize..20_000];
    let chunk_size = prop_oneof![1usize..200, 1usize..65_536];
    // Types 1 to 6 are the link's own.
    (csid, time, 7u8..255, any::<u32>(), length, any::<bool>(), chunk_size).prop_map(
        |(chunk_stream_id, timestamp, type_id, stream_id, length, as_delta, chunk_size)| Sent {
            message: Message {
                chunk_stream_id,
                type_id,
                stream_id,
                timestamp,
                payload: (0..length).map(|n| (n * 7 + length) as u8).collect(),
            },
            as_delta,
            chunk_size,
        },
    )
}

fn limits() -> Limits {
    Limits { max_message: 1 << 20, max_chunk_streams: 65_600, max_partial: 1 << 26, publish_time_fix: true }
}

fn read_all(reader: &mut ChunkReader, bytes: &[u8], step: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    for mut part in bytes.chunks(step) {
        while let Some(message) = reader.read(&mut part).unwrap() {
            messages.push(message);
        }
        assert!(part.is_empty());
    }
    messages
}

/// Cuts the bytes of one message into its chunks.
fn chunks_of(sent: &Sent) -> Vec<BytesMut> {
    let message = &sent.message;
    let mut out = BytesMut::new();
    message.write(&mut out, sent.chunk_size);
    let basic = match message.chunk_stream_id {
        ..64 => 1,
        64..320 => 2,
        _ => 3,
    };
    let extended = if message.timestamp >= 0xFF_FFFF { 4 } else { 0 };
    let mut left = message.payload.len();
    let mut head = basic + 11 + extended;
    let mut chunks = Vec::new();
    loop {
        let size = left.min(sent.chunk_size);
        chunks.push(out.split_to(head + size));
        left -= size;
        head = basic + extended;
        if left == 0 {
            assert!(out.is_empty());
            return chunks;
        }
    }
}

proptest! {
    #[test]
    fn amf0_values_are_decoded_as_encoded(values in prop::collection::vec(value(), 0..5)) {
        prop_assert_eq!(amf0::decode_all(encoded(&values)), Ok(values));
    }

    #[test]
    fn truncated_amf0_is_an_error_or_ends_between_values(values in prop::collection::vec(value(), 1..4)) {
        let whole = encoded(&values);
        for length in 0..whole.len() {
            if let Ok(decoded) = amf0::decode_all(whole.slice(..length)) {
                // All but the last are whole; an ECMA array may lack its end.
                let end = decoded.len().saturating_sub(1);
                prop_assert_eq!(&decoded[..end], &values[..end]);
            }
        }
    }

    #[test]
    fn random_amf0_never_panics(random in prop::collection::vec(any::<u8>(), 0..500)) {
        let decoder = Decoder::new(&Bytes::from(random));
        let count = decoder.filter(Result::is_ok).count();
        prop_assert!(count <= pingosd::limits::AMF0_VALUES);
    }

    #[test]
    fn mangled_amf0_never_panics(
        values in prop::collection::vec(value(), 1..4),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut mangled = encoded(&values).to_vec();
        let at = at.index(mangled.len());
        mangled[at] = byte;
        let _ = amf0::decode_all(mangled.into());
    }

    #[test]
    fn messages_are_read_as_written(
        sequence in prop::collection::vec(sent(), 1..12),
        step in prop_oneof![1usize..40, 1usize..100_000],
    ) {
        let mut out = BytesMut::new();
        let mut expected: Vec<Message> = Vec::new();
        let mut chunk_size = 128;
        for sent in &sequence {
            set_chunk_size(sent.chunk_size as u32).write(&mut out, chunk_size);
            chunk_size = sent.chunk_size;
            let message = &sent.message;
            let before = expected
                .iter()
                .rfind(|before| before.chunk_stream_id == message.chunk_stream_id);
            let mut message = message.clone();
            match before {
                Some(before) if sent.as_delta => {
                    let delta = message.timestamp;
                    message.timestamp = before.timestamp.wrapping_add(delta);
                    message.stream_id = before.stream_id;
                    write_delta(
                        &mut out,
                        message.chunk_stream_id,
                        delta,
                        message.type_id,
                        &message.payload,
                        sent.chunk_size,
                    );
                }
                _ => write_absolute(
                    &mut out,
                    message.chunk_stream_id,
                    message.timestamp,
                    message.type_id,
                    message.stream_id,
                    &message.payload,
                    sent.chunk_size,
                ),
            }
            expected.push(message);
        }
        let mut reader = ChunkReader::new(limits());
        let read = read_all(&mut reader, &out, step);
        prop_assert!(read == expected);
        prop_assert_eq!(reader.partial_bytes(), 0);
    }

    #[test]
    fn interleaved_messages_are_put_together(
        mut parts in prop::collection::vec(sent(), 1..6),
        chunk_size in 1usize..3000,
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..50),
        step in 1usize..5000,
    ) {
        for (csid, sent) in (3..).zip(&mut parts) {
            sent.message.chunk_stream_id = csid * csid * csid;
            sent.chunk_size = chunk_size;
        }
        let mut queues: Vec<_> = parts.iter().map(|sent| chunks_of(sent).into_iter()).collect();
        let mut out = BytesMut::new();
        set_chunk_size(chunk_size as u32).write(&mut out, 128);
        let mut expected = Vec::new();
        let mut turns = order.iter().cycle();
        while !queues.is_empty() {
            let turn = turns.next().map_or(0, |index| index.index(queues.len()));
            out.extend_from_slice(&queues[turn].next().unwrap());
            if queues[turn].len() == 0 {
                drop(queues.remove(turn));
                expected.push(parts.remove(turn).message);
            }
        }
        let mut reader = ChunkReader::new(limits());
        prop_assert!(read_all(&mut reader, &out, step) == expected);
    }

    #[test]
    fn random_chunks_never_panic(
        random in prop::collection::vec(any::<u8>(), 0..2000),
        step in 1usize..100,
        publish_time_fix in any::<bool>(),
    ) {
        let mut reader = ChunkReader::new(Limits {
            max_message: 5000,
            max_chunk_streams: 64,
            max_partial: 20_000,
            publish_time_fix,
        });
        'read: for mut part in random.chunks(step) {
            loop {
                match reader.read(&mut part) {
                    Ok(Some(message)) => {
                        let _ = message.control();
                        let _ = CommandMessage::parse(&message);
                        let _ = split_aggregate(&message).count();
                    }
                    Ok(None) => break,
                    Err(_) => break 'read,
                }
            }
            prop_assert!(reader.partial_bytes() <= 20_000);
        }
    }

    #[test]
    fn flv_tags_are_read_as_written(
        tags in prop::collection::vec((0..3usize, any::<u32>(), prop::collection::vec(any::<u8>(), 0..9000)), 0..8),
        step in 1usize..10_000,
    ) {
        let kinds = [MediaKind::Audio, MediaKind::Video, MediaKind::Data];
        let mut out = BytesMut::new();
        flv::write_header(&mut out, true, false);
        for (kind, timestamp, payload) in &tags {
            flv::write_tag(&mut out, kinds[*kind], *timestamp, payload);
        }
        let mut reader = flv::FlvReader::new(9000);
        let mut read = Vec::new();
        for mut part in out.chunks(step) {
            while let Some(tag) = reader.read(&mut part).unwrap() {
                read.push(tag);
            }
        }
        let expected: Vec<_> = tags
            .into_iter()
            .map(|(kind, timestamp, payload)| flv::FlvTag { kind: kinds[kind], timestamp, payload: payload.into() })
            .collect();
        prop_assert!(read == expected);
        prop_assert!(reader.is_between_tags());
    }

    #[test]
    fn random_flv_never_panics(random in prop::collection::vec(any::<u8>(), 0..500), signed in any::<bool>()) {
        let mut reader = flv::FlvReader::new(100);
        if signed {
            reader.read(&mut &b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..]).unwrap();
        }
        let mut input = &random[..];
        while let Ok(Some(_)) = reader.read(&mut input) {}
    }

    #[test]
    fn random_codec_headers_never_panic(random in prop::collection::vec(any::<u8>(), 0..300), id in any::<u8>()) {
        let _ = AudioTag::parse(&random);
        let _ = AudioSpecificConfig::parse(&random);
        let _ = AvcSps::parse(&random);
        let _ = HevcSps::parse(&random);
        // Also with a first byte that announces modifiers or several tracks.
        for first in [None, Some(0x95), Some(0x96), Some(0x97)] {
            let mut random = random.clone();
            if let (Some(first), Some(slot)) = (first, random.first_mut()) {
                *slot = first;
            }
            for tag in VideoTag::all(&random, id).map_while(Result::ok) {
                prop_assert!(tag.data_offset <= tag.data_end && tag.data_end <= random.len());
            }
            for tag in AudioTag::all(&random).map_while(Result::ok) {
                prop_assert!(tag.data_offset <= tag.data_end && tag.data_end <= random.len());
                let _ = ChannelLayout::parse(&random[tag.data_offset..tag.data_end]);
            }
        }
        let random = Bytes::from(random);
        let _ = AvcConfig::parse(&random);
        let _ = HevcConfig::parse(&random);
    }

    #[test]
    fn random_parameter_sets_with_a_valid_start_never_panic(random in prop::collection::vec(any::<u8>(), 0..100)) {
        for start in [&[0x67, 100, 0, 31, 0x80][..], &[0x67, 66, 0, 31], &[0x67, 244, 0, 31, 0x90]] {
            let _ = AvcSps::parse(&[start, &random].concat());
        }
        for layers in 0..8 {
            let _ = HevcSps::parse(&[&[0x42, 1, layers << 1, 1][..], &random].concat());
        }
    }
}

#[test]
fn extended_timestamp_may_be_repeated_or_not() {
    // The payload of the second chunk starts like the timestamp.
    let message = Message {
        chunk_stream_id: 4,
        type_id: 9,
        stream_id: 1,
        timestamp: 0x0102_0304,
        payload: Bytes::from_static(b"abcd\x01\x02\x03\x05"),
    };
    let mut repeated = BytesMut::new();
    message.write(&mut repeated, 4);
    let mut plain = repeated.clone();
    let continuation = 12 + 4 + 4;
    let tail = plain.split_off(continuation + 1 + 4);
    plain.truncate(continuation + 1);
    plain.extend_from_slice(&tail);
    for bytes in [repeated, plain] {
        for step in 1..=bytes.len() {
            let mut reader = ChunkReader::new(limits());
            let mut size = BytesMut::new();
            set_chunk_size(4).write(&mut size, 128);
            assert_eq!(read_all(&mut reader, &size, 100), []);
            assert_eq!(read_all(&mut reader, &bytes, step), std::slice::from_ref(&message));
        }
    }
}
