//! What an event contains: streams with their clients, totals, callbacks.
//!
//! Its size is bounded: it has at most [`limits::CONSOLE_STREAMS`] streams and [`limits::CONSOLE_CLIENTS`] clients, and says
//! how many are left out.

use std::fmt::Write;

use bstr::ByteSlice;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde::Serialize;

use crate::limits;
use crate::media::cluster_view::ClusterListing;
use crate::media::statistics::{ClientStatistics, Statistics, StreamStatistics};
use crate::notify::ledger::snapshot::LedgerSnapshot;

/// State of the server at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// Seconds since the start.
    pub(super) uptime: u64,
    /// Number of the configuration in force.
    pub(super) generation: u64,
    /// Time at which it came into force.
    pub(super) since: String,
    /// State of the files.
    pub(super) on_disk: &'static str,
    /// Why the last reload was refused, if it was.
    pub(super) refused: Vec<String>,
    /// Ended sessions by reason.
    pub(super) ended: Vec<(&'static str, u64)>,
    /// Streams and clients.
    pub(super) statistics: Statistics,
    /// Callbacks.
    pub(super) callbacks: LedgerSnapshot,
    /// The cluster that the server is in.
    pub(super) cluster: Option<ClusterListing>,
}

#[derive(Serialize)]
struct Document<'m> {
    at: i64,
    uptime: u64,
    version: &'static str,
    generation: u64,
    since: &'m str,
    on_disk: &'static str,
    refused: &'m [String],
    totals: Totals,
    ended: Vec<Ended>,
    streams: Vec<Stream<'m>>,
    streams_left_out: usize,
    callbacks: Callbacks<'m>,
    cluster: Option<&'m ClusterListing>,
}

#[derive(Serialize)]
struct Totals {
    streams: usize,
    publishers: usize,
    players: usize,
    accepted: u64,
    bw_in: u64,
    bw_out: u64,
    bytes_in: u64,
    bytes_out: u64,
}

#[derive(Serialize)]
struct Ended {
    reason: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct Stream<'m> {
    srv: String,
    app: String,
    name: String,
    /// Arguments of a control request that select it.
    query: String,
    /// App and name as parts of a path, and as the value of an argument.
    app_part: String,
    name_part: String,
    time: u64,
    published: bool,
    bw_in: u64,
    bw_out: u64,
    bw_audio: u64,
    bw_video: u64,
    frame_rate: f64,
    frames: u64,
    key_frames: u64,
    video: Option<Video<'m>>,
    audio: Option<Audio<'m>>,
    nclients: usize,
    clients: Vec<Client<'m>>,
}

#[derive(Serialize)]
struct Video<'m> {
    codec: &'m str,
    profile: &'m str,
    level: &'m str,
    width: u32,
    height: u32,
}

#[derive(Serialize)]
struct Audio<'m> {
    codec: &'m str,
    profile: &'m str,
    channels: u8,
    sample_rate: u32,
}

#[derive(Serialize)]
struct Client<'m> {
    id: u64,
    addr: String,
    protocol: &'static str,
    agent: String,
    time: u64,
    bw: u64,
    bytes: u64,
    /// Milliseconds by which it is behind the publisher.
    delay: Option<u32>,
    dropped: u64,
    dropped_reason: Option<&'m str>,
    publishes: bool,
    relay: bool,
}

#[derive(Serialize)]
struct Callbacks<'m> {
    waiting: usize,
    lost: u64,
    lines: Vec<Line<'m>>,
    /// The newest calls of all lines, newest first.
    calls: Vec<Call<'m>>,
}

#[derive(Serialize)]
struct Line<'m> {
    event: &'m str,
    place: String,
    server: &'m str,
    answered: u64,
    refused: u64,
    failed: u64,
    timed_out: u64,
    mean_ms: f64,
}

#[derive(Serialize)]
struct Call<'m> {
    at: u64,
    event: &'m str,
    act: &'m str,
    server: &'m str,
    status: Option<u16>,
    failure: Option<String>,
    took: f64,
    decision: &'m str,
    client: Option<u64>,
}

/// The document as JSON, in one line.
pub(super) fn write(moment: &Moment) -> String {
    serde_json::to_string(&document(moment)).expect("it has names and values that JSON knows")
}

fn document(moment: &Moment) -> Document<'_> {
    let statistics = &moment.statistics;
    let clients = || statistics.streams.iter().flat_map(|stream| &stream.clients);
    let publishers = clients().filter(|client| client.publishes).count();
    let mut chosen: Vec<&StreamStatistics> = statistics.streams.iter().collect();
    if chosen.len() > limits::CONSOLE_STREAMS {
        // The sort is stable: streams with as many clients stay in the order of their names.
        chosen.sort_by_key(|stream| std::cmp::Reverse((stream.media.is_some(), stream.clients.len())));
        chosen.truncate(limits::CONSOLE_STREAMS);
        chosen.sort_by_key(|stream| (&stream.serverid, &stream.app, &stream.name));
    }
    // What small streams leave, larger ones get.
    let share = (limits::CONSOLE_CLIENTS / chosen.len().max(1)).max(1);
    let unused: usize = chosen.iter().map(|stream| share.saturating_sub(stream.clients.len())).sum();
    let large = chosen.iter().filter(|stream| stream.clients.len() > share).count();
    let most = share + unused / large.max(1);
    Document {
        at: moment.at,
        uptime: moment.uptime,
        version: env!("CARGO_PKG_VERSION"),
        generation: moment.generation,
        since: &moment.since,
        on_disk: moment.on_disk,
        refused: &moment.refused,
        totals: Totals {
            streams: statistics.streams.len(),
            publishers,
            players: clients().count() - publishers,
            accepted: statistics.counts.accepted,
            bw_in: statistics.bandwidth.received,
            bw_out: statistics.bandwidth.sent,
            bytes_in: statistics.counts.traffic.received,
            bytes_out: statistics.counts.traffic.sent,
        },
        ended: moment.ended.iter().map(|(reason, count)| Ended { reason, count: *count }).collect(),
        streams_left_out: statistics.streams.len() - chosen.len(),
        streams: chosen.into_iter().map(|one| stream(one, most)).collect(),
        callbacks: callbacks(&moment.callbacks),
        cluster: moment.cluster.as_ref(),
    }
}

fn stream(stream: &StreamStatistics, most: usize) -> Stream<'_> {
    let input = &stream.input;
    let media = stream.media.as_ref();
    let publisher = stream.clients.iter().find(|client| client.publishes && client.is_active);
    let newest = publisher.map(|publisher| publisher.timestamp);
    let mut clients: Vec<&ClientStatistics> = stream.clients.iter().collect();
    // The publisher and relays are never left out for players.
    clients.sort_by_key(|client| (!client.publishes, !client.is_relay));
    clients.truncate(most);
    let is_short = stream.name.len() <= limits::CONSOLE_NAME && stream.app.len() <= limits::CONSOLE_NAME;
    let part = |bytes: &[u8]| if is_short { escaped(bytes) } else { String::new() };
    let query = match is_short {
        true => format!(
            "srv={}&app={}&name={}",
            escaped(&stream.serverid),
            escaped(&stream.app),
            escaped(&stream.name)
        ),
        false => String::new(),
    };
    Stream {
        srv: shown(&stream.serverid),
        app: shown(&stream.app),
        name: shown(&stream.name),
        query,
        app_part: part(&stream.app),
        name_part: part(&stream.name),
        time: stream.time,
        published: media.is_some(),
        bw_in: stream.bandwidth.received,
        bw_out: stream.bandwidth.sent,
        bw_audio: input.audio_bandwidth,
        bw_video: input.video_bandwidth,
        frame_rate: if input.frame_rate.is_finite() {
            (input.frame_rate * 100.0).round() / 100.0
        } else {
            0.0
        },
        frames: input.video_frames,
        key_frames: input.key_frames,
        video: media.filter(|media| !media.video_codec.is_empty()).map(|media| Video {
            codec: &media.video_codec,
            profile: &media.video_profile,
            level: &media.video_level,
            width: media.width,
            height: media.height,
        }),
        audio: media.filter(|media| !media.audio_codec.is_empty()).map(|media| Audio {
            codec: &media.audio_codec,
            profile: &media.audio_profile,
            channels: media.channels,
            sample_rate: media.sample_rate,
        }),
        nclients: stream.clients.len(),
        clients: clients.into_iter().map(|one| client(one, newest)).collect(),
    }
}

fn client(client: &ClientStatistics, newest: Option<u32>) -> Client<'_> {
    let plays = !client.publishes && client.is_active && client.timestamp > 0;
    let traffic = if client.publishes { client.traffic.received } else { client.traffic.sent };
    Client {
        id: client.id,
        addr: shown(format!("{}:{}", client.addr, client.port).as_bytes()),
        protocol: client.protocol.name(),
        agent: shown(client.flash_ver.as_bytes()),
        time: client.time,
        bw: if client.publishes { client.bandwidth.received } else { client.bandwidth.sent },
        bytes: traffic,
        delay: newest.filter(|_| plays).and_then(|newest| delay(newest, client.timestamp)),
        dropped: client.dropped,
        dropped_reason: client.dropped_reason.as_deref(),
        publishes: client.publishes,
        relay: client.is_relay,
    }
}

/// Time between two timestamps, which wrap around. `None` if that is no delay: the client plays something earlier.
fn delay(newest: u32, timestamp: u32) -> Option<u32> {
    let behind = newest.wrapping_sub(timestamp) as i32;
    let behind = u32::try_from(behind.max(0)).unwrap_or(0);
    (u128::from(behind) <= limits::CONSOLE_DELAY.as_millis()).then_some(behind)
}

fn callbacks(ledger: &LedgerSnapshot) -> Callbacks<'_> {
    let all = ledger.lines.iter().flat_map(|line| line.calls.iter().map(move |call| (line, call)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, call)| std::cmp::Reverse(call.at_ms));
    let calls = all.into_iter().take(limits::CONSOLE_CALLS).map(|(line, call)| Call {
        at: call.at_ms,
        event: &line.event,
        act: &call.act,
        server: &line.server,
        status: call.status,
        failure: call.failure.as_ref().map(|why| shown(why.as_bytes())),
        took: (call.took_ms * 10.0).round() / 10.0,
        decision: &call.decision,
        client: call.session,
    });
    let lines = ledger.lines.iter().take(limits::CONSOLE_CALLS).map(|line| {
        let count = line.answered_total + line.refused_total + line.failed_total + line.timed_out_total;
        Line {
            event: &line.event,
            place: format!("{}:{}", shown(line.file.as_bytes()), line.line),
            server: &line.server,
            answered: line.answered_total,
            refused: line.refused_total,
            failed: line.failed_total,
            timed_out: line.timed_out_total,
            mean_ms: (line.took_ms_total / count.max(1) as f64 * 10.0).round() / 10.0,
        }
    });
    Callbacks {
        waiting: ledger.done_waiting,
        lost: ledger.done_lost_total,
        lines: lines.collect(),
        calls: calls.collect(),
    }
}

/// A text that peers choose, for people: bounded, and without control characters.
fn shown(text: &[u8]) -> String {
    let mut out = String::new();
    for c in text.to_str_lossy().chars() {
        if out.len() >= limits::CONSOLE_TEXT {
            out.push('…');
            break;
        }
        match c {
            // Marks that change the direction of writing could disguise a name.
            c if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn escaped(bytes: &[u8]) -> String {
    percent_encode(bytes, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(count: usize, clients: usize, name: &str) -> Statistics {
        let client = |id| ClientStatistics { id, addr: "192.0.2.1".into(), ..ClientStatistics::default() };
        let stream = |n: usize| StreamStatistics {
            app: "live".into(),
            name: format!("{name}{n}").into(),
            clients: (0..clients as u64).map(client).collect(),
            ..StreamStatistics::default()
        };
        Statistics { streams: (0..count).map(stream).collect(), ..Statistics::default() }
    }

    #[test]
    fn a_document_is_bounded_and_says_what_it_leaves_out() {
        let moment = Moment { statistics: streams(3000, 10, &"<n>".repeat(3000)), ..Moment::default() };
        let text = write(&moment);
        assert!(text.len() < 2 << 20, "{} bytes", text.len());
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["streams"].as_array().unwrap().len(), limits::CONSOLE_STREAMS);
        assert_eq!(document["streams_left_out"], 3000 - limits::CONSOLE_STREAMS);
        assert_eq!(document["totals"]["players"], 30_000);
        assert_eq!(document["streams"][0]["query"], "", "too long to be sent back");
    }

    #[test]
    fn a_stream_gets_the_room_that_others_leave() {
        let mut statistics = streams(2, 1, "a");
        statistics.streams.extend(streams(1, 5000, "b").streams);
        let moment = Moment { statistics, ..Moment::default() };
        let document = document(&moment);
        let shown: usize = document.streams.iter().map(|stream| stream.clients.len()).sum();
        assert!(shown > limits::CONSOLE_CLIENTS * 9 / 10 && shown <= limits::CONSOLE_CLIENTS, "{shown}");
        assert_eq!(document.streams[2].nclients, 5000);
    }

    #[test]
    fn a_delay_is_the_distance_to_the_publisher() {
        assert_eq!(delay(1500, 1000), Some(500));
        assert_eq!(delay(10, u32::MAX - 9), Some(20));
        assert_eq!(delay(1000, 1010), Some(0));
        assert_eq!(delay(10_000_000, 1), None);
    }

    #[test]
    fn texts_of_peers_are_short_and_disguise_nothing() {
        assert_eq!(shown(b"a\n\x00b\xff"), "a\\u{a}\\u{0}b\u{fffd}");
        assert_eq!(shown("\u{202e}gpj".as_bytes()), "\\u{202e}gpj");
        assert!(shown(&b"n".repeat(10_000)).len() < limits::CONSOLE_TEXT + 8);
    }
}
