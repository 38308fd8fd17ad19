//! A key frame as an FLV file.

use bytes::{Bytes, BytesMut};

use crate::hub::packet::PacketClass;
use crate::hub::stream::Stream;
use crate::wire::{MediaKind, flv};

/// The newest key frame of a stream, with what a decoder needs.
#[derive(Debug)]
pub(super) struct KeyFrameFile {
    /// Which one it is: the stream's number, and the frame's within it.
    pub(super) number: (u64, u64),
    /// The FLV file.
    pub(super) file: Bytes,
}

impl KeyFrameFile {
    /// The newest key frame of a stream; `None` if the cache holds none.
    pub(super) fn newest(stream: &Stream) -> Option<KeyFrameFile> {
        let kept = stream.newest_key_frame()?;
        let mut file = BytesMut::new();
        flv::write_header(&mut file, false, true);
        let is_own = |class, further: bool| class == PacketClass::VideoHeader && !further;
        for header in kept.headers.iter() {
            if is_own(header.class(), header.lane().place().is_some()) {
                flv::write_tag(&mut file, MediaKind::Video, 0, header.payload());
            }
        }
        flv::write_tag(&mut file, MediaKind::Video, 0, kept.packet.payload());
        Some(KeyFrameFile { number: (stream.id(), kept.number), file: file.freeze() })
    }
}
