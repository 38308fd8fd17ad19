//! One player's place in a stream: what it is sent next, what it skips, what is still on its way.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;

use super::backlog::Backlog;
use super::gop::StartSettings;
use super::headers::Headers;
use super::origin::Origin;
use super::outgoing::Outgoing;
use super::packet::{Class, Container, Lane, Packet};
use super::stream::{Joined, Stream};
use crate::limits;
use crate::wire::MediaKind;

/// How a player is served; fixed when it joins.
#[derive(Clone, Copy, Debug)]
pub struct PlayerSettings {
    /// Framing.
    pub container: Container,
    /// RTMP message stream id.
    pub stream_id: u32,
    /// It is a server that we publish to: metadata goes as `@setDataFrame`.
    pub publishes: bool,
    /// Where it starts.
    pub start: StartSettings,
    /// Skip inter frames until the first key frame.
    pub wait_key: bool,
    /// Hold audio until the first video frame.
    pub wait_video: bool,
    /// The first timestamp is 0; see [`Origin`].
    pub zero_start: bool,
    /// Milliseconds of skipped media above which codec headers are sent again; 0 never.
    pub sync: u32,
    /// Most packets a player may be behind.
    pub out_queue: u64,
    /// Most packets in one write.
    pub merge_frame: usize,
    /// Hold back until this many packets are due; 0 sends at once.
    pub cork: u64,
    /// Extended timestamps stand in continuation chunks too (`play_time_fix`).
    pub repeat_extended: bool,
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything that is due has been handed to the socket.
    CaughtUp,
    /// The socket takes no more now.
    Blocked,
}

/// Why a player was moved forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Behind {
    /// More packets than `out_queue` waited for it.
    Queue = 1,
    /// What waited for it was too old.
    Time,
    /// The worker itself came too late for what the player was to be sent.
    Lost,
    /// `low_latency` wants the newest key frame.
    Latency,
    /// More bytes than `stream_backlog` allows waited for it.
    Bytes,
}

impl Behind {
    /// As logs and statistics say it.
    pub fn name(self) -> &'static str {
        match self {
            Behind::Queue => "out_queue",
            Behind::Time => "too old",
            Behind::Lost => "worker too slow",
            Behind::Latency => "low_latency",
            Behind::Bytes => "stream_backlog",
        }
    }
}

/// A player that fell too far behind was moved forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Why.
    pub why: Behind,
    /// Packets left out.
    pub packets: u64,
    /// Milliseconds of media left out.
    pub span: u32,
}

/// See the module's documentation. Owned by the delivery worker that serves the player.
#[derive(Debug)]
pub struct Cursor {
    settings: PlayerSettings,
    next: u64,
    /// Bytes on their way, cut at message boundaries except for the first.
    pending: Outgoing,
    /// Bytes of the session itself queued since everything was last sent.
    control_bytes: usize,
    /// Lanes (by [`Lane::bit`]) whose previous timestamp the player knows.
    synced: u32,
    need_key: bool,
    hold_audio: bool,
    /// Codec headers and metadata that go out with the first media: until then a player that waits for a key
    /// frame is sent nothing, as recorded.
    headers: Option<Box<Headers>>,
    /// The player wants nothing for now, and was told so.
    paused: bool,
    /// It was paused before: its headers have the time of what follows them.
    resumed: bool,
    /// Subtracted from the stream's timestamps; `None`: they are sent as they are.
    origin: Option<Origin>,
}

impl Cursor {
    /// Takes a place in the stream. `lead` goes out first: command answers, or the head of an HTTP body.
    pub fn join(settings: PlayerSettings, joined: &Joined, lead: Bytes) -> Self {
        let cached = settings.start.cache_time > 0;
        // What was packaged before begins with a key piece, or it has no tables.
        let packaged = !settings.container.has_timestamps();
        let mut cursor = Cursor {
            settings,
            next: joined.start,
            pending: Outgoing::default(),
            control_bytes: 0,
            synced: 0,
            need_key: settings.wait_key || cached || packaged,
            hold_audio: packaged || (settings.wait_video && !cached && joined.headers.has_video()),
            headers: Some(Box::new(joined.headers.clone())),
            paused: false,
            resumed: false,
            origin: settings.zero_start.then(Origin::default),
        };
        let _ = cursor.push_control(lead);
        cursor
    }

    /// Queues bytes of the session itself (acknowledgements, pings, status messages) at the next message
    /// boundary. Returns false when a stalled player has too much of that queued already.
    #[must_use = "a player that does not take its control messages has to be closed"]
    pub fn push_control(&mut self, bytes: Bytes) -> bool {
        self.control_bytes += bytes.len();
        self.pending.push(bytes);
        self.pending.len() <= limits::PLAYER_PENDING_SLICES
            && self.control_bytes <= limits::PLAYER_CONTROL_BYTES
    }

    /// Takes up what is due below `limit`, so that what is queued next goes behind it; a player that is far behind
    /// gets it sooner.
    pub fn take_up(&mut self, backlog: &Backlog, limit: u64) {
        self.refill(backlog, limit);
    }

    /// Sends no media from now on. What comes meanwhile is passed over: it waits nowhere.
    pub fn pause(&mut self) {
        self.paused = true;
        self.headers = Some(Box::default());
    }

    /// Goes on with the next key frame, behind the codec headers in force; of a stream without video, with what comes next.
    pub fn resume(&mut self, headers: Headers) {
        if !std::mem::replace(&mut self.paused, false) {
            return;
        }
        (self.synced, self.need_key, self.hold_audio) = (0, true, headers.has_video());
        self.resumed = true;
        self.headers = Some(Box::new(headers));
    }

    /// What is still on its way: the rest of a message, and what was queued behind it.
    pub fn into_pending(self) -> VecDeque<Bytes> {
        self.pending.into()
    }

    /// What is on its way.
    pub fn outgoing(&self) -> &Outgoing {
        &self.pending
    }

    /// Number of the next packet.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// How the player is served.
    pub fn settings(&self) -> &PlayerSettings {
        &self.settings
    }

    /// No longer holds packets back: no more will come for it.
    pub fn uncork(&mut self) {
        self.settings.cork = 0;
    }

    /// Whether the player has had its first frame: of a stream with video, a key frame.
    pub fn has_begun(&self, has_video: bool) -> bool {
        self.headers.is_none() && !(self.need_key && has_video)
    }

    /// Whether the player takes the very bytes that all others of its container take, starting at `seq`.
    /// `lanes` are the lanes among them ([`lanes_of`]).
    pub fn is_steady(&self, seq: u64, lanes: u32) -> bool {
        self.next == seq
            && self.pending.is_empty()
            // Who waits for a key frame is steady as long as there is no video.
            && !(self.need_key && lanes & Lane::VIDEO != 0)
            && !self.hold_audio
            && self.headers.is_none()
            && self.settings.cork == 0
            && self.synced & lanes == lanes
            && lanes & Lane::main(MediaKind::Data).bit() == 0
            && match self.settings.container {
                Container::Rtmp => true,
                container => self.origin.is_none() || !container.has_timestamps(),
            }
    }

    /// A steady player was sent `written` bytes of `slices`, which end at packet number `end`.
    pub fn advance_steady(&mut self, slices: &[Bytes], mut written: usize, end: u64) {
        self.next = end;
        // Who keeps up has nothing on its way; the room that its start took goes.
        self.pending.shrink();
        for slice in slices {
            if written >= slice.len() {
                written -= slice.len();
            } else {
                self.pending.push(slice.slice(written..));
                written = 0;
            }
        }
    }

    /// Sends what is due below `limit` until the socket is full.
    ///
    /// `sink` is a vectored write; `WouldBlock` means full, any other error ends the player.
    pub fn write(
        &mut self,
        backlog: &Backlog,
        limit: u64,
        sink: &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<(Progress, usize)> {
        let mut total = 0;
        loop {
            self.refill(backlog, limit);
            if self.pending.is_empty() {
                return Ok((Progress::CaughtUp, total));
            }
            let offered = self.pending.bytes_of(limits::START_SLICES);
            let written = match self.offer(sink) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok((Progress::Blocked, total)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            total += written;
            self.consume(written);
            if written < offered {
                return Ok((Progress::Blocked, total));
            }
        }
    }

    /// One write of what is on its way.
    fn offer(&self, sink: &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<usize> {
        if let Some(slice) = self.pending.single() {
            return sink(&[IoSlice::new(slice)]);
        }
        let all = self.pending.iter().take(limits::START_SLICES).map(|bytes| IoSlice::new(bytes));
        if self.pending.len() > limits::WRITE_SLICES {
            return sink(&all.collect::<Vec<_>>());
        }
        let mut slices = [IoSlice::new(&[]); limits::WRITE_SLICES];
        let mut count = 0;
        for (slot, slice) in slices.iter_mut().zip(all) {
            *slot = slice;
            count += 1;
        }
        sink(&slices[..count])
    }

    /// Moves a player forward that is too far behind: to the newest key frame in the backlog, else to the end,
    /// where it waits for one. `latest` moves it to a new key frame whenever it is behind (`low_latency`).
    pub fn skip_if_behind(&mut self, backlog: &Backlog, stream: &Stream) -> Option<Skipped> {
        let behind = backlog.end().saturating_sub(self.next);
        let lost = backlog.base().saturating_sub(self.next);
        let most = limits::PLAYER_LAG_MS.saturating_add(self.settings.start.cache_time);
        let why = if backlog.was_trimmed(self.next) {
            Behind::Bytes
        } else if lost > 0 {
            Behind::Lost
        } else if behind > self.settings.out_queue {
            Behind::Queue
        } else if backlog.span_from(self.next) > most {
            Behind::Time
        } else if self.settings.start.low_latency && self.settings.start.cache_time > 0 {
            Behind::Latency
        } else {
            return None;
        };
        let key = backlog.newest_key(self.next + 1);
        let target = match key {
            Some(key) => key,
            None if why != Behind::Latency => backlog.end(),
            None => return None,
        };
        // With a key frame at hand but still too much behind it, only the end helps.
        let target = if backlog.end() - target > self.settings.out_queue { backlog.end() } else { target };
        let span = backlog.span_from(self.next).saturating_sub(backlog.span_from(target));
        let skipped = Skipped { why, packets: target - self.next, span };
        self.next = target;
        self.synced = 0;
        self.need_key = true;
        if self.headers.is_none() && self.settings.sync > 0 && span > self.settings.sync {
            let timestamp = backlog.get(target).map_or(0, |p| self.player_time(p.timestamp()));
            self.push_headers(&stream.headers(), timestamp);
        }
        Some(skipped)
    }

    fn push_headers(&mut self, headers: &Headers, timestamp: u32) {
        for packet in headers.iter() {
            self.push_private(packet, timestamp);
        }
        self.synced = 0;
    }

    /// Queues up to `merge_frame` packets below `limit`; at the start as many as one write takes.
    fn refill(&mut self, backlog: &Backlog, limit: u64) {
        if self.paused {
            self.next = self.next.max(limit.min(backlog.end()));
            return;
        }
        if self.settings.cork > 0 && backlog.end().saturating_sub(self.next) < self.settings.cork {
            return;
        }
        let most = if self.headers.is_some() { limits::START_SLICES } else { self.settings.merge_frame };
        while self.pending.len() < most
            && self.pending.bytes() < limits::PLAYER_PENDING_BYTES
            && self.next < limit
        {
            let Some(packet) = backlog.get(self.next) else { return };
            self.next += 1;
            if self.admits(packet) {
                if self.is_withheld(packet) {
                    continue;
                }
                if let Some(origin) = self.origin.as_mut().filter(|origin| !origin.is_set()) {
                    // What the player is sent at once tells where the other track starts.
                    origin.begin(backlog.from(self.next - 1).take(limits::START_SLICES).map(|next| &**next));
                }
                self.push_packet(packet);
            } else {
                self.synced &= !packet.lane().bit();
            }
        }
    }

    /// Whether the player is sent this packet; keeps track of what it is waiting for.
    fn admits(&mut self, packet: &Packet) -> bool {
        match packet.class() {
            Class::Key => {
                self.need_key = false;
                self.hold_audio = false;
                true
            }
            Class::Inter if self.need_key => false,
            Class::Inter => {
                self.hold_audio = false;
                true
            }
            Class::Audio => !self.hold_audio,
            Class::VideoHeader
            | Class::VideoExtra
            | Class::AudioHeader
            | Class::AudioExtra
            | Class::Metadata
            | Class::Other => true,
        }
    }

    /// Before the first media headers are only collected; the first media sends them ahead of itself.
    fn is_withheld(&mut self, packet: &Arc<Packet>) -> bool {
        let Some(headers) = &mut self.headers else { return false };
        if packet.header().is_some() {
            headers.keep_packet(packet);
            return true;
        }
        let headers = std::mem::take(headers);
        self.headers = None;
        // The original stamps headers with 0 for a player that starts from the cache, with the current time for one that
        // does not.
        let from_zero = self.settings.start.cache_time > 0 || self.settings.zero_start;
        let timestamp = match (self.resumed, from_zero) {
            (true, _) => self.player_time(packet.timestamp()),
            (false, true) => 0,
            (false, false) => packet.timestamp(),
        };
        self.push_headers(&headers, timestamp);
        false
    }

    fn push_packet(&mut self, packet: &Packet) {
        let lane = packet.lane().bit();
        let plain = match self.settings.container {
            // Data messages are few; their timestamps need not form a chain of deltas.
            Container::Rtmp => self.synced & lane != 0 && packet.kind() != MediaKind::Data,
            Container::Flv | Container::FlvChunked => self.origin.is_none(),
            Container::Raw | Container::RawChunked => true,
        };
        if plain {
            self.pending.push(packet.shared(self.settings.container).clone());
        } else {
            let (timestamp, moved) = match &mut self.origin {
                None => (packet.timestamp(), false),
                Some(origin) => origin.place(packet),
            };
            self.push_private(packet, timestamp);
            if moved {
                // The other lanes go on with times of their own.
                self.synced = 0;
            }
        }
        self.synced |= lane;
    }

    fn push_private(&mut self, packet: &Packet, timestamp: u32) {
        let stream_id = self.settings.stream_id;
        let (head, tail) = if self.settings.publishes && packet.class() == Class::Metadata {
            (packet.set_data_frame(timestamp, stream_id), Bytes::new())
        } else {
            packet.private(self.settings.container, timestamp, stream_id, self.settings.repeat_extended)
        };
        self.pending.push(head);
        self.pending.push(tail);
    }

    /// The time of a timestamp, for headers that go ahead of a packet.
    fn player_time(&self, timestamp: u32) -> u32 {
        self.origin.as_ref().map_or(timestamp, |origin| origin.time(timestamp))
    }

    fn consume(&mut self, written: usize) {
        if self.pending.consume(written) {
            self.control_bytes = 0;
        }
    }
}

/// The lanes among `packets`, as [`Cursor::is_steady`] takes them.
pub fn lanes_of<'a>(packets: impl Iterator<Item = &'a Arc<Packet>>) -> u32 {
    packets.fold(0, |lanes, packet| lanes | packet.lane().bit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::gop::CacheSettings;
    use crate::hub::registry::StreamKey;
    use crate::hub::stream::{Incoming, PublishSettings};
    use crate::wire::flv;
    use crate::wire::rtmp::chunk;

    fn settings(container: Container) -> PlayerSettings {
        PlayerSettings {
            container,
            stream_id: 1,
            publishes: false,
            start: StartSettings { cache_time: 0, send_all: false, low_latency: false },
            wait_key: true,
            wait_video: false,
            zero_start: false,
            sync: 300,
            out_queue: 16,
            merge_frame: 32,
            cork: 0,
            repeat_extended: true,
        }
    }

    fn incoming(kind: MediaKind, class: Class, timestamp: u32) -> Incoming {
        Incoming { kind, class, timestamp, beside: None, payload: Bytes::from(vec![timestamp as u8; 40]) }
    }

    struct Rig {
        stream: Stream,
        backlog: Backlog,
    }

    struct NoWake;
    impl crate::hub::stream::Wake for NoWake {
        fn wake(&self, _: u64) {}
    }

    impl Rig {
        fn new() -> Self {
            let stream = Stream::new(1, StreamKey::new("d", "a", "n"), 128);
            let cache = CacheSettings { cache_time: 0, out_queue: 2048 };
            stream.start_publish(1, PublishSettings { cache, fix_timestamp: 0, relay: false }).unwrap();
            stream.attach(0, Arc::new(NoWake));
            Rig { stream, backlog: Backlog::default() }
        }

        fn push(&mut self, batch: impl IntoIterator<Item = Incoming>) {
            self.stream.push(1, batch);
            let mut out = Vec::new();
            let start = self.stream.fetch(0, &mut out);
            self.backlog.append(start, out);
        }

        fn join(&self, settings: PlayerSettings) -> Cursor {
            let joined = self.stream.join(settings.start, self.backlog.end());
            Cursor::join(settings, &joined, Bytes::new())
        }
    }

    /// Writes everything that is due and returns it.
    fn drain(cursor: &mut Cursor, backlog: &Backlog, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut sink = |slices: &[IoSlice<'_>]| {
            let all: Vec<u8> = slices.iter().flat_map(|s| s.to_vec()).collect();
            let n = all.len().min(step);
            out.extend_from_slice(&all[..n]);
            Ok(n)
        };
        loop {
            let (progress, _) = cursor.write(backlog, u64::MAX, &mut sink).unwrap();
            if progress == Progress::CaughtUp {
                return out;
            }
        }
    }

    fn rtmp_messages(bytes: &[u8]) -> Vec<(u8, u32)> {
        let limits = chunk::Limits {
            max_message: 1 << 20,
            max_chunk_streams: 64,
            max_partial: 1 << 22,
            publish_time_fix: true,
        };
        let mut reader = chunk::Reader::new(limits);
        let mut input = bytes;
        let mut out = Vec::new();
        while let Some(m) = reader.read(&mut input).unwrap() {
            out.push((m.type_id, m.timestamp));
        }
        out
    }

    #[test]
    fn a_new_player_gets_audio_at_once_and_video_from_the_next_key_frame() {
        let mut rig = Rig::new();
        let mut cursor = rig.join(settings(Container::Rtmp));
        rig.push([
            incoming(MediaKind::Video, Class::Inter, 1000),
            incoming(MediaKind::Audio, Class::Audio, 1001),
            incoming(MediaKind::Video, Class::Key, 1040),
            incoming(MediaKind::Video, Class::Inter, 1080),
        ]);
        let sent = rtmp_messages(&drain(&mut cursor, &rig.backlog, 7));
        assert_eq!(sent, [(8, 1001), (9, 1040), (9, 1080)]);
        assert!(cursor.is_steady(rig.backlog.end(), 0b11));
    }

    #[test]
    fn wait_video_holds_audio_where_there_is_video() {
        let mut rig = Rig::new();
        rig.push([incoming(MediaKind::Video, Class::VideoHeader, 0)]);
        let mut cursor = rig.join(PlayerSettings { wait_video: true, ..settings(Container::Rtmp) });
        rig.push([
            incoming(MediaKind::Audio, Class::Audio, 10),
            incoming(MediaKind::Video, Class::Key, 40),
            incoming(MediaKind::Audio, Class::Audio, 50),
        ]);
        let sent = rtmp_messages(&drain(&mut cursor, &rig.backlog, 1000));
        assert_eq!(sent, [(9, 40), (9, 40), (8, 50)]); // the header goes out with the frame
    }

    #[test]
    fn zero_start_counts_from_the_first_frame_sent() {
        for container in [Container::Rtmp, Container::Flv] {
            let mut rig = Rig::new();
            let mut cursor = rig.join(PlayerSettings { zero_start: true, ..settings(container) });
            rig.push([
                incoming(MediaKind::Video, Class::Key, 90_000),
                incoming(MediaKind::Audio, Class::Audio, 90_010),
                incoming(MediaKind::Video, Class::Inter, 90_040),
            ]);
            let bytes = drain(&mut cursor, &rig.backlog, 11);
            let sent = match container {
                Container::Rtmp => rtmp_messages(&bytes),
                _ => flv_tags(&bytes),
            };
            assert_eq!(sent, [(9, 0), (8, 10), (9, 40)]);
        }
    }

    #[test]
    fn zero_start_keeps_tracks_as_far_apart_as_sent() {
        let frames = |video: u32, audio: u32| {
            (0..4).flat_map(move |n| {
                let video = if n == 0 { (Class::Key, video) } else { (Class::Inter, video + n * 40) };
                [
                    incoming(MediaKind::Video, video.0, video.1),
                    incoming(MediaKind::Audio, Class::Audio, audio + n * 40),
                ]
            })
        };
        for container in [Container::Rtmp, Container::Flv] {
            let sent = |rig: &Rig, cursor: &mut Cursor| {
                let bytes = drain(cursor, &rig.backlog, 13);
                if container == Container::Rtmp { rtmp_messages(&bytes) } else { flv_tags(&bytes) }
            };
            let zero = PlayerSettings { zero_start: true, ..settings(container) };
            let mut rig = Rig::new();
            let mut cursor = rig.join(zero);
            rig.push(frames(6_000, 3_000));
            let want = (0..4).flat_map(|n| [(9, 3_000 + n * 40), (8, n * 40)]);
            assert_eq!(sent(&rig, &mut cursor), want.collect::<Vec<_>>());

            // The player has had a frame before the other track shows.
            let mut rig = Rig::new();
            let mut cursor = rig.join(zero);
            let mut got = Vec::new();
            for frame in frames(6_000, 3_000) {
                rig.push([frame]);
                got.push(drain(&mut cursor, &rig.backlog, 13));
            }
            let got = got.concat();
            let got = if container == Container::Rtmp { rtmp_messages(&got) } else { flv_tags(&got) };
            let want = (0..4).flat_map(|n| [(9, if n == 0 { 0 } else { 3_000 + n * 40 }), (8, n * 40)]);
            assert_eq!(got, want.collect::<Vec<_>>());
        }
    }

    fn flv_tags(bytes: &[u8]) -> Vec<(u8, u32)> {
        let mut whole = bytes::BytesMut::new();
        flv::write_header(&mut whole, true, true);
        whole.extend_from_slice(bytes);
        let mut reader = flv::Reader::new(1 << 20);
        let mut out = Vec::new();
        let mut input = &whole[..];
        while let Some(tag) = reader.read(&mut input).unwrap() {
            out.push((tag.kind.type_id(), tag.timestamp));
        }
        out
    }

    #[test]
    fn a_further_track_keeps_its_own_timestamps() {
        for container in [Container::Rtmp, Container::Flv] {
            let mut rig = Rig::new();
            let mut cursor = rig.join(settings(container));
            let mut sent = Vec::new();
            for n in 0..4 {
                let beside =
                    Incoming { beside: Some(1), ..incoming(MediaKind::Audio, Class::Audio, 3_000 + n * 20) };
                rig.push([incoming(MediaKind::Audio, Class::Audio, 6_000 + n * 20), beside]);
                let bytes = drain(&mut cursor, &rig.backlog, 13);
                sent.push(bytes);
            }
            let sent = match container {
                Container::Rtmp => rtmp_messages(&sent.concat()),
                _ => flv_tags(&sent.concat()),
            };
            let want = (0..4).flat_map(|n| [(8, 6_000 + n * 20), (8, 3_000 + n * 20)]);
            assert_eq!(sent, want.collect::<Vec<_>>());
        }
    }

    #[test]
    fn slow_player_skips_to_key_frame_after_finishing_its_message() {
        let mut rig = Rig::new();
        let mut cursor = rig.join(settings(Container::Rtmp));
        rig.push([incoming(MediaKind::Video, Class::Key, 0)]);
        let mut first = Vec::new();
        let (progress, _) = cursor
            .write(&rig.backlog, u64::MAX, &mut |slices| {
                if !first.is_empty() {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                first.extend_from_slice(&slices[0][..5]);
                Ok(5)
            })
            .unwrap();
        assert_eq!(progress, Progress::Blocked);
        for i in 1..30u32 {
            let class = if i == 20 { Class::Key } else { Class::Inter };
            rig.push([incoming(MediaKind::Video, class, i * 40)]);
        }
        let skipped = cursor.skip_if_behind(&rig.backlog, &rig.stream).unwrap();
        assert_eq!((skipped.packets, skipped.why), (19, Behind::Queue));
        let mut all = first;
        all.extend(drain(&mut cursor, &rig.backlog, 9));
        let sent = rtmp_messages(&all);
        assert_eq!(sent[..3], [(9, 0), (9, 800), (9, 840)]);
        assert_eq!(sent.len(), 1 + 10);
    }

    #[test]
    fn a_player_holds_few_large_packets_and_is_moved_on_when_they_are_forgotten() {
        let mut rig = Rig::new();
        let mut cursor = rig.join(settings(Container::Rtmp));
        let large = |class, timestamp| Incoming {
            payload: vec![0; limits::PLAYER_PENDING_BYTES].into(),
            ..incoming(MediaKind::Video, class, timestamp)
        };
        rig.push((0..8).map(|i| large(if i == 6 { Class::Key } else { Class::Inter }, i * 40)));
        cursor.need_key = false;
        let mut full = |_: &[IoSlice<'_>]| Err(io::ErrorKind::WouldBlock.into());
        cursor.write(&rig.backlog, u64::MAX, &mut full).unwrap();
        assert_eq!(cursor.next(), 1);
        rig.backlog.trim(3 * limits::PLAYER_PENDING_BYTES);
        let skipped = cursor.skip_if_behind(&rig.backlog, &rig.stream).unwrap();
        assert_eq!((skipped.packets, skipped.why), (5, Behind::Bytes));
    }

    #[test]
    fn slow_player_without_key_frame_waits_for_the_next() {
        let mut rig = Rig::new();
        let mut cursor = rig.join(settings(Container::Flv));
        for i in 0..40u32 {
            rig.push([incoming(MediaKind::Video, Class::Inter, i * 40)]);
        }
        assert_eq!(cursor.skip_if_behind(&rig.backlog, &rig.stream).map(|s| s.packets), Some(40));
        assert_eq!(cursor.skip_if_behind(&rig.backlog, &rig.stream), None);
        rig.push([
            incoming(MediaKind::Video, Class::Inter, 1600),
            incoming(MediaKind::Video, Class::Key, 1640),
        ]);
        assert_eq!(flv_tags(&drain(&mut cursor, &rig.backlog, 1000)), [(9, 1640)]);
    }

    #[test]
    fn steady_players_keep_the_unsent_rest_only() {
        let mut rig = Rig::new();
        let mut cursor = rig.join(settings(Container::Rtmp));
        rig.push([incoming(MediaKind::Video, Class::Key, 0), incoming(MediaKind::Audio, Class::Audio, 0)]);
        let mut all = drain(&mut cursor, &rig.backlog, 1000);
        let seq = rig.backlog.end();
        rig.push([
            incoming(MediaKind::Video, Class::Inter, 40),
            incoming(MediaKind::Audio, Class::Audio, 41),
        ]);
        assert!(cursor.is_steady(seq, lanes_of(rig.backlog.from(seq))));
        let slices: Vec<Bytes> = rig.backlog.from(seq).map(|p| p.shared(Container::Rtmp).clone()).collect();
        let whole: Vec<u8> = slices.iter().flat_map(|s| s.to_vec()).collect();
        all.extend_from_slice(&whole[..50]);
        cursor.advance_steady(&slices, 50, rig.backlog.end());
        all.extend(drain(&mut cursor, &rig.backlog, 1000));
        assert_eq!(rtmp_messages(&all), [(9, 0), (8, 0), (9, 40), (8, 41)]);
    }
}
