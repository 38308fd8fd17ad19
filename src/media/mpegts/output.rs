//! What a publisher's application makes of its stream.

use std::sync::Arc;

use super::{Feed, FeedSettings};
use crate::hub::stream::Stream;
use crate::media::view::AppView;
use crate::module::hls;
use crate::module::hls2::Fragments;
use crate::module::live_record::task;
use crate::server::context::Context;

/// A publisher's hold on what is made of its stream as MPEG-TS. Dropped with the publisher, after it has left
/// the stream.
pub struct Outputs {
    feed: Option<Arc<Feed>>,
    _fragments: Option<Arc<Fragments>>,
}

impl Outputs {
    /// Gets the feed ready, if the application wants one. To be called before the publisher takes the stream, so
    /// that its settings are in force when it does.
    pub fn prepare(context: &Context, view: &AppView, stream: &Arc<Stream>) -> Self {
        let application = view.held();
        let (mpegts, hls, hls2) = (&application.mpegts, &application.hls, &application.hls2);
        if crate::media::millis(mpegts.cache_time) == 0
            && !hls.hls
            && !hls2.hls2
            && !task::is_configured(view)
        {
            return Outputs { feed: None, _fragments: None };
        }
        let settings = FeedSettings::of(view);
        let feed = context.feeds.hold(&context.registry, stream, settings);
        feed.configure(settings);
        let fragments = hls2.hls2.then(|| {
            let fragments = feed.fragments(hls2.settings());
            fragments.configure(hls2.settings());
            fragments
        });
        Outputs { feed: Some(feed), _fragments: fragments }
    }

    /// The publisher has taken the stream: writes its files.
    pub fn begin(&self, context: &Arc<Context>, view: &AppView, stream: &Arc<Stream>) {
        if let Some(feed) = self.feed.as_ref().filter(|_| view.held().hls.hls) {
            hls::record(context, view, stream, feed.clone());
        }
    }
}
