//! AMF0 (Action Message Format 0), the value encoding of RTMP commands, data messages and FLV metadata.
//!
//! Strings, keys and documents are [`Bytes`] slices of the payload: decoding copies nothing. They need not be UTF-8,
//! because encoders send names in local encodings.
//!
//! AMF3 is not decoded. RTMP messages in AMF3 format (types 15 and 17) contain AMF0 after one leading byte; an AMF3
//! value inside (marker 0x11) is an error of that value.

mod decode;
mod encode;

use bytes::Bytes;

pub use decode::{AmfError, Decoder, decode_all, decode_prefix};
pub use encode::{encode, encode_all};

/// Type markers (AMF0 specification, section 2.1).
mod marker {
    pub(super) const NUMBER: u8 = 0x00;
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const STRING: u8 = 0x02;
    pub(super) const OBJECT: u8 = 0x03;
    pub(super) const NULL: u8 = 0x05;
    pub(super) const UNDEFINED: u8 = 0x06;
    pub(super) const REFERENCE: u8 = 0x07;
    pub(super) const ECMA_ARRAY: u8 = 0x08;
    pub(super) const OBJECT_END: u8 = 0x09;
    pub(super) const STRICT_ARRAY: u8 = 0x0A;
    pub(super) const DATE: u8 = 0x0B;
    pub(super) const LONG_STRING: u8 = 0x0C;
    pub(super) const UNSUPPORTED: u8 = 0x0D;
    pub(super) const XML_DOCUMENT: u8 = 0x0F;
    pub(super) const TYPED_OBJECT: u8 = 0x10;
}

/// Named members of an object, in the order sent.
pub type AmfMembers = Vec<(Bytes, AmfValue)>;

/// One AMF0 value.
#[derive(Clone, Debug, PartialEq)]
pub enum AmfValue {
    /// A number; AMF0 has only doubles.
    Number(f64),
    /// A boolean; any byte other than zero is true.
    Boolean(bool),
    /// A string of up to 65,535 bytes.
    String(Bytes),
    /// An anonymous object.
    Object(AmfMembers),
    /// Null.
    Null,
    /// Undefined.
    Undefined,
    /// Index of an object sent before; not resolved, since nothing on RTMP needs it.
    Reference(u16),
    /// An object that announces its number of members. Encoders announce wrong numbers, so it is not kept.
    EcmaArray(AmfMembers),
    /// An array without names.
    StrictArray(Vec<AmfValue>),
    /// A date; the time zone is reserved and should be zero.
    Date {
        /// Milliseconds since 1970-01-01 UTC.
        millis: f64,
        /// Reserved.
        zone: i16,
    },
    /// A string that may be longer than 65,535 bytes.
    LongString(Bytes),
    /// A value that the sender could not express.
    Unsupported,
    /// The text of an XML document.
    Xml(Bytes),
    /// An object of a named class.
    Typed {
        /// Name of the class.
        class: Bytes,
        /// Its members.
        members: AmfMembers,
    },
}

impl AmfValue {
    /// Builds an object from names and values, in this order.
    pub fn object<const N: usize>(members: [(&'static str, AmfValue); N]) -> Self {
        Self::Object(
            members.into_iter().map(|(key, value)| (Bytes::from_static(key.as_bytes()), value)).collect(),
        )
    }

    /// The bytes of a string of either length.
    pub fn as_str(&self) -> Option<&[u8]> {
        self.as_bytes().map(|text| &text[..])
    }

    /// As [`AmfValue::as_str`], for callers that keep the shared buffer.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::String(text) | Self::LongString(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The members of any kind of object.
    pub fn members(&self) -> Option<&[(Bytes, AmfValue)]> {
        match self {
            Self::Object(members) | Self::EcmaArray(members) | Self::Typed { members, .. } => Some(members),
            _ => None,
        }
    }

    /// The first member of this name, of any kind of object.
    pub fn get(&self, key: &[u8]) -> Option<&AmfValue> {
        self.members()?.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl From<&'static str> for AmfValue {
    fn from(text: &'static str) -> Self {
        Self::String(Bytes::from_static(text.as_bytes()))
    }
}

impl From<String> for AmfValue {
    fn from(text: String) -> Self {
        Self::String(Bytes::from(text))
    }
}

impl From<Bytes> for AmfValue {
    fn from(text: Bytes) -> Self {
        Self::String(text)
    }
}

impl From<f64> for AmfValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for AmfValue {
    fn from(number: u32) -> Self {
        Self::Number(f64::from(number))
    }
}

impl From<bool> for AmfValue {
    fn from(flag: bool) -> Self {
        Self::Boolean(flag)
    }
}
