//! One media message, framed at most once per container.

use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};

use super::headers::HeaderKey;
use crate::limits::FURTHER_LANES;
use crate::wire::MediaKind;
use crate::wire::flv;
use crate::wire::rtmp::chunk;
use crate::wire::rtmp::message::SET_DATA_FRAME;

/// What a packet means to a subscriber that has to choose where to start or what to skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `onMetaData`.
    Metadata,
    /// Codec configuration of the main audio track.
    AudioHeader,
    /// Codec configuration of the main video track.
    VideoHeader,
    /// What else has to be known of audio: codec configurations of further tracks, channel configurations.
    AudioExtra,
    /// What else has to be known of video: codec configurations of further tracks, colour metadata.
    VideoExtra,
    /// Audio frame.
    Audio,
    /// Video frame of the main track that can be decoded by itself.
    Key,
    /// Video frame that needs earlier ones, or of another track.
    Inter,
    /// Anything else (other data messages).
    Other,
}

/// How a subscriber wants its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// RTMP chunks.
    Rtmp,
    /// FLV tags.
    Flv,
    /// FLV tags, each in an HTTP/1.1 chunk.
    FlvChunked,
    /// The payload as it is: a stream that was packaged before, such as MPEG-TS.
    Raw,
    /// The payload in an HTTP/1.1 chunk.
    RawChunked,
}

impl Container {
    /// Containers there are, for tables by container.
    pub const COUNT: usize = 5;

    /// Whether the bytes carry timestamps that can be moved for one player.
    pub fn has_timestamps(self) -> bool {
        !matches!(self, Container::Raw | Container::RawChunked)
    }
}

/// Length of the chunk header that [`Packet::shared`] starts with in the RTMP container. A cursor replaces it by an
/// absolute header where a player has no previous timestamp.
const RTMP_HEAD: usize = chunk::DELTA_HEADER;
/// Length of an FLV tag header.
const FLV_HEAD: usize = flv::TAG_HEADER;

/// Chunk stream ids of media to players; the session itself uses 2 and 3 only. Further tracks have those from 8 on, below
/// the 32 that nginx-rtmp takes.
pub const AUDIO_CSID: u32 = 6;
/// Chunk stream id of video to players.
pub const VIDEO_CSID: u32 = 7;
/// Chunk stream id of data messages to players.
pub const DATA_CSID: u32 = 5;

/// First chunk stream id of further tracks.
const FURTHER_CSID: u32 = 8;
const _: () = assert!(FURTHER_CSID as usize + 2 * FURTHER_LANES <= 32);
// A bit each for the main and the further lanes of three kinds.
const _: () = assert!(3 * (1 + FURTHER_LANES) <= u32::BITS as usize);

/// Messages of a kind whose timestamps form a chain of their own: those of its main track, or of a further one. Without it
/// tracks of a kind would have to be in step, as a chain cannot run backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    kind: MediaKind,
    /// 0 is the main track's.
    number: u8,
}

impl Lane {
    /// The main track's lane, and that of data.
    pub const fn main(kind: MediaKind) -> Self {
        Lane { kind, number: 0 }
    }

    /// The lane of the further audio or video track that came as number `at`, counted from 0. Those beyond
    /// [`FURTHER_LANES`] share the last one.
    pub fn further(kind: MediaKind, at: usize) -> Self {
        Lane { kind, number: 1 + at.min(FURTHER_LANES - 1) as u8 }
    }

    /// Its place among the further lanes of its kind, if it is one.
    pub fn place(self) -> Option<usize> {
        usize::from(self.number).checked_sub(1)
    }

    /// Its bit in a set of lanes.
    pub const fn bit(self) -> u32 {
        1 << (3 * self.number + self.kind as u8)
    }

    /// All lanes of video, as a set.
    pub const VIDEO: u32 = {
        let (mut set, mut number) = (0, 0);
        while number <= FURTHER_LANES {
            set |= 1 << (3 * number + MediaKind::Video as usize);
            number += 1;
        }
        set
    };

    fn csid(self) -> u32 {
        match (self.place(), self.kind) {
            (Some(at), kind) => FURTHER_CSID + 2 * at as u32 + u32::from(kind == MediaKind::Video),
            (None, MediaKind::Audio) => AUDIO_CSID,
            (None, MediaKind::Video) => VIDEO_CSID,
            (None, MediaKind::Data) => DATA_CSID,
        }
    }
}

/// A media message of a stream, on the stream's own timeline.
#[derive(Debug)]
pub struct Packet {
    lane: Lane,
    class: Class,
    timestamp: u32,
    delta: u32,
    payload: Bytes,
    /// Boxed, because few packets have one.
    header: Option<Box<HeaderKey>>,
    chunk_size: usize,
    rtmp: OnceLock<Bytes>,
    flv: OnceLock<Bytes>,
    flv_chunked: OnceLock<Bytes>,
    raw_chunked: OnceLock<Bytes>,
}

impl Packet {
    /// `timestamp` and `delta` are milliseconds; `delta` is counted from the packet before of the same lane
    /// and must stay below `0xFFFFFF`, so that shared bytes never need an extended timestamp.
    pub fn new(
        kind: MediaKind,
        class: Class,
        timestamp: u32,
        delta: u32,
        payload: Bytes,
        chunk_size: usize,
    ) -> Self {
        debug_assert!(delta < 0xFF_FFFF);
        Packet {
            lane: Lane::main(kind),
            class,
            timestamp,
            delta,
            header: HeaderKey::of(kind, class, &payload).map(Box::new),
            payload,
            chunk_size,
            rtmp: OnceLock::new(),
            flv: OnceLock::new(),
            flv_chunked: OnceLock::new(),
            raw_chunked: OnceLock::new(),
        }
    }

    /// The same packet in another lane of its kind; to be called before it is framed.
    #[must_use]
    pub fn in_lane(self, lane: Lane) -> Self {
        debug_assert!(lane.kind == self.lane.kind && self.rtmp.get().is_none());
        Packet { lane, ..self }
    }

    /// The same packet at another time, for those who frame it themselves.
    #[must_use]
    pub fn moved_to(&self, timestamp: u32) -> Self {
        Packet::new(self.kind(), self.class, timestamp, 0, self.payload.clone(), self.chunk_size)
            .in_lane(self.lane)
    }

    /// Audio, video or data.
    pub fn kind(&self) -> MediaKind {
        self.lane.kind
    }

    /// The chain that its `delta` belongs to.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// What the packet means to a subscriber.
    pub fn class(&self) -> Class {
        self.class
    }

    /// What it is about, if late players need it: metadata, codec headers and what belongs to them.
    pub fn header(&self) -> Option<&HeaderKey> {
        self.header.as_deref()
    }

    /// Milliseconds on the stream's timeline.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// The message body as published.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The framed bytes that all subscribers of a container share.
    pub fn shared(&self, container: Container) -> &Bytes {
        match container {
            Container::Rtmp => self.rtmp.get_or_init(|| {
                let mut out = BytesMut::new();
                chunk::write_delta(
                    &mut out,
                    self.lane.csid(),
                    self.delta,
                    self.kind().type_id(),
                    &self.payload,
                    self.chunk_size,
                );
                out.freeze()
            }),
            Container::Flv => self.flv.get_or_init(|| {
                let mut out = BytesMut::with_capacity(self.payload.len() + FLV_HEAD + 4);
                flv::write_tag(&mut out, self.kind(), self.timestamp, &self.payload);
                out.freeze()
            }),
            Container::FlvChunked => self.flv_chunked.get_or_init(|| {
                in_http_chunk(self.payload.len() + FLV_HEAD + 4, |out| {
                    flv::write_tag(out, self.kind(), self.timestamp, &self.payload);
                })
            }),
            Container::Raw => &self.payload,
            Container::RawChunked => self.raw_chunked.get_or_init(|| http_chunk(&self.payload)),
        }
    }

    /// The bytes of [`Packet::shared`] in two pieces, where that saves putting them together for a single player.
    pub fn apart(&self, container: Container) -> Option<([u8; RTMP_HEAD], &Bytes)> {
        let one_chunk = self.payload.len() <= self.chunk_size;
        let apart = container == Container::Rtmp && one_chunk && self.rtmp.get().is_none();
        let head =
            || chunk::delta_header(self.lane.csid(), self.delta, self.kind().type_id(), self.payload.len());
        apart.then(|| (head(), &self.payload))
    }

    /// The bytes for one player whose timestamps or chunk stream state differ from the shared form: a small
    /// head of its own and the shared rest.
    ///
    /// `timestamp` is the player's own, in milliseconds. In the RTMP container the head carries it absolutely, and
    /// with `repeat_extended` an extended one stands in every chunk (`play_time_fix`).
    pub fn private(
        &self,
        container: Container,
        timestamp: u32,
        stream_id: u32,
        repeat_extended: bool,
    ) -> (Bytes, Bytes) {
        let shared = self.shared(container);
        match container {
            Container::Rtmp if timestamp < 0xFF_FFFF || !repeat_extended => {
                let mut head = BytesMut::with_capacity(16);
                chunk::write_absolute_header(
                    &mut head,
                    self.lane.csid(),
                    timestamp,
                    self.kind().type_id(),
                    stream_id,
                    self.payload.len(),
                );
                (head.freeze(), shared.slice(RTMP_HEAD..))
            }
            // An extended timestamp stands in every chunk, so nothing of the message can be shared. It
            // happens once per start or skip and kind, never in the steady state.
            Container::Rtmp => {
                let mut out = BytesMut::new();
                chunk::write_absolute(
                    &mut out,
                    self.lane.csid(),
                    timestamp,
                    self.kind().type_id(),
                    stream_id,
                    &self.payload,
                    self.chunk_size,
                );
                (out.freeze(), Bytes::new())
            }
            Container::Raw | Container::RawChunked => (shared.clone(), Bytes::new()),
            Container::Flv | Container::FlvChunked => {
                let lead = shared.len() - self.flv_body_len(container);
                let mut head = BytesMut::with_capacity(lead);
                head.put_slice(&shared[..lead - FLV_HEAD]);
                head.put_slice(&flv::tag_header(self.kind(), timestamp, self.payload.len()));
                (head.freeze(), shared.slice(lead..))
            }
        }
    }

    /// Metadata as a publisher sends it: an RTMP message with `@setDataFrame` in front.
    pub fn set_data_frame(&self, timestamp: u32, stream_id: u32) -> Bytes {
        let payload = [SET_DATA_FRAME, &self.payload[..]].concat();
        let mut out = BytesMut::new();
        chunk::write_absolute(
            &mut out,
            self.lane.csid(),
            timestamp,
            self.kind().type_id(),
            stream_id,
            &payload,
            self.chunk_size,
        );
        out.freeze()
    }

    /// Bytes behind the tag header in an FLV container.
    fn flv_body_len(&self, container: Container) -> usize {
        self.payload.len() + 4 + if container == Container::FlvChunked { 2 } else { 0 }
    }
}

/// Bytes as one chunk of an HTTP/1.1 body (RFC 9112 §7.1).
pub fn http_chunk(bytes: &[u8]) -> Bytes {
    in_http_chunk(bytes.len(), |out| out.put_slice(bytes))
}

/// An HTTP/1.1 chunk around the `length` bytes that `fill` appends.
fn in_http_chunk(length: usize, fill: impl FnOnce(&mut BytesMut)) -> Bytes {
    let head = format!("{length:x}\r\n");
    let mut out = BytesMut::with_capacity(head.len() + length + 2);
    out.put_slice(head.as_bytes());
    fill(&mut out);
    out.put_slice(b"\r\n");
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_has_a_chunk_stream_and_a_bit_of_its_own() {
        let kinds = [MediaKind::Audio, MediaKind::Video];
        let further =
            kinds.into_iter().flat_map(|kind| (0..FURTHER_LANES).map(move |at| Lane::further(kind, at)));
        let lanes: Vec<Lane> =
            further.chain([MediaKind::Audio, MediaKind::Video, MediaKind::Data].map(Lane::main)).collect();
        let bits = lanes.iter().fold(0, |bits, lane| bits | lane.bit());
        assert_eq!(bits.count_ones() as usize, lanes.len());
        let mut ids: Vec<u32> = lanes.iter().map(|lane| lane.csid()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), ids[0], ids[ids.len() - 1] < 32), (lanes.len(), DATA_CSID, true));
        assert!(lanes.iter().all(|lane| (lane.bit() & Lane::VIDEO != 0) == (lane.kind == MediaKind::Video)));
        assert_eq!(Lane::further(MediaKind::Audio, 99), Lane::further(MediaKind::Audio, FURTHER_LANES - 1));
    }

    #[test]
    fn flv_private_differs_from_shared_in_the_timestamp_only() {
        for container in [Container::Flv, Container::FlvChunked] {
            let packet =
                Packet::new(MediaKind::Video, Class::Key, 0x0102_0304, 40, vec![7u8; 5000].into(), 4096);
            let (head, tail) = packet.private(container, 0x0102_0304, 1, true);
            assert_eq!([&head[..], &tail[..]].concat(), packet.shared(container).to_vec());
            let (moved, rest) = packet.private(container, 9, 1, true);
            assert_eq!(moved.len(), head.len());
            assert_eq!(rest, tail);
            assert_ne!(moved, head);
        }
    }

    #[test]
    fn a_message_of_one_chunk_can_be_sent_in_pieces_until_somebody_shares_it() {
        let packet = |length: usize| {
            Packet::new(MediaKind::Audio, Class::Audio, 50, 0xFF_FFFE, vec![1u8; length].into(), 4096)
        };
        for length in [0, 1, 4096] {
            let packet = packet(length);
            let pieces = packet.apart(Container::Rtmp).map(|(head, payload)| [&head, &payload[..]].concat());
            assert!(packet.apart(Container::FlvChunked).is_none());
            assert_eq!(pieces.unwrap(), packet.shared(Container::Rtmp)[..]);
            assert!(packet.apart(Container::Rtmp).is_none());
        }
        assert!(packet(4097).apart(Container::Rtmp).is_none());
    }

    #[test]
    fn rtmp_private_is_an_absolute_message_over_the_shared_chunks() {
        let packet = Packet::new(MediaKind::Audio, Class::Audio, 50, 23, vec![1u8; 9000].into(), 4096);
        let (head, tail) = packet.private(Container::Rtmp, 77, 1, true);
        let mut whole = BytesMut::new();
        chunk::write_absolute(&mut whole, AUDIO_CSID, 77, 8, 1, &[1u8; 9000], 4096);
        assert_eq!([&head[..], &tail[..]].concat(), whole.to_vec());
    }

    #[test]
    fn rtmp_private_repeats_an_extended_timestamp() {
        let packet = Packet::new(MediaKind::Audio, Class::Audio, 50, 23, vec![1u8; 9000].into(), 4096);
        let (head, tail) = packet.private(Container::Rtmp, 0x0200_0000, 1, true);
        assert!(tail.is_empty());
        assert_eq!(head.len(), 12 + 4 + 9000 + 2 * (1 + 4));
        let (head, tail) = packet.private(Container::Rtmp, 0x0200_0000, 1, false);
        assert_eq!((head.len(), tail.len()), (12 + 4, 9000 + 2));
    }
}
