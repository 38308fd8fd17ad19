//! Names and URIs of a stream's files.

use std::path::PathBuf;

use crate::media::files::StreamName;

/// Names of one stream's files. Paths are relative to `hls_path`, those of keys to `hls_key_path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLayout {
    /// Stream name.
    pub name: StreamName,
    /// `hls_nested`: whether every stream has its own directory.
    pub nested: bool,
    /// `hls_base_url`, prefix of segment URIs, inserted unchanged.
    pub base_url: String,
    /// `hls_key_url`, prefix of key URIs, inserted unchanged.
    pub key_url: String,
    /// Whether segments are fragmented MP4 and not MPEG-TS.
    pub fmp4: bool,
}

impl FileLayout {
    /// File of the media playlist.
    pub fn playlist_file(&self) -> PathBuf {
        self.name.file(if self.nested { "/index.m3u8" } else { ".m3u8" })
    }

    /// File of the segment with this number.
    pub fn segment_file(&self, id: u64) -> PathBuf {
        self.name.file(&format!("{}{id}.{}", self.separator(), self.extension()))
    }

    /// URI of the segment with this number.
    pub fn segment_uri(&self, id: u64) -> String {
        format!("{}{id}.{}", self.uri_prefix(&self.base_url), self.extension())
    }

    /// File of the initialisation segment that was made for the segment with this number.
    pub fn map_file(&self, id: u64) -> PathBuf {
        // A dot, so that it is no segment of a stream whose name ends in a number.
        self.name.file(&format!("{}{id}{MAP_END}", self.separator()))
    }

    /// URI of that initialisation segment.
    pub fn map_uri(&self, id: u64) -> String {
        format!("{}{id}{MAP_END}", self.uri_prefix(&self.base_url))
    }

    /// Number in the URI of an initialisation segment of this layout.
    pub fn map_id(&self, uri: &str) -> Option<u64> {
        number(uri.strip_prefix(&self.uri_prefix(&self.base_url))?.strip_suffix(MAP_END)?)
    }

    /// File of the key that was created for the segment with this number.
    pub fn key_file(&self, id: u64) -> PathBuf {
        self.name.file(&format!("{}{id}.key", self.separator()))
    }

    /// URI of that key.
    pub fn key_uri(&self, id: u64) -> String {
        format!("{}{id}.key", self.uri_prefix(&self.key_url))
    }

    /// Number in a segment URI of this layout.
    pub fn segment_id(&self, uri: &str) -> Option<u64> {
        let stem = uri.strip_prefix(&self.uri_prefix(&self.base_url))?.strip_suffix(self.extension())?;
        number(stem.strip_suffix('.')?)
    }

    fn extension(&self) -> &'static str {
        if self.fmp4 { "m4s" } else { "ts" }
    }

    /// Without a base URL the reference is relative to the playlist and names a file beside it.
    fn uri_prefix(&self, base_url: &str) -> String {
        match (self.nested, base_url.is_empty()) {
            (true, true) => String::new(),
            (false, true) => format!("{}-", self.name.last_uri(false)),
            (_, false) => format!("{base_url}{}{}", self.name.uri(self.nested), self.separator()),
        }
    }

    fn separator(&self) -> &'static str {
        if self.nested { "/" } else { "-" }
    }
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// End of the name of an initialisation segment.
const MAP_END: &str = ".init.m4s";

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;

    use super::*;

    #[test]
    fn names_of_both_layouts() {
        let mut layout = FileLayout {
            name: StreamName::new(b"inst/s1").unwrap(),
            nested: false,
            base_url: String::new(),
            key_url: "https://k/".to_owned(),
            fmp4: false,
        };
        assert_eq!(layout.playlist_file(), PathBuf::from("inst/s1.m3u8"));
        assert_eq!(layout.segment_file(7), PathBuf::from("inst/s1-7.ts"));
        assert_eq!(layout.segment_uri(7), "s1-7.ts");
        assert_eq!(layout.key_uri(7), "https://k/inst/s1-7.key");

        layout.nested = true;
        assert_eq!(layout.playlist_file(), PathBuf::from("inst/s1/index.m3u8"));
        assert_eq!(layout.segment_file(7), PathBuf::from("inst/s1/7.ts"));
        assert_eq!(layout.segment_uri(7), "7.ts");

        layout.base_url = "/cdn/".to_owned();
        assert_eq!(layout.segment_uri(7), "/cdn/inst/s1/7.ts");
        assert_eq!(layout.segment_id("/cdn/inst/s1/7.ts"), Some(7));
        assert_eq!(layout.segment_id("/cdn/inst/s2/7.ts"), None);
        assert_eq!(layout.segment_id("/cdn/inst/s1/+7.ts"), None);
        assert_eq!(layout.segment_id("/cdn/inst/s1/.ts"), None);

        layout.fmp4 = true;
        assert_eq!(layout.segment_file(7), PathBuf::from("inst/s1/7.m4s"));
        assert_eq!(layout.map_file(7), PathBuf::from("inst/s1/7.init.m4s"));
        assert_eq!(layout.segment_id("/cdn/inst/s1/7.m4s"), Some(7));
        assert_eq!(layout.segment_id("/cdn/inst/s1/7.init.m4s"), None);
        assert_eq!(layout.map_id("/cdn/inst/s1/7.init.m4s"), Some(7));
    }

    /// Compares every stream's file names with all names derived from others: no file of one stream is a file or
    /// directory of another.
    #[test]
    fn no_stream_s_files_are_in_another_s_way() {
        let layout = |name: &str, nested| FileLayout {
            name: StreamName::new(name.as_bytes()).unwrap(),
            nested,
            base_url: String::new(),
            key_url: String::new(),
            fmp4: false,
        };
        let files = |layout: &FileLayout| {
            let mut files = vec![layout.playlist_file()];
            for fmp4 in [false, true] {
                let layout = FileLayout { fmp4, ..layout.clone() };
                files.extend((0..3).map(|id| layout.segment_file(id)));
            }
            files.extend((0..3).flat_map(|id| [layout.map_file(id), layout.key_file(id)]));
            let temporary = files.iter().map(|file| PathBuf::from(format!("{}.tmp", file.display())));
            files.iter().cloned().chain(temporary).collect::<Vec<PathBuf>>()
        };
        for nested in [false, true] {
            let mut names: Vec<String> =
                ["s", "s-1", "s1", "a/s", "1", "s%2Em3u8", "index"].map(Into::into).into();
            let derived: Vec<String> = names
                .iter()
                .flat_map(|name| files(&layout(name, nested)))
                .map(|file| file.to_str().unwrap().to_owned())
                .collect();
            names.extend(
                derived.iter().flat_map(|name| [name.clone(), format!("{name}/x"), format!("{name}/1.ts")]),
            );
            names.sort_unstable();
            names.dedup();
            let all: Vec<(&String, Vec<PathBuf>)> =
                names.iter().map(|name| (name, files(&layout(name, nested)))).collect();
            let mut files: HashMap<&Path, &String> = HashMap::new();
            for (name, own) in &all {
                for file in own {
                    assert_eq!(files.insert(file, name), None, "{name}: {}", file.display());
                }
            }
            for (name, own) in &all {
                for directory in own.iter().flat_map(|file| file.ancestors().skip(1)) {
                    assert_eq!(files.get(directory), None, "{name}: {}", directory.display());
                }
            }
        }
    }
}
