//! Properties of a stream's media, from its metadata and codec headers.

/// Media properties for statistics and `$metadata`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaInfo {
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// Duration in seconds; 0 for a live stream.
    pub duration: f64,
    /// Video frames per second.
    pub frame_rate: f64,
    /// Video bit rate in kbit/s.
    pub video_data_rate: f64,
    /// Audio bit rate in kbit/s.
    pub audio_data_rate: f64,
    /// FLV codec id of the video, if any was received.
    pub video_codec_id: Option<u8>,
    /// FLV sound format, if audio was received.
    pub audio_codec_id: Option<u8>,
    /// Video codec, such as `H264` or `H265`.
    pub video_codec: &'static str,
    /// Audio codec, such as `AAC` or `MP3`.
    pub audio_codec: &'static str,
    /// Video codec in playlists (RFC 6381), if MPEG-TS can carry it.
    pub video_codecs: String,
    /// Audio codec in playlists.
    pub audio_codecs: String,
    /// AVC `profile_idc`.
    pub video_profile: u8,
    /// AVC constraint flags.
    pub video_compat: u8,
    /// AVC level times ten.
    pub video_level: u8,
    /// AAC audio object type.
    pub audio_profile: u8,
    /// Number of audio channels.
    pub channels: u8,
    /// Audio sample rate in Hz.
    pub sample_rate: u32,
    /// Whether the metadata announces audio.
    pub announces_audio: bool,
    /// Whether the metadata announces video.
    pub announces_video: bool,
}

impl MediaInfo {
    /// Whether there is audio and video, from the media received and the metadata; both true while unknown.
    pub fn tracks(&self) -> (bool, bool) {
        let audio = self.announces_audio || self.audio_codec_id.is_some();
        let video = self.announces_video || self.video_codec_id.is_some();
        if audio || video { (audio, video) } else { (true, true) }
    }

    /// Writes `width=&height=&duration=&framerate=&fps=&videodatarate=&videocodec=&audiocodec=&audiodatarate=` in
    /// PingOS's order. PingOS's `fps` is an uninitialised number; here it is the frame rate.
    pub fn write_query(&self, out: &mut Vec<u8>) {
        const FIELDS: [&[u8]; 9] = [
            b"width",
            b"height",
            b"duration",
            b"framerate",
            b"fps",
            b"videodatarate",
            b"videocodec",
            b"audiocodec",
            b"audiodatarate",
        ];
        for (n, field) in FIELDS.into_iter().enumerate() {
            if n > 0 {
                out.push(b'&');
            }
            out.extend_from_slice(field);
            out.push(b'=');
            self.write_field(field, out);
        }
    }

    /// Writes one field: `unknown` for a name that does not exist, nothing before any media.
    pub fn write_field(&self, field: &[u8], out: &mut Vec<u8>) {
        if *self == MediaInfo::default() {
            return;
        }
        let text = match field {
            b"width" => self.width.to_string(),
            b"height" => self.height.to_string(),
            b"duration" => whole(self.duration),
            b"framerate" | b"fps" => whole(self.frame_rate),
            b"videodatarate" => whole(self.video_data_rate),
            b"audiodatarate" => whole(self.audio_data_rate),
            b"videocodecid" => self.video_codec_id.unwrap_or(0).to_string(),
            b"audiocodecid" => self.audio_codec_id.unwrap_or(0).to_string(),
            b"videocodec" => self.video_codec.to_string(),
            b"audiocodec" => self.audio_codec.to_string(),
            b"profile" => self.profile_name().to_string(),
            b"level" => self.level_text(),
            _ => "unknown".to_string(),
        };
        out.extend_from_slice(text.as_bytes());
    }

    /// AVC profile name (ITU-T H.264 annex A); empty for other codecs.
    pub fn profile_name(&self) -> &'static str {
        match self.video_profile {
            66 => "Baseline",
            77 => "Main",
            88 => "Extended",
            100 => "High",
            110 => "High 10",
            122 => "High 4:2:2",
            244 => "High 4:4:4 Predictive",
            _ => "",
        }
    }

    /// AVC level with a decimal point, such as `3.1`.
    pub fn level_text(&self) -> String {
        match self.video_level {
            0 => String::new(),
            level => format!("{}.{}", level / 10, level % 10),
        }
    }

    /// AAC object type name (ISO 14496-3); empty for other codecs.
    pub fn audio_profile_name(&self) -> &'static str {
        match self.audio_profile {
            1 => "Main",
            2 => "LC",
            3 => "SSR",
            4 => "LTP",
            5 => "HE",
            29 => "HEv2",
            _ => "",
        }
    }
}

fn whole(number: f64) -> String {
    // Metadata may contain any number, also NaN; the saturating cast handles it.
    (number.round() as i64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_has_the_original_order_and_unknown_fields_say_so() {
        let info = MediaInfo {
            width: 640,
            height: 360,
            frame_rate: 25.0,
            video_codec: "H264",
            audio_codec: "AAC",
            duration: f64::NAN,
            ..MediaInfo::default()
        };
        let mut out = Vec::new();
        info.write_query(&mut out);
        let want = "width=640&height=360&duration=0&framerate=25&fps=25&videodatarate=0&videocodec=H264\
                    &audiocodec=AAC&audiodatarate=0";
        assert_eq!(String::from_utf8(out).expect("ASCII"), want);
        let mut out = Vec::new();
        info.write_field(b"nope", &mut out);
        assert_eq!(out, b"unknown");
    }

    #[test]
    fn before_any_media_fields_are_empty() {
        let mut out = Vec::new();
        MediaInfo::default().write_query(&mut out);
        assert!(out.starts_with(b"width=&height=&"));
    }
}
