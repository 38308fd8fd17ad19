//! Servers to pull streams from, as the map has them.

use bstr::BString;
use tokio::sync::watch;

use super::app_conf::Current;
use super::claims::Cluster;
use super::entry::preferred;
use crate::hub::stream_key::StreamKey;
use crate::media::extension::{Origins, StreamOrigin};
use crate::media::view::AppView;

impl Origins for Cluster {
    /// Only the server that has claimed the name is one, never a server that pulls the stream itself.
    fn origin(&self, view: &AppView, key: &StreamKey) -> Option<StreamOrigin> {
        if !view.current().get::<Current>().pull {
            return None;
        }
        let conf = self.link.lock().conf.clone()?;
        let map = self.map.read();
        let known = map.streams.get(key).filter(|known| known.entry.node != conf.node.0)?;
        let zone = conf.zone.as_ref().map(|zone| zone.0.as_str());
        let addresses = preferred(&known.entry.advertise, zone);
        let addresses: Vec<BString> = addresses.into_iter().map(BString::from).collect();
        let epoch = known.epoch.unsigned_abs();
        (!addresses.is_empty()).then_some(StreamOrigin { addresses, epoch })
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
