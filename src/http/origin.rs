//! Which stream a request asks for, and what callbacks are told of who asks.

use bstr::{BString, ByteSlice};
use bytes::Bytes;
use http::header::{HeaderName, REFERER};

use super::exchange::{Exchange, host_of};
use crate::directive::ListenAddr;
use crate::hub::registry::StreamKey;
use crate::media::log;
use crate::media::session::{Identity, Protocol, Role, Session, SessionMoments, mark};
use crate::media::trail::{self, Claim};
use crate::media::trail_proof::{self, ProofPurpose};
use crate::media::variables::query_argument;
use crate::media::view::AppView;

/// What the original tells callbacks of an HTTP player: every audio codec of RTMP 1.0 §7.2.1.1 ...
const AUDIO_CODECS: u32 = 3575;
/// ... and every video codec.
const VIDEO_CODECS: u32 = 252;

/// The last element of a path and what stands before it.
pub struct PathParts<'a> {
    before: &'a [u8],
    /// The last element.
    pub last: &'a [u8],
}

/// A stream that is asked for, and its application.
pub struct RequestedStream {
    /// The application.
    pub view: AppView,
    host: Bytes,
    app: Bytes,
    name: Bytes,
}

/// What a location tells callbacks in place of what the request says.
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
    /// `None`: the path ends with the location's, so there is no name.
    pub fn of(exchange: &Exchange<'a>) -> Option<Self> {
        let path = exchange.path;
        let (before, last) = path.rsplit_once_str("/")?;
        let bare = |path: &'a [u8]| path.trim_end_with(|c| c == '/');
        let is_location = exchange
            .location
            .name
            .prefix()
            .is_some_and(|prefix| bare(path) == prefix.trim_end_with(|c| c == '/'));
        (!last.is_empty() && !is_location).then_some(PathParts { before, last })
    }
}

impl RequestedStream {
    /// `?app=` wins over `app=` of the location, that over the path before the name. `None`: there is no such
    /// application.
    pub fn choose(
        exchange: &Exchange<'_>,
        addr: &ListenAddr,
        app: Option<&BString>,
        place: &PathParts<'_>,
        name: &[u8],
    ) -> Option<Self> {
        let asked = query_argument(exchange.query(), b"app");
        let app = match (app, asked) {
            (_, asked) if !asked.is_empty() => asked,
            (Some(app), _) => app.as_slice(),
            (None, _) => place.before.trim_start_with(|c| c == '/'),
        };
        let (app, host) = (Bytes::copy_from_slice(app), host_of(exchange.request));
        let connection = exchange.connection;
        let Some(view) = AppView::choose(&exchange.service().store, addr, &host, &app) else {
            log::unknown_application(connection.id, &app, &host);
            return None;
        };
        Some(RequestedStream { view, host, app, name: Bytes::copy_from_slice(name) })
    }

    /// The stream.
    pub fn key(&self) -> StreamKey {
        StreamKey::new(self.view.serverid(), self.app.clone(), self.name.clone())
    }

    /// A player's session.
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
        let target = exchange.request.uri().path_and_query().map_or("", |target| target.as_str());
        let asked = ProofPurpose { verb: "GET", app: b"", name: target.as_bytes() };
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
        let peer = connection.peer.clone();
        Session::new(id, peer, protocol, Role::Player, identity, connection.started, moments)
    }
}
