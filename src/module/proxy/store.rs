//! `proxy_store`: responses that are written to files while they are sent.

use std::future::Future;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, UNIX_EPOCH};

use tokio::task::JoinHandle;

use super::log;
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::http::core::temp_path::TempPath;
use crate::http::exchange::Exchange;
use crate::http::response::{Body, BodySource, Piece};
use crate::http::temp_file::{Keeping, TempFile, TempFileError};
use crate::http::variable::Template;
use crate::log::os_text::os_text;
use crate::log::shown::Shown;
use crate::syntax::{Problem, sentence};
use crate::task::disk::{self, DiskWork};

/// Where responses are stored.
#[derive(Clone, Debug)]
pub enum Store {
    /// Nowhere.
    Off,
    /// In the file of the request.
    On,
    /// In this file.
    Path(Template),
}

/// Permissions of stored files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreAccess(pub u32);

impl Value for Store {
    fn syntax() -> String {
        "on | off | path".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Store, Problem> {
        super::cache::values::store_beside_cache(args, evaluation)?;
        match args.first() {
            word if word.is("off") => Ok(Store::Off),
            word if word.is("on") => Ok(Store::On),
            word => Template::compile(word, &word.bytes, evaluation).map(Store::Path),
        }
    }
}

impl Value for StoreAccess {
    const ARITY: Arity = Arity::between(1, 3);

    fn syntax() -> String {
        "users:permissions ...".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<StoreAccess, Problem> {
        let mut mode = 0o600;
        for word in args.words {
            let rest = [(&b"user:"[..], 6), (b"group:", 3), (b"all:", 0)]
                .into_iter()
                .find_map(|(users, shift)| Some((word.bytes.strip_prefix(users)?, shift)));
            let bits = rest.and_then(|(rights, shift)| match rights {
                b"r" => Some(0o4 << shift),
                b"w" => Some(0o2 << shift),
                b"rw" => Some(0o6 << shift),
                _ => None,
            });
            let Some(bits) = bits else {
                let text = sentence(&[b"invalid value \"", &word.bytes, b"\""]);
                return Err(Problem::new(text).at(word.span).help("written as user:rw group:rw all:r"));
            };
            mode |= bits;
        }
        Ok(StoreAccess(mode))
    }
}

/// The file in which a response is to be stored.
pub(super) fn file(exchange: &Exchange<'_>, store: &Store) -> Option<PathBuf> {
    match store {
        Store::Off => None,
        Store::On => exchange.file_of(&exchange.path),
        Store::Path(path) => {
            let path = exchange.expand(path);
            // As a file of a request, it must not lead upwards.
            let leads_up = path.split(|b| *b == b'/').any(|part| part == b"..");
            let is_path = path.starts_with(b"/") && !leads_up && !path.contains(&0);
            use std::os::unix::ffi::OsStrExt;
            is_path.then(|| Path::new(std::ffi::OsStr::from_bytes(&path)).to_owned())
        }
    }
}

type Writing = Pin<Box<dyn Future<Output = Result<TempFile, TempFileError>> + Send + Sync>>;

/// A body that is also written to a file.
struct StoredBody {
    body: Body,
    to: PathBuf,
    mode: u32,
    modified: Option<i64>,
    conn: u64,
    /// Gone where it could not be written.
    file: Option<TempFile>,
    writing: Option<Writing>,
    /// What is handed out once it is written.
    piece: Option<Piece>,
    naming: Option<JoinHandle<Result<(), TempFileError>>>,
}

/// Lets a response be stored while it is sent: in a temporary file first.
pub(super) fn store(
    conn: u64,
    (place, access): (&TempPath, Option<StoreAccess>),
    to: PathBuf,
    modified: Option<i64>,
    body: &mut Body,
) {
    let source = StoredBody {
        body: std::mem::take(body),
        to,
        mode: access.map_or(0o600, |access| access.0),
        modified,
        conn,
        file: None,
        writing: Some(create(place.clone())),
        piece: None,
        naming: None,
    };
    *body = Body::Source(Box::new(source));
}

fn create(place: TempPath) -> Writing {
    Box::pin(async move { TempFile::create(&place, Keeping::UntilEnd).await })
}

impl StoredBody {
    fn failed(&mut self, error: &TempFileError) {
        let text =
            format!("{}() \"{}\" failed ({})", error.call, Shown::path(&error.path), os_text(&error.source));
        log::not_stored(self.conn, &text);
        self.file = None;
    }
}

impl BodySource for StoredBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        loop {
            if let Some(writing) = &mut self.writing {
                let written = ready!(writing.as_mut().poll(cx));
                self.writing = None;
                match written {
                    Ok(file) => self.file = Some(file),
                    Err(error) => self.failed(&error),
                }
            }
            if let Some(piece) = self.piece.take() {
                return Poll::Ready(Some(Ok(piece)));
            }
            if let Some(naming) = &mut self.naming {
                let named = ready!(Pin::new(naming).poll(cx));
                self.naming = None;
                if let Ok(Err(error)) = named {
                    self.failed(&error);
                }
                return Poll::Ready(None);
            }
            match ready!(self.body.poll_piece(cx)) {
                Some(Ok(Piece::Memory(bytes))) => {
                    if let Some(file) = self.file.take() {
                        self.writing = Some(Box::pin(file.append(bytes.clone())));
                    }
                    self.piece = Some(Piece::Memory(bytes));
                }
                Some(other) => {
                    // What is not complete is not stored.
                    self.file = None;
                    return Poll::Ready(Some(other));
                }
                None => {
                    let Some(file) = self.file.take() else { return Poll::Ready(None) };
                    let (to, mode, modified) = (self.to.clone(), self.mode, self.modified);
                    self.naming =
                        Some(disk::spawn(DiskWork::Bodies, move || name(&file, &to, mode, modified)));
                }
            }
        }
    }

    fn length(&self) -> Option<u64> {
        self.body.length()
    }

    fn is_flushed(&self) -> bool {
        self.body.is_flushed()
    }

    fn outlasts_client(&self) -> bool {
        true
    }

    fn is_kept(&self) -> bool {
        true
    }
}

/// Gives a complete file its permissions, time and name.
fn name(file: &TempFile, to: &Path, mode: u32, modified: Option<i64>) -> Result<(), TempFileError> {
    let failed =
        |call: &'static str| move |source: io::Error| TempFileError { call, path: to.to_owned(), source };
    file.file().set_permissions(PermissionsExt::from_mode(mode)).map_err(failed("chmod"))?;
    if let Some(seconds) = modified.and_then(|seconds| u64::try_from(seconds).ok()) {
        file.file().set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).map_err(failed("utimes"))?;
    }
    if let Some(directory) = to.parent() {
        // As in nginx, a class of users that may read the file may enter its directories.
        let mode = 0o700 | (mode & 0o444) >> 2 | mode & 0o077;
        std::fs::DirBuilder::new().recursive(true).mode(mode).create(directory).map_err(failed("mkdir"))?;
    }
    match std::fs::rename(&file.path, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            // On another file system, the file appears at once, too.
            let beside = to.with_extension("new");
            std::fs::copy(&file.path, &beside).map_err(failed("open"))?;
            std::fs::rename(&beside, to).map_err(failed("rename"))
        }
        named => named.map_err(failed("rename")),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn stored(place: &Path, to: &Path, body: Body) -> StoredBody {
        let place = TempPath { directory: place.to_owned(), levels: Vec::new() };
        StoredBody {
            body,
            to: to.to_owned(),
            mode: 0o640,
            modified: Some(1000),
            conn: 0,
            file: None,
            writing: Some(create(place)),
            piece: None,
            naming: None,
        }
    }

    #[tokio::test]
    async fn a_complete_body_is_stored_with_time_and_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("a/b/file");
        let pieces = ["some ", "text"].map(|text| Piece::Memory(text.into()));
        let mut body = stored(&dir.path().join("temp"), &to, Body::Pieces(pieces.into_iter().collect()));
        let mut passed = 0;
        while let Some(piece) = poll_fn(|cx| body.poll_piece(cx)).await {
            assert!(!to.exists());
            passed += piece.unwrap().length();
        }
        assert_eq!((passed, std::fs::read(&to).unwrap()), (9, b"some text".to_vec()));
        let found = std::fs::metadata(&to).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o640);
        assert_eq!(found.modified().unwrap(), UNIX_EPOCH + Duration::from_secs(1000));
    }

    #[tokio::test]
    async fn a_body_passes_where_it_cannot_be_stored() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let body = Body::from(Piece::Memory("text".into()));
        let mut body = stored(&dir.path().join("file/none"), &dir.path().join("to"), body);
        assert_eq!(poll_fn(|cx| body.poll_piece(cx)).await.unwrap().unwrap().length(), 4);
        assert!(poll_fn(|cx| body.poll_piece(cx)).await.is_none());
        assert!(!dir.path().join("to").exists());
    }
}
