//! Requests to etcd about a group.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::etcd::{Etcd, EtcdError, KeyValue, revision_of};
use super::super::tenure::{Lease, Revision};
use super::offer::Keys;

/// What is offered to a group at one moment.
pub(super) struct Offered {
    /// Revision of etcd at that moment.
    pub(super) revision: Revision,
    /// The group's configuration.
    pub(super) current: Option<KeyValue>,
    /// The one on trial.
    pub(super) trial: Option<KeyValue>,
}

impl Offered {
    /// Reads both keys.
    pub(super) async fn read(etcd: &Etcd, keys: &Keys) -> Result<Offered, EtcdError> {
        let range = etcd.range(&keys.offered()).await?;
        let find = |key: String| range.pairs.iter().find(|pair| pair.key == key.as_bytes()).cloned();
        Ok(Offered { revision: range.revision, current: find(keys.current()), trial: find(keys.trial()) })
    }
}

/// A condition of a transaction: the last change of a key has this revision (0: the key is absent).
pub(super) type Condition<'a> = (&'a str, Revision);

/// A change of a transaction.
pub(super) enum Write<'a> {
    /// Puts a key, on a lease unless that is 0.
    Put(&'a str, &'a [u8], Lease),
    /// Deletes a key.
    Delete(&'a str),
}

/// Carries out all changes if all conditions hold, and returns the revision after them; `None` if a condition does not.
pub(super) async fn transact(
    etcd: &Etcd,
    conditions: &[Condition<'_>],
    writes: &[Write<'_>],
) -> Result<Option<Revision>, EtcdError> {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(key, revision)| {
            let key = STANDARD.encode(key);
            json!({ "target": "MOD", "key": key, "result": "EQUAL", "mod_revision": revision.to_string() })
        })
        .collect();
    let writes: Vec<Value> = writes
        .iter()
        .map(|write| match write {
            Write::Put(key, value, lease) => json!({ "request_put": {
                "key": STANDARD.encode(key), "value": STANDARD.encode(value), "lease": lease.to_string(),
            } }),
            Write::Delete(key) => json!({ "request_delete_range": { "key": STANDARD.encode(key) } }),
        })
        .collect();
    let answer = etcd.ask("kv/txn", &json!({ "compare": conditions, "success": writes })).await?;
    if answer["succeeded"] != true {
        return Ok(None);
    }
    revision_of(&answer).map(Some).ok_or(EtcdError::Malformed)
}
