//! Responses and their bodies.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

use bstr::BString;
use bytes::Bytes;
use http::StatusCode;

use super::date;
use super::headers::Headers;
use super::player::HttpPlayer;
use super::rest_of_body::RestOfBody;
use super::tunnel::Tunnel;

/// A response before it is sent.
///
/// The fields that nginx keeps apart from the list of headers are fields here, because filters read and change them.
#[derive(Debug)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Whether nginx's page for the status is sent instead of the body, unless `error_page` names another.
    pub is_page: bool,
    /// `Content-Type` without charset.
    pub content_type: Option<BString>,
    /// Charset that is added to the content type.
    pub charset: Option<BString>,
    /// `Location`; a path becomes an absolute URL.
    pub location: Option<BString>,
    /// Seconds since 1970 of the last modification.
    pub last_modified: Option<i64>,
    /// That of an `add_header` line, which is among the headers.
    pub added_modified: Option<i64>,
    /// Other headers.
    pub headers: Headers,
    /// Headers after the body; sent only with chunks.
    pub trailers: Headers,
    /// Whether ranges of the body may be requested.
    pub has_ranges: bool,
    /// Whether only one range of it may be.
    pub has_single_range: bool,
    /// Whether the length of a body that is not sent is left out (304 after a precondition).
    pub hides_length: bool,
    /// Whether trailers are expected, so that the body is sent in chunks.
    pub expects_trailers: bool,
    /// Whether the body of the request is discarded before the page, as before other responses: a malformed one is then told.
    pub discards_body: bool,
    /// Whether preconditions such as `If-Modified-Since` do not apply.
    pub ignores_preconditions: bool,
    /// Whether the body depends on `Accept-Encoding` (`gzip_vary`).
    pub varies: bool,
    /// The body.
    pub body: Body,
    /// `Content-Encoding` of the handler; `add_header` adds one that filters do not see, as in nginx.
    pub encoding: Option<BString>,
    /// Whether `Expires` was set by `expires` or by another server, so that `gzip_proxied` looks at it.
    pub has_expiry: bool,
    /// Whether the connection is closed after the response.
    pub closes: bool,
    /// Parts that are sent as another server has sent them.
    pub foreign: Option<Box<Foreign>>,
}

/// Parts of another server's response besides its headers.
#[derive(Debug, Default)]
pub struct Foreign {
    /// Status and reason.
    pub status_line: Bytes,
    /// Whether there was no head (HTTP/0.9): the client gets none either.
    pub is_bare: bool,
    /// `Content-Type` as it was received, and what it was taken apart into: it is sent as long as filters do not change that.
    pub content_type: Option<(BString, BString, Option<BString>)>,
    /// `Last-Modified`, which is among the other headers as well.
    pub modified: Option<Bytes>,
    /// Whether its `Server` replaces ours.
    pub has_server: bool,
    /// Whether its `Date` replaces ours.
    pub has_date: bool,
    /// Charset into which the body is to be recoded.
    pub wanted_charset: Option<BString>,
    /// Whether the body is no longer wanted once the client has left.
    pub needs_client: bool,
    /// Whether the body is passed on as it comes: as in nginx, `limit_rate` does not hold for it.
    pub is_unbuffered: bool,
    /// Rest of the request's body, which is passed on while the response is sent.
    pub rest: Option<RestOfBody>,
    /// Owner of the connection after the head.
    pub tunnel: Option<Box<dyn Tunnel>>,
}

/// Why a body cannot be completed, if it is not the client's fault.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct BrokenBody {
    /// The line for the log.
    pub text: String,
    /// What was done then; `None` for what is done for the request.
    pub doing: Option<&'static str>,
    /// Whether the client gets what came before.
    pub is_sent: bool,
    /// Whether `$request_completion` says that the response was complete.
    pub counts_as_complete: bool,
}

impl BrokenBody {
    /// The body that an error is about, if it is about one.
    pub fn of(error: &io::Error) -> Option<&BrokenBody> {
        error.get_ref().and_then(|cause| cause.downcast_ref::<BrokenBody>())
    }

    /// Whether an error is that a body has ended early, and the client gets what came before.
    pub fn is_passed_on(error: &io::Error) -> bool {
        BrokenBody::of(error).is_some_and(|broken| broken.is_sent)
    }
}

impl From<BrokenBody> for io::Error {
    fn from(broken: BrokenBody) -> io::Error {
        io::Error::other(broken)
    }
}

/// A body.
pub enum Body {
    /// Pieces that exist already.
    Pieces(Pieces),
    /// Pieces that are produced while they are sent.
    Source(Box<dyn BodySource>),
    /// Media, sent by the worker's delivery loop once the head is sent.
    Live(Box<HttpPlayer>),
}

/// Piece of a body.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes in memory.
    Memory(Bytes),
    /// Part of a file.
    File(FilePart),
}

/// Pieces of a body in their order. Most bodies have one, for which no memory is allocated.
#[derive(Clone, Debug, Default)]
pub enum Pieces {
    /// The body is empty.
    #[default]
    None,
    /// The only one.
    One(Piece),
    /// Several, the last one first.
    Several(Vec<Piece>),
}

impl Pieces {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Piece> {
        let reversed = match self {
            Pieces::None => &[],
            Pieces::One(piece) => std::slice::from_ref(piece),
            Pieces::Several(pieces) => pieces,
        };
        reversed.iter().rev()
    }

    /// Takes the first one.
    fn pop_front(&mut self) -> Option<Piece> {
        match self {
            Pieces::Several(pieces) => pieces.pop(),
            _ => match std::mem::take(self) {
                Pieces::One(piece) => Some(piece),
                _ => None,
            },
        }
    }
}

impl FromIterator<Piece> for Pieces {
    fn from_iter<I: IntoIterator<Item = Piece>>(pieces: I) -> Self {
        let mut pieces: Vec<Piece> = pieces.into_iter().collect();
        match pieces.len() {
            0 | 1 => pieces.pop().map_or(Pieces::None, Pieces::One),
            _ => {
                pieces.reverse();
                Pieces::Several(pieces)
            }
        }
    }
}

/// Part of a file.
#[derive(Clone, Debug)]
pub struct FilePart {
    /// The open file.
    pub file: Arc<File>,
    /// Offset of the first byte.
    pub start: u64,
    /// Length in bytes.
    pub length: u64,
}

/// Produces a body while it is sent.
pub trait BodySource: Send + Sync {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// The body cannot be completed; the connection is then closed.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>>;

    /// Length of the whole body in bytes, if it is known.
    fn length(&self) -> Option<u64>;

    /// Whether the body is also produced to its end where its client has left.
    fn outlasts_client(&self) -> bool {
        false
    }

    /// Whether filters may not hold back for later what they could send of the pieces so far.
    fn is_flushed(&self) -> bool {
        false
    }

    /// Whether the body is kept in a file while it is produced: a later request may be answered with it.
    fn is_kept(&self) -> bool {
        false
    }

    /// Tells that the response is refused: no later request may be answered with it.
    fn keep_nothing(&mut self) {}

    /// Tells that only a part of the whole is needed. Returns the offset from which the body is produced then.
    fn cut(&mut self, part: &Range<u64>) -> u64 {
        let _ = part;
        0
    }
}

/// Texts around the body of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surrounding {
    /// URI of a subrequest whose response is put there.
    pub uri: BString,
    /// Whether it is put before the body.
    pub is_before: bool,
}

impl Response {
    /// A response with this status and body.
    pub fn new(status: StatusCode, body: impl Into<Body>) -> Self {
        Response {
            status,
            is_page: false,
            content_type: None,
            charset: None,
            location: None,
            last_modified: None,
            added_modified: None,
            headers: Headers::default(),
            trailers: Headers::default(),
            has_ranges: false,
            has_single_range: false,
            hides_length: false,
            expects_trailers: false,
            discards_body: false,
            ignores_preconditions: false,
            varies: false,
            body: body.into(),
            encoding: None,
            has_expiry: false,
            closes: false,
            foreign: None,
        }
    }

    /// Seconds since 1970 of the last modification, also of another server's response.
    pub fn modified(&self) -> Option<i64> {
        self.added_modified
            .or(self.last_modified)
            .or_else(|| date::seconds(self.foreign.as_ref()?.modified.as_ref()?))
    }

    /// Drops the date of the last modification.
    pub fn forget_modified(&mut self) {
        self.forget_date();
        self.headers.remove(b"Last-Modified");
    }

    /// Drops the date, but not the header that has it.
    pub(super) fn forget_date(&mut self) {
        (self.last_modified, self.added_modified) = (None, None);
        if let Some(foreign) = self.foreign.as_mut() {
            foreign.modified = None;
        }
    }

    /// The page of a status: nginx's, or the one that `error_page` names.
    pub fn page(status: StatusCode) -> Self {
        Response { is_page: true, ..Response::new(status, Bytes::new()) }
    }

    /// Response 200 with this type and body.
    pub fn ok(content_type: &str, body: impl Into<Body>) -> Self {
        Response { content_type: Some(content_type.into()), ..Response::new(StatusCode::OK, body) }
    }

    /// As [`Response::body_changes`], where the bytes are others altogether: no ranges of a backend are passed on.
    pub fn body_is_converted(&mut self) {
        self.body_changes();
        self.headers.remove(b"Accept-Ranges");
    }

    /// A redirect with this status.
    pub fn redirect(status: StatusCode, location: impl Into<BString>) -> Self {
        Response { location: Some(location.into()), ..Response::page(status) }
    }

    /// Drops what a change of the body makes wrong: ranges and the strength of its tag.
    pub fn body_changes(&mut self) {
        self.has_ranges = false;
        match self.headers.get(b"ETag") {
            None => {}
            Some(tag) if tag.starts_with(b"W/") => {}
            Some(tag) if tag.starts_with(b"\"") => {
                let weak = [&b"W/"[..], tag].concat();
                self.headers.set("ETag", weak);
            }
            // As in nginx, what is no tag is removed.
            Some(_) => self.headers.remove(b"ETag"),
        }
    }
}

impl Body {
    /// Length in bytes, if it is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::Pieces(pieces) => Some(pieces.iter().map(Piece::length).sum()),
            Body::Source(source) => source.length(),
            Body::Live(_) => None,
        }
    }

    /// The only piece of a body that has at most this many bytes: none of an empty body.
    pub(super) fn small(&self, most: u64) -> Option<Option<&Piece>> {
        match self {
            Body::Pieces(Pieces::None) => Some(None),
            Body::Pieces(Pieces::One(piece)) => (piece.length() <= most).then_some(Some(piece)),
            _ => None,
        }
    }

    /// Whether the body is also produced to its end where its client has left.
    pub fn outlasts_client(&self) -> bool {
        matches!(self, Body::Source(source) if source.outlasts_client())
    }

    /// Whether the body is kept in a file while it is produced.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Body::Source(source) if source.is_kept())
    }

    /// Ends that the body is kept in a file, because the response is refused.
    pub fn keep_nothing(&mut self) {
        if let Body::Source(source) = self {
            source.keep_nothing();
        }
    }

    /// Whether filters may not hold back for later what they could send of the pieces so far.
    pub fn is_flushed(&self) -> bool {
        matches!(self, Body::Source(source) if source.is_flushed())
    }

    /// Waits for the end of a body that is kept, where nothing of it is sent.
    pub async fn finish_keeping(mut self) {
        if self.is_kept() {
            while let Some(Ok(_)) = poll_fn(|cx| self.poll_piece(cx)).await {}
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// As for [`BodySource::poll_piece`].
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        match self {
            Body::Pieces(pieces) => Poll::Ready(pieces.pop_front().map(Ok)),
            Body::Source(source) => source.poll_piece(cx),
            Body::Live(_) => Poll::Ready(None),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Pieces(pieces) => write!(f, "Pieces({pieces:?})"),
            Body::Source(source) => write!(f, "Source({:?})", source.length()),
            Body::Live(_) => f.write_str("Live"),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::Pieces(Pieces::default())
    }
}

impl<B: Into<Bytes>> From<B> for Body {
    fn from(bytes: B) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Body::default() } else { Piece::Memory(bytes).into() }
    }
}

impl From<Piece> for Body {
    fn from(piece: Piece) -> Self {
        Body::Pieces(Pieces::One(piece))
    }
}

impl Piece {
    /// Length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Piece::Memory(bytes) => bytes.len() as u64,
            Piece::File(part) => part.length,
        }
    }

    /// Cuts off what exceeds a length.
    pub fn truncate(&mut self, length: u64) {
        match self {
            Piece::Memory(bytes) => bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX)),
            Piece::File(part) => part.length = part.length.min(length),
        }
    }
}
