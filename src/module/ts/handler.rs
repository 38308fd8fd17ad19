//! `ts_live`: streams as endless MPEG transport streams.

use std::sync::Arc;

use super::conf::Current;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Handler, Methods, ResponseFuture};
use crate::http::live::{self, LiveLocation};
use crate::http::live_format::{LiveFormat, Sending};
use crate::http::relation::RtmpApp;
use crate::http::routes::Location;
use crate::hub::packet::Container;
use crate::media::admission::{Admission, AdmittedSession};
use crate::media::mpegts::{self, FeedSettings, Feeds, player_settings};
use crate::media::past::Pasts;
use crate::media::session::Protocol;
use crate::media::view::AppView;

/// Handler of `ts_live`.
pub struct TsHandler {
    /// Admits players.
    pub admission: Arc<Admission>,
    /// MPEG-TS feeds.
    pub feeds: Arc<Feeds>,
    /// What is recorded of streams.
    pub pasts: Arc<dyn Pasts>,
}

impl Handler for TsHandler {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("ts_live")
    }

    fn methods(&self) -> Methods {
        Methods::Stream
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        let RtmpApp { addr, app } = exchange.chosen_by::<Current>().ts_live.0.as_ref()?;
        let format = Arc::new(Ts(self.feeds.clone()));
        let live = LiveLocation { addr, app: app.as_ref(), format, pasts: &*self.pasts };
        Some(Box::pin(live::answer(exchange, live, &self.admission)))
    }
}

/// MPEG-TS; needs no first bytes, because tables are repeated.
struct Ts(Arc<Feeds>);

impl LiveFormat for Ts {
    fn suffix(&self) -> &'static str {
        ".ts"
    }

    fn content_type(&self) -> &'static str {
        "video/mp2t"
    }

    fn protocol(&self) -> Protocol {
        Protocol::HttpTs
    }

    fn sending(&self, view: &AppView, entered: &AdmittedSession, chunked: bool) -> Sending {
        let container = if chunked { Container::RawChunked } else { Container::Raw };
        let feed = self.0.hold(entered.stream(), FeedSettings::of(view));
        let settings = player_settings(view, container, &entered.session().identity.pargs);
        Sending { settings, feed: Some(feed) }
    }

    fn past(&self, view: &AppView, pargs: &[u8]) -> Option<u64> {
        view.held().get::<mpegts::conf::Conf>().past(pargs)
    }
}
