//! Media playlists of recordings (RFC 8216).

use std::fmt::Write;

use super::entry::RecordedPart;
use crate::wire::hls::date;

/// Whether a playlist may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaylistState {
    /// Nothing will be added.
    Complete,
    /// Parts may be added at the end.
    Growing,
}

/// Writes a playlist; `uri` is the URI of a part's file. Segments are byte ranges of the recorded files.
pub fn media_playlist(
    parts: &[RecordedPart],
    state: PlaylistState,
    uri: impl Fn(&RecordedPart) -> String,
) -> String {
    let longest = parts.iter().map(RecordedPart::duration_ms).max().unwrap_or(0);
    let kind = if state == PlaylistState::Complete { "VOD" } else { "EVENT" };
    let mut out = format!(
        "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:{kind}\n",
        longest.div_ceil(1000)
    );
    let mut before: Option<&RecordedPart> = None;
    for part in parts {
        let continues = before.is_some_and(|before| part.continues(before));
        if before.is_some() && !continues {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if !continues {
            let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", date(part.at_ms));
        }
        let (seconds, thousandths) = (part.duration_ms() / 1000, part.duration_ms() % 1000);
        let _ = write!(
            out,
            "#EXTINF:{seconds}.{thousandths:03},\n#EXT-X-BYTERANGE:{}@{}\n{}\n",
            part.length,
            part.start,
            uri(part)
        );
        before = Some(part);
    }
    if state == PlaylistState::Complete {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::entry::RecordedFile;
    use super::*;

    #[test]
    fn gaps_are_discontinuities_and_begin_with_their_time() {
        let file = RecordedFile { unix: 1_700_000_000, day: "20231114".into() };
        let part = |begin_ms: u64, at_ms: u64| RecordedPart {
            file: file.clone(),
            start: begin_ms,
            length: 188,
            begin_ms,
            end_ms: begin_ms + 1_500,
            at_ms,
        };
        let parts = [part(0, 1_700_000_000_000), part(1_500, 1_700_000_001_500), part(0, 1_700_000_060_000)];
        let text = media_playlist(&parts, PlaylistState::Complete, |part| format!("s.ts?file={}", part.file));
        let wanted = "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n\
            #EXT-X-PLAYLIST-TYPE:VOD\n\
            #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n\
            #EXTINF:1.500,\n#EXT-X-BYTERANGE:188@0\ns.ts?file=20231114-1700000000\n\
            #EXTINF:1.500,\n#EXT-X-BYTERANGE:188@1500\ns.ts?file=20231114-1700000000\n\
            #EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:20.000Z\n\
            #EXTINF:1.500,\n#EXT-X-BYTERANGE:188@0\ns.ts?file=20231114-1700000000\n#EXT-X-ENDLIST\n";
        assert_eq!(text, wanted);
        let growing = media_playlist(&parts[..1], PlaylistState::Growing, |_| "x".into());
        assert!(growing.contains("PLAYLIST-TYPE:EVENT\n") && !growing.contains("ENDLIST"));
    }
}
