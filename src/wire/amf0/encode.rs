//! Encoder.

use bytes::{BufMut, Bytes, BytesMut};

use super::{AmfValue, marker};

/// Appends one value.
///
/// A [`AmfValue::String`] longer than 65,535 bytes is written as a long string. Names of members and classes have no long
/// form; longer ones are truncated, but no decoded value has such names.
pub fn encode(value: &AmfValue, out: &mut BytesMut) {
    match value {
        AmfValue::Number(number) => {
            out.put_u8(marker::NUMBER);
            out.put_f64(*number);
        }
        AmfValue::Boolean(flag) => {
            out.put_u8(marker::BOOLEAN);
            out.put_u8(u8::from(*flag));
        }
        AmfValue::String(text) => match u16::try_from(text.len()) {
            Ok(length) => {
                out.put_u8(marker::STRING);
                out.put_u16(length);
                out.put_slice(text);
            }
            Err(_) => put_long(marker::LONG_STRING, text, out),
        },
        AmfValue::Object(members) => {
            out.put_u8(marker::OBJECT);
            put_members(members, out);
        }
        AmfValue::Null => out.put_u8(marker::NULL),
        AmfValue::Undefined => out.put_u8(marker::UNDEFINED),
        AmfValue::Reference(index) => {
            out.put_u8(marker::REFERENCE);
            out.put_u16(*index);
        }
        AmfValue::EcmaArray(members) => {
            out.put_u8(marker::ECMA_ARRAY);
            out.put_u32(count(members.len()));
            put_members(members, out);
        }
        AmfValue::StrictArray(values) => {
            out.put_u8(marker::STRICT_ARRAY);
            out.put_u32(count(values.len()));
            encode_all(values, out);
        }
        AmfValue::Date { millis, zone } => {
            out.put_u8(marker::DATE);
            out.put_f64(*millis);
            out.put_i16(*zone);
        }
        AmfValue::LongString(text) => put_long(marker::LONG_STRING, text, out),
        AmfValue::Unsupported => out.put_u8(marker::UNSUPPORTED),
        AmfValue::Xml(text) => put_long(marker::XML_DOCUMENT, text, out),
        AmfValue::Typed { class, members } => {
            out.put_u8(marker::TYPED_OBJECT);
            put_name(class, out);
            put_members(members, out);
        }
    }
}

/// Appends several values, as in the body of a command or data message.
pub fn encode_all<'a>(values: impl IntoIterator<Item = &'a AmfValue>, out: &mut BytesMut) {
    for value in values {
        encode(value, out);
    }
}

fn put_members(members: &[(Bytes, AmfValue)], out: &mut BytesMut) {
    for (name, value) in members {
        put_name(name, out);
        encode(value, out);
    }
    out.put_u16(0);
    out.put_u8(marker::OBJECT_END);
}

fn put_name(name: &[u8], out: &mut BytesMut) {
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(&name[..usize::from(length)]);
}

fn put_long(marker: u8, text: &[u8], out: &mut BytesMut) {
    out.put_u8(marker);
    out.put_u32(count(text.len()));
    out.put_slice(text);
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("a value in memory has fewer than 2^32 parts")
}
