//! Target of a request for HLS from memory, by the last part of its path.

/// Target of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HlsRequest<'a> {
    /// `name.m3u8`: media playlist of the session in the query, or a master playlist without one.
    Playlist {
        /// Stream name.
        name: &'a [u8],
    },
    /// `name-<id>.ts`.
    Fragment {
        /// Stream name.
        name: &'a [u8],
        /// Fragment number.
        id: u64,
    },
}

impl<'a> HlsRequest<'a> {
    /// Parses the decoded path after the application. `None` means status 404.
    pub fn parse(path: &'a [u8]) -> Option<Self> {
        if let Some(name) = path.strip_suffix(b".m3u8") {
            return (!name.is_empty()).then_some(Self::Playlist { name });
        }
        // The stream name may contain hyphens.
        let stem = path.strip_suffix(b".ts")?;
        let hyphen = stem.iter().rposition(|&byte| byte == b'-')?;
        let (name, digits) = (&stem[..hyphen], &stem[hyphen + 1..]);
        if name.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let id = str::from_utf8(digits).ok()?.parse().ok()?;
        Some(Self::Fragment { name, id })
    }

    /// Parses the name of a file in the directory of a stream: `index.m3u8`, or a fragment of the stream.
    pub fn parse_nested(directory: &'a [u8], file: &'a [u8]) -> Option<Self> {
        if file == b"index.m3u8" {
            return Some(Self::Playlist { name: directory });
        }
        let found = Self::parse(file)?;
        matches!(found, Self::Fragment { name, .. } if name == directory).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_an_index_and_its_own_fragments() {
        let parse = HlsRequest::parse_nested;
        assert_eq!(parse(b"s", b"index.m3u8"), Some(HlsRequest::Playlist { name: b"s" }));
        assert_eq!(parse(b"s", b"s-1.ts"), Some(HlsRequest::Fragment { name: b"s", id: 1 }));
        for other in [&b"s.m3u8"[..], b"other-1.ts", b"s-x.ts", b"index.ts", b""] {
            assert_eq!(parse(b"s", other), None);
        }
    }

    #[test]
    fn playlists_fragments_and_the_rest() {
        assert_eq!(HlsRequest::parse(b"s1.m3u8"), Some(HlsRequest::Playlist { name: b"s1" }));
        assert_eq!(HlsRequest::parse(b"cam-1-12.ts"), Some(HlsRequest::Fragment { name: b"cam-1", id: 12 }));
        for other in [
            &b"s1.txt"[..],
            b"s1",
            b".m3u8",
            b"-1.ts",
            b"s1.ts",
            b"s1-.ts",
            b"s1-+1.ts",
            b"s1-99999999999999999999.ts",
            b"",
        ] {
            assert_eq!(HlsRequest::parse(other), None, "{}", other.escape_ascii());
        }
    }
}
