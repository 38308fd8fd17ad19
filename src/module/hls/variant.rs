//! Master playlists of the variants of a stream, `hls_variant`.

use std::path::{Path, PathBuf};

use super::FileLayout;
use crate::media::files::StreamName;
use crate::media::segments::Presentation;
use crate::wire::hls::{MasterPlaylist, VariantStream};

/// One `hls_variant` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantRule {
    /// Suffix of the stream name that marks this variant.
    pub suffix: Vec<u8>,
    /// Attributes of the variant, such as `BANDWIDTH=160000`.
    pub attributes: Vec<String>,
}

/// Master playlist of a stream whose name has one of the suffixes: its file, relative to `hls_path`, and its text. All
/// variants are listed, published or not. `known` returns the attributes of the stream with a given playlist; those of
/// the rule take precedence.
pub(super) fn master_playlist(
    layout: &FileLayout,
    rules: &[VariantRule],
    known: impl Fn(&Path) -> Option<Presentation>,
) -> Option<(PathBuf, String)> {
    let base = rules.iter().find_map(|rule| layout.name.strip_suffix(&rule.suffix))?;
    let variants = rules
        .iter()
        .filter_map(|rule| {
            let layout = FileLayout { name: base.with_suffix(&rule.suffix)?, ..layout.clone() };
            let uri = media_playlist_uri(&layout, &layout.name);
            let program = std::iter::once("PROGRAM-ID=1".to_owned());
            let mut attributes: Vec<String> = program.chain(rule.attributes.iter().cloned()).collect();
            if let Some(known) = known(&layout.playlist_file()) {
                attributes.extend(known.attributes_beside(&rule.attributes));
            }
            Some(VariantStream { attributes, uri })
        })
        .collect();
    let playlist = MasterPlaylist { version: Some(3), variants };
    Some((base.file(".m3u8"), playlist.to_string()))
}

fn media_playlist_uri(layout: &FileLayout, name: &StreamName) -> String {
    let name =
        if layout.base_url.is_empty() { name.last_uri(layout.nested) } else { name.uri(layout.nested) };
    let index = if layout.nested { "/index" } else { "" };
    format!("{}{name}{index}.m3u8", layout.base_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_listed_under_the_common_name() {
        let rules = [("_low", "BANDWIDTH=160000"), ("_hi", "BANDWIDTH=640000")].map(|(suffix, attribute)| {
            VariantRule { suffix: suffix.into(), attributes: vec![attribute.to_owned()] }
        });
        let mut layout = FileLayout {
            name: StreamName::new(b"s1_hi").unwrap(),
            nested: false,
            base_url: String::new(),
            key_url: String::new(),
            fmp4: false,
        };
        let want = "#EXTM3U\n#EXT-X-VERSION:3\n\
                    #EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH=160000\ns1_low.m3u8\n\
                    #EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH=640000\ns1_hi.m3u8\n";
        assert_eq!(master_playlist(&layout, &rules, |_| None), Some(("s1.m3u8".into(), want.to_owned())));

        layout.nested = true;
        let (file, text) = master_playlist(&layout, &rules, |_| None).unwrap();
        assert_eq!((file, text.contains("\ns1_low/index.m3u8\n")), ("s1.m3u8".into(), true));

        for other in [&b"s1"[..], b"_hi"] {
            layout.name = StreamName::new(other).unwrap();
            assert_eq!(master_playlist(&layout, &rules, |_| None), None);
        }
    }
}
