//! `index`: the file that answers for a directory.

use std::io;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;
use http::{Method, StatusCode};
use nix::libc;

use super::conf::Current;
use super::log;
use crate::http::core::conf::Current as Core;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};

/// Redirects from a directory to its index file.
pub struct IndexCheck;

impl PhaseCheck for IndexCheck {
    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let is_document = matches!(*exchange.method(), Method::GET | Method::HEAD | Method::POST);
        if !is_document || !exchange.path.ends_with(b"/") {
            return Check::Now(Decision::Next);
        }
        Check::Later(Box::pin(find(exchange)))
    }
}

/// The first index file that exists.
async fn find(exchange: &Exchange<'_>) -> Decision {
    let Some(directory) = exchange.file_of(&exchange.path) else { return exchange.no_file() };
    let names = &exchange.location.get::<Current>().index;
    let mut is_tested = false;
    for template in names.iter().flat_map(|line| &line.0) {
        let name = &exchange.expand(template)[..];
        let query = exchange.args();
        if name.starts_with(b"/") {
            return Decision::Redirect { path: name.into(), query };
        }
        // What would leave the directory is not there.
        let path = join(&directory, name);
        let tested = match &path {
            Some(path) => exchange.test(path).await,
            None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        };
        let Err(error) = tested else {
            // As in nginx, a directory of this name is taken for an index, too.
            return Decision::Redirect { path: [&exchange.path[..], name].concat().into(), query };
        };
        let path = path.unwrap_or_else(|| directory.clone());
        if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::EMLINK)) {
            return Decision::page(StatusCode::FORBIDDEN);
        }
        if matches!(error.raw_os_error(), Some(libc::ENOTDIR | libc::ENAMETOOLONG | libc::EACCES)) {
            return failed(exchange, &path, &error);
        }
        if !is_tested {
            match exchange.test(&directory).await {
                Ok(file) if file.is_dir => {}
                Ok(_) => return Decision::page(StatusCode::INTERNAL_SERVER_ERROR),
                Err(error) => match error.raw_os_error() {
                    Some(libc::ELOOP | libc::EMLINK) => return Decision::page(StatusCode::FORBIDDEN),
                    Some(libc::ENOENT) => return failed(exchange, &path, &error),
                    // The index file was searched for in it, so it may be searched.
                    Some(libc::EACCES) => {}
                    _ => return exchange.open_failed(&directory, &error),
                },
            }
            is_tested = true;
        }
        if error.raw_os_error() != Some(libc::ENOENT) {
            return exchange.open_failed(&path, &error);
        }
    }
    Decision::Next
}

/// Path of an index file; `None` for a name that would leave the directory, which a client may have given in a variable.
fn join(directory: &Path, name: &[u8]) -> Option<PathBuf> {
    if name.split(|byte| *byte == b'/').any(|part| part == b"..") {
        return None;
    }
    let whole = [directory.as_os_str().as_encoded_bytes(), name].concat();
    Some(whole.to_path().ok()?.to_path_buf())
}

/// The page for an index whose path cannot be opened.
fn failed(exchange: &Exchange<'_>, path: &Path, error: &io::Error) -> Decision {
    let is_forbidden = error.raw_os_error() == Some(libc::EACCES);
    if is_forbidden || exchange.location.get::<Core>().log_not_found {
        log::index_failed(exchange, path, error, if is_forbidden { "forbidden" } else { "not found" });
    }
    Decision::page(if is_forbidden { StatusCode::FORBIDDEN } else { StatusCode::NOT_FOUND })
}
