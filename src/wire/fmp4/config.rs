//! Tracks: codec, decoder configuration, and what playlists tell about them.

use bytes::Bytes;

use super::records::{self, Ac3Frame};
use super::{Fmp4Error, VIDEO_TIMESCALE};
use crate::wire::codec::{aac, avc, hevc, rfc6381};

/// Codec of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackCodec {
    /// H.264.
    Avc,
    /// H.265.
    Hevc,
    /// AV1.
    Av1,
    /// AAC.
    Aac,
    /// MPEG audio layer 3.
    Mp3,
    /// Opus.
    Opus,
    /// AC-3.
    Ac3,
    /// Enhanced AC-3.
    Eac3,
    /// FLAC.
    Flac,
}

/// Configuration of a track. Samples with equal configurations may follow one another without a new initialisation
/// segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackConfig {
    /// Codec.
    pub codec: TrackCodec,
    /// Codec in playlists (RFC 6381).
    pub codecs: String,
    /// Ticks per second; for audio, the sample rate.
    pub timescale: u32,
    /// Picture width in pixels; 0 if unknown, and for audio.
    pub width: u16,
    /// Picture height in pixels; 0 if unknown, and for audio.
    pub height: u16,
    /// Number of audio channels; 0 for video.
    pub channels: u8,
    /// Contents of the codec's configuration box.
    pub(super) record: Bytes,
    /// Audio samples in a frame; 0 if frames differ or are not known.
    pub(super) frame_samples: u32,
}

impl TrackConfig {
    /// Whether it is video.
    pub fn is_video(&self) -> bool {
        self.timescale == VIDEO_TIMESCALE && self.channels == 0
    }

    fn video(codec: TrackCodec, codecs: String, size: Option<(u32, u32)>, record: &[u8]) -> Self {
        let (width, height) = size.unwrap_or_default();
        let pixels = |number| u16::try_from(number).unwrap_or(0);
        TrackConfig {
            codec,
            codecs,
            timescale: VIDEO_TIMESCALE,
            width: pixels(width),
            height: pixels(height),
            channels: 0,
            record: Bytes::copy_from_slice(record),
            frame_samples: 0,
        }
    }

    fn audio(codec: TrackCodec, codecs: String, rate: u32, channels: u8, record: Bytes) -> Self {
        TrackConfig {
            codec,
            codecs,
            timescale: rate.max(1),
            width: 0,
            height: 0,
            channels: channels.max(1),
            record,
            frame_samples: 0,
        }
    }

    /// From an AVCDecoderConfigurationRecord.
    pub(super) fn avc(record: &[u8]) -> Result<Self, Fmp4Error> {
        let config = avc::AvcConfig::parse(record)?;
        let sps = config.sps.first().ok_or(Fmp4Error::BadConfig)?;
        let size = avc::AvcSps::parse(sps).ok().map(|sps| (sps.width, sps.height));
        Ok(Self::video(TrackCodec::Avc, rfc6381::avc(&config), size, record))
    }

    /// From an HEVCDecoderConfigurationRecord.
    pub(super) fn hevc(record: &[u8]) -> Result<Self, Fmp4Error> {
        let config = hevc::HevcConfig::parse(record)?;
        let sps = config.sps.first().ok_or(Fmp4Error::BadConfig)?;
        let size = hevc::HevcSps::parse(sps).ok().map(|sps| (sps.width, sps.height));
        Ok(Self::video(TrackCodec::Hevc, rfc6381::hevc(&config), size, record))
    }

    /// From an AV1CodecConfigurationRecord.
    pub(super) fn av1(record: &[u8]) -> Result<Self, Fmp4Error> {
        let &[0x81, profile_level, format, _] = record.first_chunk().ok_or(Fmp4Error::Truncated)? else {
            return Err(Fmp4Error::BadConfig);
        };
        let (profile, level) = (profile_level >> 5, profile_level & 31);
        let tier = if format & 0x80 == 0 { 'M' } else { 'H' };
        let depth = match (format & 0x40 != 0, format & 0x20 != 0) {
            (false, _) => 8,
            (true, false) => 10,
            (true, true) => 12,
        };
        let codecs = format!("av01.{profile}.{level:02}{tier}.{depth:02}");
        let size = records::av1_size(&record[4..]).ok();
        Ok(Self::video(TrackCodec::Av1, codecs, size, record))
    }

    /// From an AudioSpecificConfig.
    pub(super) fn aac(record: &[u8]) -> Result<Self, Fmp4Error> {
        let config = aac::AudioSpecificConfig::parse(record)?;
        let (codecs, record) = (rfc6381::mp4a(config.object_type), Bytes::copy_from_slice(record));
        // 0 is given elsewhere in the stream; stereo is the usual case.
        let channels = if config.channels == 0 { 2 } else { config.channels };
        let track = Self::audio(TrackCodec::Aac, codecs, config.sample_rate, channels, record);
        Ok(TrackConfig { frame_samples: config.frame_samples.into(), ..track })
    }

    /// From the rate, the length of a frame in samples, and the number of channels.
    pub(super) fn mp3(rate: u32, frame_samples: u32, channels: u8) -> Self {
        let codecs = if rate >= MPEG1_RATE { "mp4a.6B" } else { "mp4a.69" };
        let track = Self::audio(TrackCodec::Mp3, codecs.to_owned(), rate, channels, Bytes::new());
        TrackConfig { frame_samples, ..track }
    }

    /// From an Opus identification header (RFC 7845 §5.1). The rate of Opus in MP4 is always 48 kHz.
    pub(super) fn opus(head: &[u8]) -> Result<Self, Fmp4Error> {
        let (channels, record) = records::opus(head)?;
        Ok(Self::audio(TrackCodec::Opus, "opus".to_owned(), 48_000, channels, record))
    }

    /// From a frame of AC-3 or E-AC-3.
    pub(super) fn ac3(frame: &Ac3Frame) -> Self {
        let (codec, codecs) =
            if frame.enhanced { (TrackCodec::Eac3, "ec-3") } else { (TrackCodec::Ac3, "ac-3") };
        let record = Bytes::copy_from_slice(&frame.record);
        let track = Self::audio(codec, codecs.to_owned(), frame.rate, frame.channels, record);
        TrackConfig { frame_samples: frame.samples, ..track }
    }

    /// From a FLAC stream header.
    pub(super) fn flac(head: &[u8]) -> Result<Self, Fmp4Error> {
        let info = records::flac(head)?;
        let track = Self::audio(TrackCodec::Flac, "fLaC".to_owned(), info.rate, info.channels, info.record);
        Ok(TrackConfig { frame_samples: info.frame_samples, ..track })
    }
}

/// Lowest sample rate of MPEG-1; MP3 with a lower one is MPEG-2.
pub(super) const MPEG1_RATE: u32 = 32_000;
