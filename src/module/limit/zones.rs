//! The zones of a process, which outlive the configurations that use them.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::conn::ConnStates;
use super::req::ReqStates;
use super::share::ZoneIdentity;
use crate::syntax::sentence;

/// The zones of one configuration by name.
///
/// The next configuration takes over a zone of the same name and size; see [`KeptZones::next`].
#[derive(Clone, Debug, Default)]
pub struct KeptZones {
    req: HashMap<BString, Arc<ReqStates>>,
    conn: HashMap<BString, Arc<ConnStates>>,
}

/// States of a zone.
trait ZoneStates {
    /// What nginx calls zones of this kind in its sentence about another key.
    const KIND: &'static [u8];

    /// A zone without states.
    fn begin(zone: ZoneIdentity) -> Self;

    /// The zone.
    fn zone(&self) -> &ZoneIdentity;
}

impl ZoneStates for ReqStates {
    const KIND: &'static [u8] = b"limit_req";

    fn begin(zone: ZoneIdentity) -> Self {
        ReqStates::new(zone)
    }

    fn zone(&self) -> &ZoneIdentity {
        &self.zone
    }
}

impl ZoneStates for ConnStates {
    const KIND: &'static [u8] = b"limit_conn_zone";

    fn begin(zone: ZoneIdentity) -> Self {
        ConnStates::new(zone)
    }

    fn zone(&self) -> &ZoneIdentity {
        &self.zone
    }
}

impl KeptZones {
    /// The zones of a new configuration, and nginx's sentences about zones that begin anew because their key is another
    /// one; nginx refuses such a reload. A zone whose name, size and key stay the same keeps its states.
    pub fn next(
        &self,
        req: impl IntoIterator<Item = ZoneIdentity>,
        conn: impl IntoIterator<Item = ZoneIdentity>,
    ) -> (KeptZones, Vec<BString>) {
        let mut complaints = Vec::new();
        let req = next(&self.req, req, &mut complaints);
        let conn = next(&self.conn, conn, &mut complaints);
        (KeptZones { req, conn }, complaints)
    }

    /// The states of a zone of `limit_req_zone`.
    pub fn req(&self, name: &[u8]) -> Option<&Arc<ReqStates>> {
        self.req.get(name.as_bstr())
    }

    /// The counters of a zone of `limit_conn_zone`.
    pub fn conn(&self, name: &[u8]) -> Option<&Arc<ConnStates>> {
        self.conn.get(name.as_bstr())
    }
}

/// The zones of one kind; see [`KeptZones::next`].
fn next<S: ZoneStates>(
    before: &HashMap<BString, Arc<S>>,
    zones: impl IntoIterator<Item = ZoneIdentity>,
    complaints: &mut Vec<BString>,
) -> HashMap<BString, Arc<S>> {
    let kept = |zone: ZoneIdentity| {
        let name = zone.name.clone();
        match before.get(&name) {
            Some(old) if *old.zone() == zone => (name, old.clone()),
            old => {
                if let Some(old) = old.filter(|old| old.zone().size == zone.size) {
                    complaints.push(other_key(S::KIND, &zone, &old.zone().key));
                }
                (name, Arc::new(S::begin(zone)))
            }
        }
    };
    zones.into_iter().map(kept).collect()
}

fn other_key(kind: &[u8], zone: &ZoneIdentity, old: &[u8]) -> BString {
    sentence(&[
        kind,
        b" \"",
        &zone.name,
        b"\" uses the \"",
        &zone.key,
        b"\" key while previously it used the \"",
        old,
        b"\" key",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(size: u64, key: &str) -> ZoneIdentity {
        ZoneIdentity { name: "z".into(), size, key: key.into() }
    }

    #[test]
    fn a_zone_keeps_its_states_while_name_size_and_key_stay() {
        let first = KeptZones::default().next([zone(32768, "$a")], [zone(32768, "$a")]).0;
        let same = first.next([zone(32768, "$a")], [zone(32768, "$a")]).0;
        assert!(Arc::ptr_eq(first.req(b"z").unwrap(), same.req(b"z").unwrap()));
        assert!(Arc::ptr_eq(first.conn(b"z").unwrap(), same.conn(b"z").unwrap()));
        let larger = first.next([zone(65536, "$b")], []).0;
        assert!(!Arc::ptr_eq(first.req(b"z").unwrap(), larger.req(b"z").unwrap()));
        assert!(larger.conn(b"z").is_none());
    }

    #[test]
    fn another_key_begins_anew_and_is_told_in_the_words_of_nginx() {
        let first = KeptZones::default().next([zone(32768, "$a")], [zone(32768, "$a")]).0;
        let rest = "\"z\" uses the \"$b\" key while previously it used the \"$a\" key";
        let (next, complaints) = first.next([zone(32768, "$b")], [zone(32768, "$b")]);
        assert_eq!(complaints, [format!("limit_req {rest}"), format!("limit_conn_zone {rest}")]);
        assert!(!Arc::ptr_eq(first.req(b"z").unwrap(), next.req(b"z").unwrap()));
        assert!(!Arc::ptr_eq(first.conn(b"z").unwrap(), next.conn(b"z").unwrap()));
    }
}
