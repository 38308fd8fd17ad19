//! The zones of a process, which outlive the configurations that use them.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};

use super::conn::ConnStates;
use super::req::ReqStates;
use crate::syntax::sentence;

/// The zones of one configuration by name.
///
/// The next configuration takes over a zone of the same name and size; see [`KeptZones::next`].
#[derive(Clone, Debug, Default)]
pub struct KeptZones {
    req: HashMap<BString, Arc<ReqStates>>,
    conn: HashMap<BString, Arc<ConnStates>>,
}

/// A zone that a configuration defines.
#[derive(Clone, Copy, Debug)]
pub struct Definition<'z> {
    /// Its name.
    pub name: &'z BStr,
    /// Its size in bytes.
    pub size: u64,
    /// Its key as written.
    pub key: &'z BStr,
}

impl KeptZones {
    /// The zones of a new configuration, and nginx's sentences about those that begin anew because their key is another
    /// one; nginx refuses such a reload. A zone whose name, size and key stay the same keeps its states.
    pub fn next<'z>(
        &self,
        req: impl IntoIterator<Item = Definition<'z>>,
        conn: impl IntoIterator<Item = Definition<'z>>,
    ) -> (KeptZones, Vec<BString>) {
        let (mut next, mut complaints) = (KeptZones::default(), Vec::new());
        for zone in req {
            let old = self.req.get(zone.name).filter(|old| old.size() == zone.size);
            if let Some(old) = old.filter(|old| old.key() != zone.key) {
                complaints.push(other_key("limit_req", zone, old.key()));
            }
            let states = match old.filter(|old| old.key() == zone.key) {
                Some(old) => old.clone(),
                None => Arc::new(ReqStates::new(zone.name, zone.size, zone.key)),
            };
            next.req.insert(zone.name.to_owned(), states);
        }
        for zone in conn {
            let old = self.conn.get(zone.name).filter(|old| old.size() == zone.size);
            if let Some(old) = old.filter(|old| old.key() != zone.key) {
                complaints.push(other_key("limit_conn_zone", zone, old.key()));
            }
            let states = match old.filter(|old| old.key() == zone.key) {
                Some(old) => old.clone(),
                None => Arc::new(ConnStates::new(zone.name, zone.size, zone.key)),
            };
            next.conn.insert(zone.name.to_owned(), states);
        }
        (next, complaints)
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

fn other_key(what: &str, zone: Definition<'_>, old: &[u8]) -> BString {
    sentence(&[
        what.as_bytes(),
        b" \"",
        zone.name,
        b"\" uses the \"",
        zone.key,
        b"\" key while previously it used the \"",
        old,
        b"\" key",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(size: u64, key: &'static str) -> Definition<'static> {
        Definition { name: "z".into(), size, key: key.into() }
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
