//! `flv_live`: streams as endless FLV files.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::conf::{Current, FlvLive};
use crate::http::exchange::Exchange;
use crate::http::exchange::{Handler, Methods, ResponseFuture};
use crate::http::live::{self, LiveLocation};
use crate::http::live_format::{LiveFormat, RelayMessages, Sending};
use crate::http::routes::Location;
use crate::hub::packet::Container;
use crate::media::admission::{Admission, AdmittedSession};
use crate::media::gop;
use crate::media::past::Pasts;
use crate::media::player_settings::player_settings;
use crate::media::relay_messages;
use crate::media::session::{Protocol, Session};
use crate::media::view::AppView;
use crate::wire::{MediaKind, flv};

/// Handler of `flv_live`.
pub struct FlvHandler {
    /// Admits players.
    pub admission: Arc<Admission>,
    /// What is recorded of streams.
    pub pasts: Arc<dyn Pasts>,
}

impl Handler for FlvHandler {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("flv_live")
    }

    fn methods(&self) -> Methods {
        Methods::Stream
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        let FlvLive { addr, app, audio, video } = exchange.chosen_by::<Current>().flv_live.0.as_ref()?;
        let format = Arc::new(Flv { audio: *audio, video: *video });
        let live = LiveLocation { addr, app: app.as_ref(), format, pasts: &*self.pasts };
        Some(Box::pin(live::answer(exchange, live, &self.admission)))
    }
}

/// FLV; the file header announces audio and video as far as these are set.
struct Flv {
    audio: bool,
    video: bool,
}

impl LiveFormat for Flv {
    fn suffix(&self) -> &'static str {
        ".flv"
    }

    fn content_type(&self) -> &'static str {
        "video/x-flv"
    }

    fn protocol(&self) -> Protocol {
        Protocol::HttpFlv
    }

    fn sending(&self, view: &AppView, entered: &AdmittedSession, chunked: bool) -> Sending {
        let container = if chunked { Container::FlvChunked } else { Container::Flv };
        let settings = player_settings(view, container, 0, &entered.session().identity.pargs);
        Sending { settings, feed: None }
    }

    fn past(&self, view: &AppView, pargs: &[u8]) -> Option<u64> {
        view.held().get::<gop::conf::Conf>().past(pargs)
    }

    /// The file of a relay contains the path of the media.
    fn lead(&self, entered: &AdmittedSession) -> Bytes {
        let mut file = BytesMut::new();
        let (audio, video) = entered.stream().info().tracks();
        flv::write_header(&mut file, self.audio && audio, self.video && video);
        if let Some(way) = entered.way() {
            file.extend_from_slice(&self.way(entered, &way.borrow()));
        }
        file.freeze()
    }

    fn relay_messages(&self, session: &Session) -> Option<&dyn RelayMessages> {
        session.identity.trail.claims_relay().then_some(self)
    }
}

/// Messages are FLV data tags.
impl RelayMessages for Flv {
    fn way(&self, entered: &AdmittedSession, way: &[u8]) -> Bytes {
        let told = entered.admission().trails().way(way, &entered.session().key);
        data_tag(&relay_messages::way(&told))
    }

    fn idle(&self) -> Bytes {
        data_tag(&relay_messages::idle())
    }
}

fn data_tag(payload: &[u8]) -> Bytes {
    let mut tag = BytesMut::new();
    flv::write_tag(&mut tag, MediaKind::Data, 0, payload);
    tag.freeze()
}
