//! Stream and session of a live request.

use bstr::{BString, ByteSlice};
use bytes::Bytes;
use http::header::{HeaderName, REFERER};

use super::exchange::Exchange;
use crate::directive::ListenAddr;
use crate::hub::registry::StreamKey;
use crate::media::log;
use crate::media::session::{Identity, Protocol, Role, Session, SessionMoments, mark};
use crate::media::trail::{self, Claim};
use crate::media::trail_proof::{self, ProofPurpose};
use crate::media::variables::query_argument;
use crate::media::view::AppView;

/// PingOS's values in callbacks about HTTP players: every audio codec of RTMP 1.0 §7.2.1.1 ...
const AUDIO_CODECS: u32 = 3575;
/// ... and every video codec.
const VIDEO_CODECS: u32 = 252;

/// A path split into its last element and the rest.
pub struct PathParts<'a> {
    before: &'a [u8],
    /// The last element.
    pub last: &'a [u8],
}

/// A requested stream with its application.
pub struct RequestedStream {
    /// The application.
    pub view: AppView,
    host: Bytes,
    app: Bytes,
    name: Bytes,
}

/// Values for callbacks that a location sets instead of the request's own.
#[derive(Default)]
pub struct IdentityOverrides<'a> {
    /// `flashver`.
    pub flash_ver: Option<&'a BString>,
    /// `swfurl`.
    pub swf_url: Option<&'a BString>,
    /// `tcurl`.
    pub tc_url: Option<&'a BString>,
    /// `pageurl`.
    pub page_url: Option<&'a BString>,
}

impl<'a> PathParts<'a> {
    /// Splits the path after the location; `None` if it ends with the location, so that there is no name.
    pub fn of(exchange: &'a Exchange<'_>) -> Option<Self> {
        let path: &[u8] = &exchange.path;
        Self::split(exchange, path)
    }

    /// The parts of the path before the last element; `None` if there is no name in it.
    pub fn above(&self, exchange: &Exchange<'_>) -> Option<Self> {
        Self::split(exchange, self.before)
    }

    fn split(exchange: &Exchange<'_>, path: &'a [u8]) -> Option<Self> {
        let (before, last) = path.rsplit_once_str("/")?;
        let bare = |path: &[u8]| path.trim_end_with(|c| c == '/').to_owned();
        let is_location =
            exchange.location.name.prefix().is_some_and(|prefix| bare(path) == bare(prefix.as_slice()));
        (!last.is_empty() && !is_location).then_some(PathParts { before, last })
    }
}

impl RequestedStream {
    /// Selects the application: `?app=`, otherwise `app=` of the location, otherwise the path before the name. `None`
    /// if there is no such application.
    pub fn choose(
        exchange: &Exchange<'_>,
        addr: &ListenAddr,
        app: Option<&BString>,
        place: &PathParts<'_>,
        name: &[u8],
    ) -> Option<Self> {
        let chosen = Self::find(exchange, addr, app, place, name);
        if chosen.is_none() {
            let app = Self::app(exchange, app, place);
            log::unknown_application(exchange.connection.id, app, &exchange.request.host());
        }
        chosen
    }

    /// As [`RequestedStream::choose`], without a log line where there is no such application.
    pub fn find(
        exchange: &Exchange<'_>,
        addr: &ListenAddr,
        app: Option<&BString>,
        place: &PathParts<'_>,
        name: &[u8],
    ) -> Option<Self> {
        let app = Bytes::copy_from_slice(Self::app(exchange, app, place));
        let host = exchange.request.host();
        let view = AppView::choose(&exchange.service().store, addr, &host, &app)?;
        Some(RequestedStream { view, host, app, name: Bytes::copy_from_slice(name) })
    }

    fn app<'a>(exchange: &'a Exchange<'_>, app: Option<&'a BString>, place: &PathParts<'a>) -> &'a [u8] {
        let asked = query_argument(exchange.query(), b"app");
        match (app, asked) {
            (_, asked) if !asked.is_empty() => asked,
            (Some(app), _) => app.as_slice(),
            (None, _) => place.before.trim_start_with(|c| c == '/'),
        }
    }

    /// Key of the stream.
    pub fn key(&self) -> StreamKey {
        StreamKey::new(self.view.serverid(), self.app.clone(), self.name.clone())
    }

    /// Session of a player.
    pub fn session(
        &self,
        exchange: &Exchange<'_>,
        id: u64,
        protocol: Protocol,
        overrides: &IdentityOverrides<'_>,
    ) -> Session {
        let connection = exchange.connection;
        let query = exchange.query();
        let pick = |own: Option<&BString>, else_: &[u8]| {
            Bytes::copy_from_slice(own.map_or(else_, |own| own.as_slice()))
        };
        let tc_url = [connection.scheme.as_bytes(), b"://", &self.host[..], b"/", &self.app[..]].concat();
        let header_value = |name| exchange.header(HeaderName::from_static(name));
        let claim = Claim::new(header_value(trail::HEADER), header_value(trail_proof::HEADER), b"");
        let target = exchange.request.target();
        let asked = ProofPurpose { verb: "GET", app: b"", name: target };
        let identity = Identity {
            domain: self.host.clone(),
            app: self.app.clone(),
            name: self.name.clone(),
            args: Bytes::new(),
            pargs: Bytes::copy_from_slice(query),
            tc_url: pick(overrides.tc_url, &tc_url),
            page_url: pick(overrides.page_url, exchange.header(REFERER)),
            swf_url: pick(overrides.swf_url, b""),
            flash_ver: pick(overrides.flash_ver, query_argument(query, b"flashver")),
            audio_codecs: AUDIO_CODECS,
            video_codecs: VIDEO_CODECS,
            serverid: self.view.serverid(),
            scheme: connection.scheme,
            trail: exchange.service().trails.judge(connection.id, &claim, asked),
        };
        let moments = SessionMoments::default();
        mark(&moments.ptime);
        let peer = exchange.peer().clone();
        Session::new(id, peer, protocol, Role::Player, identity, connection.started, moments)
    }
}
