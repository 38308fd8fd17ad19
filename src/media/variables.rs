//! Values of the variables in `args=`, evaluated for every request.
//!
//! PingOS computes a value once per session and repeats it, even for `$stage`, `$msec` or `$first_video`; here each
//! request has the current value.

use std::sync::atomic::{AtomicU64, Ordering};

use bstr::ByteSlice;
use bytes::Bytes;

use super::session::{Identity, Protocol, Role, Session};
use crate::notify::variable::{Variable, Variables};

impl Variables for Session {
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) {
        let session = self;
        let (identity, moments) = (&session.identity, &session.moments);
        match variable {
            Variable::Domain => out.extend_from_slice(&identity.domain),
            Variable::App => out.extend_from_slice(&identity.app),
            Variable::Name => out.extend_from_slice(&identity.name),
            Variable::Stream => {
                out.extend_from_slice(&session.key.serverid);
                out.push(b'/');
                out.extend_from_slice(&session.key.app);
                out.push(b'/');
                out.extend_from_slice(&session.key.name);
            }
            Variable::Pargs => out.extend_from_slice(&identity.pargs),
            Variable::Args => out.extend_from_slice(&identity.args),
            Variable::Flashver => out.extend_from_slice(&identity.flash_ver),
            Variable::SwfUrl => out.extend_from_slice(&identity.swf_url),
            Variable::TcUrl => out.extend_from_slice(&identity.tc_url),
            Variable::PageUrl => out.extend_from_slice(&identity.page_url),
            Variable::Acodecs => number(out, identity.audio_codecs),
            Variable::Vcodecs => number(out, identity.video_codecs),
            Variable::Scheme => out.extend_from_slice(identity.scheme.as_bytes()),
            Variable::Serverid => out.extend_from_slice(&identity.serverid),
            Variable::NotifyStatus => match session.notify_status.load(Ordering::Relaxed) {
                u64::MAX => out.extend_from_slice(b"-1"),
                status => number(out, status),
            },
            Variable::FinalizeReason => out.extend_from_slice(session.reason().name().as_bytes()),
            Variable::Stage => out.extend_from_slice(stage(session)),
            Variable::Init => number(out, session.init),
            Variable::HandshakeDone => moment(out, &moments.handshake_done),
            Variable::Connect => moment(out, &moments.connect),
            Variable::CreateStream => moment(out, &moments.create_stream),
            Variable::Ptime => moment(out, &moments.ptime),
            Variable::FirstData => moment(out, &moments.first_data),
            Variable::FirstMetadata => moment(out, &moments.first_metadata),
            Variable::FirstAudio => moment(out, &moments.first_audio),
            Variable::FirstVideo => moment(out, &moments.first_video),
            Variable::CloseStream => moment(out, &moments.close_stream),
            Variable::RemoteAddr => out.extend_from_slice(session.peer.addr.as_bytes()),
            Variable::RemotePort => number(out, session.peer.port),
            Variable::ServerAddr => out.extend_from_slice(session.peer.local_addr.as_bytes()),
            Variable::ServerPort => number(out, session.peer.local_port),
            Variable::Parg(name) => out.extend_from_slice(query_argument(&identity.pargs, name)),
            Variable::Metadata => session.stream_info().write_query(out),
            Variable::MetadataField(field) => session.stream_info().write_field(field, out),
            // Only sessions of relays have these, once their destination is known.
            Variable::RelayDomain => relay(session, out, |i| &i.domain),
            Variable::RelayApp => relay(session, out, |i| &i.app),
            Variable::RelayName => relay(session, out, |i| &i.name),
            Variable::RelayPargs => relay(session, out, |i| &i.pargs),
            Variable::RelayReferer => relay(session, out, |i| &i.page_url),
            Variable::RelayUserAgent => relay(session, out, |i| &i.flash_ver),
            Variable::RelaySwfUrl => relay(session, out, |i| &i.swf_url),
            // A relay sends no connect arguments and no codecs.
            Variable::RelayArgs | Variable::RelayAcodecs | Variable::RelayVcodecs => {}
            // Variables of a request and of the process.
            Variable::Groupid
            | Variable::NotifyId
            | Variable::NginxVersion
            | Variable::Pid
            | Variable::Msec
            | Variable::TimeIso8601
            | Variable::TimeLocal
            | Variable::NgxWorker => {}
        }
    }
}

fn number(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    out.extend_from_slice(value.to_string().as_bytes());
}

fn relay(session: &Session, out: &mut Vec<u8>, field: fn(&Identity) -> &Bytes) {
    if let Some(identity) = session.relayed_as.get() {
        out.extend_from_slice(field(identity));
    }
}

fn moment(out: &mut Vec<u8>, moment: &AtomicU64) {
    number(out, moment.load(Ordering::Relaxed));
}

/// `$stage`: progress of the session.
fn stage(session: &Session) -> &'static [u8] {
    let moments = &session.moments;
    let reached = |moment: &AtomicU64| moment.load(Ordering::Relaxed) > 0;
    if reached(&moments.close_stream) {
        return b"close_stream";
    }
    if reached(&moments.connect) && !reached(&moments.ptime) {
        return b"connect";
    }
    let media = reached(&moments.first_audio) || reached(&moments.first_video);
    if session.protocol == Protocol::Rtmp && session.role == Role::Publisher && media {
        return b"audio_video";
    }
    match session.role {
        Role::Publisher => b"publish",
        Role::Player => b"play",
    }
}

/// Value of a query argument, by case-insensitive name; the first one counts, undecoded.
pub fn query_argument<'a>(query: &'a [u8], name: &[u8]) -> &'a [u8] {
    find_query_argument(query, name).unwrap_or_default()
}

/// Like [`query_argument`]; `None` if the query string has no such argument.
pub fn find_query_argument<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut pairs = query.split_str("&").filter_map(|pair| pair.split_once_str("="));
    pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_found_in_any_case_and_not_decoded() {
        let query = b"a=1&Token=x%20y&token=z&flag&b=";
        assert_eq!(query_argument(query, b"token"), b"x%20y");
        assert_eq!(query_argument(query, b"flag"), b"");
        assert_eq!(query_argument(query, b"b"), b"");
        assert_eq!(query_argument(query, b"oken"), b"");
    }
}
