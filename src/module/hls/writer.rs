//! Performs the segmenter's actions on files, on blocking threads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::crypt::{BLOCK, Encryptor};
use super::{Encryption, SegmentFiles, SegmenterAction};
use crate::media::files::claims::FileClaim;
use crate::media::files::{WriteError, create, failed, remove, replace};
use crate::task::disk;

/// The files of one publish.
pub(super) struct HlsWriter {
    path: PathBuf,
    key_path: PathBuf,
    place: FileClaim,
    /// Current key with its number.
    key: Option<(u64, [u8; BLOCK])>,
    open: Option<OpenSegmentFile>,
    /// Whether the playlist on disk is complete, so that lines may be appended.
    whole: bool,
    /// First failure that was not taken yet.
    failure: Option<WriteError>,
}

struct OpenSegmentFile {
    path: PathBuf,
    file: File,
    encryptor: Option<Encryptor>,
}

impl HlsWriter {
    /// Writes files below `path`, keys below `key_path`.
    pub(super) fn new(path: PathBuf, key_path: PathBuf, place: FileClaim) -> Self {
        HlsWriter { path, key_path, place, key: None, open: None, whole: false, failure: None }
    }

    /// Takes the first failure since the last call.
    pub(super) fn take_failure(&mut self) -> Option<WriteError> {
        self.failure.take()
    }

    /// Performs an action. Returns whether it succeeded: `false` follows a failure that was reported when it arose.
    fn act(&mut self, action: SegmenterAction) -> Result<bool, WriteError> {
        match action {
            SegmenterAction::WriteKey { file, key_id } => self.write_key(&file, key_id).map(|()| true),
            SegmenterAction::WriteMap { file, bytes } => {
                replace(&self.path.join(file), &bytes).map(|()| true)
            }
            SegmenterAction::OpenSegment { file, encryption } => {
                self.open_segment(&file, encryption).map(|()| true)
            }
            SegmenterAction::Append(bytes) => self.append(&bytes),
            SegmenterAction::CloseSegment { .. } => self.close_segment(),
            SegmenterAction::WritePlaylist { file, text } => {
                let path = self.path.join(file);
                self.place.hold(&path);
                self.whole = false;
                replace(&path, text.as_bytes())?;
                self.whole = true;
                Ok(true)
            }
            SegmenterAction::AppendPlaylist { file, text } => self.extend(&self.path.join(file), &text),
            SegmenterAction::Remove { file } => remove(&self.path.join(file)).map(|()| true),
            SegmenterAction::RemoveKey { file } => remove(&self.key_path.join(file)).map(|()| true),
        }
    }

    fn write_key(&mut self, file: &Path, key_id: u64) -> Result<(), WriteError> {
        let path = self.key_path.join(file);
        let mut key = [0; BLOCK];
        // Without its key a segment must not be written at all.
        self.key = None;
        getrandom::fill(&mut key).map_err(|error| failed("getrandom", &path)(error.into()))?;
        replace(&path, &key)?;
        self.key = Some((key_id, key));
        Ok(())
    }

    fn open_segment(&mut self, file: &Path, encryption: Option<Encryption>) -> Result<(), WriteError> {
        let path = self.path.join(file);
        self.open = None;
        let encryptor = match encryption {
            None => None,
            Some(Encryption { key_id, iv }) => match &self.key {
                Some((id, key)) if *id == key_id => Some(Encryptor::new(key, &iv)),
                _ => return Err(failed("encrypt", &path)(io::Error::other("its key was not written"))),
            },
        };
        let file = create(&path)?;
        self.open = Some(OpenSegmentFile { path, file, encryptor });
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<bool, WriteError> {
        let Some(mut open) = self.open.take() else { return Ok(false) };
        let written = match &mut open.encryptor {
            None => open.file.write_all(bytes),
            Some(encryptor) => open.file.write_all(&encryptor.update(bytes)),
        };
        match written {
            Ok(()) => {
                self.open = Some(open);
                Ok(true)
            }
            Err(error) => Err(open.given_up(error)),
        }
    }

    /// Appends lines to a playlist. After a failure nothing is appended until the playlist is written as a whole,
    /// because a segment would be missing.
    fn extend(&mut self, path: &Path, text: &str) -> Result<bool, WriteError> {
        if !std::mem::replace(&mut self.whole, false) {
            return Ok(false);
        }
        let mut file =
            disk::open(OpenOptions::new().append(true), path, true).map_err(failed("open", path))?;
        let len = file.metadata().map_err(failed("fstat", path))?.len();
        if let Err(error) = file.write_all(&within_a_page(len, text)) {
            // Remove the incomplete line.
            let _ = file.set_len(len);
            return Err(failed("write", path)(error));
        }
        self.whole = true;
        Ok(true)
    }

    fn close_segment(&mut self) -> Result<bool, WriteError> {
        let Some(mut open) = self.open.take() else { return Ok(false) };
        if let Some(encryptor) = open.encryptor.take() {
            open.file.write_all(&encryptor.finish()).map_err(|error| open.given_up(error))?;
        }
        Ok(true)
    }
}

impl SegmentFiles for HlsWriter {
    fn perform(&mut self, action: SegmenterAction) -> bool {
        self.act(action).unwrap_or_else(|error| {
            self.failure.get_or_insert(error);
            false
        })
    }
}

impl OpenSegmentFile {
    /// Removes the incomplete file, which no playlist will list and which may fill the disk.
    fn given_up(self, error: io::Error) -> WriteError {
        let _ = fs::remove_file(&self.path);
        failed("write", &self.path)(error)
    }
}

/// Bytes to append to a playlist of `len` bytes so that a reader sees all of `text` or nothing: a file grows page by
/// page while readers read it. If `text` would cross a page boundary, empty lines, which players ignore (RFC 8216
/// §4.1), fill the first page. A text longer than a page begins a page and may be visible in parts.
fn within_a_page(len: u64, text: &str) -> Vec<u8> {
    let left = PAGE - (len % PAGE as u64) as usize;
    let filled = if text.len() > left { left } else { 0 };
    let mut bytes = vec![b'\n'; filled];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// Smallest unit in which a file grows.
const PAGE: usize = 4096;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::media::files::claims::FileClaims;

    #[test]
    fn an_incomplete_segment_is_removed_and_not_closed_well() {
        let dir = tempfile::tempdir().unwrap();
        let place = Arc::<FileClaims>::default().take_within(dir.path(), Duration::ZERO).unwrap();
        let mut writer = HlsWriter::new(dir.path().to_owned(), dir.path().to_owned(), place);
        let file = PathBuf::from("s-0.ts");
        let path = dir.path().join(&file);
        let close = || SegmenterAction::CloseSegment { file: file.clone(), duration_ms: 1_000 };
        assert!(writer.perform(SegmenterAction::OpenSegment { file: file.clone(), encryption: None }));
        assert!(writer.perform(close()) && path.exists());

        // A file that cannot be written to, as on a full disk.
        let read_only = File::open(&path).unwrap();
        writer.open = Some(OpenSegmentFile { path: path.clone(), file: read_only, encryptor: None });
        assert!(!writer.perform(SegmenterAction::Append(Bytes::from_static(b"packets"))));
        assert!(!writer.perform(SegmenterAction::Append(Bytes::from_static(b"packets"))));
        assert!(!writer.perform(close()) && !path.exists());
        assert_eq!(writer.take_failure().map(|failure| (failure.call, failure.path)), Some(("write", path)));
        assert!(writer.take_failure().is_none());
    }

    #[test]
    fn no_added_text_crosses_a_page() {
        let text = "#EXTINF:1.000,\ns-0.ts\n";
        let mut playlist = Vec::new();
        for _ in 0..1_000 {
            let added = within_a_page(playlist.len() as u64, text);
            let begin = playlist.len() + added.len() - text.len();
            assert_eq!(begin / PAGE, (begin + text.len() - 1) / PAGE);
            playlist.extend_from_slice(&added);
        }
        let lines: Vec<_> = playlist.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 2_000);
        assert!(lines.chunks(2).all(|pair| pair == [&b"#EXTINF:1.000,"[..], b"s-0.ts"]));
    }
}
