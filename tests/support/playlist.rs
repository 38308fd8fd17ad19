//! HLS playlists as another reader understands them.

use pingosd::wire::hls::MediaPlaylist;

/// Compares what m3u8-rs reads in a media playlist with what our parser reads, and returns the latter.
#[track_caller]
pub fn checked(text: &str) -> MediaPlaylist {
    let (_, foreign) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap_or_else(|_| panic!("{text}"));
    let ours = MediaPlaylist::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(foreign.media_sequence, ours.media_sequence, "{text}");
    assert_eq!(foreign.discontinuity_sequence, ours.discontinuity_sequence, "{text}");
    assert_eq!(foreign.target_duration, ours.target_duration, "{text}");
    assert_eq!(foreign.segments.len(), ours.segments.len(), "{text}");
    // A map counts for the segments after it; m3u8-rs gives it to the first of them.
    let (mut map, target) = (None, ours.target_duration);
    for (foreign, ours) in foreign.segments.iter().zip(&ours.segments) {
        map = foreign.map.as_ref().map(|map| map.uri.clone()).or(map);
        let length_ms = (foreign.duration * 1_000.0).round() as u64;
        assert_eq!(
            (&foreign.uri, length_ms, foreign.discontinuity, &map),
            (&ours.uri, ours.duration_ms, ours.discontinuity, &ours.map),
            "{text}"
        );
        // RFC 8216 §4.3.3.1.
        assert!(foreign.duration.round() as u64 <= target, "{text}");
    }
    ours
}
