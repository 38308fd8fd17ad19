//! An MPEG-TS file being written.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

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
    /// Codec of each track, once it has begun.
    video: Option<VideoCodec>,
    audio: Option<AudioCodec>,
    /// Headers until the first frames tell the codecs: a header may be left from an earlier codec.
    headers: Option<Vec<(MediaKind, Bytes)>>,
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
            headers: Some(Vec::new()),
            is_outdated: false,
            remarks: Vec::new(),
        })
    }

    /// Whether the message has the codec of its track in this file; a frame determines it. One without a readable codec
    /// does no harm.
    fn fits(&mut self, kind: MediaKind, payload: &[u8], is_frame: bool) -> bool {
        fn compare<T: Copy + PartialEq>(known: &mut Option<T>, codec: T, is_frame: bool) -> bool {
            if is_frame {
                known.get_or_insert(codec);
            }
            known.is_none_or(|known| known == codec)
        }
        match kind {
            MediaKind::Video => {
                let tag = VideoTag::parse(payload, self.hevc_codec_id);
                tag.map_or(true, |tag| compare(&mut self.video, tag.codec, is_frame))
            }
            MediaKind::Audio => {
                let tag = AudioTag::parse(payload);
                tag.map_or(true, |tag| compare(&mut self.audio, tag.codec, is_frame))
            }
            MediaKind::Data => true,
        }
    }

    fn package(&mut self, kind: MediaKind, at: u32, payload: &[u8]) -> Vec<TsFrame> {
        let mut pieces = Vec::new();
        if let Err(error) = self.packager.handle_frame(kind, at, payload, &mut pieces) {
            self.remarks.push(FileRemark::LeftOut(kind, error.text()));
        }
        pieces
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
        let is_header = packet.header().is_some();
        if let Some(headers) = self.headers.as_mut().filter(|_| is_header) {
            headers.push((kind, payload.clone()));
            return Ok(());
        }
        // Further tracks are not carried.
        let is_main = packet.lane().place().is_none();
        if is_main && !self.fits(kind, payload, !is_header) {
            self.is_outdated = true;
            return Ok(());
        }
        let pieces = self.package(kind, at, payload);
        self.append(&pieces)
    }

    fn begin(&mut self, first: &[Arc<Packet>]) {
        let frames =
            first.iter().filter(|packet| packet.lane().place().is_none() && packet.header().is_none());
        for packet in frames {
            self.fits(packet.kind(), packet.payload(), true);
        }
        for (kind, payload) in self.headers.take().unwrap_or_default() {
            if self.fits(kind, &payload, false) {
                self.package(kind, 0, &payload);
            }
        }
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
