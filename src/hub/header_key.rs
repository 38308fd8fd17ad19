//! Subject of a header.

use super::class::PacketClass;
use crate::wire::MediaKind;
use crate::wire::codec::{AudioPacket, AudioTag, DEFAULT_HEVC_CODEC_ID, TrackSet, VideoPacket, VideoTag};

/// Identity of a header: a later header with the same identity replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderKey {
    pub(super) place: HeaderKind,
    /// Empty for metadata.
    pub(super) tracks: TrackSet,
}

/// Sending order of headers: metadata, audio, video, as in PingOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HeaderKind {
    Metadata,
    AudioHeader,
    MultichannelConfig,
    VideoHeader,
    VideoMetadata,
}

impl HeaderKey {
    /// Whether messages of this class are headers.
    pub fn is_of(class: PacketClass) -> bool {
        let of_tracks = [
            PacketClass::AudioHeader,
            PacketClass::AudioExtra,
            PacketClass::VideoHeader,
            PacketClass::VideoExtra,
        ];
        class == PacketClass::Metadata || of_tracks.contains(&class)
    }

    /// Identity of a header; `None` if the class is not that of a header.
    pub fn of(kind: MediaKind, class: PacketClass, payload: &[u8]) -> Option<Self> {
        if class == PacketClass::Metadata {
            return Some(HeaderKey { place: HeaderKind::Metadata, tracks: TrackSet::default() });
        }
        if !matches!(
            class,
            PacketClass::AudioHeader
                | PacketClass::AudioExtra
                | PacketClass::VideoHeader
                | PacketClass::VideoExtra
        ) {
            return None;
        }
        let (mut place, mut tracks) = (None, TrackSet::default());
        let mut add = |track: u8, is: HeaderKind| {
            place = Some(is);
            tracks = tracks.with(track);
        };
        if kind == MediaKind::Audio {
            for tag in AudioTag::all(payload).flatten() {
                let configures = tag.packet == AudioPacket::MultichannelConfig;
                add(
                    tag.track,
                    if configures { HeaderKind::MultichannelConfig } else { HeaderKind::AudioHeader },
                );
            }
        } else {
            // The codec that a legacy codec id stands for does not matter here.
            for tag in VideoTag::all(payload, DEFAULT_HEVC_CODEC_ID).flatten() {
                let colours = tag.packet == VideoPacket::Metadata;
                add(tag.track, if colours { HeaderKind::VideoMetadata } else { HeaderKind::VideoHeader });
            }
        }
        let unread = match kind {
            MediaKind::Audio => HeaderKind::AudioHeader,
            MediaKind::Video | MediaKind::Data => HeaderKind::VideoHeader,
        };
        match place {
            Some(place) => Some(HeaderKey { place, tracks }),
            None => Some(HeaderKey { place: unread, tracks: TrackSet::default().with(0) }),
        }
    }

    /// Whether it is metadata or the decoder configuration of track 0, which is the only track of most streams.
    pub(super) fn is_main(self) -> bool {
        match self.place {
            HeaderKind::Metadata => true,
            HeaderKind::AudioHeader | HeaderKind::VideoHeader => {
                self.tracks.covers(TrackSet::default().with(0))
            }
            HeaderKind::MultichannelConfig | HeaderKind::VideoMetadata => false,
        }
    }
}
