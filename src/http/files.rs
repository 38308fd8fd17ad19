//! Static files as in nginx: `root` and `alias`.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::UNIX_EPOCH;

use bstr::ByteSlice;
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue, LAST_MODIFIED, LOCATION, RANGE,
};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::conf::Files;
use super::exchange::Exchange;
use super::method::not_allowed;
use super::precondition::{self, RequestedPart};
use super::reply::{Body, full, plain};
use crate::task::disk::{self, DiskWork};

/// File that is served for a directory.
pub(super) const INDEX: &str = "index.html";

/// Marks a response with a directory's index file: the request is then processed again for that file.
#[derive(Clone, Copy)]
pub(super) struct IsIndex;

/// Size of the pieces of a response body in bytes.
const PIECE: usize = 64 * 1024;

/// Decodes `%XX`, merges slashes and resolves `.` and `..`. `None` if the path is invalid or leads above the root.
pub(super) fn normalize(path: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.iter();
    while let Some(&b) = rest.next() {
        if b != b'%' {
            decoded.push(b);
            continue;
        }
        let digit = |b: Option<&u8>| char::from(*b?).to_digit(16);
        let byte = digit(rest.next())? * 16 + digit(rest.next())?;
        decoded.push(u8::try_from(byte).ok().filter(|b| *b != 0)?);
    }
    if decoded.first() != Some(&b'/') {
        return None;
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut directory = true;
    for part in decoded.split(|b| *b == b'/').skip(1) {
        directory = matches!(part, b"" | b"." | b"..");
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let mut out = vec![b'/'];
    out.extend_from_slice(&parts.join(&b'/'));
    if directory && out.len() > 1 {
        out.push(b'/');
    }
    Some(out)
}

/// Responds with a file.
pub(super) async fn answer(exchange: &Exchange<'_>, place: &Files) -> Response<Body> {
    if *place == Files::Unserved {
        return plain(StatusCode::SERVICE_UNAVAILABLE);
    }
    // As in nginx, other methods are refused even for missing files, but POST only for existing ones.
    if !matches!(*exchange.request.method(), Method::GET | Method::HEAD | Method::POST) {
        return not_allowed();
    }
    let Some(path) = locate(exchange, place) else { return plain(StatusCode::NOT_FOUND) };
    let directory = exchange.path.ends_with(b"/");
    let target = if directory { path.join(INDEX) } else { path };
    let looked = disk::spawn(DiskWork::Served, {
        let target = target.clone();
        move || look(&target, directory)
    });
    match looked.await {
        Ok(Ok((_, metadata))) if metadata.is_dir() => to_directory(exchange),
        Ok(Ok((file, metadata))) => {
            let mut response = match *exchange.request.method() {
                Method::POST => not_allowed(),
                _ => send(exchange, &target, file, &metadata),
            };
            if directory {
                response.extensions_mut().insert(IsIndex);
            }
            response
        }
        Ok(Err(status)) => plain(status),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Opens a file, on a blocking thread. `directory` tells that it is the index of one.
fn look(target: &Path, directory: bool) -> Result<(File, Metadata), StatusCode> {
    let opened = disk::open(OpenOptions::new().read(true), target, false);
    let found = opened.and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    found.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        // As in nginx, a directory without index is forbidden, unless the directory does not exist.
        io::ErrorKind::NotFound if directory && target.parent().is_some_and(Path::is_dir) => {
            StatusCode::FORBIDDEN
        }
        _ => StatusCode::NOT_FOUND,
    })
}

fn locate(exchange: &Exchange<'_>, place: &Files) -> Option<PathBuf> {
    let (base, rest) = match place {
        Files::Root(root) => (root, exchange.path),
        Files::Alias { target, replaces: Some(len) } => (target, exchange.path.get(*len..)?),
        Files::Alias { target, replaces: None } => (target, &b""[..]),
        Files::Unserved => return None,
    };
    below(base, rest)
}

/// Joins path and base by concatenation, as nginx does: `alias /data` in `location /i` makes `/datax` of `/ix`.
///
/// For `/name../x` below `location /name` the rest is `../x`, which must not leave the base.
fn below(base: &Path, rest: &[u8]) -> Option<PathBuf> {
    if rest.split(|b| *b == b'/').any(|part| part == b"..") {
        return None;
    }
    let whole = [base.as_os_str().as_encoded_bytes(), rest].concat();
    Some(whole.to_path().ok()?.to_path_buf())
}

fn to_directory(exchange: &Exchange<'_>) -> Response<Body> {
    let mut response = plain(StatusCode::MOVED_PERMANENTLY);
    let path = exchange.request.uri().path().as_bytes();
    if let Ok(value) = HeaderValue::from_bytes(&exchange.absolute(&[path, b"/"].concat())) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

fn send(exchange: &Exchange<'_>, path: &Path, file: File, metadata: &Metadata) -> Response<Body> {
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    let seconds = modified.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let etag = format!("\"{seconds:x}-{:x}\"", metadata.len());
    let date = httpdate::fmt_http_date(modified);
    let tag = exchange.conf().etag.then_some(etag.as_bytes());
    let wanted = precondition::judge(exchange.request.headers(), seconds, date.as_bytes(), tag);
    if wanted == RequestedPart::Nothing {
        return plain(StatusCode::PRECONDITION_FAILED);
    }
    let mut response = Response::new(full(Bytes::new()));
    let headers = response.headers_mut();
    let text = |text: String| HeaderValue::try_from(text).expect("made of visible ASCII");
    headers.insert(LAST_MODIFIED, text(date));
    if exchange.conf().etag {
        headers.insert(ETAG, text(etag));
    }
    if wanted == RequestedPart::Unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    exchange.set_type(headers, path.as_os_str().as_encoded_bytes());
    let size = metadata.len();
    let ranges = if wanted == RequestedPart::Whole { b"" } else { exchange.header(RANGE) };
    let (start, length) = match range(ranges, size) {
        RequestedFile::All => (0, size),
        RequestedFile::Part(start, length) => {
            headers.insert(CONTENT_RANGE, text(format!("bytes {start}-{}/{size}", start + length - 1)));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            (start, length)
        }
        RequestedFile::Nothing => {
            let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE);
            response.headers_mut().insert(CONTENT_RANGE, text(format!("bytes */{size}")));
            return response;
        }
    };
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    if !exchange.is_head() {
        *response.body_mut() =
            FileBody { file: Arc::new(file), at: start, left: length, reading: None }.boxed_unsync();
    }
    response
}

#[derive(Debug, PartialEq, Eq)]
enum RequestedFile {
    All,
    /// First byte and length.
    Part(u64, u64),
    Nothing,
}

/// Parses a range of bytes (RFC 9110 §14.1.2). Several ranges are answered with the whole file, as the RFC allows.
fn range(header: &[u8], size: u64) -> RequestedFile {
    let Some(spec) = header.strip_prefix(b"bytes=").and_then(|s| s.to_str().ok()) else {
        return RequestedFile::All;
    };
    let Some((first, last)) = spec.split_once('-') else { return RequestedFile::All };
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        return match last.parse::<u64>() {
            Ok(0) => RequestedFile::Nothing,
            Ok(n) if size > 0 => RequestedFile::Part(size - n.min(size), n.min(size)),
            _ => RequestedFile::All,
        };
    }
    let Ok(first) = first.parse::<u64>() else { return RequestedFile::All };
    if first >= size {
        return RequestedFile::Nothing;
    }
    let last = match last {
        "" => size - 1,
        last => match last.parse::<u64>() {
            Ok(last) if last >= first => last.min(size - 1),
            _ => return RequestedFile::All,
        },
    };
    RequestedFile::Part(first, last - first + 1)
}

/// Body with a file's bytes, read as the client accepts them.
struct FileBody {
    file: Arc<File>,
    /// Offset of the next piece.
    at: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let (file, at) = (self.file.clone(), self.at);
        let want = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        let reading =
            self.reading.get_or_insert_with(|| disk::spawn(DiskWork::Served, move || read(&file, at, want)));
        let done = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let piece = done.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        if piece.is_empty() {
            // The file is shorter than when it was opened, so the announced length cannot be kept.
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        self.at += piece.len() as u64;
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(piece)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn read(file: &File, at: u64, want: usize) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; want];
    let length = file.read_at(&mut piece, at)?;
    piece.truncate(length);
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_never_leave_the_root() {
        for (path, want) in [
            ("/", Some("/")),
            ("/a//b/./c", Some("/a/b/c")),
            ("/a/../b/", Some("/b/")),
            ("/a/b/..", Some("/a/")),
            ("/..", None),
            ("/a/../../b", None),
            ("/%2e%2e/x", None),
            ("/%2E%2E%2Fetc", None),
            ("/a%00b", None),
            ("/a%2", None),
            ("a", None),
            ("/%E7%9B%B4", Some("/\u{76f4}")),
        ] {
            assert_eq!(normalize(path.as_bytes()).as_deref(), want.map(str::as_bytes), "{path}");
        }
    }

    #[test]
    fn what_is_left_of_a_location_cannot_climb_out() {
        let below = |base: &str, rest: &str| below(Path::new(base), rest.as_bytes());
        assert_eq!(below("/srv/files", "../secret"), None);
        assert_eq!(below("/srv/files", "/a/../../b"), None);
        assert_eq!(below("/srv/files", "/a..b"), Some("/srv/files/a..b".into()));
        assert_eq!(below("/srv/html/", "/x"), Some("/srv/html//x".into()));
        assert_eq!(below("/data", "x"), Some("/datax".into()));
    }

    #[test]
    fn one_range_is_served_others_are_ignored() {
        assert_eq!(range(b"bytes=0-9", 100), RequestedFile::Part(0, 10));
        assert_eq!(range(b"bytes=90-", 100), RequestedFile::Part(90, 10));
        assert_eq!(range(b"bytes=-5", 100), RequestedFile::Part(95, 5));
        assert_eq!(range(b"bytes=50-500", 100), RequestedFile::Part(50, 50));
        assert_eq!(range(b"bytes=100-", 100), RequestedFile::Nothing);
        assert_eq!(range(b"bytes=-0", 100), RequestedFile::Nothing);
        for ignored in ["", "bytes=5-1", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2", "bytes=-"] {
            assert_eq!(range(ignored.as_bytes(), 100), RequestedFile::All, "{ignored}");
        }
        assert_eq!(range(b"bytes=-5", 0), RequestedFile::All);
    }
}
