//! `rtmp_control`: `/LOCATION/SECTION/METHOD?srv=&app=&name=&clientid=&addr=`.
//!
//! `drop` and `record` are served; the other sections answer 404 until they exist.

use std::borrow::Cow;

use bstr::ByteSlice;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::{Body, Exchange, full, plain};
use crate::media::session::{Reason, Role, Session};
use crate::media::variables::query_argument;
use crate::module::control::conf::ControlParts;
use crate::module::control::log;
use crate::module::record::recordings::RecordControl;

/// Why a request without `srv=` fails.
const NO_SERVER: &str = "srv= is missing: it names the serverid of the rtmp server that is meant";

/// Whom a request means.
struct SessionSelection<'a> {
    serverid: ArgumentValue<'a>,
    app: ArgumentValue<'a>,
    name: ArgumentValue<'a>,
    clientid: ArgumentValue<'a>,
    addr: ArgumentValue<'a>,
    role: Option<Role>,
}

/// Carries out a control request.
pub(super) fn answer(exchange: &Exchange<'_>, parts: ControlParts) -> Response<Body> {
    let mut words = exchange.path.rsplit_str("/");
    let (method, section) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if section == b"record" && parts.contains(ControlParts::RECORD) {
        return record(exchange, method);
    }
    if section != b"drop" || !parts.contains(ControlParts::DROP) {
        return plain(StatusCode::NOT_FOUND);
    }
    let query = exchange.query();
    let selection = SessionSelection {
        serverid: ArgumentValue::of(query, b"srv"),
        app: ArgumentValue::of(query, b"app"),
        name: ArgumentValue::of(query, b"name"),
        clientid: ArgumentValue::of(query, b"clientid"),
        addr: ArgumentValue::of(query, b"addr"),
        role: match method {
            b"publisher" => Some(Role::Publisher),
            b"subscriber" => Some(Role::Player),
            b"client" => None,
            _ => return failed(exchange, "drop knows publisher, subscriber and client"),
        },
    };
    if selection.serverid.is_empty() {
        return failed(exchange, NO_SERVER);
    }
    let sessions = exchange.connection.service.sessions.snapshot();
    let chosen: Vec<_> = sessions.iter().filter(|session| selection.has(session)).collect();
    for session in &chosen {
        session.close(Reason::ControlDrop);
    }
    log::dropped(chosen.len(), query);
    // As recorded: the number alone, without a type.
    Response::new(full(Bytes::from(chosen.len().to_string())))
}

/// `record/start` and `record/stop`: `rec=` names a recorder, without it the application's own is meant.
fn record(exchange: &Exchange<'_>, method: &[u8]) -> Response<Body> {
    let query = exchange.query();
    let on = match method {
        b"start" => true,
        b"stop" => false,
        _ => return failed(exchange, "record knows start and stop"),
    };
    let serverid = ArgumentValue::of(query, b"srv");
    if serverid.is_empty() {
        return failed(exchange, NO_SERVER);
    }
    let (app, name) = (ArgumentValue::of(query, b"app"), ArgumentValue::of(query, b"name"));
    let command = RecordControl { recorder: decoded(query_argument(query, b"rec")).into_owned().into(), on };
    let recordings = &exchange.connection.service.recordings;
    let count = recordings
        .command(&command, |key| serverid.is(&key.serverid) && app.fits(&key.app) && name.fits(&key.name));
    if count == 0 {
        // As recorded, also where nobody publishes.
        return failed(exchange, "no stream that is published has such a recorder");
    }
    Response::new(full(Bytes::from_static(b"ok\n")))
}

/// As recorded, a request that cannot be carried out is an error of the server. The reason is ours.
fn failed(exchange: &Exchange<'_>, why: &'static str) -> Response<Body> {
    log::failed(why, exchange.path, exchange.query());
    let mut response = Response::new(full(Bytes::from(format!("{why}\n"))));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// The value of an argument. It means what it spells and what it decodes to: scripts written for PingOS, which decodes
/// nothing, send names as they are.
struct ArgumentValue<'a> {
    raw: &'a [u8],
    decoded: Cow<'a, [u8]>,
}

impl<'a> ArgumentValue<'a> {
    fn of(query: &'a [u8], name: &[u8]) -> ArgumentValue<'a> {
        let raw = query_argument(query, name);
        ArgumentValue { raw, decoded: decoded(raw) }
    }

    fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    fn is(&self, value: &[u8]) -> bool {
        value == self.raw || value == &self.decoded[..]
    }

    /// As [`ArgumentValue::is`]; without the argument every value fits.
    fn fits(&self, value: &[u8]) -> bool {
        self.is_empty() || self.is(value)
    }
}

fn decoded(value: &[u8]) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode(value).into()
}

impl SessionSelection<'_> {
    fn has(&self, session: &Session) -> bool {
        self.serverid.is(&session.key.serverid)
            && self.app.fits(&session.key.app)
            && self.name.fits(&session.key.name)
            && self.clientid.fits(session.id.to_string().as_bytes())
            && self.addr.fits(session.peer.addr.as_bytes())
            && self.role.is_none_or(|role| role == session.role)
    }
}
