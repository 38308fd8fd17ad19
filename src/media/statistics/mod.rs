//! Statistics of one process, and of both processes of an upgrade together.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, atomic};
use std::time::Instant;

use bstr::ByteSlice;
use serde::{Deserialize, Serialize};

use crate::hub::registry::{StreamKey, StreamRegistry};
use crate::hub::stream::Stream;
use crate::media::listing::{CarriedCounts, Snapshot};
use crate::media::session::{Role, Session, Sessions, Traffic};

/// Where the statistics of this process come from.
pub struct StatisticsSource {
    /// All streams.
    pub registry: Arc<StreamRegistry>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
}

/// Statistics at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Statistics {
    /// Connections and traffic. A process that reports to its counterpart omits what that one counts.
    pub counts: CarriedCounts,
    /// Streams with sessions, sorted by server, application and name.
    pub streams: Vec<StreamStatistics>,
}

/// A stream with sessions.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// Its sessions, in the order of their numbers.
    pub clients: Vec<ClientStatistics>,
    /// Its media, if it has a publisher.
    pub media: Option<MediaStatistics>,
}

/// A session.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// Number of packets skipped because it was too slow.
    pub dropped: u64,
    /// Reason of the last skip.
    pub dropped_reason: Option<String>,
    /// Whether it publishes.
    pub publishes: bool,
    /// Whether it plays, or is the stream's publisher.
    pub is_active: bool,
}

/// Properties of a stream's media.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

impl StatisticsSource {
    /// All that this process has counted, and its sessions.
    pub fn whole(&self) -> Statistics {
        Statistics { counts: self.sessions.counted(), streams: self.streams() }
    }

    /// What the counterpart does not know: this process's sessions, and what it has counted since the counters were passed on.
    pub fn part(&self) -> Statistics {
        Statistics { counts: self.sessions.remainder(), streams: self.streams() }
    }

    fn streams(&self) -> Vec<StreamStatistics> {
        let Snapshot { mut sessions, of_streams: ended, .. } = self.sessions.at_once();
        // The sort is stable, so sessions of a stream keep their order.
        sessions.sort_by(|a, b| by_name(&a.key, &b.key));
        let of_stream = |clients: &[Arc<Session>]| self.stream(clients, &ended);
        sessions.chunk_by(|a, b| a.key == b.key).map(of_stream).collect()
    }

    /// The stream of these sessions.
    fn stream(&self, clients: &[Arc<Session>], ended: &HashMap<u64, Traffic>) -> StreamStatistics {
        let key = &clients[0].key;
        let stream = self.registry.find(key);
        let publisher = stream.as_ref().and_then(|stream| stream.publisher());
        let started = clients.iter().map(|session| session.started).min().unwrap_or_else(Instant::now);
        let mut traffic = clients[0].stream_id().and_then(|id| ended.get(&id)).copied().unwrap_or_default();
        clients.iter().for_each(|client| traffic += client.traffic());
        StreamStatistics {
            serverid: key.serverid.to_vec(),
            app: key.app.to_vec(),
            name: key.name.to_vec(),
            time: milliseconds(started),
            traffic,
            clients: clients.iter().map(|session| client(session, publisher)).collect(),
            media: stream.filter(|_| publisher.is_some()).map(|stream| media(&stream)),
        }
    }
}

impl Statistics {
    /// Adds the statistics of the other process of an upgrade.
    pub fn add(&mut self, other: Statistics) {
        self.counts.traffic += other.counts.traffic;
        self.counts.accepted += other.counts.accepted;
        for stream in other.streams {
            match self.streams.binary_search_by(|known| known.by_name(&stream)) {
                Ok(at) => self.streams[at].add(stream),
                Err(at) => self.streams.insert(at, stream),
            }
        }
    }
}

impl StreamStatistics {
    fn by_name(&self, other: &StreamStatistics) -> Ordering {
        (&self.serverid, &self.app, &self.name).cmp(&(&other.serverid, &other.app, &other.name))
    }

    fn add(&mut self, other: StreamStatistics) {
        self.time = self.time.max(other.time);
        self.traffic += other.traffic;
        self.clients.extend(other.clients);
        self.media = self.media.take().or(other.media);
    }
}

fn by_name(a: &StreamKey, b: &StreamKey) -> Ordering {
    (&a.serverid, &a.app, &a.name).cmp(&(&b.serverid, &b.app, &b.name))
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn client(session: &Session, publisher: Option<u64>) -> ClientStatistics {
    let text = |bytes: &[u8]| bytes.to_str_lossy().into_owned();
    ClientStatistics {
        id: session.id,
        addr: session.peer.addr.clone(),
        port: session.peer.port,
        time: milliseconds(session.started),
        flash_ver: text(&session.identity.flash_ver),
        page_url: text(&session.identity.page_url),
        swf_url: text(&session.identity.swf_url),
        dropped: session.link.dropped_total.load(atomic::Ordering::Relaxed),
        dropped_reason: session.link.skip_reason().map(|why| why.name().to_owned()),
        publishes: session.role == Role::Publisher,
        is_active: session.role == Role::Player || publisher == Some(session.id),
    }
}

fn media(stream: &Stream) -> MediaStatistics {
    let info = stream.info();
    MediaStatistics {
        width: info.width,
        height: info.height,
        frame_rate: info.frame_rate,
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
        let client = ClientStatistics {
            id: client,
            addr: String::new(),
            port: 0,
            time: 0,
            flash_ver: String::new(),
            page_url: String::new(),
            swf_url: String::new(),
            dropped: 0,
            dropped_reason: None,
            publishes: false,
            is_active: true,
        };
        StreamStatistics {
            serverid: b"s".to_vec(),
            app: b"live".to_vec(),
            name: name.into(),
            time: client.id,
            traffic: Traffic { received: 1, sent: 2 },
            clients: vec![client],
            media: None,
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
        assert_eq!(both.clients.iter().map(|client| client.id).collect::<Vec<_>>(), [1, 4]);
    }
}
