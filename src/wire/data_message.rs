//! Data messages of a publisher, such as `onTextData` and `onCuePoint`, as timed metadata.

use bstr::ByteSlice;
use bytes::Bytes;
use serde_json::Value;

use super::amf0::{self, AmfValue};
use crate::limits;

/// A data message that belongs to a moment of the stream: its name begins with `on`, and it is not `onMetaData`.
#[derive(Clone, Debug, PartialEq)]
pub struct DataMessage {
    name: Bytes,
    /// At least one.
    values: Vec<AmfValue>,
}

impl DataMessage {
    /// Reads a message of at most [`limits::TIMED_METADATA_BYTES`]; `None` for one without values or of another kind.
    pub fn parse(payload: &Bytes) -> Option<Self> {
        if payload.len() > limits::TIMED_METADATA_BYTES {
            return None;
        }
        let mut values = amf0::decode_prefix(payload);
        if values.len() < 2 {
            return None;
        }
        let AmfValue::String(name) = values.remove(0) else { return None };
        let is_timed = name.starts_with(b"on") && *name != *b"onMetaData" && !name.contains(&0);
        is_timed.then_some(DataMessage { name, values })
    }

    /// Name, which contains no zero.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Values behind the name.
    pub fn values(&self) -> &[AmfValue] {
        &self.values
    }

    /// The value as JSON, or all of several values as an array.
    pub fn text(&self) -> String {
        match &self.values[..] {
            [value] => json(value).to_string(),
            values => Value::Array(values.iter().map(json).collect()).to_string(),
        }
    }
}

/// A value as JSON; `null` for what JSON lacks.
fn json(value: &AmfValue) -> Value {
    let text = |bytes: &Bytes| Value::String(bytes.to_str_lossy().into_owned());
    match value {
        AmfValue::Number(number) | AmfValue::Date { millis: number, .. } => Value::from(*number),
        AmfValue::Boolean(is) => Value::Bool(*is),
        AmfValue::String(bytes) | AmfValue::LongString(bytes) => text(bytes),
        AmfValue::Object(members) | AmfValue::EcmaArray(members) => {
            members.iter().map(|(name, value)| (name.to_str_lossy().into_owned(), json(value))).collect()
        }
        AmfValue::StrictArray(values) => values.iter().map(json).collect(),
        _ => Value::Null,
    }
}
