//! A watch: a response without an end, with a line of JSON for each group of changes.

use reqwest::Response;
use serde_json::Value;
use tokio::sync::watch;

use super::answer::{Change, int, pair, refusal_of, text};
use super::error::EtcdError;
use crate::limits;

/// A running watch.
pub(in super::super) struct KeyWatch {
    pub(super) response: Response,
    pub(super) buffer: Vec<u8>,
    pub(super) turned: watch::Receiver<usize>,
}

impl KeyWatch {
    /// Waits for changes.
    pub(in super::super) async fn next(&mut self) -> Result<Vec<Change>, EtcdError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let changes = changes(&line)?;
                if !changes.is_empty() {
                    return Ok(changes);
                }
                continue;
            }
            let chunk = tokio::select! {
                chunk = self.response.chunk() => chunk?,
                // The server in use does not answer any more.
                _ = self.turned.changed() => return Err(EtcdError::Timeout),
            };
            let Some(chunk) = chunk else { return Err(EtcdError::Timeout) };
            if self.buffer.len() + chunk.len() > limits::CLUSTER_ANSWER_BYTES {
                return Err(EtcdError::TooLarge);
            }
            self.buffer.extend_from_slice(&chunk);
        }
    }
}

/// Changes in a line of a watch.
fn changes(line: &[u8]) -> Result<Vec<Change>, EtcdError> {
    let line: Value = serde_json::from_slice(line).map_err(|_| EtcdError::Malformed)?;
    let Some(result) = line.get("result") else { return Err(refusal_of(&line["error"])) };
    if int(&result["compact_revision"]).is_some_and(|revision| revision > 0) {
        return Err(EtcdError::Compacted);
    }
    if result["canceled"] == true {
        return Err(EtcdError::Timeout);
    }
    let events = result["events"].as_array().map_or(&[][..], Vec::as_slice);
    let change = |event: &Value| {
        let pair = pair(&event["kv"])?;
        match text(&event["type"]) {
            Some("DELETE") => Some(Change::Deleted(pair.key, pair.revision)),
            _ => Some(Change::Put(pair)),
        }
    };
    events.iter().map(change).collect::<Option<_>>().ok_or(EtcdError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::super::answer::KeyValue;
    use super::*;

    #[test]
    fn lines_of_a_watch_are_changes() {
        let put = br#"{"result":{"header":{"revision":"2"},"events":[{"kv":{"key":"L3AvYQ==","mod_revision":"2","value":"dg==","lease":"7"}}]}}"#;
        let pair = KeyValue { key: b"/p/a".into(), value: b"v".into(), lease: 7, revision: 2 };
        assert_eq!(changes(put).unwrap(), [Change::Put(pair)]);
        let deleted =
            br#"{"result":{"events":[{"type":"DELETE","kv":{"key":"L3AvYQ==","mod_revision":"3"}}]}}"#;
        assert_eq!(changes(deleted).unwrap(), [Change::Deleted(b"/p/a".into(), 3)]);
        assert!(changes(br#"{"result":{"created":true}}"#).unwrap().is_empty());
        let compacted = br#"{"result":{"canceled":true,"compact_revision":"2"}}"#;
        assert!(matches!(changes(compacted), Err(EtcdError::Compacted)));
        let refused = br#"{"error":{"grpc_code":14,"message":"no leader\u001b[2J\n"}}"#;
        let Err(EtcdError::Refused(14, text)) = changes(refused) else { panic!("it is a refusal") };
        assert_eq!(text, "no leader\\u{1b}[2J\\u{a}");
        for hostile in [
            &b"{"[..],
            b"[]",
            b"{\"result\":{\"events\":[{}]}}",
            b"{\"result\":{\"events\":[{\"kv\":{\"key\":\"*\",\"mod_revision\":\"1\"}}]}}",
        ] {
            assert!(changes(hostile).is_err());
        }
    }
}
