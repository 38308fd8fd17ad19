//! Statistics as values: what the two processes of an upgrade exchange, and what documents are made of.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::media::listing::CarriedCounts;
use crate::media::session::{Protocol, Traffic};

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
    /// Address of the client; of a relay, host of the other server.
    pub addr: String,
    /// Port of the client, or of the other server.
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

pub(super) fn bits(bytes: f64) -> u64 {
    // The cast saturates.
    (bytes * 8.0).round() as u64
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

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
