//! Headers that a player or a file needs before the first frame: the newest metadata, and for each track the newest
//! codec header, colour metadata and channel configuration.

use std::sync::Arc;

pub use super::header_key::HeaderKey;
use super::header_key::HeaderKind;
use super::packet::Packet;
use crate::limits;

/// The newest header of each identity, in sending order.
///
/// A message may contain headers of several tracks; it is removed once newer ones exist for all of them.
#[derive(Clone, Debug)]
pub struct HeaderList<T>(Vec<KeptHeader<T>>);

#[derive(Clone, Debug)]
struct KeptHeader<T> {
    key: HeaderKey,
    bytes: usize,
    item: T,
}

impl<T> Default for HeaderList<T> {
    fn default() -> Self {
        HeaderList(Vec::new())
    }
}

impl<T> HeaderList<T> {
    /// Keeps a header of `bytes` bytes. Returns false if it exceeds [`limits::TRACKS`], [`limits::TRACK_HEADER_BYTES`]
    /// or, together with the others, [`limits::HEADERS_BYTES`] and is not kept. The header that it replaces is outdated
    /// and removed in any case.
    pub fn keep(&mut self, key: HeaderKey, bytes: usize, item: T) -> bool {
        let of_place = self.of(key.place);
        let tracks = of_place.fold(key.tracks, |tracks, kept| tracks.union(kept.key.tracks));
        if tracks.count() > limits::TRACKS {
            return false;
        }
        let mut newer = key.tracks;
        for at in (0..self.0.len()).rev() {
            let kept = self.0[at].key;
            if kept.place != key.place {
                continue;
            }
            if newer.covers(kept.tracks) {
                self.0.remove(at);
            }
            newer = newer.union(kept.tracks);
        }
        let most = if key.is_main() { limits::HEADERS_BYTES } else { limits::TRACK_HEADER_BYTES };
        let others: usize = self.0.iter().map(|kept| kept.bytes).sum();
        if bytes > most || others.saturating_add(bytes) > limits::HEADERS_BYTES {
            return false;
        }
        let at = self.0.partition_point(|kept| kept.key.place <= key.place);
        self.0.insert(at, KeptHeader { key, bytes, item });
        true
    }

    /// All headers, in sending order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|kept| &kept.item)
    }

    /// Removes all headers, in sending order.
    pub fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.0).into_iter().map(|kept| kept.item)
    }

    fn of(&self, place: HeaderKind) -> impl DoubleEndedIterator<Item = &KeptHeader<T>> {
        self.0.iter().filter(move |kept| kept.key.place == place)
    }
}

/// Headers of a stream, which every new player gets first.
pub type Headers = HeaderList<Arc<Packet>>;

impl Headers {
    /// Keeps a packet if it is a header. Returns false if it is one and exceeds a limit.
    pub fn keep_packet(&mut self, packet: &Arc<Packet>) -> bool {
        packet.header().is_none_or(|key| self.keep(*key, packet.payload().len(), packet.clone()))
    }

    /// Whether a header equals the one in force.
    pub fn repeats(&self, packet: &Packet) -> bool {
        let Some(key) = packet.header() else { return false };
        let about = |kept: &HeaderKey| kept.tracks.meets(key.tracks) || key.place == HeaderKind::Metadata;
        let newest = self.of(key.place).rev().find(|kept| about(&kept.key));
        newest.is_some_and(|kept| kept.item.payload() == packet.payload())
    }

    /// The `onMetaData` message.
    pub fn metadata(&self) -> Option<&Arc<Packet>> {
        self.of(HeaderKind::Metadata).map(|kept| &kept.item).next()
    }

    /// Whether there is a video codec header.
    pub fn has_video(&self) -> bool {
        self.of(HeaderKind::VideoHeader).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::hub::class::PacketClass;
    use crate::wire::MediaKind;

    fn packet(class: PacketClass, payload: &[u8]) -> Arc<Packet> {
        let kind = match class {
            PacketClass::Metadata => MediaKind::Data,
            PacketClass::AudioHeader | PacketClass::AudioExtra => MediaKind::Audio,
            _ => MediaKind::Video,
        };
        Arc::new(Packet::new(kind, class, 0, 0, Bytes::copy_from_slice(payload), 4096))
    }

    fn kept(packets: &[(PacketClass, &[u8])]) -> Vec<Vec<u8>> {
        let mut headers = Headers::default();
        for (class, payload) in packets {
            assert!(headers.keep_packet(&packet(*class, payload)), "{payload:02x?}");
        }
        headers.iter().map(|packet| packet.payload().to_vec()).collect()
    }

    #[test]
    fn each_track_keeps_its_newest_header_in_the_order_of_sending() {
        let sent: [(PacketClass, &[u8]); 9] = [
            (PacketClass::VideoHeader, b"\x17\0\0\0\0old"),
            (PacketClass::VideoExtra, b"\x96\x00avc1\x01one"),
            (PacketClass::VideoExtra, b"\xD4avc1colour"),
            (PacketClass::AudioExtra, b"\x94mp4a\x01\x01\0\0\0\x04"),
            (PacketClass::AudioHeader, b"\xAF\x00\x12\x10"),
            (PacketClass::AudioExtra, b"\x95\x00mp4a\x01\x11\x90"),
            (PacketClass::Metadata, b"meta"),
            (PacketClass::VideoHeader, b"\x90avc1new"),
            (PacketClass::Metadata, b"newer"),
        ];
        let want: [&[u8]; 7] = [
            b"newer",
            b"\xAF\x00\x12\x10",
            b"\x95\x00mp4a\x01\x11\x90",
            b"\x94mp4a\x01\x01\0\0\0\x04",
            b"\x96\x00avc1\x01one",
            b"\x90avc1new",
            b"\xD4avc1colour",
        ];
        assert_eq!(kept(&sent), want);
    }

    #[test]
    fn a_message_about_several_tracks_stays_until_all_of_them_have_newer_ones() {
        let both: &[u8] = b"\x96\x10avc1\x00\0\0\x01a\x01\0\0\x01b";
        let (one, zero): (&[u8], &[u8]) = (b"\x96\x00avc1\x01c", b"\x90avc1d");
        assert_eq!(kept(&[(PacketClass::VideoHeader, both), (PacketClass::VideoExtra, one)]), [both, one]);
        let all = [
            (PacketClass::VideoHeader, both),
            (PacketClass::VideoExtra, one),
            (PacketClass::VideoHeader, zero),
        ];
        assert_eq!(kept(&all), [one, zero]);
        let mut headers = Headers::default();
        headers.keep_packet(&packet(PacketClass::VideoHeader, both));
        assert!(headers.repeats(&packet(PacketClass::VideoHeader, both)));
        headers.keep_packet(&packet(PacketClass::VideoExtra, one));
        assert!(!headers.repeats(&packet(PacketClass::VideoHeader, both)), "track 1 has another one by now");
        assert!(headers.repeats(&packet(PacketClass::VideoExtra, one)));
    }

    #[test]
    fn tracks_above_the_bound_are_left_out_and_those_below_still_change() {
        let mut headers = Headers::default();
        let track =
            |id: u8, body: u8| packet(PacketClass::AudioExtra, &[b"\x95\x00Opus", &[id, body][..]].concat());
        for id in 0..limits::TRACKS as u8 {
            assert!(headers.keep_packet(&track(id, 1)));
        }
        assert!(!headers.keep_packet(&track(200, 1)));
        assert!(headers.keep_packet(&track(3, 2)));
        assert_eq!(headers.iter().count(), limits::TRACKS);
        let long = vec![7; limits::TRACK_HEADER_BYTES];
        assert!(
            !headers
                .keep_packet(&packet(PacketClass::VideoExtra, &[b"\x96\x00avc1\x01", &long[..]].concat()))
        );
        assert!(headers.keep_packet(&packet(PacketClass::VideoHeader, &[b"\x90avc1", &long[..]].concat())));
    }

    #[test]
    fn all_headers_together_are_bounded_and_none_is_kept_that_is_out_of_date() {
        let mut headers = Headers::default();
        let most = limits::HEADERS_BYTES;
        let bytes = |headers: &Headers| headers.iter().map(|kept| kept.payload().len()).sum::<usize>();
        for id in 0..limits::TRACKS as u8 {
            for (class, head) in
                [(PacketClass::AudioExtra, b"\x95\x00mp4a"), (PacketClass::VideoExtra, b"\x96\x00avc1")]
            {
                let long = vec![7; limits::TRACK_HEADER_BYTES - 100];
                headers.keep_packet(&packet(class, &[&head[..], &[id], &long].concat()));
            }
        }
        assert!(bytes(&headers) <= most && headers.iter().count() > 10);
        let mut headers = Headers::default();
        assert!(headers.keep_packet(&packet(PacketClass::VideoHeader, b"\x17\0\0\0\0old")));
        assert!(headers.keep_packet(&packet(PacketClass::Metadata, &vec![b'm'; most - 100])));
        let long = [&b"\x17\0\0\0\0"[..], &[b'n'; 200]].concat();
        assert!(!headers.keep_packet(&packet(PacketClass::VideoHeader, &long)));
        assert!(!headers.has_video(), "the old one is of no use");
        assert!(headers.keep_packet(&packet(PacketClass::Metadata, b"short")));
        assert!(headers.keep_packet(&packet(PacketClass::VideoHeader, &long)));
        assert_eq!(bytes(&headers), "short".len() + long.len());
    }
}
