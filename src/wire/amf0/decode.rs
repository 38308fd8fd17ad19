//! Decoder with bounds.
//!
//! Deviations of real encoders that are accepted:
//! - an ECMA array that announces zero or a wrong number of members: the end marker decides;
//! - an ECMA array at the very end of the payload that has the announced number of members but no end marker;
//! - a member with an empty name: only an empty name *and* the end marker end an object;
//! - booleans other than 0 and 1.
//!
//! Anything else that is truncated or unknown is an error.

use std::fmt;

use bytes::{Buf, Bytes};

use super::{AmfMembers, AmfValue, marker};
use crate::limits::{AMF0_DEPTH, AMF0_VALUES};

/// Decodes the values of a payload one by one, on demand.
///
/// Iteration ends after the last value or after the first error.
#[derive(Clone, Debug)]
pub struct Decoder {
    input: Bytes,
    /// Number of values that may still be decoded from this payload.
    budget: usize,
    /// Whether objects keep the members before one that is not valid AMF0; see [`decode_prefix`].
    lenient: bool,
    /// Whether decoding has ended because of an error.
    broken: bool,
}

impl Decoder {
    /// Starts at the first byte of `input`.
    pub fn new(input: &Bytes) -> Self {
        Self { input: input.clone(), budget: AMF0_VALUES, lenient: false, broken: false }
    }

    /// Bytes not decoded yet.
    pub fn remaining(&self) -> &Bytes {
        &self.input
    }

    fn value(&mut self, depth: usize) -> Result<AmfValue, AmfError> {
        if depth == AMF0_DEPTH {
            return Err(AmfError::TooDeep);
        }
        self.budget = self.budget.checked_sub(1).ok_or(AmfError::TooManyValues)?;
        Ok(match self.u8()? {
            marker::NUMBER => AmfValue::Number(self.f64()?),
            marker::BOOLEAN => AmfValue::Boolean(self.u8()? != 0),
            marker::STRING => AmfValue::String(self.short_text()?),
            marker::OBJECT => AmfValue::Object(self.object_members(depth, None)?),
            marker::NULL => AmfValue::Null,
            marker::UNDEFINED => AmfValue::Undefined,
            marker::REFERENCE => AmfValue::Reference(self.u16()?),
            marker::ECMA_ARRAY => {
                let announced = self.u32()?;
                AmfValue::EcmaArray(self.object_members(depth, Some(announced))?)
            }
            marker::STRICT_ARRAY => AmfValue::StrictArray(self.elements(depth)?),
            marker::DATE => AmfValue::Date { millis: self.f64()?, zone: self.u16()?.cast_signed() },
            marker::LONG_STRING => AmfValue::LongString(self.long_text()?),
            marker::UNSUPPORTED => AmfValue::Unsupported,
            marker::XML_DOCUMENT => AmfValue::Xml(self.long_text()?),
            marker::TYPED_OBJECT => {
                AmfValue::Typed { class: self.short_text()?, members: self.object_members(depth, None)? }
            }
            other => return Err(AmfError::Marker(other)),
        })
    }

    fn object_members(&mut self, depth: usize, announced: Option<u32>) -> Result<AmfMembers, AmfError> {
        let mut members = AmfMembers::new();
        loop {
            let complete = announced.is_some_and(|count| count as usize == members.len());
            if complete && self.input.is_empty() {
                return Ok(members);
            }
            match self.member(depth) {
                Ok(Some(member)) => members.push(member),
                Ok(None) => return Ok(members),
                Err(error) if !self.lenient => return Err(error),
                Err(_) => self.broken = true,
            }
            if self.broken {
                return Ok(members);
            }
        }
    }

    /// The next member of an object; `None` at its end.
    fn member(&mut self, depth: usize) -> Result<Option<(Bytes, AmfValue)>, AmfError> {
        let name = self.short_text()?;
        if name.is_empty() && self.input.first() == Some(&marker::OBJECT_END) {
            self.input.advance(1);
            return Ok(None);
        }
        let value = self.value(depth + 1)?;
        Ok(Some((name, value)))
    }

    fn elements(&mut self, depth: usize) -> Result<Vec<AmfValue>, AmfError> {
        let count = self.u32()? as usize;
        // Every element has at least a marker byte.
        if count > self.input.len() {
            return Err(AmfError::Truncated);
        }
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(self.value(depth + 1)?);
            if self.broken {
                break;
            }
        }
        Ok(elements)
    }

    fn short_text(&mut self) -> Result<Bytes, AmfError> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }

    fn long_text(&mut self) -> Result<Bytes, AmfError> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, AmfError> {
        if length > self.input.len() {
            return Err(AmfError::Truncated);
        }
        Ok(self.input.split_to(length))
    }

    fn u8(&mut self) -> Result<u8, AmfError> {
        self.input.try_get_u8().map_err(|_| AmfError::Truncated)
    }

    fn u16(&mut self) -> Result<u16, AmfError> {
        self.input.try_get_u16().map_err(|_| AmfError::Truncated)
    }

    fn u32(&mut self) -> Result<u32, AmfError> {
        self.input.try_get_u32().map_err(|_| AmfError::Truncated)
    }

    fn f64(&mut self) -> Result<f64, AmfError> {
        self.input.try_get_f64().map_err(|_| AmfError::Truncated)
    }
}

impl Iterator for Decoder {
    type Item = Result<AmfValue, AmfError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.input.is_empty() {
            return None;
        }
        let value = self.value(0);
        if value.is_err() || self.broken {
            self.input.clear();
        }
        Some(value)
    }
}

/// Decodes all values of a payload.
///
/// # Errors
///
/// The bytes are not AMF0, or a bound is exceeded.
pub fn decode_all(input: Bytes) -> Result<Vec<AmfValue>, AmfError> {
    Decoder::new(&input).collect()
}

/// Decodes the values of a payload up to the first that is not valid AMF0. Of an object that contains such a value, the
/// members before it are kept.
pub fn decode_prefix(input: &Bytes) -> Vec<AmfValue> {
    let decoder = Decoder { lenient: true, ..Decoder::new(input) };
    decoder.map_while(Result::ok).collect()
}

/// Error of a payload that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmfError {
    /// The payload ends inside a value.
    Truncated,
    /// A type marker that AMF0 does not define or that is not used on RTMP.
    Marker(u8),
    /// Objects or arrays nested beyond [`AMF0_DEPTH`].
    TooDeep,
    /// More values than [`AMF0_VALUES`].
    TooManyValues,
}

impl fmt::Display for AmfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("AMF0 value cut short"),
            Self::Marker(marker) => write!(f, "unknown AMF0 type {marker:#04x}"),
            Self::TooDeep => write!(f, "AMF0 nested deeper than {AMF0_DEPTH}"),
            Self::TooManyValues => write!(f, "more than {AMF0_VALUES} AMF0 values in one payload"),
        }
    }
}

impl std::error::Error for AmfError {}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::wire::amf0::encode;

    fn one(bytes: &'static [u8]) -> Result<AmfValue, AmfError> {
        Decoder::new(&Bytes::from_static(bytes)).next().expect("not empty")
    }

    #[test]
    fn ecma_array_count_is_only_a_hint() {
        let array = one(b"\x08\x00\x00\x00\x00\x00\x01a\x01\x01\x00\x00\x09").unwrap();
        assert_eq!(array.get(b"a").and_then(AmfValue::as_bool), Some(true));
        let array = one(b"\x08\x00\x00\x00\x07\x00\x01a\x05\x00\x00\x09").unwrap();
        assert_eq!(array.get(b"a"), Some(&AmfValue::Null));
    }

    #[test]
    fn ecma_array_may_lack_its_end_marker_at_the_end_of_the_payload() {
        let array = one(b"\x08\x00\x00\x00\x01\x00\x01a\x05").unwrap();
        assert_eq!(array.get(b"a"), Some(&AmfValue::Null));
        assert_eq!(one(b"\x08\x00\x00\x00\x02\x00\x01a\x05"), Err(AmfError::Truncated));
        assert_eq!(one(b"\x08\x00\x00\x00\x01\x00\x01a\x05\x00\x00"), Err(AmfError::Truncated));
    }

    #[test]
    fn object_without_its_end_marker_is_truncated() {
        assert_eq!(one(b"\x03\x00\x01a\x05"), Err(AmfError::Truncated));
        assert_eq!(one(b"\x03\x00\x01a\x05\x00\x00"), Err(AmfError::Truncated));
        assert_eq!(one(b"\x03\x00\x01a\x05\x00\x00\x09").unwrap(), AmfValue::object([("a", AmfValue::Null)]));
    }

    #[test]
    fn member_with_an_empty_name_does_not_end_the_object() {
        let object = one(b"\x03\x00\x00\x05\x00\x01b\x06\x00\x00\x09").unwrap();
        assert_eq!(object.get(b""), Some(&AmfValue::Null));
        assert_eq!(object.get(b"b"), Some(&AmfValue::Undefined));
    }

    #[test]
    fn nesting_ends_in_an_error_not_on_the_stack() {
        let mut deep = BytesMut::new();
        for _ in 0..10_000 {
            deep.extend_from_slice(b"\x03\x00\x01a");
        }
        assert_eq!(decode_all(deep.freeze()), Err(AmfError::TooDeep));

        let mut deep = BytesMut::new();
        for _ in 0..10_000 {
            deep.extend_from_slice(b"\x0A\x00\x00\x00\x01");
        }
        assert_eq!(decode_all(deep.freeze()), Err(AmfError::TooDeep));
    }

    #[test]
    fn deepest_allowed_value_is_decoded() {
        let mut value = AmfValue::Null;
        for _ in 1..AMF0_DEPTH {
            value = AmfValue::StrictArray(vec![value]);
        }
        let mut out = BytesMut::new();
        encode(&value, &mut out);
        assert_eq!(decode_all(out.freeze()), Ok(vec![value]));
    }

    #[test]
    fn number_of_values_is_bounded() {
        let nulls = |count| Bytes::from(vec![marker::NULL; count]);
        assert_eq!(decode_all(nulls(AMF0_VALUES)).map(|v| v.len()), Ok(AMF0_VALUES));
        assert_eq!(decode_all(nulls(AMF0_VALUES + 1)), Err(AmfError::TooManyValues));
    }

    #[test]
    fn declared_lengths_beyond_the_payload_are_truncated() {
        assert_eq!(one(b"\x0A\xFF\xFF\xFF\xFF"), Err(AmfError::Truncated));
        assert_eq!(one(b"\x0C\xFF\xFF\xFF\xFFabc"), Err(AmfError::Truncated));
        assert_eq!(one(b"\x02\xFF\xFFabc"), Err(AmfError::Truncated));
    }

    #[test]
    fn a_prefix_ends_where_something_else_begins() {
        let prefix = |bytes: &'static [u8]| decode_prefix(&Bytes::from_static(bytes));
        let object = |members: &[&'static str]| {
            AmfValue::Object(
                members.iter().map(|name| (Bytes::from_static(name.as_bytes()), AmfValue::Null)).collect(),
            )
        };
        assert_eq!(prefix(b"\x05\x06\xDE\xAD\xBE"), [AmfValue::Null, AmfValue::Undefined]);
        assert_eq!(
            prefix(b"\x03\x00\x01a\x05\x00\x01b\x11\x06\x00\x01c\x05\x00\x00\x09\x05"),
            [object(&["a"])]
        );
        assert_eq!(
            prefix(b"\x0A\x00\x00\x00\x02\x03\x00\x01a\x05\x00\x01b\x11\x05"),
            [AmfValue::StrictArray(vec![object(&["a"])])]
        );
        assert_eq!(prefix(b"\x03\x00\x01a\x05"), [object(&["a"])]);
        assert_eq!(prefix(b"\x11\x0C\x05"), []);
        assert_eq!(prefix(b""), []);
    }

    #[test]
    fn unknown_type_ends_the_iteration() {
        let mut decoder = Decoder::new(&Bytes::from_static(b"\x05\x11\x05"));
        assert_eq!(decoder.next(), Some(Ok(AmfValue::Null)));
        assert_eq!(decoder.next(), Some(Err(AmfError::Marker(0x11))));
        assert_eq!(decoder.next(), None);
    }
}
