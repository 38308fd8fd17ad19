//! `rtmp_stat` as JSON: everything that the XML contains, and more. `docs/statistics.md` describes the fields, which are
//! added but never renamed or removed.

use std::borrow::Cow;

use bstr::ByteSlice;
use serde::Serialize;

use super::conf::StatParts;
use super::media::Media;
use super::overview::{COMPILER, Group, Overview, VERSION};
use crate::media::cluster_view::ClusterListing;
use crate::media::session::Traffic;
use crate::media::statistics::{
    Bandwidth, ClientProtocol, ClientStatistics, MediaStatistics, StreamStatistics,
};

#[derive(Serialize)]
struct Document<'o> {
    rtmp: Root<'o>,
}

#[derive(Serialize)]
struct Root<'o> {
    generation: u64,
    conf_hash: Option<String>,
    conf_since: Option<String>,
    conf_on_disk: &'o str,
    conf_refused: Option<String>,
    nginx_version: &'o str,
    nginx_rtmp_version: &'o str,
    compiler: &'o str,
    built: &'o str,
    pid: u32,
    uptime: u64,
    naccepted: u64,
    #[serde(flatten)]
    traffic: TrafficFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<Vec<Server<'o>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'o ClusterListing>,
}

#[derive(Serialize)]
struct TrafficFields {
    bw_in: u64,
    bytes_in: u64,
    bw_out: u64,
    bytes_out: u64,
}

#[derive(Serialize)]
struct Server<'o> {
    serverid: Cow<'o, str>,
    nclients: usize,
    #[serde(flatten)]
    traffic: TrafficFields,
    applications: Vec<Application<'o>>,
}

#[derive(Serialize)]
struct Application<'o> {
    name: Cow<'o, str>,
    nclients: usize,
    #[serde(flatten)]
    traffic: TrafficFields,
    streams: Vec<Stream<'o>>,
}

#[derive(Serialize)]
struct Stream<'o> {
    name: Cow<'o, str>,
    time: u64,
    #[serde(flatten)]
    traffic: TrafficFields,
    bw_audio: u64,
    bytes_audio: u64,
    frames_audio: u64,
    bw_video: u64,
    bytes_video: u64,
    frames_video: u64,
    key_frames: u64,
    frame_rate: f64,
    nclients: usize,
    clients_rtmp: usize,
    clients_flv: usize,
    clients_ts: usize,
    clients_hls: usize,
    publishing: bool,
    active: bool,
    meta: Option<Media<'o, Video<'o>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<Vec<Client<'o>>>,
}

#[derive(Serialize)]
struct Video<'o> {
    width: u32,
    height: u32,
    frame_rate: f64,
    codec: &'o str,
    profile: &'o str,
    compat: u8,
    level: &'o str,
}

#[derive(Serialize)]
struct Client<'o> {
    id: u64,
    address: &'o str,
    remote_address: String,
    protocol: &'o str,
    time: u64,
    flashver: &'o str,
    pageurl: &'o str,
    swfurl: &'o str,
    #[serde(flatten)]
    traffic: TrafficFields,
    dropped: u64,
    dropped_reason: Option<&'o str>,
    avsync: i32,
    timestamp: u32,
    publishing: bool,
    active: bool,
    relay: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_viewers: Option<&'o str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bitrate: Option<&'o str>,
}

/// Writes a document.
pub(super) fn write(overview: &Overview, parts: StatParts) -> String {
    let document = document(overview, parts);
    let mut text = serde_json::to_string(&document).expect("it has names and values that JSON knows");
    text.push('\n');
    text
}

/// The document as a value.
pub(super) fn value(overview: &Overview, parts: StatParts) -> serde_json::Value {
    serde_json::to_value(document(overview, parts)).expect("it has names and values that JSON knows")
}

fn document(overview: &Overview, parts: StatParts) -> Document<'_> {
    let clients = parts.contains(StatParts::CLIENTS);
    let statistics = &overview.statistics;
    let servers = parts.intersects(StatParts::LIVE | StatParts::CLIENTS);
    let servers = servers.then(|| overview.servers().map(|group| server(&group, clients)).collect());
    let rtmp = Root {
        generation: overview.generation,
        conf_hash: overview.current.as_ref().map(|(hash, _)| hash.to_string()),
        conf_since: overview.current.as_ref().map(|(_, since)| since.to_string()),
        conf_on_disk: overview.on_disk.word(),
        conf_refused: overview.refused.map(|at| at.to_string()),
        nginx_version: crate::NGINX_VERSION,
        nginx_rtmp_version: VERSION,
        compiler: COMPILER,
        built: VERSION,
        pid: std::process::id(),
        uptime: overview.uptime,
        naccepted: statistics.counts.accepted,
        traffic: traffic(statistics.counts.traffic, statistics.bandwidth),
        cluster: overview.cluster.as_ref().filter(|_| servers.is_some()),
        servers,
    };
    Document { rtmp }
}

fn server<'o>(group: &Group<'o>, clients: bool) -> Server<'o> {
    Server {
        serverid: group.streams[0].serverid.to_str_lossy(),
        nclients: group.clients(),
        traffic: traffic(group.traffic(), group.bandwidth()),
        applications: group.applications().map(|group| application(&group, clients)).collect(),
    }
}

fn application<'o>(group: &Group<'o>, clients: bool) -> Application<'o> {
    Application {
        name: group.streams[0].app.to_str_lossy(),
        nclients: group.clients(),
        traffic: traffic(group.traffic(), group.bandwidth()),
        streams: group.streams.iter().map(|one| stream(one, clients)).collect(),
    }
}

fn stream(stream: &StreamStatistics, clients: bool) -> Stream<'_> {
    let input = &stream.input;
    Stream {
        name: stream.name.to_str_lossy(),
        time: stream.time,
        traffic: traffic(stream.traffic, stream.bandwidth),
        bw_audio: input.audio_bandwidth,
        bytes_audio: input.audio_bytes,
        frames_audio: input.audio_frames,
        bw_video: input.video_bandwidth,
        bytes_video: input.video_bytes,
        frames_video: input.video_frames,
        key_frames: input.key_frames,
        frame_rate: thousandths(input.frame_rate),
        nclients: stream.clients.len(),
        clients_rtmp: stream.count(ClientProtocol::Rtmp),
        clients_flv: stream.count(ClientProtocol::Flv),
        clients_ts: stream.count(ClientProtocol::Ts),
        clients_hls: stream.count(ClientProtocol::Hls),
        publishing: stream.media.is_some(),
        active: stream.media.is_some(),
        meta: stream.media.as_ref().map(media),
        clients: clients.then(|| stream.clients.iter().map(client).collect()),
    }
}

fn media(media: &MediaStatistics) -> Media<'_, Video<'_>> {
    let video = Video {
        width: media.width,
        height: media.height,
        frame_rate: thousandths(media.frame_rate),
        codec: &media.video_codec,
        profile: &media.video_profile,
        compat: media.video_compat,
        level: &media.video_level,
    };
    Media::new(media, video)
}

fn client(client: &ClientStatistics) -> Client<'_> {
    Client {
        id: client.id,
        address: &client.addr,
        remote_address: format!("{}:{}", client.addr, client.port),
        protocol: client.protocol.name(),
        time: client.time,
        flashver: &client.flash_ver,
        pageurl: &client.page_url,
        swfurl: &client.swf_url,
        traffic: traffic(client.traffic, client.bandwidth),
        dropped: client.dropped,
        dropped_reason: client.dropped_reason.as_deref(),
        avsync: client.avsync,
        timestamp: client.timestamp,
        publishing: client.publishes,
        active: client.is_active,
        relay: client.is_relay,
        max_viewers: client.max_viewers.as_deref(),
        max_bitrate: client.max_bitrate.as_deref(),
    }
}

fn traffic(traffic: Traffic, bandwidth: Bandwidth) -> TrafficFields {
    TrafficFields {
        bw_in: bandwidth.received,
        bytes_in: traffic.received,
        bw_out: bandwidth.sent,
        bytes_out: traffic.sent,
    }
}

/// Rounds to three decimals. Metadata may contain any number; what JSON cannot express becomes 0.
fn thousandths(number: f64) -> f64 {
    if number.is_finite() { (number * 1000.0).round() / 1000.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_metadata_is_json() {
        let numbers = [f64::NAN, f64::INFINITY, 29.970_029, f64::MAX];
        let rounded = numbers.map(thousandths);
        assert_eq!(rounded[..3], [0.0, 0.0, 29.97]);
        assert!(serde_json::to_string(&rounded).is_ok());
    }
}
