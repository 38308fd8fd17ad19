//! State shared by a feed and its packaging task: settings and taps.

use std::sync::Weak;

use parking_lot::Mutex;

use super::conf::Conf;
use crate::hub::gop::CacheSettings;
use crate::media;
use crate::media::millis;
use crate::media::view::AppView;
use crate::wire::mpegts::{PackagerSettings, TsFrame};

/// Receiver of the pieces as they are made. The packaging task calls it, so it must not block.
///
/// `epoch` counts publishers, as in [`Phase`](crate::hub::stream::StreamPhase).
pub trait PieceObserver: Send + Sync {
    /// Receives the next piece.
    fn frame(&self, epoch: u64, frame: &TsFrame);
    /// The publisher has left; all of its pieces were passed before.
    fn end(&self, epoch: u64);
}

/// Packaging and cache settings of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedSettings {
    /// Packaging.
    pub packager: PackagerSettings,
    /// Cache for new players.
    pub cache: CacheSettings,
}

impl FeedSettings {
    /// Settings of an application.
    pub fn of(view: &AppView) -> Self {
        let application = view.held();
        let mpegts = application.get::<Conf>();
        let hevc = application.get::<media::conf::Conf>().hevc_codec_id();
        FeedSettings {
            packager: mpegts.packager(hevc),
            cache: CacheSettings {
                cache_time: millis(mpegts.kept()),
                out_queue: usize::try_from(mpegts.out_queue.0).unwrap_or(usize::MAX),
            },
        }
    }
}

/// Data shared by a feed and its packaging task.
pub(super) struct Shared {
    pub(super) settings: Mutex<FeedSettings>,
    pub(super) taps: Mutex<Vec<Weak<dyn PieceObserver>>>,
}

impl Shared {
    pub(super) fn settings(&self) -> FeedSettings {
        *self.settings.lock()
    }

    /// Calls `call` with every tap that is still alive.
    pub(super) fn for_taps(&self, call: impl Fn(&dyn PieceObserver)) {
        self.taps.lock().retain(|tap| {
            let tap = tap.upgrade();
            if let Some(tap) = &tap {
                call(&**tap);
            }
            tap.is_some()
        });
    }
}
