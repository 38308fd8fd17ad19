//! Muxer: tables and PES packets of one program.

use bytes::BytesMut;

use super::adts::AacConfig;
use super::annexb::{VideoCodec, VideoConfig};
use super::audio_collector::FrameLength;
use super::packet::{Adaptation, Continuity, write_pes, write_section};
use super::table::{self, StreamType};
use super::{
    MpegtsError, PACKET_SIZE, PID_AUDIO, PID_METADATA, PID_PAT, PID_PMT, PID_VIDEO, TICKS_PER_MS, adts, mp3,
    pes,
};

/// Size of both tables, each in a packet of its own.
pub const TABLES_SIZE: usize = 2 * PACKET_SIZE;

/// Distance of presentation timestamps from the clock reference.
///
/// Audio is written when the last frame of a collection arrives, up to the collection's delay after its first
/// timestamp, and broken encoders present video before its decoding time. Neither may arrive behind the clock of the
/// stream. 700 ms is PingOS's value.
pub(in crate::wire) const PRESENTATION_DELAY: u64 = 700 * TICKS_PER_MS;

/// One access unit of video. Times are in 90 kHz ticks, not necessarily wrapped.
#[derive(Clone, Copy, Debug)]
pub struct VideoFrame<'a> {
    /// Decoding time.
    pub dts: u64,
    /// Presentation time minus decoding time.
    pub cts: i64,
    /// Whether decoding may start here.
    pub key: bool,
    /// NAL units with length fields.
    pub nal_units: &'a [u8],
}

/// One or more complete audio frames. Times as in [`VideoFrame`].
#[derive(Clone, Copy, Debug)]
pub struct AudioFrames<'a> {
    /// Presentation time of the first frame.
    pub pts: u64,
    /// Whether the program has no video at present: audio then carries the clock, and players may start here.
    pub alone: bool,
    /// The frames, each with the header from [`Muxer::frame_audio`].
    pub data: &'a [u8],
}

/// Writes one program.
///
/// Call the `set_*` methods for configurations, then [`write_video`](Self::write_video) and
/// [`write_audio`](Self::write_audio). These write the tables first if requested, or if the program has changed since
/// the last tables.
#[derive(Debug)]
pub struct Muxer {
    video: Option<VideoConfig>,
    audio: Option<AudioCodec>,
    pcr_source: PcrSource,
    pat: Continuity,
    pmt: Continuity,
    video_continuity: Continuity,
    audio_continuity: Continuity,
    metadata_continuity: Continuity,
    /// Whether the program has timed metadata.
    metadata: bool,
    pmt_version: u8,
    /// Program map of the last tables.
    written_map: Option<ProgramMap>,
    last_pcr: Option<u64>,
    /// Buffer of the PES packet being built.
    scratch: Vec<u8>,
}

/// Elementary stream whose packets carry the PCR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PcrSource {
    Video,
    Audio,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AudioCodec {
    Aac(AacConfig),
    Mp3,
}

/// Everything that determines the contents of the PMT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProgramMap {
    video: Option<StreamType>,
    audio: Option<StreamType>,
    metadata: bool,
    pcr_source: PcrSource,
}

impl Default for Muxer {
    fn default() -> Self {
        Self::new()
    }
}

impl Muxer {
    /// Creates a program without streams.
    pub fn new() -> Self {
        Self {
            video: None,
            audio: None,
            pcr_source: PcrSource::Audio,
            pat: Continuity::default(),
            pmt: Continuity::default(),
            video_continuity: Continuity::default(),
            audio_continuity: Continuity::default(),
            metadata_continuity: Continuity::default(),
            metadata: false,
            pmt_version: 0,
            written_map: None,
            last_pcr: None,
            scratch: Vec::new(),
        }
    }

    /// Sets the configuration from an AVCDecoderConfigurationRecord. Returns whether it changed.
    ///
    /// # Errors
    ///
    /// The record is invalid; the previous one stays in force.
    pub fn set_avc_config(&mut self, avcc: &[u8]) -> Result<bool, MpegtsError> {
        let config = VideoConfig::from_avcc(avcc)?;
        Ok(replace(&mut self.video, config))
    }

    /// Sets the configuration from an HEVCDecoderConfigurationRecord. Returns whether it changed.
    ///
    /// # Errors
    ///
    /// The record is invalid; the previous one stays in force.
    pub fn set_hevc_config(&mut self, hvcc: &[u8]) -> Result<bool, MpegtsError> {
        let config = VideoConfig::from_hvcc(hvcc)?;
        Ok(replace(&mut self.video, config))
    }

    /// Takes the parameter sets from a frame with start codes. Returns whether all required ones are there.
    pub(super) fn set_config_in_band(&mut self, codec: VideoCodec, frame: &[u8]) -> bool {
        match VideoConfig::from_start_codes(codec, frame) {
            Some(config) => {
                self.video = Some(config);
                true
            }
            None => false,
        }
    }

    /// Sets the configuration from an AudioSpecificConfig. Returns whether it changed.
    ///
    /// # Errors
    ///
    /// The record is invalid or cannot be expressed in ADTS; the previous one stays in force.
    pub fn set_aac_config(&mut self, asc: &[u8]) -> Result<bool, MpegtsError> {
        let config = AacConfig::from_asc(asc)?;
        Ok(replace(&mut self.audio, AudioCodec::Aac(config)))
    }

    /// Raw AAC data of a frame that may have an ADTS header. If there is no configuration yet, the header serves as
    /// one; the flag is true then.
    pub(super) fn unframed<'a>(&mut self, data: &'a [u8]) -> (&'a [u8], bool) {
        let Some((config, raw)) = AacConfig::split(data) else { return (data, false) };
        let first = self.audio.is_none();
        self.audio.get_or_insert(AudioCodec::Aac(config));
        (raw, first)
    }

    /// Sets the audio codec to MP3. Returns whether it changed.
    pub fn set_mp3(&mut self) -> bool {
        replace(&mut self.audio, AudioCodec::Mp3)
    }

    /// Adds timed metadata to the program: the tables before the next frame name it.
    pub fn announce_metadata(&mut self) {
        self.metadata = true;
    }

    /// Clears all codecs, because the next publisher announces its own. Continuity counters continue.
    pub fn clear(&mut self) {
        self.metadata = false;
        self.video = None;
        self.audio = None;
    }

    /// The video codec, if there is video.
    pub(super) fn video_codec(&self) -> Option<VideoCodec> {
        self.video.as_ref().map(|config| config.codec)
    }

    /// Whether the audio is MP3.
    pub(super) fn is_mp3(&self) -> bool {
        self.audio == Some(AudioCodec::Mp3)
    }

    /// Writes the PAT and the PMT: [`TABLES_SIZE`] bytes.
    pub fn write_tables(&mut self, out: &mut BytesMut) {
        let map = self.map();
        if self.written_map.is_some_and(|written| written != map) {
            self.pmt_version = (self.pmt_version + 1) & 0x1f;
        }
        self.written_map = Some(map);

        let video = map.video.map(|stream_type| (stream_type, PID_VIDEO));
        let audio = map.audio.map(|stream_type| (stream_type, PID_AUDIO));
        let metadata = map.metadata.then_some((StreamType::Metadata, PID_METADATA));
        let streams: Vec<_> = video.into_iter().chain(audio).chain(metadata).collect();
        let pcr_pid = match map.pcr_source {
            PcrSource::Video => PID_VIDEO,
            PcrSource::Audio => PID_AUDIO,
        };
        write_section(PID_PAT, &mut self.pat, &table::pat(PID_PMT), out);
        write_section(PID_PMT, &mut self.pmt, &table::pmt(self.pmt_version, pcr_pid, &streams), out);
    }

    /// Writes one access unit. Returns whether tables were written before it.
    ///
    /// # Errors
    ///
    /// The frame is invalid, or no codec configuration was received; nothing is written.
    pub fn write_video(
        &mut self,
        frame: VideoFrame<'_>,
        tables: bool,
        out: &mut BytesMut,
    ) -> Result<bool, MpegtsError> {
        let config = self.video.as_ref().ok_or(MpegtsError::MissingConfig)?;
        self.scratch.clear();
        self.scratch.resize(pes::HEADER_MAX, 0);
        config.convert(frame.key, frame.nal_units, &mut self.scratch)?;

        self.pcr_source = PcrSource::Video;
        let tables = self.write_tables_if(tables, out);
        let adaptation = self.adaptation(PcrSource::Video, frame.dts, frame.key);
        // Clock values are modulo 2^33, so a negative sum wraps correctly.
        let dts = frame.dts.wrapping_add(PRESENTATION_DELAY);
        let pts = dts.wrapping_add_signed(frame.cts);
        let start = pes::write_header(pes::STREAM_ID_VIDEO, pts, dts, &mut self.scratch);
        write_pes(PID_VIDEO, &mut self.video_continuity, adaptation, &self.scratch[start..], out);
        self.scratch.shrink_to(SCRATCH_KEPT);
        Ok(tables)
    }

    /// Header for one audio frame (empty for MP3), for [`write_audio`](Self::write_audio), with its length and the
    /// frame's duration.
    ///
    /// # Errors
    ///
    /// The frame is too long or invalid, or no codec configuration was received.
    pub fn frame_audio(
        &self,
        data: &[u8],
    ) -> Result<([u8; adts::HEADER_SIZE], usize, FrameLength), MpegtsError> {
        match self.audio.ok_or(MpegtsError::MissingConfig)? {
            _ if data.is_empty() => Err(MpegtsError::Empty),
            AudioCodec::Aac(config) => {
                Ok((config.header(data.len())?, adts::HEADER_SIZE, config.frame_length))
            }
            AudioCodec::Mp3 if data.len() > MP3_MAX => Err(MpegtsError::TooLarge),
            AudioCodec::Mp3 => Ok(([0; adts::HEADER_SIZE], 0, mp3::frame_length(data)?)),
        }
    }

    /// Writes complete audio frames as one PES packet. Returns whether tables were written before it.
    ///
    /// # Errors
    ///
    /// No codec configuration was received; nothing is written.
    pub fn write_audio(
        &mut self,
        frames: AudioFrames<'_>,
        tables: bool,
        out: &mut BytesMut,
    ) -> Result<bool, MpegtsError> {
        if frames.data.len() > pes::AUDIO_MAX {
            return Err(MpegtsError::TooLarge);
        }
        self.pcr_source = if frames.alone { PcrSource::Audio } else { PcrSource::Video };
        let tables = self.write_tables_if(tables, out);
        let adaptation = self.adaptation(PcrSource::Audio, frames.pts, frames.alone);
        self.scratch.clear();
        self.scratch.resize(pes::HEADER_MAX, 0);
        self.scratch.extend_from_slice(frames.data);
        let pts = frames.pts.wrapping_add(PRESENTATION_DELAY);
        let start = pes::write_header(pes::STREAM_ID_AUDIO, pts, pts, &mut self.scratch);
        write_pes(PID_AUDIO, &mut self.audio_continuity, adaptation, &self.scratch[start..], out);
        Ok(tables)
    }

    /// Writes an ID3 tag as one PES packet, after tables that name it. `pts` is in 90 kHz ticks.
    ///
    /// # Errors
    ///
    /// The tag is too long; nothing is written.
    pub fn write_metadata(&mut self, pts: u64, tag: &[u8], out: &mut BytesMut) -> Result<(), MpegtsError> {
        if tag.len() > METADATA_MAX {
            return Err(MpegtsError::TooLarge);
        }
        self.scratch.clear();
        self.scratch.resize(pes::HEADER_MAX, 0);
        self.scratch.extend_from_slice(tag);
        let pts = pts.wrapping_add(PRESENTATION_DELAY);
        let start = pes::write_header(pes::STREAM_ID_METADATA, pts, pts, &mut self.scratch);
        let continuity = &mut self.metadata_continuity;
        write_pes(PID_METADATA, continuity, Adaptation::default(), &self.scratch[start..], out);
        Ok(())
    }

    fn write_tables_if(&mut self, wanted: bool, out: &mut BytesMut) -> bool {
        let stale = self.written_map != Some(self.map());
        if wanted || stale {
            self.write_tables(out);
        }
        wanted || stale
    }

    fn adaptation(&mut self, stream: PcrSource, time: u64, random_access: bool) -> Adaptation {
        if stream != self.pcr_source {
            return Adaptation { random_access, ..Adaptation::default() };
        }
        let last = self.last_pcr.replace(time).unwrap_or(time);
        // A clock jump without the discontinuity flag makes receivers wait or drop packets (§2.4.3.4).
        let discontinuity = time < last || time - last > CLOCK_GAP;
        Adaptation { pcr: Some(time), random_access, discontinuity }
    }

    fn map(&self) -> ProgramMap {
        let video = self.video.as_ref().map(|config| match config.codec {
            VideoCodec::Avc => StreamType::Avc,
            VideoCodec::Hevc => StreamType::Hevc,
        });
        let audio = self.audio.map(|codec| match codec {
            AudioCodec::Aac(_) => StreamType::Aac,
            AudioCodec::Mp3 => StreamType::Mp3,
        });
        ProgramMap { video, audio, metadata: self.metadata, pcr_source: self.pcr_source }
    }
}

fn replace<T: PartialEq>(slot: &mut Option<T>, value: T) -> bool {
    if slot.as_ref() == Some(&value) {
        return false;
    }
    *slot = Some(value);
    true
}

/// Maximum length of an ID3 tag: it is one PES packet.
pub(super) const METADATA_MAX: usize = pes::AUDIO_MAX;

/// Longest clock step that counts as a pause of the encoder.
const CLOCK_GAP: u64 = 10_000 * TICKS_PER_MS;

/// Buffer size kept between frames, so that one large picture does not occupy memory forever.
const SCRATCH_KEPT: usize = 512 * 1024;

/// Maximum length of an MP3 frame: layer 2 at 384 kbit/s and 32 kHz has 1728 bytes; free format may have more.
const MP3_MAX: usize = 8 * 1024;
