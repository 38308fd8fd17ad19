//! Packager: converts a publisher's frames to pieces of a transport stream.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::annexb::VideoCodec;
use super::audio_collector::{AudioCollector, PesContent};
use super::flv_body::{CarriedTracks, FlvBody};
use super::muxer::{AudioFrames, METADATA_MAX, Muxer, TABLES_SIZE, VideoFrame};
use super::{MpegtsError, TICKS_PER_MS};
use crate::limits;
use crate::wire::MediaKind;
use crate::wire::data_message::DataMessage;
use crate::wire::id3::id3_tag;

/// Settings of a packager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackagerSettings {
    /// HEVC codec id in classic FLV video tags.
    pub hevc_codec_id: u8,
    /// Maximum duration of audio in one PES packet (`mpegts_audio_delay`).
    pub audio_delay_ms: u64,
    /// Maximum rounding error of audio timestamps that is smoothed (`mpegts_sync`).
    pub audio_sync_ms: u64,
    /// Maximum number of audio bytes collected (`mpegts_audio_buffer_size`).
    pub audio_buffer_size: usize,
}

impl Default for PackagerSettings {
    fn default() -> Self {
        Self { hevc_codec_id: 12, audio_delay_ms: 300, audio_sync_ms: 2, audio_buffer_size: 1024 * 1024 }
    }
}

/// A piece of the transport stream: one video frame or one audio collection, with tables if due, and behind it the data messages
/// that arrived since the preceding piece.
///
/// Cloning is cheap, because the bytes are shared. All pieces in order form a valid transport stream; so does any part
/// that begins with the [`lead`](Self::lead) of a [`key`](Self::key) piece.
#[derive(Clone, Debug)]
pub struct TsFrame {
    /// Complete packets of 188 bytes.
    pub bytes: Bytes,
    /// The latest tables, to be written first by a consumer that starts at a piece without tables.
    pub tables: Bytes,
    /// Whether `bytes` begins with the tables.
    pub starts_with_tables: bool,
    /// Decoding time in milliseconds, extended from 32 bits. Backward jumps of the publisher remain backward jumps.
    pub dts_ms: u64,
    /// Duration known so far: the length of an audio collection, or the distance from the preceding video frame.
    pub duration_ms: u64,
    /// Whether it is video.
    pub video: bool,
    /// Whether players may start here: at key frames, and in a stream without video at every audio piece.
    pub key: bool,
    /// Whether a codec or its configuration differs from the preceding pieces.
    pub program_change: bool,
    /// Data messages in the piece, as ID3 tags.
    pub messages: Vec<TimedMessage>,
}

/// A data message of the publisher.
#[derive(Clone, Debug)]
pub struct TimedMessage {
    /// Point on the time line of the pieces, in milliseconds.
    pub time_ms: u64,
    /// The message.
    pub message: Arc<DataMessage>,
}

impl TsFrame {
    /// Bytes that a consumer starting here needs before `bytes`.
    pub fn lead(&self) -> Option<&Bytes> {
        (!self.starts_with_tables).then_some(&self.tables)
    }
}

/// Packages one stream.
///
/// Pass everything that the publisher sends, including codec headers, to [`handle_frame`](Self::handle_frame), and call
/// [`finish`](Self::finish) when it leaves. The next publisher of the stream may use the same packager, so that
/// continuity counters continue for consumers.
#[derive(Debug)]
pub struct Packager {
    settings: PackagerSettings,
    carried: CarriedTracks,
    muxer: Muxer,
    collector: AudioCollector,
    timeline: TimestampExtender,
    /// Timestamp of the first audio frame since the latest video frame.
    heard_ms: Option<u64>,
    /// Decoding time of the first video frame since the audio collection began.
    collected_ms: Option<u64>,
    /// Decoding time of the latest video frame.
    last_video_ms: Option<u64>,
    tables: Bytes,
    /// Timestamps of audio and of video when the tables were last written.
    tables_ms: [Option<u64>; 2],
    /// Whether a configuration changed since the last piece.
    program_change: bool,
    /// Whether a piece was made; the first one is not a program change.
    started: bool,
    /// Data messages for the next piece, with their timestamps and ID3 tags.
    held: Vec<(u32, Arc<DataMessage>, BytesMut)>,
    /// Size of these tags.
    held_bytes: usize,
}

impl Packager {
    /// Creates a packager for a new stream.
    pub fn new(settings: PackagerSettings) -> Self {
        let delay = settings.audio_delay_ms.min(AUDIO_DELAY_MAX_MS);
        Self {
            settings,
            carried: CarriedTracks::default(),
            muxer: Muxer::new(),
            collector: AudioCollector::new(delay, settings.audio_sync_ms, settings.audio_buffer_size),
            timeline: TimestampExtender::default(),
            heard_ms: None,
            collected_ms: None,
            last_video_ms: None,
            tables: Bytes::new(),
            tables_ms: [None; 2],
            program_change: false,
            started: false,
            held: Vec::new(),
            held_bytes: 0,
        }
    }

    /// Sets other settings for the next publisher; call it before its first frame.
    pub fn configure(&mut self, settings: PackagerSettings) {
        if self.settings != settings {
            let fresh = Self::new(settings);
            (self.settings, self.collector) = (fresh.settings, fresh.collector);
        }
    }

    /// Processes one message of the publisher and appends the completed pieces, at most three.
    ///
    /// After an error the message is not in the output; the packager continues with the next one.
    ///
    /// # Errors
    ///
    /// The message is dropped.
    pub fn handle_frame(
        &mut self,
        kind: MediaKind,
        timestamp: u32,
        payload: &[u8],
        out: &mut Vec<TsFrame>,
    ) -> Result<(), MpegtsError> {
        if kind == MediaKind::Data {
            return self.hold_message(timestamp, payload);
        }
        match FlvBody::parse(kind, payload, self.settings.hevc_codec_id, &mut self.carried)? {
            FlvBody::VideoConfig { codec, record } => {
                let changed = match codec {
                    VideoCodec::Avc => self.muxer.set_avc_config(record)?,
                    VideoCodec::Hevc => self.muxer.set_hevc_config(record)?,
                };
                self.program_change |= changed;
            }
            FlvBody::AacConfig(asc) => {
                // Frames collected so far have the old configuration.
                self.flush_audio(out);
                if self.muxer.set_aac_config(asc)? {
                    self.program_change = true;
                    self.collector.restart();
                }
            }
            FlvBody::Video { codec, key, cts, nal_units } => {
                if self.muxer.video_codec() != Some(codec) {
                    if !key || !self.muxer.set_config_in_band(codec, nal_units) {
                        return Err(MpegtsError::MissingConfig);
                    }
                    self.program_change = true;
                }
                let dts_ms = self.extend(timestamp);
                self.handle_video(dts_ms, cts, key, nal_units, out)?;
            }
            FlvBody::Aac(data) => {
                let (data, configured) = self.muxer.unframed(data);
                self.program_change |= configured;
                let dts_ms = self.extend(timestamp);
                self.handle_audio(dts_ms, data, out)?;
            }
            FlvBody::Mp3(data) => {
                if !self.muxer.is_mp3() {
                    self.flush_audio(out);
                    self.program_change |= self.muxer.set_mp3();
                    self.collector.restart();
                }
                let dts_ms = self.extend(timestamp);
                self.handle_audio(dts_ms, data, out)?;
            }
            FlvBody::Other => {}
        }
        Ok(())
    }

    /// Keeps a data message for the next piece.
    fn hold_message(&mut self, timestamp: u32, payload: &[u8]) -> Result<(), MpegtsError> {
        if payload.len() > limits::TIMED_METADATA_BYTES {
            return Err(MpegtsError::TooLarge);
        }
        let Some(message) = DataMessage::parse(&Bytes::copy_from_slice(payload)) else { return Ok(()) };
        let tag = id3_tag(&message);
        let bytes = self.held_bytes + tag.len();
        if tag.len() > METADATA_MAX || bytes > limits::TIMED_METADATA_BYTES {
            return Err(MpegtsError::TooLarge);
        }
        self.held_bytes = bytes;
        self.held.push((timestamp, Arc::new(message), tag));
        self.muxer.announce_metadata();
        Ok(())
    }

    /// Writes the data messages behind a piece, whose tables name them.
    fn write_messages(&mut self, out: &mut BytesMut) -> Vec<TimedMessage> {
        self.held_bytes = 0;
        let held = std::mem::take(&mut self.held).into_iter();
        let written = held.map(|(timestamp, message, tag)| {
            let time_ms = self.timeline.near(timestamp);
            self.muxer.write_metadata(time_ms * TICKS_PER_MS, &tag, out).expect("longer tags are not held");
            TimedMessage { time_ms, message }
        });
        written.collect()
    }

    /// Appends the rest of the collection and clears the codecs of a publisher that left.
    pub fn finish(&mut self, out: &mut Vec<TsFrame>) {
        self.flush_audio(out);
        self.collector.restart();
        self.muxer.clear();
        (self.held, self.held_bytes) = (Vec::new(), 0);
        self.carried = CarriedTracks::default();
        self.heard_ms = None;
        self.collected_ms = None;
        self.last_video_ms = None;
    }

    fn handle_video(
        &mut self,
        dts_ms: u64,
        cts_ms: i32,
        key: bool,
        nal_units: &[u8],
        out: &mut Vec<TsFrame>,
    ) -> Result<(), MpegtsError> {
        let dts = dts_ms * TICKS_PER_MS;
        // Waiting time of the audio. Its own timestamps cannot be used, because audio and video may use different
        // clocks.
        let waited = dts_ms.saturating_sub(*self.collected_ms.get_or_insert(dts_ms));
        // Audio from before a key frame must be written before it; otherwise a segment that starts at the key frame
        // would begin with the preceding segment's sound.
        if key || self.collector.has_waited(waited) {
            self.flush_audio(out);
        }
        let mut bytes = BytesMut::new();
        let cts = i64::from(cts_ms) * TICKS_PER_MS as i64;
        let frame = VideoFrame { dts, cts, key, nal_units };
        let tables = key || self.tables_are_due(dts_ms, true);
        let tables = self.muxer.write_video(frame, tables, &mut bytes)?;

        let duration_ms = self.last_video_ms.map_or(0, |last| dts_ms.saturating_sub(last));
        self.last_video_ms = Some(dts_ms);
        self.heard_ms = None;
        out.push(self.piece(PendingFrame { bytes, tables, dts_ms, duration_ms, video: true, key }));
        Ok(())
    }

    fn handle_audio(&mut self, dts_ms: u64, data: &[u8], out: &mut Vec<TsFrame>) -> Result<(), MpegtsError> {
        let (header, header_size, length) = self.muxer.frame_audio(data)?;
        let timestamp = dts_ms * TICKS_PER_MS;
        self.heard_ms.get_or_insert(dts_ms);
        if self.collector.must_take_before(timestamp, header_size + data.len()) {
            self.flush_audio(out);
        }
        if self.collector.is_empty() {
            self.collected_ms = None;
        }
        self.collector.push(timestamp, length, [&header[..header_size], data]);
        if self.collector.is_due(timestamp)
            || !self.has_video_at(dts_ms) && self.collector.lasts(PCR_INTERVAL_MS)
        {
            self.flush_audio(out);
        }
        Ok(())
    }

    fn flush_audio(&mut self, out: &mut Vec<TsFrame>) {
        let Some(PesContent { pts, duration, data }) = self.collector.take() else { return };
        let dts_ms = pts / TICKS_PER_MS;
        let alone = !self.has_video_at(dts_ms);
        let mut bytes = BytesMut::new();
        let frames = AudioFrames { pts, alone, data: &data };
        let tables = self.tables_are_due(dts_ms, false);
        let tables = self
            .muxer
            .write_audio(frames, tables, &mut bytes)
            .expect("the collector keeps below one PES packet");
        let duration_ms = duration / TICKS_PER_MS;
        out.push(self.piece(PendingFrame { bytes, tables, dts_ms, duration_ms, video: false, key: alone }));
    }

    /// Whether video is still arriving, judged by the audio received since the latest video frame: the two may use
    /// different clocks. A camera that is switched off leaves its configuration behind; the audio then carries the
    /// clock and the start positions.
    fn has_video_at(&self, dts_ms: u64) -> bool {
        let since = self.heard_ms.unwrap_or(dts_ms);
        self.muxer.video_codec().is_some() && dts_ms.abs_diff(since) < VIDEO_IDLE_MS
    }

    /// Measured within one track, for the same reason.
    fn tables_are_due(&mut self, dts_ms: u64, video: bool) -> bool {
        if self.tables.is_empty() {
            return true;
        }
        let since = *self.tables_ms[usize::from(video)].get_or_insert(dts_ms);
        dts_ms.abs_diff(since) >= TABLES_INTERVAL_MS
    }

    fn extend(&mut self, timestamp: u32) -> u64 {
        self.timeline.extend(timestamp)
    }

    fn piece(&mut self, mut piece: PendingFrame) -> TsFrame {
        let messages = self.write_messages(&mut piece.bytes);
        let program_change = std::mem::take(&mut self.program_change) && self.started;
        self.started = true;
        if piece.tables {
            self.tables = Bytes::copy_from_slice(&piece.bytes[..TABLES_SIZE]);
            self.tables_ms = [None; 2];
            self.tables_ms[usize::from(piece.video)] = Some(piece.dts_ms);
        }
        TsFrame {
            bytes: piece.bytes.freeze(),
            tables: self.tables.clone(),
            starts_with_tables: piece.tables,
            dts_ms: piece.dts_ms,
            duration_ms: piece.duration_ms,
            video: piece.video,
            key: piece.key,
            program_change,
            messages,
        }
    }
}

/// Contents of a future [`TsFrame`].
struct PendingFrame {
    bytes: BytesMut,
    /// Whether `bytes` begins with the tables.
    tables: bool,
    dts_ms: u64,
    duration_ms: u64,
    video: bool,
    key: bool,
}

/// Extends 32-bit timestamps, which wrap after 49.7 days.
#[derive(Debug, Default)]
pub(in crate::wire) struct TimestampExtender(Option<u64>);

impl TimestampExtender {
    /// Value with these low bits that is closest to the preceding one.
    pub(in crate::wire) fn extend(&mut self, timestamp: u32) -> u64 {
        let extended = self.near(timestamp);
        self.0 = Some(extended);
        extended
    }

    /// As [`extend`](Self::extend), for a timestamp that no other one is compared with.
    fn near(&self, timestamp: u32) -> u64 {
        let Some(last) = self.0 else { return timestamp.into() };
        let step = timestamp.wrapping_sub(last as u32).cast_signed();
        last.saturating_add_signed(step.into()).min(TIMELINE_MAX_MS)
    }
}

/// Maximum interval of tables between key frames, for players that join elsewhere.
const TABLES_INTERVAL_MS: u64 = 1_000;

/// Maximum duration of audio that carries the PCR, whatever the settings: the PCR must be sent every 100 ms (ISO
/// 13818-1 §2.7.2).
const PCR_INTERVAL_MS: u64 = 80;

/// Maximum duration of audio in one PES packet; with the clock 700 ms ahead of presentation, receivers keep some
/// margin.
const AUDIO_DELAY_MAX_MS: u64 = 600;

/// Time without a frame after which video counts as switched off.
const VIDEO_IDLE_MS: u64 = 5_000;

/// Far beyond any stream, and small enough that sums in ticks stay below 2^64.
const TIMELINE_MAX_MS: u64 = 1 << 50;
