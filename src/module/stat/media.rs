//! What both JSON documents say alike about a stream's media.

use serde::Serialize;

use crate::media::statistics::MediaStatistics;

/// Video and audio; the documents differ in what they say about video.
#[derive(Serialize)]
pub(super) struct Media<'o, V> {
    video: V,
    audio: Audio<'o>,
}

#[derive(Serialize)]
struct Audio<'o> {
    codec: &'o str,
    profile: &'o str,
    channels: u8,
    sample_rate: u32,
}

impl<'o, V> Media<'o, V> {
    /// Of a stream, with its video as the document has it.
    pub(super) fn new(media: &'o MediaStatistics, video: V) -> Self {
        let audio = Audio {
            codec: &media.audio_codec,
            profile: &media.audio_profile,
            channels: media.channels,
            sample_rate: media.sample_rate,
        };
        Media { video, audio }
    }
}
