//! Rule of `hls_cleanup`: which files of an HLS directory have outlived their playlist.
//!
//! While its stream is published, the segmenter removes its own files. This rule covers what remains: the last files of
//! a publish, and those of a server that was stopped.

use crate::media::files::split_number;

/// Age, by modification time, at which a file is removed; `None` for files that are not HLS files of this server.
/// `file_name` is the last component of its path.
///
/// A playlist lives as long as the media in it. Segments and keys live twice as long, because players may still be at
/// the first entry of the last playlist.
pub fn max_age_ms(file_name: &[u8], playlist_length_ms: u64) -> Option<u64> {
    let is = |extension: &[u8]| file_name.len() > extension.len() && file_name.ends_with(extension);
    if is(b".m3u8") {
        Some(playlist_length_ms)
    } else if is(b".ts") || is(b".key") {
        Some(playlist_length_ms.saturating_mul(2))
    } else {
        None
    }
}

/// Whether a file with this name is an incomplete playlist or key (`s1.m3u8.7.tmp`), which is renamed once complete. A
/// killed server leaves such files behind.
pub fn is_temporary(file_name: &[u8]) -> bool {
    let Some(name) = file_name.strip_suffix(b".tmp") else { return false };
    let (name, number) = split_number(name);
    let name = name.strip_suffix(b".").filter(|_| !number.is_empty());
    name.is_some_and(|name| {
        [&b".m3u8"[..], b".key"].iter().any(|end| name.len() > end.len() && name.ends_with(end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_are_known_by_their_names() {
        for ours in [&b"s1.m3u8.7.tmp"[..], b"s1-0.key.12.tmp"] {
            assert!(is_temporary(ours));
        }
        for other in [
            &b"s1.m3u8.tmp"[..],
            b"s1.m3u8..tmp",
            b".m3u8.7.tmp",
            b"s1.ts.7.tmp",
            b"7.tmp",
            b"s1.m3u8",
            b"s1.m3u87.tmp",
        ] {
            assert!(!is_temporary(other));
        }
    }

    #[test]
    fn segments_outlive_their_playlist_and_strangers_stay() {
        assert_eq!(max_age_ms(b"s1.m3u8", 30_000), Some(30_000));
        assert_eq!(max_age_ms(b"s1-0.ts", 30_000), Some(60_000));
        assert_eq!(max_age_ms(b"0.key", 30_000), Some(60_000));
        for other in [&b"index.html"[..], b".ts", b"s1.m3u8.tmp", b"crossdomain.xml"] {
            assert_eq!(max_age_ms(other, 30_000), None);
        }
    }
}
