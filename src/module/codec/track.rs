//! Sorts a publisher's messages and learns what its tracks are.

use bytes::{Bytes, BytesMut};

use super::conf::MetaMode;
use crate::hub::info::MediaInfo;
use crate::hub::packet::Class;
use crate::wire::MediaKind;
use crate::wire::amf0::{self, Value};
use crate::wire::codec::{AudioCodec, AudioTag, VideoCodec, VideoTag, aac, avc, hevc};

/// The tracks of one publisher.
#[derive(Debug)]
pub struct Tracks {
    meta: MetaMode,
    hevc_codec_id: u8,
    info: MediaInfo,
    changed: bool,
}

impl Tracks {
    /// `hevc_codec_id` is the FLV codec id that means HEVC.
    pub fn new(meta: MetaMode, hevc_codec_id: u8) -> Self {
        Tracks { meta, hevc_codec_id, info: MediaInfo::default(), changed: false }
    }

    /// What a message means, and what of it goes to subscribers. `None`: nothing.
    pub fn take(&mut self, kind: MediaKind, payload: Bytes) -> Option<(Class, Bytes)> {
        match kind {
            MediaKind::Audio => Some((self.audio(&payload), payload)),
            MediaKind::Video => Some((self.video(&payload), payload)),
            MediaKind::Data => self.data(payload),
        }
    }

    /// What is known so far.
    pub fn info(&self) -> &MediaInfo {
        &self.info
    }

    /// Whether [`Tracks::info`] has changed since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn audio(&mut self, payload: &[u8]) -> Class {
        // What cannot be parsed is passed on as it came: players may know more than we do.
        let Ok(tag) = AudioTag::parse(payload) else { return Class::Audio };
        if self.info.audio_codec_id.is_none() {
            self.info.audio_codec_id = payload.first().map(|b| b >> 4);
            self.info.audio_codec = audio_name(tag.codec);
            self.info.sample_rate = tag.sample_rate;
            self.info.channels = tag.channels;
            self.changed = true;
        }
        if !tag.is_sequence_header() {
            return Class::Audio;
        }
        if tag.codec == AudioCodec::Aac
            && let Some(bytes) = payload.get(tag.data_offset..)
            && let Ok(config) = aac::AudioSpecificConfig::parse(bytes)
        {
            self.info.audio_profile = config.object_type;
            self.info.sample_rate = config.extension_sample_rate.unwrap_or(config.sample_rate);
            self.info.channels = config.channels;
            self.changed = true;
        }
        Class::AudioHeader
    }

    fn video(&mut self, payload: &Bytes) -> Class {
        let Ok(tag) = VideoTag::parse(payload, self.hevc_codec_id) else { return Class::Other };
        if self.info.video_codec_id.is_none() {
            self.info.video_codec_id = payload.first().map(|b| b & 15);
            self.info.video_codec = video_name(tag.codec);
            self.changed = true;
        }
        if tag.is_sequence_header() {
            if tag.data_offset <= payload.len() {
                self.video_config(tag.codec, &payload.slice(tag.data_offset..));
            }
            return Class::VideoHeader;
        }
        if tag.is_key_frame() {
            return Class::Key;
        }
        match tag.packet {
            crate::wire::codec::VideoPacket::Coded => Class::Inter,
            _ => Class::Other,
        }
    }

    fn video_config(&mut self, codec: VideoCodec, record: &Bytes) {
        let info = &mut self.info;
        match codec {
            VideoCodec::Avc => {
                let Ok(config) = avc::AvcConfig::parse(record) else { return };
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
                if let Some(Ok(sps)) = config.sps.first().map(|nal| hevc::HevcSps::parse(nal)) {
                    (info.width, info.height) = (sps.width, sps.height);
                }
            }
            _ => return,
        }
        self.changed = true;
    }

    fn data(&mut self, payload: Bytes) -> Option<(Class, Bytes)> {
        let values = amf0::decode_all(payload.clone()).ok()?;
        if values.first().and_then(Value::as_str) != Some(b"onMetaData") {
            return Some((Class::Other, payload));
        }
        let fields = values.get(1)?;
        self.learn(fields);
        match self.meta {
            MetaMode::Off => None,
            MetaMode::Copy => Some((Class::Metadata, payload)),
            MetaMode::On => Some((Class::Metadata, self.rebuilt(fields))),
        }
    }

    fn learn(&mut self, fields: &Value) {
        let number = |name: &[u8]| fields.get(name).and_then(Value::as_number).filter(|n| n.is_finite());
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
        self.changed = true;
    }

    /// A clean metadata message with the original's fields.
    fn rebuilt(&self, fields: &Value) -> Bytes {
        let info = &self.info;
        let number = |value: f64| Value::Number(value);
        let size = |value: u32| Value::Number(f64::from(value));
        let text = |value: String| Value::String(Bytes::from(value));
        let mut members: Vec<(&'static [u8], Value)> = vec![
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
        // A codec id of 0 would announce a track that may never come.
        for (name, known) in
            [(&b"videocodecid"[..], info.video_codec_id), (&b"audiocodecid"[..], info.audio_codec_id)]
        {
            let known = known.map(|id| Value::Number(f64::from(id)));
            if let Some(id) = fields.get(name).cloned().or(known) {
                members.push((name, id));
            }
        }
        let members = members.into_iter().map(|(name, value)| (Bytes::from_static(name), value)).collect();
        let mut out = BytesMut::new();
        amf0::encode(&Value::String(Bytes::from_static(b"onMetaData")), &mut out);
        amf0::encode(&Value::Object(members), &mut out);
        out.freeze()
    }
}

/// Whether a message may be a codec header, whatever the configured HEVC codec id is.
pub fn is_header(kind: MediaKind, payload: &[u8]) -> bool {
    match kind {
        MediaKind::Audio => AudioTag::parse(payload).is_ok_and(|tag| tag.is_sequence_header()),
        MediaKind::Video => {
            let legacy = payload.first().map_or(0, |first| first & 15);
            VideoTag::parse(payload, legacy).is_ok_and(|tag| tag.is_sequence_header())
        }
        MediaKind::Data => false,
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
        assert_eq!(class(&mut t, b"\x1c\x00\x00\x00\x00"), Some(Class::VideoHeader));
        assert_eq!(class(&mut t, b"\x1c\x01\x00\x00\x00x"), Some(Class::Key));
        assert_eq!(class(&mut t, b"\x2c\x01\x00\x00\x00x"), Some(Class::Inter));
        assert_eq!(class(&mut t, b"\x90hvc1"), Some(Class::VideoHeader));
        assert_eq!(class(&mut t, b"\x93hvc1x"), Some(Class::Key));
        assert_eq!(class(&mut t, b"\xa3hvc1x"), Some(Class::Inter));
        assert_eq!(t.info().video_codec, "H265");
    }

    #[test]
    fn metadata_is_rebuilt_copied_or_left_out() {
        let mut body = BytesMut::new();
        amf0::encode(&Value::String(Bytes::from_static(b"onMetaData")), &mut body);
        let fields = vec![
            (Bytes::from_static(b"width"), Value::Number(640.0)),
            (Bytes::from_static(b"height"), Value::Number(360.0)),
            (Bytes::from_static(b"secret"), Value::Boolean(true)),
        ];
        amf0::encode(&Value::EcmaArray(fields), &mut body);
        let body = body.freeze();
        let mut t = tracks();
        let (class, clean) = t.take(MediaKind::Data, body.clone()).expect("metadata is on");
        assert_eq!(class, Class::Metadata);
        assert!(!clean.windows(6).any(|w| w == b"secret"));
        assert_eq!((t.info().width, t.info().height), (640, 360));
        let copied = Tracks::new(MetaMode::Copy, 12).take(MediaKind::Data, body.clone());
        assert_eq!(copied, Some((Class::Metadata, body.clone())));
        assert_eq!(Tracks::new(MetaMode::Off, 12).take(MediaKind::Data, body), None);
    }

    #[test]
    fn broken_media_is_sorted_without_panic() {
        let mut t = tracks();
        for kind in [MediaKind::Audio, MediaKind::Video, MediaKind::Data] {
            for len in 0..8 {
                for byte in [0u8, 0x17, 0x1c, 0x80, 0x90, 0xaf, 0xff] {
                    let _ = t.take(kind, Bytes::from(vec![byte; len]));
                }
            }
        }
    }
}
