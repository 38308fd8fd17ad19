//! Statistics of streams and sessions: of one process, and of both processes of an upgrade together.
//!
//! The media path only adds to counters, a few per batch. Everything else happens when statistics are read, on the
//! thread that reads them.

mod document;
pub mod rates;
pub mod timer;

use std::cmp::Ordering;
use std::sync::{Arc, atomic};
use std::time::Instant;

use bstr::ByteSlice;
use bytes::Bytes;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

pub use self::document::{
    Bandwidth, ClientProtocol, ClientStatistics, InputStatistics, MediaStatistics, Statistics,
    StreamStatistics,
};

use self::document::bits;
use self::rates::Rates;
use crate::hub::registry::{StreamKey, StreamRegistry};
use crate::hub::stream::Stream;
use crate::media::listing::{CarriedCounts, Snapshot};
use crate::media::session::{Role, Session, Sessions, Traffic};
use crate::notify::AnsweredLimits;

/// Where the statistics of this process come from.
pub struct StatisticsSource {
    registry: Arc<StreamRegistry>,
    sessions: Arc<Sessions>,
    noted: Mutex<Noted>,
    /// Start of the process.
    started: Instant,
    /// Traffic that preceding processes have counted.
    carried: Traffic,
}

/// Counters noted for rates.
#[derive(Default)]
struct Noted {
    /// Of the process, under the number 0: bytes received and sent.
    process: Rates<2>,
    /// By stream: bytes received, sent, of audio and of video, video frames.
    streams: Rates<5>,
    /// By session: bytes received and sent.
    sessions: Rates<2>,
}

/// Sessions of one stream, in the order of their numbers, with the traffic of ended ones.
struct StreamSessions {
    clients: Vec<Arc<Session>>,
    ended: Traffic,
}

impl StatisticsSource {
    /// Of these streams and sessions.
    pub fn new(registry: Arc<StreamRegistry>, sessions: Arc<Sessions>) -> Self {
        let carried = sessions.counted().traffic;
        StatisticsSource { registry, sessions, noted: Mutex::default(), started: Instant::now(), carried }
    }

    /// All sessions.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// All streams.
    pub fn registry(&self) -> &Arc<StreamRegistry> {
        &self.registry
    }

    /// All that this process has counted, and its sessions.
    pub fn whole(&self) -> Statistics {
        self.statistics(self.sessions.counted())
    }

    /// What the counterpart does not know: this process's sessions, and what it has counted since the counters were passed on.
    pub fn part(&self) -> Statistics {
        self.statistics(self.sessions.remainder())
    }

    /// Notes the counters for rates. Walks all sessions.
    pub fn note(&self) {
        let (snapshot, now) = (self.sessions.at_once(), Instant::now());
        let mut total = snapshot.ended;
        snapshot.sessions.iter().for_each(|session| total += session.traffic());
        let process = [(0, self.started, values(self.since_start(total)))];
        let sessions: Vec<_> = snapshot
            .sessions
            .iter()
            .map(|session| (session.id, session.started, values(session.traffic())))
            .collect();
        let streams: Vec<_> = by_stream(snapshot)
            .into_iter()
            .filter_map(|stream| Some((stream.stream()?.id(), stream.started(), stream.values())))
            .collect();
        let mut noted = self.noted.lock();
        noted.process.note(now, process);
        noted.sessions.note(now, sessions);
        noted.streams.note(now, streams);
    }

    fn statistics(&self, counts: CarriedCounts) -> Statistics {
        let (snapshot, now) = (self.sessions.at_once(), Instant::now());
        let mut total = snapshot.ended;
        snapshot.sessions.iter().for_each(|session| total += session.traffic());
        let mut groups = by_stream(snapshot);
        groups.sort_by(|a, b| by_name(a.key(), b.key()));
        let noted = self.noted.lock();
        let process = noted.process.per_second(0, self.started, now, values(self.since_start(total)));
        let streams = groups.iter().map(|stream| stream.statistics(&noted, now)).collect();
        Statistics { counts, bandwidth: process.into(), streams }
    }

    /// Without what preceding processes have counted, which would look like a burst at the start.
    fn since_start(&self, total: Traffic) -> Traffic {
        Traffic {
            received: total.received.saturating_sub(self.carried.received),
            sent: total.sent.saturating_sub(self.carried.sent),
        }
    }
}

/// Sessions in groups, one per name.
fn by_stream(snapshot: Snapshot) -> Vec<StreamSessions> {
    let Snapshot { sessions, of_streams, .. } = snapshot;
    let mut places: FxHashMap<StreamKey, usize> = FxHashMap::default();
    let mut groups: Vec<StreamSessions> = Vec::new();
    for session in sessions {
        let place = *places.entry(session.key.clone()).or_insert_with(|| {
            groups.push(StreamSessions { clients: Vec::new(), ended: Traffic::default() });
            groups.len() - 1
        });
        groups[place].clients.push(session);
    }
    for group in &mut groups {
        let id = group.stream().map(|stream| stream.id());
        group.ended = id.and_then(|id| of_streams.get(&id)).copied().unwrap_or_default();
    }
    groups
}

impl StreamSessions {
    fn key(&self) -> &StreamKey {
        &self.clients[0].key
    }

    /// The stream. While its name begins anew, a session may still be listed with the stream before.
    fn stream(&self) -> Option<&Arc<Stream>> {
        self.clients.iter().rev().find_map(|session| session.stream())
    }

    fn started(&self) -> Instant {
        self.clients.iter().map(|session| session.started).min().unwrap_or_else(Instant::now)
    }

    fn traffic(&self) -> Traffic {
        let mut traffic = self.ended;
        self.clients.iter().for_each(|client| traffic += client.traffic());
        traffic
    }

    /// Counters for [`Noted::streams`].
    fn values(&self) -> [u64; 5] {
        let Traffic { received, sent } = self.traffic();
        let media = self.stream().map(|stream| stream.counters().counts()).unwrap_or_default();
        [received, sent, media.audio_bytes, media.video_bytes, media.video_frames]
    }

    fn statistics(&self, noted: &Noted, now: Instant) -> StreamStatistics {
        let (key, stream, started, values) = (self.key(), self.stream(), self.started(), self.values());
        let publisher = stream.and_then(|stream| stream.publisher());
        let [received, sent, audio, video, frame_rate] = match stream {
            Some(stream) => noted.streams.per_second(stream.id(), started, now, values),
            None => [0.0; 5],
        };
        let media = stream.map(|stream| stream.counters().counts()).unwrap_or_default();
        let input = InputStatistics {
            audio_bytes: media.audio_bytes,
            video_bytes: media.video_bytes,
            audio_bandwidth: bits(audio),
            video_bandwidth: bits(video),
            audio_frames: media.audio_frames,
            video_frames: media.video_frames,
            key_frames: media.key_frames,
            frame_rate: if publisher.is_some() { frame_rate } else { 0.0 },
        };
        let client = |session: &Arc<Session>| client(session, publisher, noted, now);
        StreamStatistics {
            serverid: key.serverid.to_vec(),
            app: key.app.to_vec(),
            name: key.name.to_vec(),
            time: milliseconds(started),
            traffic: Traffic { received: values[0], sent: values[1] },
            bandwidth: [received, sent].into(),
            input,
            clients: self.clients.iter().map(client).collect(),
            media: stream
                .filter(|_| publisher.is_some())
                .map(|stream| media_statistics(stream, input.frame_rate)),
        }
    }
}

fn values(traffic: Traffic) -> [u64; 2] {
    [traffic.received, traffic.sent]
}

fn by_name(a: &StreamKey, b: &StreamKey) -> Ordering {
    (&a.serverid, &a.app, &a.name).cmp(&(&b.serverid, &b.app, &b.name))
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn client(session: &Session, publisher: Option<u64>, noted: &Noted, now: Instant) -> ClientStatistics {
    let text = |bytes: &[u8]| bytes.to_str_lossy().into_owned();
    let (traffic, times) = (session.traffic(), session.times());
    let answered = session.answered_limits.get();
    // A relay's `peer` is that of the session for which it runs.
    let relayed_to = session.relayed_to.lock().as_deref().cloned();
    let (addr, port) = relayed_to.unwrap_or_else(|| (session.peer.addr.clone(), session.peer.port));
    let header = |get: fn(&AnsweredLimits) -> &Option<Bytes>| Some(text(get(answered?).as_ref()?));
    ClientStatistics {
        id: session.id,
        addr,
        port,
        time: milliseconds(session.started),
        flash_ver: text(&session.identity.flash_ver),
        page_url: text(&session.identity.page_url),
        swf_url: text(&session.identity.swf_url),
        protocol: session.protocol.into(),
        traffic,
        bandwidth: noted.sessions.per_second(session.id, session.started, now, values(traffic)).into(),
        dropped: session.link.dropped_total.load(atomic::Ordering::Relaxed),
        dropped_reason: session.link.skip_reason().map(|why| why.name().to_owned()),
        avsync: times.avsync(),
        timestamp: times.newest(),
        publishes: session.role == Role::Publisher,
        is_active: session.role == Role::Player || publisher == Some(session.id),
        is_relay: session.relayed_as.get().is_some(),
        max_viewers: header(|limits| &limits.max_viewers),
        max_bitrate: header(|limits| &limits.max_bitrate),
    }
}

/// `frame_rate` is the measured one, for streams whose metadata and headers tell none.
fn media_statistics(stream: &Stream, frame_rate: f64) -> MediaStatistics {
    let info = stream.info();
    MediaStatistics {
        width: info.width,
        height: info.height,
        frame_rate: if info.frame_rate > 0.0 { info.frame_rate } else { frame_rate },
        video_codec: info.video_codec.to_owned(),
        video_profile: info.profile_name().to_owned(),
        video_compat: info.video_compat,
        video_level: info.level_text(),
        audio_codec: info.audio_codec.to_owned(),
        audio_profile: info.audio_profile_name().to_owned(),
        channels: info.channels,
        sample_rate: info.sample_rate,
    }
}
