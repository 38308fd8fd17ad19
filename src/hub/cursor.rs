//! A player's position in a stream: the next packet, what is skipped, and bytes not written yet.

mod skip;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;

use super::backlog::Backlog;
use super::counters::{MediaTimes, SentFrames};
use super::gop::{Continuation, StartSettings};
use super::headers::Headers;
use super::origin::TimeOrigin;
use super::outgoing::Outgoing;
use super::packet::{Container, Lane, Packet, PacketClass};
use super::stream::JoinedPlayer;
use crate::limits;
use crate::wire::MediaKind;

pub use skip::{SkipReason, Skipped};

/// Settings of a player; fixed when it joins.
#[derive(Clone, Copy, Debug)]
pub struct PlayerSettings {
    /// Container format.
    pub container: Container,
    /// RTMP message stream id.
    pub stream_id: u32,
    /// Whether the player is a server to which a relay publishes: metadata is sent as `@setDataFrame`.
    pub publishes: bool,
    /// Start position.
    pub start: StartSettings,
    /// Whether to skip inter frames until the first key frame.
    pub wait_key: bool,
    /// Whether to hold audio until the first video frame.
    pub wait_video: bool,
    /// Whether the first timestamp is 0; see [`TimeOrigin`].
    pub zero_start: bool,
    /// Skipped media in milliseconds above which codec headers are sent again; 0 means never.
    pub sync: u32,
    /// Maximum lag in packets.
    pub out_queue: u64,
    /// Media in milliseconds beyond which a player is moved to the newest key frame (`latency_time`); 0 means never.
    pub latency: u32,
    /// Maximum number of packets per write.
    pub merge_frame: usize,
    /// Number of packets that must be due before anything is sent; 0 sends at once.
    pub cork: u64,
    /// Whether continuation chunks repeat the extended timestamp (`play_time_fix`).
    pub repeat_extended: bool,
}

/// Result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything due was written to the socket.
    CaughtUp,
    /// The socket is full.
    Blocked,
}

/// Position of one player; see the module's documentation. Owned by the delivery worker that serves the player.
#[derive(Debug)]
pub struct Cursor {
    settings: PlayerSettings,
    next: u64,
    /// Bytes not written yet; all pieces except the first begin at a message boundary.
    pending: Outgoing,
    /// Control bytes queued since the queue was last empty.
    control_bytes: usize,
    /// Lanes (by [`Lane::bit`]) whose previous timestamp the player has received.
    synced: u32,
    need_key: bool,
    hold_audio: bool,
    /// Codec headers and metadata that precede the first media. A player that waits for a key frame receives nothing
    /// before it, as in recordings of the original's traffic.
    headers: Option<Box<Headers>>,
    /// Whether the player is paused.
    paused: bool,
    /// Whether the player was paused before: headers then take the timestamp of the media that follows.
    resumed: bool,
    /// Offset subtracted from the stream's timestamps; `None` sends them unchanged.
    origin: Option<TimeOrigin>,
    /// Whether the player is sent other media so far; see [`Cursor::hold`].
    held: bool,
    /// Where the player goes on, until all its lanes have.
    continues: Option<Continuation>,
    /// Frames queued for the player or sent, on the stream's timeline.
    frames: SentFrames,
}

impl Cursor {
    /// Joins a player to the stream. `lead` is sent first: replies to commands, or the head of an HTTP response.
    pub fn join(settings: PlayerSettings, joined: &JoinedPlayer, lead: Bytes) -> Self {
        let cached = settings.start.cache_time > 0;
        // A repackaged stream must begin with a key piece, since only key pieces carry the tables.
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
            origin: settings.zero_start.then(TimeOrigin::default),
            held: false,
            continues: None,
            frames: SentFrames::default(),
        };
        let _ = cursor.push_control(lead);
        cursor
    }

    /// Keeps the stream from the player, which is sent media from elsewhere with [`push_media`](Self::push_media), until
    /// [`begin`](Self::begin).
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Whether the player is held.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Queues whole messages for a player that is held; the caller bounds what is queued.
    pub fn push_media(&mut self, bytes: Bytes) {
        self.pending.push(bytes);
    }

    /// Joins a player that was held to the stream, behind what is queued for it.
    pub fn begin(&mut self, joined: &JoinedPlayer) {
        let (pending, control_bytes) = (std::mem::take(&mut self.pending), self.control_bytes);
        *self = Cursor { pending, control_bytes, ..Cursor::join(self.settings, joined, Bytes::new()) };
    }

    /// Lets a player that has joined go on behind media from elsewhere: with `at`, and with timestamps that are lower by
    /// `origin`; `None` leaves them as they are.
    pub fn continue_at(&mut self, at: Continuation, origin: Option<u32>) {
        self.continues = Some(at);
        self.origin = origin.map(TimeOrigin::at);
        self.hold_audio = false;
        // The headers have the timestamp of what follows them.
        self.resumed = true;
    }

    /// Queues control bytes of the session (acknowledgements, pings, status messages) at the next message boundary.
    /// Returns false if the player is stalled and too many of them are queued.
    #[must_use = "a player that does not take its control messages has to be closed"]
    pub fn push_control(&mut self, bytes: Bytes) -> bool {
        self.control_bytes += bytes.len();
        self.pending.push(bytes);
        self.pending.len() <= limits::PLAYER_PENDING_SLICES
            && self.control_bytes <= limits::PLAYER_CONTROL_BYTES
    }

    /// Queues the packets due below `limit`, so that bytes queued next follow them. A player far behind receives those
    /// bytes earlier.
    pub fn take_up(&mut self, backlog: &Backlog, limit: u64) {
        self.refill(backlog, limit);
    }

    /// Pauses the player: media published meanwhile is skipped, not queued.
    pub fn pause(&mut self) {
        self.paused = true;
        self.headers = Some(Box::default());
    }

    /// Resumes with the codec headers in force and the next key frame; without video, with the next packet.
    pub fn resume(&mut self, headers: Headers) {
        if !std::mem::replace(&mut self.paused, false) {
            return;
        }
        (self.synced, self.need_key, self.hold_audio) = (0, true, headers.has_video());
        self.resumed = true;
        self.headers = Some(Box::new(headers));
    }

    /// Bytes not written yet: the rest of a message, and what was queued after it.
    pub fn into_pending(self) -> VecDeque<Bytes> {
        self.pending.into()
    }

    /// Queue of bytes not written yet.
    pub fn outgoing(&self) -> &Outgoing {
        &self.pending
    }

    /// Number of the next packet.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Number of video frames queued for the player or sent so far.
    pub fn frames(&self) -> u64 {
        self.frames.video
    }

    /// Settings of the player.
    pub fn settings(&self) -> &PlayerSettings {
        &self.settings
    }

    /// Stops holding packets back, because no more will arrive.
    pub fn uncork(&mut self) {
        self.settings.cork = 0;
    }

    /// Whether the player was sent its first frame; in a stream with video, a key frame.
    pub fn has_begun(&self, has_video: bool) -> bool {
        self.headers.is_none() && !self.held && !(self.need_key && has_video)
    }

    /// Whether the player can be sent the shared bytes of its container unchanged from `seq` on. `lanes` are the lanes
    /// of those packets ([`lanes_of`]).
    pub fn is_steady(&self, seq: u64, lanes: u32) -> bool {
        self.next == seq
            && self.pending.is_empty()
            // A player that waits for a key frame is steady as long as there is no video.
            && !(self.need_key && lanes & Lane::VIDEO != 0)
            && !self.hold_audio
            && self.continues.is_none()
            && self.headers.is_none()
            && !self.held
            && self.settings.cork == 0
            && self.synced & lanes == lanes
            && lanes & Lane::main(MediaKind::Data).bit() == 0
            && match self.settings.container {
                Container::Rtmp => true,
                container => self.origin.is_none() || !container.has_timestamps(),
            }
    }

    /// Records that a steady player was sent `written` bytes of `slices`, which end at packet number `end` and contain
    /// `frames`.
    pub fn advance_steady(&mut self, slices: &[Bytes], mut written: usize, end: u64, frames: SentFrames) {
        self.next = end;
        self.frames.take_up(frames);
        // A player that keeps up has nothing queued; release the memory that its start took.
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

    /// Writes packets due below `limit` until the socket is full.
    ///
    /// `sink` is a vectored write; `WouldBlock` means full, any other error ends the player.
    ///
    /// # Errors
    ///
    /// The errors of `sink`, except `WouldBlock`.
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

    /// Writes queued bytes once.
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

    /// Queues headers. Metadata gets `of_metadata`.
    fn push_headers(&mut self, headers: &Headers, timestamp: u32, of_metadata: u32) {
        for packet in headers.iter() {
            let is_metadata = packet.class() == PacketClass::Metadata;
            self.push_private(packet, if is_metadata { of_metadata } else { timestamp });
        }
        self.synced = 0;
    }

    /// Queues up to `merge_frame` packets below `limit`; at the start as many as one write takes.
    fn refill(&mut self, backlog: &Backlog, limit: u64) {
        if self.paused || self.held {
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
                    // The packets of the first write show where the other track starts.
                    origin.begin(backlog.from(self.next - 1).take(limits::START_SLICES).map(|next| &**next));
                }
                self.push_packet(packet);
            } else {
                self.synced &= !packet.lane().bit();
            }
        }
    }

    /// Whether the player is sent this packet; updates what the player waits for.
    fn admits(&mut self, packet: &Packet) -> bool {
        if self.precedes(packet) {
            return false;
        }
        match packet.class() {
            PacketClass::Key => {
                self.need_key = false;
                self.hold_audio = false;
                true
            }
            PacketClass::Inter if self.need_key => false,
            PacketClass::Inter => {
                self.hold_audio = false;
                true
            }
            PacketClass::Audio => !self.hold_audio,
            PacketClass::VideoHeader
            | PacketClass::VideoExtra
            | PacketClass::AudioHeader
            | PacketClass::AudioExtra
            | PacketClass::Metadata
            | PacketClass::Other => true,
        }
    }

    /// Whether the packet that was just taken is one that the player has already. Headers are never one.
    fn precedes(&mut self, packet: &Packet) -> bool {
        let Some(at) = self.continues else { return false };
        let number = self.next - 1;
        if number >= at.video.max(at.audio).max(at.others) {
            self.continues = None;
        }
        packet.header().is_none() && number < at.of(packet.kind())
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
        // PingOS stamps headers with 0 for a player that starts from the cache, and with the current time for any
        // other. Here metadata of a new player always has 0: FFmpeg takes any other for a subtitle.
        let from_zero = self.settings.start.cache_time > 0 || self.settings.zero_start;
        let timestamp = match (self.resumed, from_zero) {
            (true, _) => self.player_time(packet.timestamp()),
            (false, true) => 0,
            (false, false) => packet.timestamp(),
        };
        self.push_headers(&headers, timestamp, if self.resumed { timestamp } else { 0 });
        false
    }

    fn push_packet(&mut self, packet: &Packet) {
        self.frames.note(packet);
        let lane = packet.lane().bit();
        let plain = match self.settings.container {
            // Data messages are rare, so their timestamps need no chain of deltas.
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
                // The timestamps of the other lanes must be sent absolutely next.
                self.synced = 0;
            }
        }
        self.synced |= lane;
    }

    fn push_private(&mut self, packet: &Packet, timestamp: u32) {
        let stream_id = self.settings.stream_id;
        let (head, tail) = if self.settings.publishes && packet.class() == PacketClass::Metadata {
            (packet.set_data_frame(timestamp, stream_id), Bytes::new())
        } else {
            packet.private(self.settings.container, timestamp, stream_id, self.settings.repeat_extended)
        };
        self.pending.push(head);
        self.pending.push(tail);
    }

    /// Player's time of a stream timestamp, for headers that precede a packet.
    fn player_time(&self, timestamp: u32) -> u32 {
        self.origin.as_ref().map_or(timestamp, |origin| origin.time(timestamp))
    }

    /// Newest timestamps of the frames sent to the player, as the player sees them.
    pub fn times(&self) -> MediaTimes {
        let time = |timestamp| if timestamp == 0 { 0 } else { self.player_time(timestamp) };
        MediaTimes { audio: time(self.frames.times.audio), video: time(self.frames.times.video) }
    }

    fn consume(&mut self, written: usize) {
        if self.pending.consume(written) {
            self.control_bytes = 0;
        }
    }
}

/// The lanes of `packets`, for [`Cursor::is_steady`].
pub fn lanes_of<'a>(packets: impl Iterator<Item = &'a Arc<Packet>>) -> u32 {
    packets.fold(0, |lanes, packet| lanes | packet.lane().bit())
}

#[cfg(test)]
mod tests;
