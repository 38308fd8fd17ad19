//! Packager: converts a publisher's messages to samples on one time line.

use std::sync::Arc;

use bytes::Bytes;

use super::config::{TrackCodec, TrackConfig};
use super::{Fmp4Error, records};
use crate::wire::MediaKind;
use crate::wire::codec::{
    AudioCodec, AudioPacket, AudioTag, FrameType, MainTrack, VideoCodec, VideoPacket, VideoTag,
};
use crate::wire::mpegts::{TimestampExtender, adts, mp3};

/// A frame of a track.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Configuration that it needs.
    pub config: Arc<TrackConfig>,
    /// Decoding time in ticks of the track; grows from sample to sample.
    pub dts: u64,
    /// Duration in ticks, up to the next sample.
    pub duration: u32,
    /// Presentation time minus decoding time, in ticks.
    pub cts: i32,
    /// Whether it can be decoded alone.
    pub key: bool,
    /// Whether a segment may start here: at key frames of video, and without video at every sample.
    pub starts: bool,
    /// Whether its configuration became known only after the stream's first samples: the configuration differs from that
    /// of the track's preceding sample, or the track is new.
    pub changed: bool,
    /// Whether a segment may start at the track's next sample.
    pub precedes_start: bool,
    /// The frame.
    pub data: Bytes,
}

impl Sample {
    /// Decoding time in milliseconds.
    pub fn dts_ms(&self) -> u64 {
        self.ms(self.dts)
    }

    /// Time of the following sample in milliseconds.
    pub fn end_ms(&self) -> u64 {
        self.ms(self.dts.saturating_add(self.duration.into()))
    }

    fn ms(&self, ticks: u64) -> u64 {
        scale(ticks, 1_000, self.config.timescale.into())
    }
}

/// Packages the main tracks of one publish.
///
/// Pass everything that the publisher sends, including codec headers, to [`handle_frame`](Self::handle_frame), and call
/// [`finish`](Self::finish) when it leaves. A sample comes out when the next one of its track is known, because that
/// tells its duration.
#[derive(Debug)]
pub struct Packager {
    hevc_codec_id: u8,
    /// Audio and video.
    tracks: [Track; 2],
    /// Start of the time line in milliseconds; `None` takes the publisher's timestamps.
    origin_ms: Option<u64>,
    /// Composition offset of the first key frame in milliseconds. Video is decoded later by this much, so that its first
    /// picture is presented when it is decoded; presentation times stay.
    delay_ms: Option<u32>,
    /// Time of the first audio since the latest video.
    heard_ms: Option<u64>,
    /// Whether a sample has come out: a configuration that comes later is a change.
    started: bool,
    repaired: bool,
}

#[derive(Debug, Default)]
struct Track {
    main: MainTrack,
    config: Option<Arc<TrackConfig>>,
    changed: bool,
    extender: TimestampExtender,
    clock: Option<Clock>,
    held: Option<Sample>,
    /// Duration of the latest sample that has one.
    usual: u32,
}

/// Latest frame of a track, by the publisher's timestamps and on the time line, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Clock {
    sent_ms: u64,
    at_ms: u64,
}

impl Clock {
    /// Time of this timestamp if it continues from the latest one.
    fn continued(&self, sent_ms: u64) -> u64 {
        self.at_ms.saturating_add(sent_ms).saturating_sub(self.sent_ms)
    }
}

const AUDIO: usize = 0;
const VIDEO: usize = 1;

impl Packager {
    /// Creates a packager. `hevc_codec_id` is the legacy codec id of HEVC; the first frame is at `origin_ms`, or at its
    /// timestamp.
    pub fn new(hevc_codec_id: u8, origin_ms: Option<u64>) -> Self {
        Packager {
            hevc_codec_id,
            tracks: Default::default(),
            origin_ms,
            delay_ms: None,
            heard_ms: None,
            started: false,
            repaired: false,
        }
    }

    /// Processes one message of the publisher and appends completed samples.
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
        payload: &Bytes,
        out: &mut Vec<Sample>,
    ) -> Result<(), Fmp4Error> {
        match kind {
            MediaKind::Data => Ok(()),
            _ if payload.is_empty() => Err(Fmp4Error::Empty),
            MediaKind::Audio => self.audio(timestamp, payload, out),
            MediaKind::Video => self.video(timestamp, payload, out),
        }
    }

    /// Appends the last sample of each track.
    pub fn finish(&mut self, out: &mut Vec<Sample>) {
        for track in &mut self.tracks {
            if let Some(mut last) = track.held.take() {
                last.duration = match (track.usual, last.config.frame_samples) {
                    (0, 0) => last.config.timescale / 25,
                    (0, samples) => samples,
                    (usual, _) => usual,
                };
                out.push(last);
            }
        }
        *self = Packager::new(self.hevc_codec_id, self.origin_ms);
    }

    /// Configuration of video or audio for the next frame, once it is known.
    pub fn config(&self, video: bool) -> Option<&Arc<TrackConfig>> {
        self.tracks[usize::from(video)].config.as_ref()
    }

    /// Point of a data message on the time line in milliseconds; `None` before the first frame. A timestamp that is far from
    /// those of the media counts as now: many encoders send 0.
    pub fn moment(&self, timestamp: u32) -> Option<u64> {
        let clock = self.tracks[VIDEO].clock.or(self.tracks[AUDIO].clock)?;
        let ahead_ms = i64::from(timestamp.wrapping_sub(clock.sent_ms as u32).cast_signed());
        let is_near = ahead_ms.unsigned_abs() <= APART_MS;
        Some(if is_near { clock.at_ms.saturating_add_signed(ahead_ms) } else { clock.at_ms })
    }

    /// Whether timestamps had to be corrected since the last call.
    pub fn take_repaired(&mut self) -> bool {
        std::mem::take(&mut self.repaired)
    }

    fn video(&mut self, timestamp: u32, payload: &Bytes, out: &mut Vec<Sample>) -> Result<(), Fmp4Error> {
        let mut chosen = None;
        for tag in VideoTag::all(payload, self.hevc_codec_id) {
            let tag = match tag {
                Ok(tag) => tag,
                Err(_) if chosen.is_some() => break,
                Err(error) => return Err(error.into()),
            };
            if tag.packet != VideoPacket::Command && self.tracks[VIDEO].main.is(tag.track) {
                chosen = Some(tag);
            }
        }
        let Some(tag) = chosen else { return Ok(()) };
        let is_header = match tag.packet {
            VideoPacket::SequenceHeader => true,
            VideoPacket::Coded => false,
            _ => return Ok(()),
        };
        let codec = match tag.codec {
            VideoCodec::Avc => TrackCodec::Avc,
            VideoCodec::Hevc => TrackCodec::Hevc,
            VideoCodec::Av1 => TrackCodec::Av1,
            _ => return Err(Fmp4Error::Unsupported),
        };
        let data = body(payload, tag.data_offset, tag.data_end)?;
        if is_header {
            let config = match codec {
                TrackCodec::Avc => TrackConfig::avc(&data)?,
                TrackCodec::Hevc => TrackConfig::hevc(&data)?,
                _ => TrackConfig::av1(&data)?,
            };
            self.configure(VIDEO, config);
            return Ok(());
        }
        let config = self.tracks[VIDEO].config.clone().filter(|config| config.codec == codec);
        let config = config.ok_or(Fmp4Error::MissingConfig)?;
        // A temporal delimiter does not belong into a sample of AV1.
        let data = match codec {
            TrackCodec::Av1 if data.starts_with(&TEMPORAL_DELIMITER) => {
                data.slice(TEMPORAL_DELIMITER.len()..)
            }
            _ => data,
        };
        if data.is_empty() {
            return Err(Fmp4Error::Empty);
        }
        let key = matches!(tag.frame, FrameType::Key | FrameType::GeneratedKey);
        if !key && self.tracks[VIDEO].clock.is_none() {
            // Nothing before the first key frame can be decoded.
            return Ok(());
        }
        let composition = tag.composition_time.clamp(-COMPOSITION_MAX_MS, COMPOSITION_MAX_MS);
        let delay_ms = *self.delay_ms.get_or_insert(composition.clamp(0, DELAY_MAX_MS).cast_unsigned());
        let at_ms = self.place(VIDEO, timestamp);
        self.heard_ms = None;
        let ticks = u64::from(config.timescale / 1_000);
        let dts = at_ms.saturating_add(delay_ms.into()).saturating_mul(ticks);
        let cts = (composition - delay_ms.cast_signed()) * (config.timescale / 1_000).cast_signed();
        let sample = Sample {
            config,
            dts,
            duration: 0,
            cts,
            key,
            starts: key,
            changed: false,
            precedes_start: false,
            data,
        };
        self.hold(VIDEO, sample, out);
        Ok(())
    }

    fn audio(&mut self, timestamp: u32, payload: &Bytes, out: &mut Vec<Sample>) -> Result<(), Fmp4Error> {
        let mut chosen = None;
        for tag in AudioTag::all(payload) {
            let tag = match tag {
                Ok(tag) => tag,
                Err(_) if chosen.is_some() => break,
                Err(error) => return Err(error.into()),
            };
            if self.tracks[AUDIO].main.is(tag.track) {
                chosen = Some(tag);
            }
        }
        let Some(tag) = chosen else { return Ok(()) };
        let is_header = match tag.packet {
            AudioPacket::SequenceHeader => true,
            AudioPacket::Coded => false,
            _ => return Ok(()),
        };
        let mut data = body(payload, tag.data_offset, tag.data_end)?;
        if data.is_empty() {
            return Err(Fmp4Error::Empty);
        }
        // Frames that tell their own configuration.
        let told = match (tag.codec, is_header) {
            (AudioCodec::Aac, true) => Some(TrackConfig::aac(&data)?),
            (AudioCodec::Opus, true) => Some(TrackConfig::opus(&data)?),
            (AudioCodec::OtherFourCc(FLAC), true) => Some(TrackConfig::flac(&data)?),
            (_, true) => return Ok(()),
            (AudioCodec::Aac, false) => match adts::AacConfig::split(&data) {
                Some((config, raw)) => {
                    data = data.slice_ref(raw);
                    // What the publisher has announced counts more.
                    let is_known =
                        self.tracks[AUDIO].config.as_ref().is_some_and(|c| c.codec == TrackCodec::Aac);
                    if is_known { None } else { Some(TrackConfig::aac(&config.specific_config())?) }
                }
                None => None,
            },
            (AudioCodec::Mp3, false) => {
                let length = mp3::frame_length(&data).map_err(|_| Fmp4Error::Unsupported)?;
                // Mode 3 is mono.
                let channels = if data.get(3).is_some_and(|byte| byte >> 6 == 3) { 1 } else { 2 };
                Some(TrackConfig::mp3(length.rate, length.samples, channels))
            }
            (AudioCodec::OtherFourCc(AC3 | EAC3), false) => Some(TrackConfig::ac3(&records::ac3(&data)?)),
            (AudioCodec::Opus | AudioCodec::OtherFourCc(FLAC), false) => None,
            _ => return Err(Fmp4Error::Unsupported),
        };
        if let Some(config) = told {
            self.configure(AUDIO, config);
        }
        if is_header {
            return Ok(());
        }
        let codec = match tag.codec {
            AudioCodec::Aac => Some(TrackCodec::Aac),
            AudioCodec::Opus => Some(TrackCodec::Opus),
            AudioCodec::OtherFourCc(FLAC) => Some(TrackCodec::Flac),
            _ => None,
        };
        let config = self.tracks[AUDIO].config.clone();
        let config = config.filter(|config| codec.is_none_or(|codec| config.codec == codec));
        let config = config.ok_or(Fmp4Error::MissingConfig)?;
        let at_ms = self.place(AUDIO, timestamp);
        let since_ms = *self.heard_ms.get_or_insert(at_ms);
        let alone = self.tracks[VIDEO].config.is_none() || at_ms.abs_diff(since_ms) >= VIDEO_IDLE_MS;
        let dts = self.smooth(&config, at_ms);
        let sample = Sample {
            config,
            dts,
            duration: 0,
            cts: 0,
            key: true,
            starts: alone,
            changed: false,
            precedes_start: false,
            data,
        };
        self.hold(AUDIO, sample, out);
        Ok(())
    }

    fn configure(&mut self, of: usize, config: TrackConfig) {
        let track = &mut self.tracks[of];
        if track.config.as_deref() != Some(&config) {
            track.config = Some(Arc::new(config));
            track.changed |= self.started;
        }
    }

    /// Time of an audio frame in ticks: directly behind the preceding frame, unless the timestamp differs from that by
    /// more than rounding and jitter.
    fn smooth(&mut self, config: &Arc<TrackConfig>, at_ms: u64) -> u64 {
        let rate = u64::from(config.timescale);
        let told = scale(at_ms, rate, 1_000);
        let Some(before) = self.tracks[AUDIO].held.as_ref().filter(|held| held.config == *config) else {
            return told;
        };
        let samples = match config.codec {
            TrackCodec::Opus => records::opus_samples(&before.data),
            _ => config.frame_samples,
        };
        let due = before.dts.saturating_add(samples.into());
        let most = (rate * AUDIO_JITTER_MS / 1_000).max(2 * u64::from(samples));
        if samples > 0 && due.abs_diff(told) <= most { due } else { told }
    }

    /// Point of a frame on the time line, in milliseconds.
    ///
    /// A track that begins later keeps its distance to the other one by timestamps, unless that is so large that the
    /// tracks must have different clocks. After a jump a track goes on where it was; the other one follows it, if it
    /// jumps by about as much.
    fn place(&mut self, of: usize, timestamp: u32) -> u64 {
        let other = self.tracks[1 - of].clock;
        let track = &mut self.tracks[of];
        let sent_ms = track.extender.extend(timestamp);
        let at_ms = match (track.clock, other) {
            (None, None) => self.origin_ms.unwrap_or(sent_ms),
            (None, Some(other)) => {
                let at_ms = other.continued(sent_ms);
                let is_near = sent_ms.abs_diff(other.sent_ms) <= APART_MS;
                self.repaired |= !is_near;
                if is_near { at_ms } else { other.at_ms }
            }
            (Some(own), other) => {
                let at_ms = own.continued(sent_ms);
                let newest = other.map_or(own.at_ms, |other| other.at_ms.max(own.at_ms));
                let back = own.sent_ms.saturating_sub(sent_ms) > BACKWARD_JUMP_MS;
                if back || at_ms.saturating_sub(newest) > FORWARD_JUMP_MS {
                    self.repaired = true;
                    let step = scale(track.usual.into(), 1_000, track.timescale());
                    let due = own.at_ms.saturating_add(step);
                    let beside = other.map(|other| other.continued(sent_ms));
                    beside.filter(|at| at.abs_diff(due.max(newest)) <= BESIDE_MS).unwrap_or(due.max(newest))
                } else {
                    at_ms
                }
            }
        };
        track.clock = Some(Clock { sent_ms, at_ms });
        at_ms
    }

    /// Appends the track's preceding sample, which ends where this one begins.
    fn hold(&mut self, of: usize, mut sample: Sample, out: &mut Vec<Sample>) {
        let track = &mut self.tracks[of];
        sample.changed = std::mem::take(&mut track.changed);
        if let Some(mut before) = track.held.take() {
            // The two may have different rates.
            let rate = u64::from(before.config.timescale);
            let is_same = before.config.timescale == sample.config.timescale;
            let next =
                if is_same { sample.dts } else { scale(sample.dts, rate, sample.config.timescale.into()) };
            // Decoding times must grow; the presentation time stays.
            let end = next.max(before.dts + 1);
            if is_same && end > sample.dts {
                let late = i32::try_from(end - sample.dts).unwrap_or(i32::MAX);
                sample.dts = end;
                if sample.config.is_video() {
                    sample.cts = sample.cts.saturating_sub(late);
                }
                self.repaired = true;
            }
            before.duration = u32::try_from(end - before.dts).unwrap_or(u32::MAX);
            track.usual = before.duration;
            before.precedes_start = sample.starts;
            out.push(before);
            self.started = true;
        }
        track.held = Some(sample);
    }
}

impl Track {
    fn timescale(&self) -> u64 {
        self.config.as_ref().map_or(1_000, |config| config.timescale.into())
    }
}

/// `count` units of which there are `from` in a second, in units of which there are `to`.
fn scale(count: u64, to: u64, from: u64) -> u64 {
    u64::try_from(u128::from(count) * u128::from(to) / u128::from(from.max(1))).unwrap_or(u64::MAX)
}

fn body(payload: &Bytes, start: usize, end: usize) -> Result<Bytes, Fmp4Error> {
    payload.get(start..end).map(|data| payload.slice_ref(data)).ok_or(Fmp4Error::Truncated)
}

const AC3: [u8; 4] = *b"ac-3";
const EAC3: [u8; 4] = *b"ec-3";
const FLAC: [u8; 4] = *b"fLaC";

/// OBU of AV1 without content.
const TEMPORAL_DELIMITER: [u8; 2] = [0x12, 0];

/// Largest composition offset that is believed, in milliseconds.
const COMPOSITION_MAX_MS: i32 = 20_000;
/// Largest composition offset of the first key frame that is taken for the delay of the encoder.
const DELAY_MAX_MS: i32 = 2_000;
/// Audio timestamps may differ from the sum of frames by this much: they are rounded, and encoders are not exact.
const AUDIO_JITTER_MS: u64 = 60;
/// Time without a frame after which video counts as switched off.
const VIDEO_IDLE_MS: u64 = 5_000;
/// A track that begins later than this behind the other one, or before it, has another clock.
const APART_MS: u64 = 10_000;
/// Timestamps that go back further are a jump. Less is poor interleaving.
const BACKWARD_JUMP_MS: u64 = 1_000;
/// Timestamps that go forward by more than this are a jump.
const FORWARD_JUMP_MS: u64 = 10_000;
/// Tracks that jump together arrive this close to one another.
const BESIDE_MS: u64 = 2_000;
