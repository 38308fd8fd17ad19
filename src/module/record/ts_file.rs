//! An MPEG-TS file being written.

use std::path::Path;

use super::out_file::OutFile;
use super::record_file::{FileRemark, RecordFile};
use crate::hub::packet::Packet;
use crate::media::files::WriteError;
use crate::media::files::claims::FileClaim;
use crate::wire::MediaKind;
use crate::wire::codec::{AudioCodec, AudioTag, VideoCodec, VideoTag};
use crate::wire::mpegts::{Packager, PackagerSettings, TsFrame};

/// An MPEG-TS file; see the module's documentation. Another codec needs another file: readers of files take the codecs
/// from the beginning.
pub(crate) struct TsFile {
    out: OutFile,
    packager: Packager,
    hevc_codec_id: u8,
    video: Option<VideoCodec>,
    audio: Option<AudioCodec>,
    is_outdated: bool,
    remarks: Vec<FileRemark>,
}

impl TsFile {
    /// Creates or truncates a file.
    pub(crate) fn create(
        path: &Path,
        settings: PackagerSettings,
        claim: FileClaim,
    ) -> Result<Self, WriteError> {
        Ok(TsFile {
            out: OutFile::create(path, claim)?,
            packager: Packager::new(settings),
            hevc_codec_id: settings.hevc_codec_id,
            video: None,
            audio: None,
            is_outdated: false,
            remarks: Vec::new(),
        })
    }

    /// Whether the message has the codec of its track in this file. One without a readable codec does no harm.
    fn fits(&mut self, kind: MediaKind, payload: &[u8]) -> bool {
        match kind {
            MediaKind::Video => {
                let tag = VideoTag::parse(payload, self.hevc_codec_id);
                tag.map_or(true, |tag| *self.video.get_or_insert(tag.codec) == tag.codec)
            }
            MediaKind::Audio => {
                let tag = AudioTag::parse(payload);
                tag.map_or(true, |tag| *self.audio.get_or_insert(tag.codec) == tag.codec)
            }
            MediaKind::Data => true,
        }
    }

    fn append(&mut self, pieces: &[TsFrame]) -> Result<(), WriteError> {
        for piece in pieces {
            if !self.out.has_media() {
                self.out.put(piece.lead().map_or(&[], |lead| lead));
            }
            self.out.put(&piece.bytes);
            self.out.end_unit(true)?;
        }
        Ok(())
    }
}

impl RecordFile for TsFile {
    fn write(&mut self, packet: &Packet, at: u32) -> Result<(), WriteError> {
        let (kind, payload) = (packet.kind(), packet.payload());
        // Further tracks are not carried.
        let is_main = packet.lane().place().is_none();
        if is_main && !self.fits(kind, payload) {
            self.is_outdated = true;
            return Ok(());
        }
        let mut pieces = Vec::new();
        if let Err(error) = self.packager.handle_frame(kind, at, payload, &mut pieces) {
            self.remarks.push(FileRemark::LeftOut(kind, error.text()));
        }
        self.append(&pieces)
    }

    fn finish(mut self: Box<Self>) -> Result<bool, WriteError> {
        let mut pieces = Vec::new();
        self.packager.finish(&mut pieces);
        self.append(&pieces)?;
        if !self.out.has_media() {
            self.out.remove();
            return Ok(false);
        }
        self.out.flush().map(|()| true)
    }

    fn give_up(mut self: Box<Self>) -> bool {
        self.out.cut()
    }

    fn out(&self) -> &OutFile {
        &self.out
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.out.flush()
    }

    fn is_outdated(&self) -> bool {
        self.is_outdated
    }

    fn take_remarks(&mut self) -> Vec<FileRemark> {
        std::mem::take(&mut self.remarks)
    }
}
