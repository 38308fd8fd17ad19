//! `sys_stat`: streams and sessions as JSON, with PingOS's names.

use std::borrow::Cow;

use bstr::ByteSlice;
use serde::Serialize;

use super::media::Media;
use super::overview::{COMPILER, Group, Overview, VERSION};
use crate::media::statistics::{ClientProtocol, ClientStatistics, MediaStatistics, StreamStatistics};

#[derive(Serialize)]
struct Document<'o> {
    ngx_worker: u32,
    ngx_process_slot: u32,
    ngx_pid: u32,
    live_stream: LiveStream<'o>,
}

#[derive(Serialize)]
struct LiveStream<'o> {
    server_version: &'o str,
    compiler: &'o str,
    built: &'o str,
    pid: u32,
    timestamp: i64,
    naccepted: u64,
    r#in: Flow,
    out: Flow,
    server_array: Vec<Server<'o>>,
}

#[derive(Serialize)]
struct Flow {
    bw: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Server<'o> {
    serverid: Cow<'o, str>,
    stream_array: Vec<Stream<'o>>,
    total_clients: usize,
    rtmp_clients: usize,
    flv_clients: usize,
    ts_clients: usize,
    hls_clients: usize,
}

#[derive(Serialize)]
struct Stream<'o> {
    name: Cow<'o, str>,
    time: u64,
    r#in: Flow,
    video_in: Flow,
    audio_in: Flow,
    out: Flow,
    client_array: Vec<Client<'o>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Media<'o, Video<'o>>>,
    total_clients: usize,
    rtmp_clients: usize,
    flv_clients: usize,
    ts_clients: usize,
    hls_clients: usize,
    active: bool,
}

#[derive(Serialize)]
struct Client<'o> {
    id: u64,
    address: &'o str,
    remote_address: String,
    time: u64,
    flashver: &'o str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pageurl: &'o str,
    #[serde(skip_serializing_if = "str::is_empty")]
    swfurl: &'o str,
    protocol: &'o str,
    dropped: u64,
    avsync: i32,
    timestamp: u32,
    active: bool,
    publishing: bool,
    relay: bool,
    /// Whether it is a relay between worker processes; there are none.
    interprocess: bool,
}

#[derive(Serialize)]
struct Video<'o> {
    width: u32,
    height: u32,
    frame_rate: String,
    codec: &'o str,
    profile: &'o str,
    /// The level, as in PingOS.
    compat: &'o str,
}

/// Writes the document.
pub(super) fn write(overview: &Overview) -> String {
    let statistics = &overview.statistics;
    let (traffic, bandwidth) = (statistics.counts.traffic, statistics.bandwidth);
    let pid = std::process::id();
    let document = Document {
        ngx_worker: 0,
        ngx_process_slot: 0,
        ngx_pid: pid,
        live_stream: LiveStream {
            server_version: crate::NGINX_VERSION,
            compiler: COMPILER,
            built: VERSION,
            pid,
            timestamp: overview.at,
            naccepted: statistics.counts.accepted,
            r#in: Flow { bw: bandwidth.received, bytes: traffic.received },
            out: Flow { bw: bandwidth.sent, bytes: traffic.sent },
            server_array: overview.servers().map(|group| server(&group)).collect(),
        },
    };
    serde_json::to_string(&document).expect("it has names and values that JSON knows")
}

fn server<'o>(group: &Group<'o>) -> Server<'o> {
    let count = |protocol| group.streams.iter().map(|stream| stream.count(protocol)).sum();
    Server {
        serverid: group.streams[0].serverid.to_str_lossy(),
        stream_array: group.streams.iter().map(stream).collect(),
        total_clients: group.clients(),
        rtmp_clients: count(ClientProtocol::Rtmp),
        flv_clients: count(ClientProtocol::Flv),
        ts_clients: count(ClientProtocol::Ts),
        hls_clients: count(ClientProtocol::Hls),
    }
}

fn stream(stream: &StreamStatistics) -> Stream<'_> {
    let StreamStatistics { traffic, bandwidth, input, .. } = stream;
    Stream {
        name: stream.name.to_str_lossy(),
        time: stream.time,
        r#in: Flow { bw: bandwidth.received, bytes: traffic.received },
        video_in: Flow { bw: input.video_bandwidth, bytes: input.video_bytes },
        audio_in: Flow { bw: input.audio_bandwidth, bytes: input.audio_bytes },
        out: Flow { bw: bandwidth.sent, bytes: traffic.sent },
        client_array: stream.clients.iter().map(client).collect(),
        meta: stream.media.as_ref().map(media),
        total_clients: stream.clients.len(),
        rtmp_clients: stream.count(ClientProtocol::Rtmp),
        flv_clients: stream.count(ClientProtocol::Flv),
        ts_clients: stream.count(ClientProtocol::Ts),
        hls_clients: stream.count(ClientProtocol::Hls),
        active: stream.media.is_some(),
    }
}

fn client(client: &ClientStatistics) -> Client<'_> {
    Client {
        id: client.id,
        address: &client.addr,
        remote_address: format!("{}:{}", client.addr, client.port),
        time: client.time,
        flashver: &client.flash_ver,
        pageurl: &client.page_url,
        swfurl: &client.swf_url,
        protocol: client.protocol.name(),
        dropped: client.dropped,
        avsync: client.avsync,
        timestamp: client.timestamp,
        active: client.is_active,
        publishing: client.publishes,
        relay: client.is_relay,
        interprocess: false,
    }
}

fn media(media: &MediaStatistics) -> Media<'_, Video<'_>> {
    let video = Video {
        width: media.width,
        height: media.height,
        frame_rate: format!("{:.1}", media.frame_rate),
        codec: &media.video_codec,
        profile: &media.video_profile,
        compat: &media.video_level,
    };
    Media::new(media, video)
}
