//! A media message, framed at most once per container.

use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};

pub use super::class::PacketClass;
use super::header_key::HeaderKey;
use crate::limits::FURTHER_LANES;
use crate::wire::MediaKind;
use crate::wire::flv;
use crate::wire::rtmp::chunk;
use crate::wire::rtmp::message::SET_DATA_FRAME;

/// Container format of a subscriber's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// RTMP chunks.
    Rtmp,
    /// FLV tags.
    Flv,
    /// FLV tags, each in its own HTTP/1.1 chunk.
    FlvChunked,
    /// The unchanged payload, for repackaged streams such as MPEG-TS.
    Raw,
    /// The unchanged payload in an HTTP/1.1 chunk.
    RawChunked,
}

impl Container {
    /// Whether the bytes contain timestamps that can be shifted for one player.
    pub fn has_timestamps(self) -> bool {
        !matches!(self, Container::Raw | Container::RawChunked)
    }
}

/// Length of the chunk header at the beginning of [`Packet::shared`] in the RTMP container. A cursor replaces it by an
/// absolute header where the player has no previous timestamp.
const RTMP_HEAD: usize = chunk::DELTA_HEADER;
/// Length of an FLV tag header.
const FLV_HEAD: usize = flv::TAG_HEADER;

/// Chunk stream id of audio to players; the session itself uses 2 and 3 only. Further tracks use ids from 8 on, below
/// nginx-rtmp's limit of 32.
pub const AUDIO_CSID: u32 = 6;
/// Chunk stream id of video to players.
pub const VIDEO_CSID: u32 = 7;
/// Chunk stream id of data messages to players.
pub const DATA_CSID: u32 = 5;

/// First chunk stream id of further tracks.
const FURTHER_CSID: u32 = 8;
const _: () = assert!(FURTHER_CSID as usize + 2 * FURTHER_LANES <= 32);
// One bit each for the main and the further lanes of three kinds.
const _: () = assert!(3 * (1 + FURTHER_LANES) <= u32::BITS as usize);

/// A timestamp chain: the messages of a kind's main track, or of a further track. Without separate chains all tracks of
/// a kind would have to be in step, since a chain cannot run backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    kind: MediaKind,
    /// 0 for the main track.
    number: u8,
}

impl Lane {
    /// Lane of the main track, and of data messages.
    pub const fn main(kind: MediaKind) -> Self {
        Lane { kind, number: 0 }
    }

    /// Lane of a further audio or video track; `at` is its index, counted from 0. Indices from [`FURTHER_LANES`] on
    /// share the last lane.
    pub fn further(kind: MediaKind, at: usize) -> Self {
        Lane { kind, number: 1 + at.min(FURTHER_LANES - 1) as u8 }
    }

    /// Index among the further lanes of its kind; `None` for a main lane.
    pub fn place(self) -> Option<usize> {
        usize::from(self.number).checked_sub(1)
    }

    /// Bit in a set of lanes.
    pub const fn bit(self) -> u32 {
        1 << (3 * self.number + self.kind as u8)
    }

    /// Set of all video lanes.
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

/// A media message of a stream, with a timestamp on the stream's timeline.
#[derive(Debug)]
pub struct Packet {
    lane: Lane,
    class: PacketClass,
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
    /// `timestamp` and `delta` are in milliseconds; `delta` is the distance from the preceding packet of the same lane
    /// and must be below `0xFFFFFF`, so that shared bytes never need an extended timestamp.
    pub fn new(
        kind: MediaKind,
        class: PacketClass,
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

    /// Moves the packet to another lane of its kind; only before it is framed.
    #[must_use]
    pub fn in_lane(self, lane: Lane) -> Self {
        debug_assert!(lane.kind == self.lane.kind && self.rtmp.get().is_none());
        Packet { lane, ..self }
    }

    /// Copy with another timestamp, for users that frame packets themselves.
    #[must_use]
    pub fn moved_to(&self, timestamp: u32) -> Self {
        Packet::new(self.kind(), self.class, timestamp, 0, self.payload.clone(), self.chunk_size)
            .in_lane(self.lane)
    }

    /// Audio, video or data.
    pub fn kind(&self) -> MediaKind {
        self.lane.kind
    }

    /// Timestamp chain of its `delta`.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Meaning for a subscriber.
    pub fn class(&self) -> PacketClass {
        self.class
    }

    /// Header identity, for metadata, codec headers and their extras, which late players need.
    pub fn header(&self) -> Option<&HeaderKey> {
        self.header.as_deref()
    }

    /// Timestamp on the stream's timeline, in milliseconds.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Message body as published.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Framed bytes, shared by all subscribers of a container.
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

    /// Bytes of [`Packet::shared`] as head and body, where a single player does not justify joining them.
    pub fn apart(&self, container: Container) -> Option<([u8; RTMP_HEAD], &Bytes)> {
        let one_chunk = self.payload.len() <= self.chunk_size;
        let apart = container == Container::Rtmp && one_chunk && self.rtmp.get().is_none();
        let head =
            || chunk::delta_header(self.lane.csid(), self.delta, self.kind().type_id(), self.payload.len());
        apart.then(|| (head(), &self.payload))
    }

    /// Bytes for a player whose timestamps or chunk stream state differ from the shared form: a head of its own and the
    /// shared rest.
    ///
    /// `timestamp` is the player's, in milliseconds. In the RTMP container the head carries it absolutely; with
    /// `repeat_extended` every chunk repeats an extended one (`play_time_fix`).
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
            // Every chunk contains the extended timestamp, so nothing can be shared. This happens once per start or
            // skip and kind, never in the steady state.
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

    /// Metadata in the form that a publisher sends: an RTMP message that begins with `@setDataFrame`.
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

    /// Length after the tag header in an FLV container, in bytes.
    fn flv_body_len(&self, container: Container) -> usize {
        self.payload.len() + 4 + if container == Container::FlvChunked { 2 } else { 0 }
    }
}

/// One chunk of an HTTP/1.1 body (RFC 9112 §7.1) with these bytes.
pub fn http_chunk(bytes: &[u8]) -> Bytes {
    in_http_chunk(bytes.len(), |out| out.put_slice(bytes))
}

/// One HTTP/1.1 chunk with the `length` bytes that `fill` appends.
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
            let packet = Packet::new(
                MediaKind::Video,
                PacketClass::Key,
                0x0102_0304,
                40,
                vec![7u8; 5000].into(),
                4096,
            );
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
            Packet::new(MediaKind::Audio, PacketClass::Audio, 50, 0xFF_FFFE, vec![1u8; length].into(), 4096)
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
        let packet = Packet::new(MediaKind::Audio, PacketClass::Audio, 50, 23, vec![1u8; 9000].into(), 4096);
        let (head, tail) = packet.private(Container::Rtmp, 77, 1, true);
        let mut whole = BytesMut::new();
        chunk::write_absolute(&mut whole, AUDIO_CSID, 77, 8, 1, &[1u8; 9000], 4096);
        assert_eq!([&head[..], &tail[..]].concat(), whole.to_vec());
    }

    #[test]
    fn rtmp_private_repeats_an_extended_timestamp() {
        let packet = Packet::new(MediaKind::Audio, PacketClass::Audio, 50, 23, vec![1u8; 9000].into(), 4096);
        let (head, tail) = packet.private(Container::Rtmp, 0x0200_0000, 1, true);
        assert!(tail.is_empty());
        assert_eq!(head.len(), 12 + 4 + 9000 + 2 * (1 + 4));
        let (head, tail) = packet.private(Container::Rtmp, 0x0200_0000, 1, false);
        assert_eq!((head.len(), tail.len()), (12 + 4, 9000 + 2));
    }
}
