//! Target of a request for HLS from memory, by the last part of its path.

/// Piece of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FragmentPiece {
    /// `name-<id>.ts`: the whole, MPEG-TS.
    Ts,
    /// `name-<id>.m4s`: the whole, fragmented MP4.
    Mp4,
    /// `name-<id>.<part>.m4s`: a partial segment.
    Part(u64),
    /// `name-<id>.init.m4s`: the initialisation segment of the fragments from this one on.
    Init,
}

impl FragmentPiece {
    /// Parses the end of a file name behind the number of the fragment.
    pub fn parse(end: &[u8]) -> Option<Self> {
        match end {
            b".ts" => Some(FragmentPiece::Ts),
            b".m4s" => Some(FragmentPiece::Mp4),
            b".init.m4s" => Some(FragmentPiece::Init),
            _ => number(end.strip_prefix(b".")?.strip_suffix(b".m4s")?).map(FragmentPiece::Part),
        }
    }

    /// End of its file name.
    pub fn end(self) -> String {
        match self {
            FragmentPiece::Ts => ".ts".to_owned(),
            FragmentPiece::Mp4 => ".m4s".to_owned(),
            FragmentPiece::Part(part) => format!(".{part}.m4s"),
            FragmentPiece::Init => ".init.m4s".to_owned(),
        }
    }
}

/// Target of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HlsRequest<'a> {
    /// `name.m3u8`: media playlist of the session in the query, or a master playlist without one.
    Playlist {
        /// Stream name.
        name: &'a [u8],
    },
    /// `name-<id>` and an end.
    Fragment {
        /// Stream name.
        name: &'a [u8],
        /// Fragment number.
        id: u64,
        /// What of it.
        piece: FragmentPiece,
    },
}

impl<'a> HlsRequest<'a> {
    /// Parses the decoded path after the application. `None` means status 404.
    pub fn parse(path: &'a [u8]) -> Option<Self> {
        if let Some(name) = path.strip_suffix(b".m3u8") {
            return (!name.is_empty()).then_some(Self::Playlist { name });
        }
        // The stream name may contain hyphens.
        let hyphen = path.iter().rposition(|&byte| byte == b'-')?;
        let (name, file) = (&path[..hyphen], &path[hyphen + 1..]);
        let (digits, end) = file.split_at(file.iter().position(|&byte| byte == b'.')?);
        let (id, piece) = (number(digits)?, FragmentPiece::parse(end)?);
        (!name.is_empty()).then_some(Self::Fragment { name, id, piece })
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

fn number(digits: &[u8]) -> Option<u64> {
    let is_plain = digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| is_plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_an_index_and_its_own_fragments() {
        let parse = HlsRequest::parse_nested;
        assert_eq!(parse(b"s", b"index.m3u8"), Some(HlsRequest::Playlist { name: b"s" }));
        assert_eq!(
            parse(b"s", b"s-1.ts"),
            Some(HlsRequest::Fragment { name: b"s", id: 1, piece: FragmentPiece::Ts })
        );
        for other in [&b"s.m3u8"[..], b"other-1.ts", b"s-x.ts", b"index.ts", b""] {
            assert_eq!(parse(b"s", other), None);
        }
    }

    #[test]
    fn playlists_fragments_and_the_rest() {
        assert_eq!(HlsRequest::parse(b"s1.m3u8"), Some(HlsRequest::Playlist { name: b"s1" }));
        for (end, piece) in [
            (".ts", FragmentPiece::Ts),
            (".m4s", FragmentPiece::Mp4),
            (".3.m4s", FragmentPiece::Part(3)),
            (".init.m4s", FragmentPiece::Init),
        ] {
            let wanted = HlsRequest::Fragment { name: b"cam-1", id: 12, piece };
            assert_eq!(HlsRequest::parse(format!("cam-1-12{end}").as_bytes()), Some(wanted));
            assert_eq!(piece.end(), end);
        }
        for other in [
            &b"s1.txt"[..],
            b"s1",
            b".m3u8",
            b"-1.ts",
            b"s1.ts",
            b"s1-.ts",
            b"s1-+1.ts",
            b"s1-1.x.m4s",
            b"s1-1..m4s",
            b"s1-1.2.ts",
            b"s1-99999999999999999999.ts",
            b"",
        ] {
            assert_eq!(HlsRequest::parse(other), None, "{}", other.escape_ascii());
        }
    }
}
