//! Master playlist, for a player without a session.

use super::SessionId;
use crate::media::segments::Presentation;
use crate::wire::hls::{MasterPlaylist, VariantStream};

/// A request for a master playlist.
#[derive(Clone, Copy, Debug)]
pub struct MasterRequest<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Value of the Host header.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// Query without `?`; empty if there is none.
    pub query: &'a str,
}

impl MasterRequest<'_> {
    /// The playlist: one variant, whose media playlist belongs to the session. It includes the attributes in `known`;
    /// otherwise it is the same whether the stream exists or not.
    ///
    /// `scheme=` and `location=` in the query replace the scheme and the first part of the path, if a proxy in front of
    /// the server uses others. They stay in the query.
    pub fn playlist(&self, id: &SessionId, known: Option<&Presentation>) -> String {
        let scheme = self.argument("scheme").unwrap_or(self.scheme);
        let (location, path) = match self.argument("location") {
            Some(location) => (location, behind_first_part(self.path)),
            None => ("", self.path),
        };
        let separator = if self.query.is_empty() { "" } else { "&" };
        let uri = format!("{scheme}://{}{location}{path}?session={id}{separator}{}", self.host, self.query);
        // Input from a player must not add lines to the playlist.
        let uri = uri.chars().filter(|character: &char| character.is_ascii_graphic()).collect();
        let attributes = match known {
            Some(known) => known.attributes_beside(&[]),
            None => vec!["BANDWIDTH=1".to_owned(), "AVERAGE-BANDWIDTH=1".to_owned()],
        };
        MasterPlaylist { version: None, variants: vec![VariantStream { attributes, uri }] }.to_string()
    }

    fn argument(&self, name: &str) -> Option<&str> {
        let arguments = self.query.split('&').filter_map(|argument| argument.split_once('='));
        arguments.filter(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value).next()
    }
}

/// `/s1.m3u8` of `/hls2/s1.m3u8`; the whole path if it has only one part.
fn behind_first_part(path: &str) -> &str {
    let second = path.char_indices().skip(1).find(|(_, character)| *character == '/');
    second.map_or(path, |(at, _)| &path[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playlist(path: &str, query: &str) -> String {
        let id = SessionId::parse(b"a").unwrap();
        MasterRequest { scheme: "http", host: "h:80", path, query }.playlist(&id, None)
    }

    #[test]
    fn lines_of_the_original() {
        assert_eq!(
            playlist("/hls2/s1.m3u8", "tk=1"),
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1\n\
             http://h:80/hls2/s1.m3u8?session=a&tk=1\n"
        );
    }

    #[test]
    fn proxies_may_have_another_scheme_and_place() {
        let text = playlist("/hls2/s1.m3u8", "scheme=https&location=/cdn/x");
        let want = "https://h:80/cdn/x/s1.m3u8?session=a&scheme=https&location=/cdn/x";
        assert_eq!(text.lines().nth(2), Some(want));
    }

    #[test]
    fn no_request_adds_lines() {
        for (path, query) in [("/a\r\n#EXTINF:1,\nb", ""), ("/a.m3u8", "location=\n#x"), ("/\u{e4}", "\0")] {
            assert_eq!(playlist(path, query).lines().count(), 3);
        }
    }
}
