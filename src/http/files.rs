//! Files of locations: the path that `root` or `alias` gives, and nginx's static handler.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bstr::{BString, ByteSlice};
use http::{Method, StatusCode};
use nix::libc;

use super::conf::Files;
use super::directory::Directory;
use super::exchange::{Decision, Exchange};
use super::file_cache::CacheUse;
use super::log;
pub use super::open_file::OpenFile;
use super::response::{Body, FilePart, Piece, Response};
use super::uri::{Escape, escape};
use crate::net::links::{self, Access, LinkPolicy, Links};
use crate::task::disk::{self, DiskWork};

impl OpenFile {
    /// The whole file as a body.
    pub fn body(&self) -> Body {
        self.part(0, self.size).map_or_else(Body::default, Body::from)
    }

    /// A part of the file; `None` of a directory.
    pub fn part(&self, start: u64, length: u64) -> Option<Piece> {
        let file = self.file.clone()?;
        Some(Piece::File(FilePart { file, start, length }))
    }
}

/// Opens a file; on another thread if the disk has to be waited for.
async fn open(path: &Path, policy: LinkPolicy, access: Access) -> io::Result<OpenFile> {
    if let Some(opened) = links::open_present(path, policy, access) {
        return opened.and_then(OpenFile::of);
    }
    let path = path.to_owned();
    let opened =
        disk::spawn(DiskWork::Served, move || links::open(&path, policy, access).and_then(OpenFile::of));
    opened.await.map_err(io::Error::other)?
}

impl Exchange<'_> {
    /// Opens a file of the location for reading, as `disable_symlinks` and `open_file_cache` say.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub async fn open(&self, path: &Path) -> io::Result<OpenFile> {
        self.opened(path, Access::Read).await
    }

    /// Finds out what a path leads to, as `disable_symlinks` and `open_file_cache` say. It need not be readable, and
    /// cannot be read. As in nginx, a cache knows only of what can be opened for reading.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub async fn test(&self, path: &Path) -> io::Result<OpenFile> {
        self.opened(path, Access::Test).await
    }

    async fn opened(&self, path: &Path, access: Access) -> io::Result<OpenFile> {
        let policy = self.link_policy(path);
        let core = self.core();
        let Some(cache) = &core.open_file_cache.0 else { return open(path, policy, access).await };
        let how = CacheUse {
            valid: Duration::from_secs(core.open_file_cache_valid.0),
            min_uses: core.open_file_cache_min_uses,
            errors: core.open_file_cache_errors,
        };
        if let Some(known) = cache.find(path, policy, how) {
            return known;
        }
        let opened = open(path, policy, Access::Read).await;
        cache.keep(path, policy, &opened, how);
        opened
    }

    /// Policy for symbolic links in a path (`disable_symlinks`).
    pub fn link_policy(&self, path: &Path) -> LinkPolicy {
        let rule = &self.core().disable_symlinks;
        let untrusted = LinkPolicy { links: rule.links, trusted: 0 };
        let Some(from) = rule.from.as_ref().filter(|_| rule.links != Links::Followed) else {
            return untrusted;
        };
        trusting(untrusted, path.as_os_str().as_encoded_bytes(), &self.expand(from))
    }

    /// The system call that lines about a path name, instead of the usual one: nginx opens directory by directory where links are not
    /// followed.
    pub fn call_for(&self, path: &Path, usual: &'static str) -> &'static str {
        if self.link_policy(path).links == Links::Followed { usual } else { "openat" }
    }

    /// File of a path in this location: `root` with the path, or `alias` in place of the location's prefix. `None` if
    /// the path would leave the directory, and with `alias` where `rewrite … break` has replaced the prefix; what that means for
    /// a request says [`Exchange::no_file`].
    pub fn file_of(&self, path: &[u8]) -> Option<PathBuf> {
        let (base, rest) = match self.location.get::<Files>() {
            Files::Alias { .. } if self.is_alias_misplaced() => return None,
            Files::Root(directory) => (self.directory(directory), path),
            Files::Alias { target, replaces } => {
                let rest = match replaces {
                    Some(length) => path.get(*length..)?,
                    None if self.alias_takes_path => path,
                    None => b"",
                };
                (self.directory(target), rest)
            }
        };
        below(&base, rest)
    }

    /// Whether the path does not have the prefix any more that `alias` replaces.
    pub fn is_alias_misplaced(&self) -> bool {
        !self.has_location_name && matches!(self.location.get::<Files>(), Files::Alias { .. })
    }

    /// The page where [`Exchange::file_of`] has no file; the reason is logged.
    pub fn no_file(&self) -> Decision {
        if self.is_alias_misplaced() {
            log::alias_after_rewrite(self);
            return Decision::page(StatusCode::INTERNAL_SERVER_ERROR);
        }
        log::leaves_directory(self);
        Decision::page(StatusCode::NOT_FOUND)
    }

    /// File that `try_files` means by a name, and the path of the request if it exists: below `root`, or below `alias`
    /// without the location's prefix.
    pub fn tried_file(&self, name: &[u8]) -> Option<(PathBuf, BString)> {
        Some(match self.location.get::<Files>() {
            Files::Root(directory) => (below(&self.directory(directory), name)?, name.into()),
            Files::Alias { target, replaces } => {
                let prefix = replaces.and_then(|length| self.path.get(..length)).unwrap_or_default();
                let rest = name.strip_prefix(prefix).unwrap_or(name);
                (below(&self.directory(target), rest)?, [prefix, rest].concat().into())
            }
        })
    }

    /// Value of `root` or `alias` (`$document_root`).
    pub fn document_root(&self) -> PathBuf {
        match self.location.get::<Files>() {
            Files::Root(directory) | Files::Alias { target: directory, .. } => self.directory(directory),
        }
    }

    /// Whether the location has an `alias` and no prefix that it replaces.
    pub fn has_alias_of_regex(&self) -> bool {
        matches!(self.location.get::<Files>(), Files::Alias { replaces: None, .. })
    }

    /// Number of bytes of a path that `alias` replaces; `None` with `root`.
    pub fn alias_length(&self) -> Option<usize> {
        match self.location.get::<Files>() {
            Files::Root(_) => None,
            Files::Alias { replaces, .. } => Some(replaces.unwrap_or(self.path.len())),
        }
    }

    fn directory(&self, directory: &Directory) -> PathBuf {
        match directory {
            Directory::Fixed(path) => path.clone(),
            Directory::Variable(template, prefix) => {
                let text = self.expand(template);
                prefix.join(text.to_path_lossy())
            }
        }
    }

    /// Decision about a request for a part of a file (`flv`, `mp4`) before the file is looked for; `None` if it is to be
    /// opened.
    pub fn part_request(&self) -> Option<Decision> {
        if !matches!(*self.method(), Method::GET | Method::HEAD) {
            return Some(Decision::page(StatusCode::METHOD_NOT_ALLOWED));
        }
        self.path.ends_with(b"/").then_some(Decision::Next)
    }

    /// The regular file that is requested, with its path.
    ///
    /// # Errors
    ///
    /// The decision where there is none: a page, or the next check for what is no regular file.
    pub async fn requested_file(&mut self) -> Result<(PathBuf, OpenFile), Decision> {
        // As in nginx, a client that waits to send a body is asked for it even if there is no such file.
        if !self.discard_body().await {
            return Err(Decision::page(StatusCode::BAD_REQUEST));
        }
        let path = self.file_of(&self.path).ok_or_else(|| self.no_file())?;
        match self.open(&path).await {
            Ok(file) if file.is_file => Ok((path, file)),
            Ok(_) => Err(Decision::Next),
            Err(error) => Err(self.open_failed(&path, &error)),
        }
    }

    /// A response with an open file: its length, time, tag and type.
    pub fn file_response(&self, file: &OpenFile) -> Response {
        let mut response = Response::new(StatusCode::OK, file.body());
        response.last_modified = Some(file.modified);
        response.content_type = Some(self.type_of_path());
        response.has_ranges = true;
        if self.conf().etag {
            response.headers.append("ETag", file.etag());
        }
        response
    }

    /// Gives a response with a part of a file the tag of its length, as nginx does.
    pub fn tag_part(&self, response: &mut Response, file: &OpenFile) {
        if self.conf().etag
            && let Some(length) = response.body.length()
        {
            response.headers.set("ETag", file.etag_of(length));
        }
    }

    /// A permanent redirect to a path, with the query string of the request.
    pub(super) fn moved_to(&self, path: &[u8]) -> Response {
        let mut location = escape(path, Escape::Path);
        if !self.query.is_empty() {
            location.push(b'?');
            location.extend_from_slice(&self.query);
        }
        Response::redirect(StatusCode::MOVED_PERMANENTLY, location)
    }

    /// The page for a file that could not be opened; the error is logged as in nginx.
    pub fn open_failed(&self, path: &Path, error: &io::Error) -> Decision {
        let status = match error.raw_os_error() {
            _ if is_missing(error) => StatusCode::NOT_FOUND,
            Some(libc::EACCES | libc::EMLINK | libc::ELOOP) => StatusCode::FORBIDDEN,
            // A NUL in the path.
            None if error.kind() == io::ErrorKind::InvalidInput => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status != StatusCode::NOT_FOUND || self.core().log_not_found {
            log::open_failed(self, path, error);
        }
        Decision::page(status)
    }
}

/// Whether an error says that a path leads to nothing.
pub fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG))
}

/// Trusts the beginning of a path, if it is one: links in it are followed.
fn trusting(policy: LinkPolicy, path: &[u8], beginning: &[u8]) -> LinkPolicy {
    let Some(rest) = path.strip_prefix(beginning).filter(|_| !beginning.is_empty()) else { return policy };
    let trusted = match (rest, beginning) {
        ([], _) => return LinkPolicy::default(),
        ([b'/', ..], _) => beginning.len(),
        (_, [.., b'/']) => beginning.len() - 1,
        _ => 0,
    };
    LinkPolicy { trusted, ..policy }
}

/// Joins path and base by concatenation, as nginx does: `alias /data` in `location /i` makes `/datax` of `/ix`.
///
/// For `/name../x` below `location /name` the rest is `../x`, which must not leave the base; nginx serves it.
fn below(base: &Path, rest: &[u8]) -> Option<PathBuf> {
    if rest.split(|b| *b == b'/').any(|part| part == b"..") {
        return None;
    }
    let whole = [base.as_os_str().as_encoded_bytes(), rest].concat();
    Some(whole.to_path().ok()?.to_path_buf())
}

/// Answers with a file, where no handler and no check of the content phase does.
pub(super) async fn content(exchange: &mut Exchange<'_>) -> Decision {
    if !matches!(*exchange.method(), Method::GET | Method::HEAD | Method::POST) {
        return Decision::page(StatusCode::METHOD_NOT_ALLOWED);
    }
    if exchange.path.ends_with(b"/") {
        return no_handler(exchange);
    }
    let Some(path) = exchange.file_of(&exchange.path) else { return exchange.no_file() };
    let file = match exchange.open(&path).await {
        Ok(file) => file,
        Err(error) => return exchange.open_failed(&path, &error),
    };
    if file.is_dir {
        let target = [&exchange.path[..], b"/"].concat();
        return Decision::Done(Box::new(exchange.moved_to(&target)));
    }
    if !file.is_file {
        return Decision::page(StatusCode::NOT_FOUND);
    }
    if *exchange.method() == Method::POST {
        return Decision::page(StatusCode::METHOD_NOT_ALLOWED);
    }
    exchange.doing = Some(log::SENDING);
    Decision::Done(Box::new(exchange.file_response(&file)))
}

/// Answers a path with a slash at its end, which no index has answered.
fn no_handler(exchange: &Exchange<'_>) -> Decision {
    if let Some(path) = exchange.file_of(&exchange.path) {
        log::index_forbidden(exchange, path.as_os_str().as_encoded_bytes());
        return Decision::page(StatusCode::FORBIDDEN);
    }
    exchange.no_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_trusted_up_to_a_slash() {
        let policy = LinkPolicy { links: Links::Refused, trusted: 0 };
        let trusted = |beginning: &str| trusting(policy, b"/srv/a/b", beginning.as_bytes());
        let up_to = |trusted| LinkPolicy { trusted, ..policy };
        for (beginning, want) in [
            ("/srv", up_to(4)),
            ("/srv/", up_to(4)),
            ("/sr", policy),
            ("", policy),
            ("/x", policy),
            ("/", policy),
        ] {
            assert_eq!(trusted(beginning), want, "{beginning}");
        }
        assert_eq!(trusted("/srv/a/b"), LinkPolicy::default());
    }

    #[test]
    fn what_is_left_of_a_location_cannot_climb_out() {
        let below = |base: &str, rest: &str| below(Path::new(base), rest.as_bytes());
        assert_eq!(below("/srv/files", "../secret"), None);
        assert_eq!(below("/srv/files", "/a/../../b"), None);
        assert_eq!(below("/srv/files", "/a..b"), Some("/srv/files/a..b".into()));
        assert_eq!(below("/data", "x"), Some("/datax".into()));
    }
}
