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
    /// The zones of a new configuration. A zone whose name and size stay the same keeps its states; one whose size
    /// changes starts without any.
    ///
    /// # Errors
    ///
    /// A zone of the same name and size has another key; nginx's sentence.
    pub fn next<'z>(
        &self,
        req: impl IntoIterator<Item = Definition<'z>>,
        conn: impl IntoIterator<Item = Definition<'z>>,
    ) -> Result<KeptZones, BString> {
        let mut next = KeptZones::default();
        for zone in req {
            let old = self.req.get(zone.name).filter(|old| old.size() == zone.size);
            let states = match old {
                Some(old) if old.key() == zone.key => old.clone(),
                Some(old) => return Err(other_key("limit_req", zone, old.key())),
                None => Arc::new(ReqStates::new(zone.name, zone.size, zone.key)),
            };
            next.req.insert(zone.name.to_owned(), states);
        }
        for zone in conn {
            let old = self.conn.get(zone.name).filter(|old| old.size() == zone.size);
            let states = match old {
                Some(old) if old.key() == zone.key => old.clone(),
                Some(old) => return Err(other_key("limit_conn_zone", zone, old.key())),
                None => Arc::new(ConnStates::new(zone.name, zone.size, zone.key)),
            };
            next.conn.insert(zone.name.to_owned(), states);
        }
        Ok(next)
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
    fn a_zone_keeps_its_states_while_name_and_size_stay() {
        let first = KeptZones::default().next([zone(32768, "$a")], [zone(32768, "$a")]).unwrap();
        let same = first.next([zone(32768, "$a")], [zone(32768, "$a")]).unwrap();
        assert!(Arc::ptr_eq(first.req(b"z").unwrap(), same.req(b"z").unwrap()));
        assert!(Arc::ptr_eq(first.conn(b"z").unwrap(), same.conn(b"z").unwrap()));
        let larger = first.next([zone(65536, "$b")], []).unwrap();
        assert!(!Arc::ptr_eq(first.req(b"z").unwrap(), larger.req(b"z").unwrap()));
        assert!(larger.conn(b"z").is_none());
    }

    #[test]
    fn another_key_is_refused_in_the_words_of_nginx() {
        let first = KeptZones::default().next([zone(32768, "$a")], [zone(32768, "$a")]).unwrap();
        let rest = "\"z\" uses the \"$b\" key while previously it used the \"$a\" key";
        assert_eq!(first.next([zone(32768, "$b")], []).unwrap_err(), format!("limit_req {rest}"));
        assert_eq!(first.next([], [zone(32768, "$b")]).unwrap_err(), format!("limit_conn_zone {rest}"));
    }
}
