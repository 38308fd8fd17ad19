//! What a recorder needs of a file, whatever its container.

use std::sync::Arc;

use super::out_file::OutFile;
use crate::hub::packet::Packet;
use crate::media::files::WriteError;
use crate::wire::MediaKind;

/// A file being written. What was written before the latest flush stays playable, whatever happens.
pub(crate) trait RecordFile: Send {
    /// Appends a message at this time of the file, in milliseconds.
    fn write(&mut self, packet: &Packet, at: u32) -> Result<(), WriteError>;

    /// Tells the first messages that will be written, behind the headers.
    fn begin(&mut self, _first: &[Arc<Packet>]) {}

    /// Completes the file, or removes it if it contains no media. Returns whether it stays.
    fn finish(self: Box<Self>) -> Result<bool, WriteError>;

    /// Completes as much as possible after a failure; a file without media is removed. Returns whether it stays.
    fn give_up(self: Box<Self>) -> bool;

    /// The file itself.
    fn out(&self) -> &OutFile;

    /// Writes what is collected to the system.
    fn flush(&mut self) -> Result<(), WriteError>;

    /// Length in bytes, with what is collected.
    fn len(&self) -> u64 {
        self.out().len()
    }

    /// Time of a continued file's last message in milliseconds, where timestamps continue.
    fn start(&self) -> u32 {
        0
    }

    /// Whether the stream has changed so that it needs another file.
    fn is_outdated(&self) -> bool {
        false
    }

    /// Takes the remarks since the last call.
    fn take_remarks(&mut self) -> Vec<FileRemark> {
        Vec::new()
    }
}

/// A difference between a file and its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileRemark {
    /// Messages of this kind are missing.
    LeftOut(MediaKind, &'static str),
    /// Timestamps were corrected.
    Repaired,
}
