//! Classifies a publisher's messages and collects the properties of its tracks.

use bytes::{Bytes, BytesMut};

use super::conf::MetaMode;
use crate::hub::info::MediaInfo;
use crate::hub::packet::PacketClass;
use crate::wire::MediaKind;
use crate::wire::amf0::{self, AmfValue};
use crate::wire::codec::{
    AudioCodec, AudioPacket, AudioTag, ChannelLayout, MainTrack, VideoCodec, VideoPacket, VideoTag, aac, avc,
    hevc, rfc6381,
};

/// Name of metadata messages.
const ON_META_DATA: &[u8] = b"onMetaData";
/// FLV codec id of H.264.
const AVC_CODEC_ID: u8 = 7;

/// The tracks of one publisher.
#[derive(Debug)]
pub struct Tracks {
    meta: MetaMode,
    hevc_codec_id: u8,
    /// The tracks that [`MediaInfo`] describes.
    main_audio: MainTrack,
    main_video: MainTrack,
    /// See [`Tracks::further_track`].
    further_track: Option<u8>,
    info: MediaInfo,
    changed: bool,
}

impl Tracks {
    /// `hevc_codec_id` is the FLV codec id of HEVC.
    pub fn new(meta: MetaMode, hevc_codec_id: u8) -> Self {
        Tracks {
            meta,
            hevc_codec_id,
            main_audio: MainTrack::default(),
            main_video: MainTrack::default(),
            further_track: None,
            info: MediaInfo::default(),
            changed: false,
        }
    }

    /// Class of a message and the payload for subscribers; `None` if the message is dropped.
    pub fn take(&mut self, kind: MediaKind, payload: Bytes) -> Option<(PacketClass, Bytes)> {
        self.further_track = None;
        match kind {
            MediaKind::Audio => Some((self.audio(&payload), payload)),
            MediaKind::Video => Some((self.video(&payload), payload)),
            MediaKind::Data => self.data(payload),
        }
    }

    /// Track of the preceding message, if it is not the main one of its kind.
    pub fn further_track(&self) -> Option<u8> {
        self.further_track
    }

    /// Properties known so far.
    pub fn info(&self) -> &MediaInfo {
        &self.info
    }

    /// Whether [`Tracks::info`] has changed since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn audio(&mut self, payload: &[u8]) -> PacketClass {
        let (mut first, mut chosen) = (None, None);
        for tag in AudioTag::all(payload).map_while(Result::ok) {
            first.get_or_insert(tag);
            if self.main_audio.is(tag.track) {
                chosen = Some(tag);
            }
        }
        let Some(tag) = chosen else {
            self.further_track = first.map(|tag| tag.track);
            // Unparsable messages are passed on unchanged: players may support more than this server.
            return match first.map(|tag| tag.packet) {
                Some(AudioPacket::SequenceHeader | AudioPacket::MultichannelConfig) => {
                    PacketClass::AudioExtra
                }
                _ => PacketClass::Audio,
            };
        };
        if self.info.audio_codec_id.is_none() {
            self.info.audio_codec_id = payload.first().map(|b| b >> 4);
            self.info.audio_codec = audio_name(tag.codec);
            self.info.sample_rate = tag.sample_rate;
            self.info.channels = tag.channels;
            if tag.codec == AudioCodec::Mp3 {
                self.info.audio_codecs = rfc6381::mp4a(rfc6381::MP3);
            }
            self.changed = true;
        }
        let body = payload.get(tag.data_offset..tag.data_end).unwrap_or_default();
        match tag.packet {
            AudioPacket::SequenceHeader => {
                if tag.codec == AudioCodec::Aac
                    && let Ok(config) = aac::AudioSpecificConfig::parse(body)
                {
                    self.info.audio_profile = config.object_type;
                    self.info.audio_codecs = rfc6381::mp4a(config.object_type);
                    self.info.sample_rate = config.extension_sample_rate.unwrap_or(config.sample_rate);
                    self.info.channels = config.channels;
                    self.changed = true;
                }
                PacketClass::AudioHeader
            }
            AudioPacket::MultichannelConfig => {
                if let Ok(layout) = ChannelLayout::parse(body) {
                    self.info.channels = layout.channels;
                    self.changed = true;
                }
                PacketClass::AudioExtra
            }
            _ => PacketClass::Audio,
        }
    }

    fn video(&mut self, payload: &Bytes) -> PacketClass {
        let (mut first, mut chosen) = (None, None);
        for tag in VideoTag::all(payload, self.hevc_codec_id).map_while(Result::ok) {
            first.get_or_insert(tag);
            // A command belongs to no track.
            if tag.packet != VideoPacket::Command && self.main_video.is(tag.track) {
                chosen = Some(tag);
            }
        }
        let Some(tag) = chosen else {
            self.further_track = first.filter(|tag| tag.packet != VideoPacket::Command).map(|tag| tag.track);
            return match first {
                Some(tag) if tag.is_sequence_header() || tag.packet == VideoPacket::Metadata => {
                    PacketClass::VideoExtra
                }
                // A frame of another track cannot start a player, even if it is a key frame.
                Some(tag) if tag.packet == VideoPacket::Coded => PacketClass::Inter,
                _ => PacketClass::Other,
            };
        };
        if self.info.video_codec_id.is_none() {
            self.info.video_codec_id = Some(match (payload.first(), tag.codec) {
                // The enhanced form has no codec id; codecs with a legacy id get that one.
                (Some(0x80..), VideoCodec::Avc) => AVC_CODEC_ID,
                (Some(0x80..), VideoCodec::Hevc) => self.hevc_codec_id,
                (Some(0x80..) | None, _) => 0,
                (Some(first), _) => first & 15,
            });
            self.info.video_codec = video_name(tag.codec);
            self.changed = true;
        }
        match tag.packet {
            VideoPacket::SequenceHeader => {
                if tag.data_offset <= tag.data_end && tag.data_end <= payload.len() {
                    self.video_config(tag.codec, &payload.slice(tag.data_offset..tag.data_end));
                }
                PacketClass::VideoHeader
            }
            VideoPacket::Mpeg2TsSequenceStart => PacketClass::VideoHeader,
            VideoPacket::Metadata => PacketClass::VideoExtra,
            VideoPacket::Coded if tag.is_key_frame() => PacketClass::Key,
            VideoPacket::Coded => PacketClass::Inter,
            _ => PacketClass::Other,
        }
    }

    fn video_config(&mut self, codec: VideoCodec, record: &Bytes) {
        let info = &mut self.info;
        match codec {
            VideoCodec::Avc => {
                let Ok(config) = avc::AvcConfig::parse(record) else { return };
                info.video_codecs = rfc6381::avc(&config);
                info.video_profile = config.profile;
                info.video_compat = config.compatibility;
                info.video_level = config.level;
                if let Some(Ok(sps)) = config.sps.first().map(|nal| avc::AvcSps::parse(nal)) {
                    (info.width, info.height) = (sps.width, sps.height);
                    if let Some(rate) = sps.frame_rate
                        && info.frame_rate == 0.0
                    {
                        info.frame_rate = rate;
                    }
                }
            }
            VideoCodec::Hevc => {
                let Ok(config) = hevc::HevcConfig::parse(record) else { return };
                info.video_codecs = rfc6381::hevc(&config);
                if let Some(Ok(sps)) = config.sps.first().map(|nal| hevc::HevcSps::parse(nal)) {
                    (info.width, info.height) = (sps.width, sps.height);
                }
            }
            _ => return,
        }
        self.changed = true;
    }

    /// Reads the known fields of a data message. Unparsable ones are passed on unchanged: players may support more than
    /// this server.
    fn data(&mut self, payload: Bytes) -> Option<(PacketClass, Bytes)> {
        let values = amf0::decode_prefix(&payload);
        let (fields, named) = match &values[..] {
            [name, fields @ ..] if name.as_str() == Some(ON_META_DATA) => (fields.first(), true),
            // The name was omitted.
            [fields, ..] if announces(fields, AUDIO_FIELDS) || announces(fields, VIDEO_FIELDS) => {
                (Some(fields), false)
            }
            _ => return Some((PacketClass::Other, payload)),
        };
        if let Some(fields) = fields {
            self.learn(fields);
        }
        match (self.meta, fields) {
            (MetaMode::Off, _) => None,
            (MetaMode::On, Some(fields)) => Some((PacketClass::Metadata, self.rebuilt(fields))),
            _ if named => Some((PacketClass::Metadata, payload)),
            _ => {
                let mut out = BytesMut::new();
                amf0::encode(&AmfValue::String(Bytes::from_static(ON_META_DATA)), &mut out);
                out.extend_from_slice(&payload);
                Some((PacketClass::Metadata, out.freeze()))
            }
        }
    }

    fn learn(&mut self, fields: &AmfValue) {
        let number = |name: &[u8]| fields.get(name).and_then(AmfValue::as_number).filter(|n| n.is_finite());
        let info = &mut self.info;
        let set = |slot: &mut f64, name: &[u8]| {
            if let Some(value) = number(name) {
                *slot = value;
            }
        };
        set(&mut info.duration, b"duration");
        set(&mut info.frame_rate, b"framerate");
        set(&mut info.video_data_rate, b"videodatarate");
        set(&mut info.audio_data_rate, b"audiodatarate");
        if let (Some(width), Some(height)) = (number(b"width"), number(b"height")) {
            (info.width, info.height) = (width as u32, height as u32);
        }
        info.announces_audio = announces(fields, AUDIO_FIELDS);
        info.announces_video = announces(fields, VIDEO_FIELDS);
        self.changed = true;
    }

    /// Metadata message with PingOS's fields.
    fn rebuilt(&self, fields: &AmfValue) -> Bytes {
        let info = &self.info;
        let number = |value: f64| AmfValue::Number(value);
        let size = |value: u32| AmfValue::Number(f64::from(value));
        let text = |value: String| AmfValue::String(Bytes::from(value));
        let mut members: Vec<(&'static [u8], AmfValue)> = vec![
            (b"Server", text(format!("pingosd/{}", env!("CARGO_PKG_VERSION")))),
            (b"width", size(info.width)),
            (b"height", size(info.height)),
            (b"displayWidth", size(info.width)),
            (b"displayHeight", size(info.height)),
            (b"duration", number(info.duration)),
            (b"framerate", number(info.frame_rate)),
            (b"fps", number(info.frame_rate)),
            (b"videodatarate", number(info.video_data_rate)),
            (b"audiodatarate", number(info.audio_data_rate)),
            (b"profile", text(info.profile_name().to_string())),
            (b"level", text(info.level_text())),
        ];
        // A codec id of 0 would announce a track that may never arrive.
        for (name, known) in
            [(&b"videocodecid"[..], info.video_codec_id), (&b"audiocodecid"[..], info.audio_codec_id)]
        {
            let known = known.map(|id| AmfValue::Number(f64::from(id)));
            if let Some(id) = fields.get(name).cloned().or(known) {
                members.push((name, id));
            }
        }
        let members = members.into_iter().map(|(name, value)| (Bytes::from_static(name), value)).collect();
        let mut out = BytesMut::new();
        amf0::encode(&AmfValue::String(Bytes::from_static(ON_META_DATA)), &mut out);
        amf0::encode(&AmfValue::Object(members), &mut out);
        out.freeze()
    }
}

/// Metadata fields that announce a track.
const AUDIO_FIELDS: &[&str] =
    &["audiocodecid", "audiodatarate", "audiosamplerate", "audiochannels", "stereo", "hasAudio"];
const VIDEO_FIELDS: &[&str] = &["videocodecid", "videodatarate", "width", "height", "hasVideo"];

/// Whether one of these fields has a value. Encoders write 0 for absent tracks.
fn announces(fields: &AmfValue, names: &[&str]) -> bool {
    names.iter().filter_map(|name| fields.get(name.as_bytes())).any(|value| match value {
        AmfValue::Number(number) => *number != 0.0,
        AmfValue::Boolean(yes) => *yes,
        AmfValue::String(text) => !text.is_empty(),
        _ => false,
    })
}

/// Class of a header that arrived before its publisher was admitted; `None` for other messages. It must not depend on
/// the configured HEVC codec id, nor on which track will be the main one.
pub fn early_class(kind: MediaKind, payload: &[u8]) -> Option<PacketClass> {
    match kind {
        MediaKind::Audio => match AudioTag::parse(payload).ok()?.packet {
            AudioPacket::SequenceHeader => Some(PacketClass::AudioHeader),
            AudioPacket::MultichannelConfig => Some(PacketClass::AudioExtra),
            _ => None,
        },
        MediaKind::Video => {
            let legacy = payload.first().map_or(0, |first| first & 15);
            let tag = VideoTag::parse(payload, legacy).ok()?;
            match tag.packet {
                VideoPacket::Metadata => Some(PacketClass::VideoExtra),
                _ => tag.is_sequence_header().then_some(PacketClass::VideoHeader),
            }
        }
        MediaKind::Data => Some(PacketClass::Metadata),
    }
}

fn audio_name(codec: AudioCodec) -> &'static str {
    match codec {
        AudioCodec::Adpcm => "ADPCM",
        AudioCodec::Mp3 => "MP3",
        AudioCodec::Pcm => "LinearLE",
        AudioCodec::Nellymoser => "Nellymoser",
        AudioCodec::ALaw => "G711A",
        AudioCodec::MuLaw => "G711U",
        AudioCodec::Aac => "AAC",
        AudioCodec::Speex => "Speex",
        AudioCodec::Opus => "Opus",
        AudioCodec::Other(_) | AudioCodec::OtherFourCc(_) => "",
    }
}

fn video_name(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::Avc => "H264",
        VideoCodec::Hevc => "H265",
        VideoCodec::Av1 => "AV1",
        VideoCodec::Vp8 => "VP8",
        VideoCodec::Vp9 => "VP9",
        VideoCodec::Other(2) => "Sorenson-H263",
        VideoCodec::Other(3) => "ScreenVideo",
        VideoCodec::Other(4) => "On2-VP6",
        VideoCodec::Other(5) => "On2-VP6-Alpha",
        VideoCodec::Other(6) => "ScreenVideo2",
        VideoCodec::Other(_) | VideoCodec::OtherFourCc(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracks() -> Tracks {
        Tracks::new(MetaMode::On, 12)
    }

    #[test]
    fn legacy_and_enhanced_hevc_are_told_apart_from_inter_frames() {
        let mut t = tracks();
        let class = |t: &mut Tracks, bytes: &'static [u8]| {
            t.take(MediaKind::Video, Bytes::from_static(bytes)).map(|(class, _)| class)
        };
        assert_eq!(class(&mut t, b"\x1c\x00\x00\x00\x00"), Some(PacketClass::VideoHeader));
        assert_eq!(class(&mut t, b"\x1c\x01\x00\x00\x00x"), Some(PacketClass::Key));
        assert_eq!(class(&mut t, b"\x2c\x01\x00\x00\x00x"), Some(PacketClass::Inter));
        assert_eq!(class(&mut t, b"\x90hvc1"), Some(PacketClass::VideoHeader));
        assert_eq!(class(&mut t, b"\x93hvc1x"), Some(PacketClass::Key));
        assert_eq!(class(&mut t, b"\xa3hvc1x"), Some(PacketClass::Inter));
        assert_eq!(t.info().video_codec, "H265");
    }

    #[test]
    fn metadata_is_rebuilt_copied_or_left_out() {
        let mut body = BytesMut::new();
        amf0::encode(&AmfValue::String(Bytes::from_static(b"onMetaData")), &mut body);
        let fields = vec![
            (Bytes::from_static(b"width"), AmfValue::Number(640.0)),
            (Bytes::from_static(b"height"), AmfValue::Number(360.0)),
            (Bytes::from_static(b"secret"), AmfValue::Boolean(true)),
        ];
        amf0::encode(&AmfValue::EcmaArray(fields), &mut body);
        let body = body.freeze();
        let mut t = tracks();
        let (class, clean) = t.take(MediaKind::Data, body.clone()).expect("metadata is on");
        assert_eq!(class, PacketClass::Metadata);
        assert!(!clean.windows(6).any(|w| w == b"secret"));
        assert_eq!((t.info().width, t.info().height), (640, 360));
        let copied = Tracks::new(MetaMode::Copy, 12).take(MediaKind::Data, body.clone());
        assert_eq!(copied, Some((PacketClass::Metadata, body.clone())));
        assert_eq!(Tracks::new(MetaMode::Off, 12).take(MediaKind::Data, body), None);
    }

    #[test]
    fn further_tracks_begin_nothing_and_what_describes_them_is_told_from_frames() {
        let cases: [(MediaKind, &'static [u8], PacketClass); 14] = [
            // Track 1 is the main one until track 0 arrives.
            (MediaKind::Video, b"\x96\x00avc1\x01", PacketClass::VideoHeader),
            (MediaKind::Video, b"\x96\x03avc1\x01x", PacketClass::Key),
            (MediaKind::Video, b"\x17\x00\x00\x00\x00", PacketClass::VideoHeader),
            (MediaKind::Video, b"\x96\x00avc1\x01", PacketClass::VideoExtra),
            (MediaKind::Video, b"\x96\x03avc1\x01x", PacketClass::Inter),
            (MediaKind::Video, b"\x96\x13avc1\x01\0\0\x01x\x00\0\0\x01y", PacketClass::Key),
            (MediaKind::Video, b"\xD4avc1colour", PacketClass::VideoExtra),
            (MediaKind::Video, b"\x97\x02\0\0\x09\x03avc1x", PacketClass::Key),
            (MediaKind::Video, b"\xD1\x00", PacketClass::Other),
            (MediaKind::Video, b"\x95hvc1", PacketClass::VideoHeader),
            (MediaKind::Audio, b"\xAF\x00\x12\x10", PacketClass::AudioHeader),
            (MediaKind::Audio, b"\x95\x00mp4a\x01\x11\x88", PacketClass::AudioExtra),
            (MediaKind::Audio, b"\x95\x01mp4a\x01\x21", PacketClass::Audio),
            (MediaKind::Audio, b"\x94mp4a\x00\x06", PacketClass::AudioExtra),
        ];
        let mut t = tracks();
        for (kind, payload, want) in cases {
            let class = t.take(kind, Bytes::from_static(payload)).map(|(class, _)| class);
            assert_eq!(class, Some(want), "{payload:02x?}");
        }
        // Properties of track 0, except for the channels, which the configuration beside it gives.
        assert_eq!((t.info().sample_rate, t.info().channels), (44_100, 6));
        assert_eq!((t.info().video_codec_id, t.info().audio_codec_id), (Some(7), Some(10)));
    }

    #[test]
    fn broken_media_is_sorted_without_panic() {
        let mut t = tracks();
        for kind in [MediaKind::Audio, MediaKind::Video, MediaKind::Data] {
            for len in 0..8 {
                for byte in [0u8, 0x17, 0x1c, 0x80, 0x90, 0x95, 0x96, 0x97, 0xaf, 0xff] {
                    let _ = t.take(kind, Bytes::from(vec![byte; len]));
                }
            }
        }
    }
}
