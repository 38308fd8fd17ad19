//! Statistics of streams and sessions: of one process, and of both processes of an upgrade together.
//!
//! The media path only adds to counters, a few per batch. Everything else happens when statistics are read, on the
//! thread that reads them.

pub mod rates;
pub mod timer;

use std::cmp::Ordering;
use std::sync::{Arc, atomic};
use std::time::Instant;

use bstr::ByteSlice;
use bytes::Bytes;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use self::rates::Rates;
use crate::hub::registry::{StreamKey, StreamRegistry};
use crate::hub::stream::Stream;
use crate::media::listing::{CarriedCounts, Snapshot};
use crate::media::session::{Protocol, Role, Session, Sessions, Traffic};
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

/// Statistics at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Statistics {
    /// Connections and traffic. A process that reports to its counterpart omits what that one counts.
    pub counts: CarriedCounts,
    /// Traffic now.
    #[serde(default)]
    pub bandwidth: Bandwidth,
    /// Streams with sessions, sorted by server, application and name.
    pub streams: Vec<StreamStatistics>,
}

/// Traffic over the last seconds, in bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bandwidth {
    /// From publishers.
    pub received: u64,
    /// To players.
    pub sent: u64,
}

/// A stream with sessions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StreamStatistics {
    /// `serverid` of its virtual server.
    pub serverid: Vec<u8>,
    /// Its application.
    pub app: Vec<u8>,
    /// Its name.
    pub name: Vec<u8>,
    /// Milliseconds since its longest session began.
    pub time: u64,
    /// Traffic of all its sessions, ended ones included.
    pub traffic: Traffic,
    /// Traffic now.
    #[serde(default)]
    pub bandwidth: Bandwidth,
    /// Media published.
    #[serde(default)]
    pub input: InputStatistics,
    /// Its sessions, in the order of their numbers.
    pub clients: Vec<ClientStatistics>,
    /// Its media, if it has a publisher.
    pub media: Option<MediaStatistics>,
}

/// Media that was published under a stream's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputStatistics {
    /// Payload bytes of audio so far.
    pub audio_bytes: u64,
    /// Payload bytes of video so far.
    pub video_bytes: u64,
    /// Audio now, in bits per second.
    pub audio_bandwidth: u64,
    /// Video now, in bits per second.
    pub video_bandwidth: u64,
    /// Audio frames so far.
    pub audio_frames: u64,
    /// Video frames so far.
    pub video_frames: u64,
    /// Key frames so far.
    pub key_frames: u64,
    /// Video frames per second, as they arrive.
    pub frame_rate: f64,
}

/// A session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClientStatistics {
    /// Its number.
    pub id: u64,
    /// Address of the client.
    pub addr: String,
    /// Port of the client.
    pub port: u16,
    /// Milliseconds since it began.
    pub time: u64,
    /// flashVer.
    pub flash_ver: String,
    /// pageUrl.
    pub page_url: String,
    /// swfUrl.
    pub swf_url: String,
    /// `rtmp`, `flv`, `ts` or `hls`.
    #[serde(default)]
    pub protocol: ClientProtocol,
    /// Traffic of the session.
    #[serde(default)]
    pub traffic: Traffic,
    /// Traffic now.
    #[serde(default)]
    pub bandwidth: Bandwidth,
    /// Number of packets skipped because it was too slow.
    pub dropped: u64,
    /// Reason of the last skip.
    pub dropped_reason: Option<String>,
    /// Milliseconds by which the audio that was sent is ahead of the video.
    #[serde(default)]
    pub avsync: i32,
    /// Timestamp of the last frame.
    #[serde(default)]
    pub timestamp: u32,
    /// Whether it publishes.
    pub publishes: bool,
    /// Whether it plays, or is the stream's publisher.
    pub is_active: bool,
    /// Whether it is a relay of this server.
    #[serde(default)]
    pub is_relay: bool,
    /// The `Max-Viewers` header of the answer that admitted the publisher.
    #[serde(default)]
    pub max_viewers: Option<String>,
    /// Its `Max-Bitrate` header.
    #[serde(default)]
    pub max_bitrate: Option<String>,
}

/// Protocol of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientProtocol {
    /// RTMP.
    #[default]
    Rtmp,
    /// FLV over HTTP.
    Flv,
    /// MPEG-TS over HTTP.
    Ts,
    /// HLS from memory.
    Hls,
}

/// Properties of a stream's media.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "these are the elements of the same names")]
pub struct MediaStatistics {
    pub width: u32,
    pub height: u32,
    pub frame_rate: f64,
    pub video_codec: String,
    pub video_profile: String,
    pub video_compat: u8,
    pub video_level: String,
    pub audio_codec: String,
    pub audio_profile: String,
    pub channels: u8,
    pub sample_rate: u32,
}

/// Sessions of one stream, in the order of their numbers, with the traffic of ended ones.
struct StreamSessions {
    clients: Vec<Arc<Session>>,
    ended: Traffic,
}

impl ClientProtocol {
    /// All protocols.
    pub const ALL: [ClientProtocol; 4] =
        [ClientProtocol::Rtmp, ClientProtocol::Flv, ClientProtocol::Ts, ClientProtocol::Hls];

    /// Name in statistics.
    pub fn name(self) -> &'static str {
        match self {
            ClientProtocol::Rtmp => "rtmp",
            ClientProtocol::Flv => "flv",
            ClientProtocol::Ts => "ts",
            ClientProtocol::Hls => "hls",
        }
    }
}

impl From<Protocol> for ClientProtocol {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Rtmp => ClientProtocol::Rtmp,
            Protocol::HttpFlv => ClientProtocol::Flv,
            Protocol::HttpTs => ClientProtocol::Ts,
            Protocol::Hls2 => ClientProtocol::Hls,
        }
    }
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

impl Statistics {
    /// Adds the statistics of the other process of an upgrade.
    pub fn add(&mut self, other: Statistics) {
        self.counts.traffic += other.counts.traffic;
        self.counts.accepted += other.counts.accepted;
        self.bandwidth.add(other.bandwidth);
        for stream in other.streams {
            match self.streams.binary_search_by(|known| known.by_name(&stream)) {
                Ok(at) => self.streams[at].add(stream),
                Err(at) => self.streams.insert(at, stream),
            }
        }
    }
}

impl StreamStatistics {
    /// Number of its sessions of this protocol; relays of this server are not clients of any.
    pub fn count(&self, protocol: ClientProtocol) -> usize {
        self.clients.iter().filter(|client| client.protocol == protocol).count()
    }

    fn by_name(&self, other: &StreamStatistics) -> Ordering {
        (&self.serverid, &self.app, &self.name).cmp(&(&other.serverid, &other.app, &other.name))
    }

    fn add(&mut self, other: StreamStatistics) {
        self.time = self.time.max(other.time);
        self.traffic += other.traffic;
        self.bandwidth.add(other.bandwidth);
        self.clients.extend(other.clients);
        // Both processes see the same media: one of them fetches it from the other.
        if other.input.video_bytes + other.input.audio_bytes > self.input.video_bytes + self.input.audio_bytes
        {
            self.input = other.input;
        }
        self.media = self.media.take().or(other.media);
    }
}

impl Bandwidth {
    /// Adds other traffic.
    pub fn add(&mut self, other: Bandwidth) {
        self.received += other.received;
        self.sent += other.sent;
    }
}

/// From bytes per second.
impl From<[f64; 2]> for Bandwidth {
    fn from([received, sent]: [f64; 2]) -> Self {
        Bandwidth { received: bits(received), sent: bits(sent) }
    }
}

fn bits(bytes: f64) -> u64 {
    // The cast saturates.
    (bytes * 8.0).round() as u64
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
    let header = |get: fn(&AnsweredLimits) -> &Option<Bytes>| Some(text(get(answered?).as_ref()?));
    ClientStatistics {
        id: session.id,
        addr: session.peer.addr.clone(),
        port: session.peer.port,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str, client: u64) -> StreamStatistics {
        StreamStatistics {
            serverid: b"s".to_vec(),
            app: b"live".to_vec(),
            name: name.into(),
            time: client,
            traffic: Traffic { received: 1, sent: 2 },
            bandwidth: Bandwidth { received: 8, sent: 16 },
            clients: vec![ClientStatistics { id: client, is_active: true, ..ClientStatistics::default() }],
            ..StreamStatistics::default()
        }
    }

    #[test]
    fn streams_of_both_processes_are_merged_by_name() {
        let mut whole = Statistics { streams: vec![stream("b", 1), stream("d", 2)], ..Statistics::default() };
        let part = Statistics { streams: vec![stream("a", 3), stream("b", 4)], ..Statistics::default() };
        whole.add(part);
        let names: Vec<_> = whole.streams.iter().map(|stream| stream.name.to_str_lossy()).collect();
        assert_eq!(names, ["a", "b", "d"]);
        let both = &whole.streams[1];
        assert_eq!((both.time, both.traffic), (4, Traffic { received: 2, sent: 4 }));
        assert_eq!(both.bandwidth, Bandwidth { received: 16, sent: 32 });
        assert_eq!(both.clients.iter().map(|client| client.id).collect::<Vec<_>>(), [1, 4]);
    }

    #[test]
    fn an_older_process_tells_less() {
        let text = r#"{"counts":{"traffic":{"received":1,"sent":2},"accepted":3,"ids":4},"streams":[
            {"serverid":[97],"app":[97],"name":[97],"time":5,"traffic":{"received":6,"sent":7},"clients":[
            {"id":8,"addr":"::1","port":9,"time":10,"flash_ver":"","page_url":"","swf_url":"","dropped":11,
            "dropped_reason":null,"publishes":true,"is_active":true}],"media":null}]}"#;
        let statistics: Statistics = serde_json::from_str(text).unwrap();
        assert_eq!(statistics.streams[0].clients[0].protocol, ClientProtocol::Rtmp);
        assert_eq!(statistics.streams[0].bandwidth, Bandwidth::default());
    }
}
