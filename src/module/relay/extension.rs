//! Relays as a source of streams that have players, and as an observer of publishers.

use std::sync::Arc;

use bytes::Bytes;

use super::lines::Pushes;
use super::pull::PullUse;
use super::relays::Relays;
use crate::hub::stream_key::StreamKey;
use crate::media::extension::{Demand, OnStream, PublishObserver, SessionObserver, Source};
use crate::media::view::AppView;

impl Source for Relays {
    fn brings(&self, view: &AppView, key: &StreamKey) -> bool {
        self.bring(view, key)
    }

    fn demand(self: Arc<Self>, player: OnStream<'_>) -> Box<dyn Demand> {
        Box::new(PullUse::enter(&self, player))
    }

    fn way(&self, stream: u64) -> Bytes {
        self.pulls.way(stream)
    }
}

impl SessionObserver for Relays {
    fn publishing(self: Arc<Self>, publisher: OnStream<'_>) -> Option<Box<dyn PublishObserver>> {
        Some(Box::new(Pushes::start(&self, publisher)))
    }
}
