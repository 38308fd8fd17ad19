//! Answers of etcd: JSON that the gateway writes for messages of gRPC.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::tenure::{Lease, Revision};
use super::error::EtcdError;
use crate::limits;
use crate::log::shown::printable;

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct KeyValue {
    pub(in super::super) key: Vec<u8>,
    pub(in super::super) value: Vec<u8>,
    pub(in super::super) lease: Lease,
    pub(in super::super) revision: Revision,
}

/// Result of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Outcome {
    /// Its condition was true; the revision after it.
    Done(Revision),
    /// Its condition was false; the key as it is.
    Found(Option<KeyValue>),
}

/// All keys below a prefix.
pub(in super::super) struct Range {
    pub(in super::super) cluster: u64,
    pub(in super::super) revision: Revision,
    pub(in super::super) pairs: Vec<KeyValue>,
}

/// A change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Change {
    /// It was put.
    Put(KeyValue),
    /// It was deleted, at this revision.
    Deleted(Vec<u8>, Revision),
}

pub(super) fn pairs(answer: &Value) -> Result<Vec<KeyValue>, EtcdError> {
    let pairs = answer["kvs"].as_array().map_or(&[][..], Vec::as_slice);
    pairs.iter().map(pair).collect::<Option<_>>().ok_or(EtcdError::Malformed)
}

/// A key with its value. Values that are zero or empty are left out by etcd.
pub(super) fn pair(value: &Value) -> Option<KeyValue> {
    let bytes = |field: &Value| text(field).map_or(Some(Vec::new()), |text| STANDARD.decode(text).ok());
    Some(KeyValue {
        key: bytes(&value["key"])?,
        value: bytes(&value["value"])?,
        lease: int(&value["lease"]).unwrap_or(0),
        revision: int(&value["mod_revision"])?,
    })
}

pub(in super::super) fn revision_of(answer: &Value) -> Option<Revision> {
    int(&answer["header"]["revision"])
}

pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

/// A number, which JSON of protobuf writes as text if it has 64 bits.
pub(super) fn int(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

pub(super) fn refusal(answer: &[u8]) -> EtcdError {
    serde_json::from_slice(answer).map_or(EtcdError::Malformed, |answer: Value| refusal_of(&answer))
}

pub(super) fn refusal_of(answer: &Value) -> EtcdError {
    let code = int(&answer["code"]).or_else(|| int(&answer["grpc_code"])).unwrap_or_default();
    match text(&answer["message"]).or_else(|| text(&answer["error"])) {
        Some(message) => EtcdError::Refused(code, printable(message, limits::CLUSTER_REFUSAL)),
        None => EtcdError::Malformed,
    }
}
