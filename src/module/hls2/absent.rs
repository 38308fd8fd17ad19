//! Viewers that have got nothing yet, because their stream is not published: a client must not hold many of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::limits;

/// Their number by address.
#[derive(Clone, Debug, Default)]
pub(super) struct AbsentViewers(Arc<Mutex<HashMap<Option<IpAddr>, usize>>>);

/// One of them; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct AbsentPlace {
    all: AbsentViewers,
    addr: Option<IpAddr>,
}

impl AbsentViewers {
    /// A place for a viewer at this address; `None` if it has [`limits::HLS2_ABSENT_VIEWERS`] already.
    pub(super) fn enter(&self, addr: Option<IpAddr>) -> Option<AbsentPlace> {
        let mut counts = self.0.lock();
        let count = counts.entry(addr).or_default();
        if *count >= limits::HLS2_ABSENT_VIEWERS {
            return None;
        }
        *count += 1;
        Some(AbsentPlace { all: self.clone(), addr })
    }
}

impl Drop for AbsentPlace {
    fn drop(&mut self) {
        let mut counts = self.all.0.lock();
        if let Some(count) = counts.get_mut(&self.addr) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.addr);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gives_them_back() {
        let (all, addr) = (AbsentViewers::default(), "192.0.2.1".parse().ok());
        let mut places: Vec<_> =
            (0..limits::HLS2_ABSENT_VIEWERS).map(|_| all.enter(addr).expect("a place")).collect();
        assert!(all.enter(addr).is_none());
        assert!(all.enter("192.0.2.2".parse().ok()).is_some() && all.enter(None).is_some());
        places.pop();
        places.push(all.enter(addr).expect("the place that became free"));
        assert!(all.enter(addr).is_none());
        drop(places);
        assert!(all.0.lock().is_empty());
    }
}
