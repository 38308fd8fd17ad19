//! Sessions of HLS players from memory.

use std::collections::VecDeque;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::RwLock;
use sha2::Sha256;

use super::{Fragment, FragmentPiece, FragmentWindow};
use crate::wire::hls::{
    LowLatency, MediaPlaylist, MediaSegment, PartialSegment, push_path_segment, target_duration,
};

/// Session id, the value of `session=`, which connects a player's requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

/// Issues unforgeable session ids and verifies them.
///
/// Requests with the id of a session share the verdict on its first request. Therefore ids carry a MAC of 128 bits,
/// which requires the secret.
pub struct SessionIds {
    secret: RwLock<[u8; 32]>,
}

impl SessionIds {
    /// `secret` must come from the system's randomness.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret: RwLock::new(secret) }
    }

    /// The secret in hexadecimal, for the other process of an upgrade.
    pub fn key(&self) -> String {
        self.secret.read().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Takes over the secret of another process, whose ids count as issued from then on. Anything else is ignored.
    pub fn adopt(&self, key: &str) {
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = key.as_bytes().chunks(2).map(byte).collect();
        if let Some(secret) = bytes.and_then(|bytes| bytes.try_into().ok()) {
            *self.secret.write() = secret;
        }
    }

    /// Issues an id: the parts of PingOS's ids, which give place and time, and a MAC.
    pub fn issue(&self, unix_seconds: u64, counter: u64, slot: u32, connection: u64) -> SessionId {
        let text = format!("{unix_seconds}t-{counter}i-{slot}p-{connection}c");
        let tag = self.tag(&text).finalize().into_bytes();
        let (first, _) = tag.split_first_chunk().expect("SHA-256 has 32 bytes");
        SessionId(format!("{text}-{:032x}", u128::from_be_bytes(*first)))
    }

    /// Whether this server issued the id.
    pub fn has_issued(&self, id: &SessionId) -> bool {
        let Some((text, tag)) = id.0.rsplit_once('-') else { return false };
        let Ok(tag) = u128::from_str_radix(tag, 16) else { return false };
        // In constant time.
        self.tag(text).verify_truncated_left(&tag.to_be_bytes()).is_ok()
    }

    fn tag(&self, text: &str) -> Hmac<Sha256> {
        let mut tag =
            Hmac::<Sha256>::new_from_slice(&*self.secret.read()).expect("a key may have any length");
        tag.update(text.as_bytes());
        tag
    }
}

impl fmt::Debug for SessionIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionIds").finish_non_exhaustive()
    }
}

impl SessionId {
    /// Parses an id that a player chose, which may be any text that is allowed in a playlist.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let harmless = |&byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!*()%+:@,".contains(&byte);
        if value.is_empty() || value.len() > SESSION_ID_MAX || !value.iter().all(harmless) {
            return None;
        }
        Some(Self(value.iter().copied().map(char::from).collect()))
    }

    /// Value for a query.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// State of a player between requests.
#[derive(Debug)]
pub struct ViewerSession {
    id: SessionId,
    /// `slot=` of fragment URIs: number of the process with the session.
    slot: u32,
    /// Number of the first fragment in its playlists.
    first: Option<u64>,
    /// Whether the first fragment continues the one before it, and its discontinuity is only that of the session.
    marked: bool,
    /// Never decreases during the session (RFC 8216 §6.2.1).
    target_duration: u64,
    last_request_ms: u64,
}

impl ViewerSession {
    /// Creates a session with a first request at `now_ms`.
    pub fn new(id: SessionId, slot: u32, now_ms: u64) -> Self {
        Self { id, slot, first: None, marked: false, target_duration: 0, last_request_ms: now_ms }
    }

    /// Records a request for a playlist or a fragment.
    pub fn touch(&mut self, now_ms: u64) {
        self.last_request_ms = now_ms;
    }

    /// Time at which the session ends unless another request arrives. `timeout_ms` is `hls2_timeout`.
    pub fn expires_at_ms(&self, timeout_ms: u64) -> u64 {
        self.last_request_ms.saturating_add(timeout_ms)
    }

    /// Session id.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Media playlist; `None` while the window has too few fragments for a first playlist. The caller should try again
    /// after the next fragment.
    ///
    /// A player begins with the latest `hls2_minfrags` fragments, the first of which is marked as a discontinuity, as
    /// in PingOS. `base_url` is `hls2_base_url`. With `skip` a playlist of low latency leaves out old fragments.
    pub fn playlist(
        &mut self,
        window: &FragmentWindow,
        name: &[u8],
        base_url: &str,
        skip: bool,
    ) -> Option<String> {
        let begins_anew = self.first.is_none_or(|first| !self.can_go_on(first, window));
        let first = if begins_anew {
            if !window.is_ready() {
                return None;
            }
            let first = window.latest(window.min_fragments()).next()?;
            self.marked = !first.discontinuity;
            first.id
        } else {
            self.first?
        };
        self.first = Some(first);

        let mut stem = base_url.to_owned();
        push_path_segment(name, &mut stem);
        // The mark of the first fragment stays until the player has had time to read it, even in a short playlist.
        let newest = window.latest(1).next()?.id;
        let begins = newest - first < (window.min_fragments() + FRAGMENTS_SEEN) as u64;
        let most = window.most_listed().max(if begins { window.min_fragments() + FRAGMENTS_SEEN } else { 0 });
        let listed: Vec<_> = window.latest(most).filter(|fragment| fragment.id >= first).collect();
        let oldest = listed.first()?;
        let longest_ms = listed.iter().map(|fragment| fragment.duration_ms).max().unwrap_or(0);
        self.target_duration =
            self.target_duration.max(target_duration(window.settings().cut.fragment_ms, longest_ms));
        let uri = |id: u64, piece: FragmentPiece| {
            format!("{stem}-{id}{}?session={}&slot={}", piece.end(), self.id, self.slot)
        };
        let entry = |fragment: &Fragment, parts: bool| {
            let date_ranges = window.date_ranges(fragment, fragment.id == oldest.id);
            MediaSegment {
                date_ms: (!date_ranges.is_empty()).then_some(fragment.date_ms),
                date_ranges,
                uri: uri(
                    fragment.id,
                    if fragment.map_id.is_some() { FragmentPiece::Mp4 } else { FragmentPiece::Ts },
                ),
                duration_ms: fragment.duration_ms,
                discontinuity: fragment.discontinuity || fragment.id == first,
                key: None,
                map: fragment.map_id.map(|id| uri(id, FragmentPiece::Init)),
                parts: if parts { part_entries(fragment, uri) } else { Vec::new() },
            }
        };
        let low_latency = window.part_target_ms().map(|part_target_ms| LowLatency {
            part_target_ms,
            open: window.open().filter(|open| !open.parts.is_empty()).map(|open| entry(open, true)),
            hint: window.open().map(|open| uri(open.id, FragmentPiece::Part(open.parts.len() as u64))),
            skipped: None,
        });
        // Distance of each fragment's end from the end of the playlist.
        let mut behind_ms: u64 = low_latency
            .iter()
            .flat_map(|low| &low.open)
            .flat_map(|open| &open.parts)
            .map(|part| part.duration_ms)
            .sum();
        let target_ms = self.target_duration.saturating_mul(1_000);
        let (skip_until_ms, parts_until_ms) =
            (LowLatency::skip_until_ms(self.target_duration), target_ms.saturating_mul(TARGETS_WITH_PARTS));
        let (mut segments, mut skipped) = (VecDeque::new(), 0);
        for fragment in listed.iter().rev() {
            segments.push_front(entry(fragment, low_latency.is_some() && behind_ms < parts_until_ms));
            skipped += usize::from(behind_ms >= skip_until_ms);
            behind_ms = behind_ms.saturating_add(fragment.duration_ms);
        }
        let playlist = MediaPlaylist {
            media_sequence: oldest.id,
            // The session's own mark has left the playlist too. In playlists of MPEG-TS it does not count, as in PingOS.
            discontinuity_sequence: oldest.discontinuity_sequence
                + u64::from(self.marked && oldest.map_id.is_some() && oldest.id > first),
            target_duration: self.target_duration,
            event: false,
            segments: segments.into(),
            low_latency: low_latency.map(|low| LowLatency {
                skipped: (skip && !begins_anew && skipped > 0).then_some(skipped),
                ..low
            }),
        };
        Some(playlist.to_string())
    }

    /// Whether the fragment numbers of this session still belong to the window. They do not if the stream was dropped
    /// and created again.
    fn can_go_on(&self, first: u64, window: &FragmentWindow) -> bool {
        window.latest(1).next().is_some_and(|latest| latest.id >= first)
    }
}

/// Parts of a fragment, with their addresses.
fn part_entries(fragment: &Fragment, uri: impl Fn(u64, FragmentPiece) -> String) -> Vec<PartialSegment> {
    let parts = (0..).zip(&fragment.parts).map(|(number, part)| PartialSegment {
        uri: uri(fragment.id, FragmentPiece::Part(number)),
        duration_ms: part.duration_ms,
        independent: part.independent,
    });
    parts.collect()
}

/// Number of target durations at the end of a playlist in which parts are listed (rfc8216bis §6.2.2).
const TARGETS_WITH_PARTS: u64 = 3;

/// Number of fragments after the first playlist before its first fragment may leave.
const FRAGMENTS_SEEN: usize = 2;

/// Maximum length of a session id that a player chose.
const SESSION_ID_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::super::FragmentSettings;
    use super::super::window::tests::piece;
    use super::*;
    use crate::media::segments::{CutRule, Slicing};

    #[test]
    fn playlist_is_withheld_until_there_are_enough_fragments() {
        let (mut window, mut session) = (window(), session());
        publish(&mut window, 0, 1_800);
        assert_eq!(session.playlist(&window, b"s1", "", false), None);
        publish(&mut window, 1_800, 2_200);
        assert_eq!(
            session.playlist(&window, b"s1", "", false).unwrap(),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:1\n\
             #EXT-X-DISCONTINUITY\n#EXTINF:1.000,\ns1-0.ts?session=a&slot=0\n\
             #EXTINF:1.000,\ns1-1.ts?session=a&slot=0\n"
        );
    }

    #[test]
    fn playlist_grows_to_its_length_and_then_slides() {
        let (mut window, mut session) = (window(), session());
        publish(&mut window, 0, 5_200);
        let sequence =
            |text: &str| text.split("SEQUENCE:").nth(1).unwrap().split('\n').next().unwrap().to_owned();
        let mut seen = Vec::new();
        for second in 5..9 {
            let text = session.playlist(&window, b"s1", "", false).unwrap();
            let mark = text.contains("#EXT-X-DISCONTINUITY\n");
            seen.push((sequence(&text), text.matches(".ts?").count(), mark));
            publish(&mut window, second * 1_000 + 200, second * 1_000 + 1_200);
        }
        let want = [("3", 2, true), ("3", 3, true), ("3", 4, true), ("4", 4, false)];
        assert_eq!(seen, want.map(|(sequence, count, mark)| (sequence.to_owned(), count, mark)));
    }

    #[test]
    fn a_short_playlist_shows_its_mark_for_two_more_fragments() {
        let cut = CutRule { fragment_ms: 1_000, max_fragment_ms: 2_000, slicing: Slicing::Plain };
        let mut window = FragmentWindow::new(FragmentSettings {
            cut,
            playlist_length_ms: 3_000,
            min_fragments: 3,
            part_ms: None,
        });
        let mut session = session();
        publish(&mut window, 0, 5_200);
        let mut seen = Vec::new();
        for second in 5..9 {
            let text = session.playlist(&window, b"s1", "", false).unwrap();
            seen.push((text.matches(".ts?").count(), text.contains("#EXT-X-DISCONTINUITY\n")));
            publish(&mut window, second * 1_000 + 200, second * 1_000 + 1_200);
        }
        assert_eq!(seen, [(3, true), (4, true), (5, true), (3, false)]);
    }

    #[test]
    fn base_url_and_odd_names_make_valid_references() {
        let (mut window, mut session) = (window(), session());
        publish(&mut window, 0, 3_000);
        let text = session.playlist(&window, b"#\n1", "https://cdn/", false).unwrap();
        assert!(text.contains("\nhttps://cdn/%23%0A1-0.ts?session=a&slot=0\n"), "{text}");
    }

    #[test]
    fn stream_that_came_back_begins_anew() {
        let (mut window, mut session) = (window(), session());
        publish(&mut window, 0, 9_200);
        session.playlist(&window, b"s1", "", false).unwrap();
        let mut window = self::window();
        assert_eq!(session.playlist(&window, b"s1", "", false), None);
        publish(&mut window, 0, 2_200);
        assert!(session.playlist(&window, b"s1", "", false).unwrap().contains("MEDIA-SEQUENCE:0\n"));
    }

    #[test]
    fn session_ids_of_players_cannot_break_a_playlist() {
        assert_eq!(SessionId::parse(b"abc").map(|id| id.0), Some("abc".to_owned()));
        for bad in [&b""[..], b"a\nb", b"a&b", b"a b", b"a#b", b"\xff", &[b'a'; 129]] {
            assert_eq!(SessionId::parse(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn issued_ids_are_known_again_and_cannot_be_made_by_others() {
        let ids = SessionIds::new([7; 32]);
        let id = ids.issue(1_700_000_000, 5, 0, 42);
        assert!(id.as_str().starts_with("1700000000t-5i-0p-42c-") && id.as_str().len() == 22 + 32, "{id}");
        assert_eq!(SessionId::parse(id.as_str().as_bytes()), Some(id.clone()));
        assert!(ids.has_issued(&id));
        let other = SessionIds::new([8; 32]);
        assert!(!other.has_issued(&id));
        other.adopt("not a key");
        assert!(!other.has_issued(&id));
        other.adopt(&ids.key());
        assert!(other.has_issued(&id));
        let tag = id.as_str().rsplit_once('-').unwrap().1;
        for made in [
            "a",
            "-",
            "1700000000t-5i-0p-42c",
            "1700000000t-5i-0p-42c-0",
            &format!("1700000000t-6i-0p-42c-{tag}"),
        ] {
            assert!(!ids.has_issued(&SessionId(made.to_owned())), "{made}");
        }
    }

    #[test]
    fn session_lives_from_request_to_request() {
        let mut session = ViewerSession::new(SessionId::parse(b"a").unwrap(), 0, 1_000);
        session.touch(5_000);
        assert_eq!(session.expires_at_ms(12_000), 17_000);
    }

    fn session() -> ViewerSession {
        ViewerSession::new(SessionId::parse(b"a").unwrap(), 0, 0)
    }

    fn window() -> FragmentWindow {
        let cut = CutRule { fragment_ms: 1_000, max_fragment_ms: 2_000, slicing: Slicing::Plain };
        FragmentWindow::new(FragmentSettings {
            cut,
            playlist_length_ms: 4_000,
            min_fragments: 2,
            part_ms: None,
        })
    }

    fn publish(window: &mut FragmentWindow, from_ms: u64, to_ms: u64) {
        for dts_ms in (from_ms..to_ms).step_by(200) {
            window.handle_frame(&piece(dts_ms, true), 0);
        }
    }
}
