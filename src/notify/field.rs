//! Fields of requests.

/// The first fields of every session event, in PingOS's order.
pub const SESSION_FIELDS: [&str; 6] = ["call", "act", "domain", "app", "name", "clientid"];

/// Further fields of `update` and `done` about a recording.
pub const RECORD_FIELDS: [&str; 4] = ["begintime", "endtime", "index", "file"];

/// Fields of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFields {
    /// Start of the file, in milliseconds since 1970.
    pub begin_ms: u64,
    /// End of the file, in milliseconds since 1970.
    pub end_ms: u64,
    /// Path of the index.
    pub index: Vec<u8>,
    /// Path of the file.
    pub file: Vec<u8>,
}

/// Value of an event's own field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A number.
    Number(u64),
    /// A path or a word.
    Text(Vec<u8>),
}

impl From<RecordFields> for Vec<FieldValue> {
    /// In the order of [`RECORD_FIELDS`].
    fn from(fields: RecordFields) -> Self {
        let RecordFields { begin_ms, end_ms, index, file } = fields;
        vec![
            FieldValue::Number(begin_ms),
            FieldValue::Number(end_ms),
            FieldValue::Text(index),
            FieldValue::Text(file),
        ]
    }
}
