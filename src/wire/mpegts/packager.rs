//! Frames of one stream in, pieces of a transport stream out.

use bytes::{Bytes, BytesMut};

use super::annexb::VideoCodec;
use super::audio_collector::{AudioCollector, Collected};
use super::flv_body::{Body, Carried};
use super::muxer::{AudioFrames, Muxer, TABLES_SIZE, VideoFrame};
use super::{Error, TICKS_PER_MS};
use crate::wire::MediaKind;

/// How a stream is packaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Codec id of HEVC in classic FLV video tags.
    pub hevc_codec_id: u8,
    /// Longest time audio is collected into one PES packet, `mpegts_audio_delay`.
    pub audio_delay_ms: u64,
    /// Largest rounding of audio timestamps that is smoothed away, `mpegts_sync`.
    pub audio_sync_ms: u64,
    /// Most bytes of audio collected, `mpegts_audio_buffer_size`.
    pub audio_buffer_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { hevc_codec_id: 12, audio_delay_ms: 300, audio_sync_ms: 2, audio_buffer_size: 1024 * 1024 }
    }
}

/// A piece of the transport stream: one video frame, or some collected audio, with its tables if any.
///
/// Cheap to clone: the bytes are shared. All pieces of a stream in their order are one valid transport
/// stream; so is any part of it that starts with the [`lead`](Self::lead) of a piece with
/// [`key`](Self::key).
#[derive(Clone, Debug)]
pub struct TsFrame {
    /// Whole packets of 188 bytes.
    pub bytes: Bytes,
    /// The latest tables up to this piece, to be written first by whoever starts at a piece without.
    pub tables: Bytes,
    /// Whether `bytes` begins with the tables.
    pub starts_with_tables: bool,
    /// Decoding time in milliseconds. The 32 bits of the input are extended; backward jumps of the
    /// publisher stay backward jumps.
    pub dts_ms: u64,
    /// Time covered, as far as it is known by now: of collected audio its length, of a video frame the
    /// distance from the frame before it.
    pub duration_ms: u64,
    /// Whether it is video.
    pub video: bool,
    /// Whether a player may start here: key frames, and in a stream without video all audio.
    pub key: bool,
    /// Whether a codec or its configuration is another than in the pieces before.
    pub program_change: bool,
}

impl TsFrame {
    /// What a reader that starts here needs before `bytes`.
    pub fn lead(&self) -> Option<&Bytes> {
        (!self.starts_with_tables).then_some(&self.tables)
    }
}

/// Packages one stream.
///
/// Feed [`handle_frame`](Self::handle_frame) with everything the publisher sends, codec headers included,
/// and [`finish`](Self::finish) when it leaves. The next publisher of the stream may go on with the same
/// packager, so that whoever reads on sees the counters go on.
#[derive(Debug)]
pub struct Packager {
    settings: Settings,
    carried: Carried,
    muxer: Muxer,
    collector: AudioCollector,
    timeline: Timeline,
    /// Time of the first audio frame since the latest video frame.
    heard_ms: Option<u64>,
    /// Decoding time of the first video frame since the collected audio began.
    collected_ms: Option<u64>,
    /// Decoding time of its latest video frame.
    last_video_ms: Option<u64>,
    tables: Bytes,
    /// Time of audio and of video when the tables were written.
    tables_ms: [Option<u64>; 2],
    /// Something was configured since the last piece.
    program_change: bool,
    /// Whether any piece was made yet: the first one changes nothing.
    started: bool,
}

impl Packager {
    /// A packager that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        let delay = settings.audio_delay_ms.min(AUDIO_DELAY_MAX_MS);
        Self {
            settings,
            carried: Carried::default(),
            muxer: Muxer::new(),
            collector: AudioCollector::new(delay, settings.audio_sync_ms, settings.audio_buffer_size),
            timeline: Timeline::default(),
            heard_ms: None,
            collected_ms: None,
            last_video_ms: None,
            tables: Bytes::new(),
            tables_ms: [None; 2],
            program_change: false,
            started: false,
        }
    }

    /// Takes other settings for the next publisher; to be called before its first frame.
    pub fn configure(&mut self, settings: Settings) {
        if self.settings != settings {
            let fresh = Self::new(settings);
            (self.settings, self.collector) = (fresh.settings, fresh.collector);
        }
    }

    /// Takes one message of the publisher and appends the pieces it completes, at most three.
    ///
    /// An error means that this message is not in the output; the packager goes on with the next one.
    pub fn handle_frame(
        &mut self,
        kind: MediaKind,
        timestamp: u32,
        payload: &[u8],
        out: &mut Vec<TsFrame>,
    ) -> Result<(), Error> {
        match Body::parse(kind, payload, self.settings.hevc_codec_id, &mut self.carried)? {
            Body::VideoConfig { codec, record } => {
                let changed = match codec {
                    VideoCodec::Avc => self.muxer.set_avc_config(record)?,
                    VideoCodec::Hevc => self.muxer.set_hevc_config(record)?,
                };
                self.program_change |= changed;
            }
            Body::AacConfig(asc) => {
                // The frames collected so far are of the old configuration.
                self.flush_audio(out);
                if self.muxer.set_aac_config(asc)? {
                    self.program_change = true;
                    self.collector.restart();
                }
            }
            Body::Video { codec, key, cts, nal_units } => {
                if self.muxer.video_codec() != Some(codec) {
                    if !key || !self.muxer.set_config_in_band(codec, nal_units) {
                        return Err(Error::MissingConfig);
                    }
                    self.program_change = true;
                }
                let dts_ms = self.extend(timestamp);
                self.handle_video(dts_ms, cts, key, nal_units, out)?;
            }
            Body::Aac(data) => {
                let (data, configured) = self.muxer.unframed(data);
                self.program_change |= configured;
                let dts_ms = self.extend(timestamp);
                self.handle_audio(dts_ms, data, out)?;
            }
            Body::Mp3(data) => {
                if !self.muxer.is_mp3() {
                    self.flush_audio(out);
                    self.program_change |= self.muxer.set_mp3();
                    self.collector.restart();
                }
                let dts_ms = self.extend(timestamp);
                self.handle_audio(dts_ms, data, out)?;
            }
            Body::Other => {}
        }
        Ok(())
    }

    /// Appends what is still collected, and forgets the codecs of a publisher that left.
    pub fn finish(&mut self, out: &mut Vec<TsFrame>) {
        self.flush_audio(out);
        self.collector.restart();
        self.muxer.clear();
        self.carried = Carried::default();
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
    ) -> Result<(), Error> {
        let dts = dts_ms * TICKS_PER_MS;
        // How long the audio has waited: the two may be on different clocks, so its own timestamps say nothing here.
        let waited = dts_ms.saturating_sub(*self.collected_ms.get_or_insert(dts_ms));
        // What was heard before a key frame belongs before it, or a segment that starts there would begin
        // with the sound of the one before.
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
        out.push(self.piece(Piece { bytes, tables, dts_ms, duration_ms, video: true, key }));
        Ok(())
    }

    fn handle_audio(&mut self, dts_ms: u64, data: &[u8], out: &mut Vec<TsFrame>) -> Result<(), Error> {
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
        let Some(Collected { pts, duration, data }) = self.collector.take() else { return };
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
        out.push(self.piece(Piece { bytes, tables, dts_ms, duration_ms, video: false, key: alone }));
    }

    /// Whether the stream has video that is still coming, asked at the time of audio. A camera switched off leaves its
    /// configuration behind; the clock and the starting points then pass to the audio. The audio since the latest
    /// video frame is the measure: the two may be on different clocks.
    fn has_video_at(&self, dts_ms: u64) -> bool {
        let since = self.heard_ms.unwrap_or(dts_ms);
        self.muxer.video_codec().is_some() && dts_ms.abs_diff(since) < VIDEO_IDLE_MS
    }

    /// Measured within a track, for the same reason.
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

    fn piece(&mut self, piece: Piece) -> TsFrame {
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
        }
    }
}

/// What is to become a [`TsFrame`].
struct Piece {
    bytes: BytesMut,
    /// Whether `bytes` begins with the tables.
    tables: bool,
    dts_ms: u64,
    duration_ms: u64,
    video: bool,
    key: bool,
}

/// Extends timestamps of 32 bits, which wrap after 49.7 days.
#[derive(Debug, Default)]
struct Timeline(Option<u64>);

impl Timeline {
    /// The value nearest to the one before that has these low bits.
    fn extend(&mut self, timestamp: u32) -> u64 {
        let extended = match self.0 {
            None => timestamp.into(),
            Some(last) => {
                let step = timestamp.wrapping_sub(last as u32).cast_signed();
                last.saturating_add_signed(step.into()).min(TIMELINE_MAX_MS)
            }
        };
        self.0 = Some(extended);
        extended
    }
}

/// Tables are repeated at this distance even between key frames, for players that join without one.
const TABLES_INTERVAL_MS: u64 = 1_000;

/// The clock reference must come every 100 ms (ISO 13818-1 §2.7.2), so audio that carries it is not
/// collected for longer, whatever the settings say.
const PCR_INTERVAL_MS: u64 = 80;

/// Longest collection of audio; with the clock running 700 ms ahead of presentation this still leaves
/// receivers some time.
const AUDIO_DELAY_MAX_MS: u64 = 600;

/// Video is taken for switched off after this time without a frame.
const VIDEO_IDLE_MS: u64 = 5_000;

/// Far beyond any stream, and far enough from 2^64 for sums in ticks.
const TIMELINE_MAX_MS: u64 = 1 << 50;
