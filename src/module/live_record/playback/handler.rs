//! `vod_live`: recordings as HLS and FLV.

use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bstr::ByteSlice;
use http::StatusCode;

use super::super::RecordingDirectory;
use super::super::conf::Current as RecordConf;
use super::catalogue::{RecordingIndex, find, open_file};
use super::conf::Current;
use super::entry::{RecordedFile, RecordedPart};
use super::flv::{FlvBody, FlvPlan};
use super::log;
use super::playlist::{PlaylistState, media_playlist};
use super::range::{TimeRange, TimeRequest};
use super::reader::RecordedRange;
use crate::http::cors;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Handler, Methods, ResponseFuture};
use crate::http::origin::{IdentityOverrides, PathParts, RequestedStream};
use crate::http::relation::RtmpApp;
use crate::http::response::{Body, FilePart, Piece, Response};
use crate::http::routes::Location;
use crate::media::admission::{Admission, AdmissionRefusal, AdmittedSession};
use crate::media::session::{Protocol, Reason};
use crate::media::variables::query_argument;
use crate::task::clock::unix_ms;
use crate::task::disk::{self, DiskWork};

/// Handler of `vod_live`.
pub struct VodHandler {
    /// Admits players.
    pub admission: Arc<Admission>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VodFormat {
    Playlist,
    Segment,
    Flv,
}

const FORMATS: [(&[u8], VodFormat, &str); 3] = [
    (b".m3u8", VodFormat::Playlist, "application/vnd.apple.mpegurl"),
    (b".ts", VodFormat::Segment, "video/mp2t"),
    (b".flv", VodFormat::Flv, "video/x-flv"),
];

impl Handler for VodHandler {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("vod_live")
    }

    fn methods(&self) -> Methods {
        Methods::Stream
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        let live = exchange.chosen_by::<Current>().vod_live.0.as_ref()?;
        Some(Box::pin(self.respond(exchange, live)))
    }
}

impl VodHandler {
    async fn respond(&self, exchange: &Exchange<'_>, live: &RtmpApp) -> Response {
        let Some(place) = PathParts::of(exchange) else { return Response::page(StatusCode::BAD_REQUEST) };
        let mut formats = FORMATS.iter();
        let chosen = formats.find_map(|(suffix, format, content_type)| {
            Some((place.last.strip_suffix(*suffix)?, *format, *content_type))
        });
        let Some((name, format, content_type)) = chosen else { return Response::page(StatusCode::NOT_FOUND) };
        let query = exchange.query();
        let range = match (format, TimeRequest::parse(query)) {
            _ if name.is_empty() => return Response::page(StatusCode::BAD_REQUEST),
            (VodFormat::Segment, _) => TimeRange { from_ms: 0, to_ms: None },
            (_, None) => return Response::page(StatusCode::BAD_REQUEST),
            (VodFormat::Playlist, Some(TimeRequest::RollBack(ago))) => return at_fixed_time(exchange, ago),
            (_, Some(TimeRequest::RollBack(ago))) => {
                TimeRange { from_ms: unix_ms().saturating_sub(ago), to_ms: None }
            }
            (_, Some(TimeRequest::Range(range))) => range,
        };
        let Some(origin) = RequestedStream::choose(exchange, &live.addr, live.app.as_ref(), &place, name)
        else {
            return Response::page(StatusCode::NOT_FOUND);
        };
        let protocol = if format == VodFormat::Flv { Protocol::HttpFlv } else { Protocol::Hls2 };
        let overrides = IdentityOverrides::default();
        let session = Arc::new(origin.session(exchange, exchange.session_id(), protocol, &overrides));
        log::requested(&session);
        if self.admission.refuses(&session) {
            return Response::page(StatusCode::FORBIDDEN);
        }
        let mut entered = AdmittedSession::enter(&self.admission, &origin.view, &session);
        if let Err(AdmissionRefusal(reason)) = entered.permit().await {
            session.set_reason(reason);
            return Response::page(match reason {
                Reason::OverLimit => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::FORBIDDEN,
            });
        }
        session.set_reason(Reason::NormalClose);
        let key = &session.key;
        let Some(directory) = RecordingDirectory::new(&key.serverid, &key.app, &key.name) else {
            return Response::page(StatusCode::NOT_FOUND);
        };
        let conf: Arc<RecordConf> = origin.view.current().share();
        let root = std::path::absolute(&conf.path.0).unwrap_or_else(|_| conf.path.0.clone());
        if format == VodFormat::Segment {
            let Some(file) = RecordedFile::parse(query_argument(query, b"file")) else {
                return Response::page(StatusCode::BAD_REQUEST);
            };
            return segment(exchange, &directory, &root, &file, content_type).await;
        }
        let (place, at) = (directory.clone(), root.clone());
        let work = disk::spawn(DiskWork::Served, move || find(&place, &at, range));
        let RecordingIndex { parts, is_cut } = match work.await.map_err(std::io::Error::other) {
            Ok(Ok(found)) => found,
            Ok(Err(error)) | Err(error) => {
                log::unreadable(&session, &error);
                session.set_reason(Reason::InternalErr);
                return Response::page(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        if is_cut {
            log::cut(&session);
        }
        let publishing = entered.stream().phase().publishing;
        // What is being recorded gets into the index with its part.
        let grows = publishing && !is_cut && grows(range, parts.last(), conf.max_fragment.0);
        if parts.is_empty() && !(grows && format == VodFormat::Flv) {
            return Response::page(StatusCode::NOT_FOUND);
        }
        let body: Body = if format == VodFormat::Flv {
            let stream = entered.stream().clone();
            let recorded = RecordedRange { place: directory, root, range };
            let plan = FlvPlan { recorded, parts, follows: grows, stream, session };
            Body::Source(Box::new(FlvBody::start(plan, entered)))
        } else {
            let state = if grows { PlaylistState::Growing } else { PlaylistState::Complete };
            let (name, more) = (segment_name(name), other_arguments(query));
            media_playlist(&parts, state, |part| format!("{name}.ts?file={}{more}", part.file)).into()
        };
        let mut response = Response::ok(content_type, body);
        response.headers.append("Cache-Control", "no-cache");
        cors::add(exchange, &mut response.headers);
        response
    }
}

/// Whether parts of the range may be recorded yet, while the stream is published.
fn grows(range: TimeRange, last: Option<&RecordedPart>, max_fragment_ms: u64) -> bool {
    let Some(to_ms) = range.to_ms else { return true };
    let is_reached = last.is_some_and(|last| last.until_ms() >= to_ms);
    !is_reached && unix_ms() < to_ms.saturating_add(max_fragment_ms).saturating_add(WRITE_SLACK_MS)
}

/// Redirects `roll_back=` of a playlist to the time that it means now: a playlist keeps its beginning.
fn at_fixed_time(exchange: &Exchange<'_>, ago: u64) -> Response {
    let target = exchange.request.target();
    let path = &target[..target.find_byte(b'?').unwrap_or(target.len())];
    let from = unix_ms().saturating_sub(ago);
    let more = other_arguments(exchange.query());
    let at = format!("?from={}.{:03}{more}", from / 1000, from % 1000);
    let mut response = Response::redirect(StatusCode::FOUND, [path, at.as_bytes()].concat());
    cors::add(exchange, &mut response.headers);
    response
}

/// A recorded file, of which a player requests ranges.
async fn segment(
    exchange: &Exchange<'_>,
    place: &RecordingDirectory,
    root: &Path,
    file: &RecordedFile,
    content_type: &str,
) -> Response {
    let path = place.pair_of(root, &file.day, file.unix).file;
    let opened = disk::spawn(DiskWork::Served, move || {
        let file = open_file(&path)?;
        let metadata = file.metadata()?;
        Ok::<_, std::io::Error>((file, metadata.len(), metadata.modified()?))
    });
    let Ok(Ok((file, length, modified))) = opened.await else { return Response::page(StatusCode::NOT_FOUND) };
    let piece = Piece::File(FilePart { file: Arc::new(file), start: 0, length });
    let mut response = Response::ok(content_type, piece);
    response.has_ranges = true;
    response.last_modified =
        modified.duration_since(UNIX_EPOCH).ok().and_then(|time| i64::try_from(time.as_secs()).ok());
    cors::add(exchange, &mut response.headers);
    response
}

/// The stream name as the first part of a relative URI.
fn segment_name(name: &[u8]) -> String {
    let mut uri = String::new();
    crate::wire::hls::push_path_segment(name, &mut uri);
    uri
}

/// The arguments of a query that say nothing about the range, each after an ampersand.
fn other_arguments(query: &[u8]) -> String {
    let is_own = |argument: &[u8]| {
        let name = argument.split_once_str("=").map_or(argument, |(name, _)| name);
        OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) || argument.is_empty()
    };
    let mut out = String::new();
    for argument in query.split_str("&").filter(|argument| !is_own(argument)) {
        out.push('&');
        for &byte in argument {
            if byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte) {
                out.push(byte.into());
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

/// Arguments of this module.
const OWN: [&[u8]; 4] = [b"from", b"to", b"roll_back", b"file"];
/// Time after the end of a part until it is in the index.
const WRITE_SLACK_MS: u64 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_arguments_are_passed_on_and_end_no_line() {
        assert_eq!(other_arguments(b"from=1&token=a%20b&to=2&&file=x&x"), "&token=a%20b&x");
        assert_eq!(other_arguments(b"a=\r\n\"\xFF #EXT"), "&a=%0D%0A%22%FF%20%23EXT");
        assert_eq!(other_arguments(b"from=1"), "");
    }
}
