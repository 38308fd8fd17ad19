//! `rtmp_control`: `/LOCATION/SECTION/METHOD?srv=&app=&name=&clientid=&addr=`.
//!
//! `drop` and `record` are served; the other sections answer 404 until they exist.

use bstr::{BStr, ByteSlice};
use bytes::Bytes;
use http::{Response, StatusCode};

use super::{Body, Exchange, full, plain};
use crate::module::control::conf::ControlParts;
use crate::server::event;
use crate::server::record::Command;
use crate::server::session::{Reason, Role, Session};
use crate::server::variables::query_argument;

/// Whom a request means.
struct Selection<'a> {
    serverid: &'a [u8],
    app: &'a [u8],
    name: &'a [u8],
    clientid: &'a [u8],
    addr: &'a [u8],
    role: Option<Role>,
}

/// Carries out a control request.
pub(super) fn answer(exchange: &Exchange<'_>, parts: ControlParts) -> Response<Body> {
    let mut words = exchange.path.rsplit_str("/");
    let (method, section) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if section == b"record" && parts.has(ControlParts::RECORD) {
        return record(exchange, method);
    }
    if section != b"drop" || !parts.has(ControlParts::DROP) {
        return plain(StatusCode::NOT_FOUND);
    }
    let query = exchange.query();
    let selection = Selection {
        serverid: query_argument(query, b"srv"),
        app: query_argument(query, b"app"),
        name: query_argument(query, b"name"),
        clientid: query_argument(query, b"clientid"),
        addr: query_argument(query, b"addr"),
        role: match method {
            b"publisher" => Some(Role::Publisher),
            b"subscriber" => Some(Role::Player),
            b"client" => None,
            // As recorded: an unknown method and a missing server are errors of the server.
            _ => return plain(StatusCode::INTERNAL_SERVER_ERROR),
        },
    };
    if selection.serverid.is_empty() {
        return plain(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let sessions = exchange.connection.context.sessions.snapshot();
    let chosen: Vec<_> = sessions.iter().filter(|session| selection.has(session)).collect();
    for session in &chosen {
        session.close(Reason::ControlDrop);
    }
    event::control_dropped(chosen.len(), &BStr::new(query).to_string());
    // As recorded: the number alone, without a type.
    Response::new(full(Bytes::from(chosen.len().to_string())))
}

/// `record/start` and `record/stop`: `rec=` names a recorder, without it the application's own is meant.
fn record(exchange: &Exchange<'_>, method: &[u8]) -> Response<Body> {
    let query = exchange.query();
    let wanted = |name: &[u8], value: &[u8]| {
        let wanted = query_argument(query, name);
        wanted.is_empty() || wanted == value
    };
    let on = match method {
        b"start" => true,
        b"stop" => false,
        _ => return plain(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let serverid = query_argument(query, b"srv");
    let command = Command { recorder: query_argument(query, b"rec").into(), on };
    let recordings = &exchange.connection.context.recordings;
    let count = recordings.command(&command, |key| {
        serverid == &key.serverid[..] && wanted(b"app", &key.app) && wanted(b"name", &key.name)
    });
    if serverid.is_empty() || count == 0 {
        // As recorded, also where nobody publishes.
        return plain(StatusCode::INTERNAL_SERVER_ERROR);
    }
    Response::new(full(Bytes::from_static(b"ok\n")))
}

impl Selection<'_> {
    fn has(&self, session: &Session) -> bool {
        let fits = |wanted: &[u8], value: &[u8]| wanted.is_empty() || wanted == value;
        self.serverid == session.key.serverid
            && fits(self.app, &session.key.app)
            && fits(self.name, &session.key.name)
            && fits(self.clientid, session.id.to_string().as_bytes())
            && fits(self.addr, session.peer.addr.as_bytes())
            && self.role.is_none_or(|role| role == session.role)
    }
}
