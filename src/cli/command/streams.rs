//! `pingosd status streams`: streams and clients as a list.

use std::fmt::Write;

use crate::log::counted;
use serde::Deserialize;

/// The statistics of the server, as far as they are shown here: fields of `rtmp_stat_format json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Overview {
    pub(super) rtmp: Root,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Root {
    pub(super) pid: u32,
    pub(super) uptime: u64,
    pub(super) naccepted: u64,
    pub(super) generation: u64,
    pub(super) bw_in: u64,
    pub(super) bw_out: u64,
    #[serde(default)]
    servers: Vec<Server>,
}

#[derive(Clone, Debug, Deserialize)]
struct Server {
    serverid: String,
    applications: Vec<Application>,
}

#[derive(Clone, Debug, Deserialize)]
struct Application {
    name: String,
    streams: Vec<Stream>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) time: u64,
    pub(super) bw_in: u64,
    pub(super) bw_out: u64,
    pub(super) frame_rate: f64,
    pub(super) nclients: usize,
    pub(super) publishing: bool,
    meta: Option<Meta>,
    #[serde(default)]
    pub(super) clients: Vec<Client>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Meta {
    video: Video,
    audio: Audio,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Video {
    width: u32,
    height: u32,
    codec: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Audio {
    codec: String,
    sample_rate: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Client {
    pub(super) id: u64,
    pub(super) remote_address: String,
    pub(super) protocol: String,
    pub(super) time: u64,
    pub(super) bw_in: u64,
    pub(super) bw_out: u64,
    pub(super) dropped: u64,
    pub(super) publishing: bool,
    pub(super) relay: bool,
}

/// A stream with the names of its server and application.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'o> {
    pub(super) server: &'o str,
    pub(super) app: &'o str,
    pub(super) stream: &'o Stream,
}

impl Overview {
    /// All streams, in the order of their names.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rtmp.servers.iter().flat_map(|server| {
            server.applications.iter().flat_map(|app| {
                app.streams.iter().map(|stream| Row { server: &server.serverid, app: &app.name, stream })
            })
        })
    }

    /// The list as text.
    pub(super) fn page(&self) -> String {
        let Root { pid, uptime, bw_in, bw_out, .. } = self.rtmp;
        let mut out = String::new();
        let (streams, clients) =
            self.rows().fold((0, 0), |(streams, clients), row| (streams + 1, clients + row.stream.nclients));
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "process {pid}, up {}: {}, {}, in {}, out {}",
            duration(uptime * 1000),
            counted(streams, "stream"),
            counted(clients as u64, "client"),
            rate(bw_in),
            rate(bw_out),
        );
        let mut group = None;
        for row in self.rows() {
            let names = (row.server, row.app);
            if group.replace(names) != Some(names) {
                let _ = writeln!(out, "\nserver {}, application {}", shown(row.server), shown(row.app));
            }
            let _ = writeln!(out, "  {}: {}", shown(&row.stream.name), row.stream.facts());
            for client in &row.stream.clients {
                let _ = writeln!(out, "    *{} {}", client.id, client.facts());
            }
        }
        out
    }
}

impl Stream {
    fn facts(&self) -> String {
        let state = if self.publishing { "published" } else { "not published" };
        let mut facts = vec![
            format!("{state}, {}", counted(self.nclients as u64, "client")),
            format!("in {}", rate(self.bw_in)),
            format!("out {}", rate(self.bw_out)),
        ];
        facts.extend(Some(self.media()).filter(|media| !media.is_empty()));
        facts.push(duration(self.time));
        facts.join(", ")
    }

    /// Codecs, picture size and frame rate; empty without a publisher.
    pub(super) fn media(&self) -> String {
        let Some(Meta { video, audio }) = &self.meta else { return String::new() };
        let mut parts = Vec::new();
        if !video.codec.is_empty() {
            parts
                .push(format!("{} {}x{} {:.1} fps", video.codec, video.width, video.height, self.frame_rate));
        }
        if !audio.codec.is_empty() {
            parts.push(format!("{} {} Hz", audio.codec, audio.sample_rate));
        }
        parts.join(", ")
    }
}

impl Client {
    /// `publisher` or `player`, or the direction of a relay.
    pub(super) fn role(&self) -> &'static str {
        match (self.relay, self.publishing) {
            (false, true) => "publisher",
            (false, false) => "player",
            (true, true) => "pull",
            (true, false) => "push",
        }
    }

    /// Bits per second that it sends or is sent.
    pub(super) fn rate(&self) -> u64 {
        if self.publishing { self.bw_in } else { self.bw_out }
    }

    fn facts(&self) -> String {
        let Client { remote_address, protocol, time, dropped, .. } = self;
        let skipped = if *dropped > 0 { format!(", {dropped} packets skipped") } else { String::new() };
        let (role, rate) = (self.role(), rate(self.rate()));
        format!("{role} {protocol} {remote_address}, {rate}, {}{skipped}", duration(*time))
    }
}

/// A name that a peer chose, for a terminal: without control characters, and at most so long that a line stays readable.
pub(super) fn shown(name: &str) -> String {
    const MOST: usize = 80;
    let mut shown: String =
        name.chars().take(MOST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if name.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

/// Bits per second with a unit.
pub(super) fn rate(bits: u64) -> String {
    match bits {
        0..1_000 => format!("{bits} bit/s"),
        1_000..1_000_000 => format!("{:.1} kbit/s", bits as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} Mbit/s", bits as f64 / 1e6),
        _ => format!("{:.2} Gbit/s", bits as f64 / 1e9),
    }
}

/// Milliseconds as days to seconds.
pub(super) fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, ..) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// Statistics for tests.
#[cfg(test)]
pub(super) fn sample() -> Overview {
    let text = r#"{"rtmp":{"pid":7,"uptime":3700,"naccepted":9,"generation":1,"bw_in":4200000,"bw_out":999,
        "servers":[{"serverid":"default","applications":[{"name":"live","streams":[
        {"name":"a\u001b[31m","time":61000,"bw_in":2100000,"bw_out":0,"frame_rate":25.04,"nclients":2,
         "publishing":true,"meta":{"video":{"width":640,"height":360,"codec":"H264"},
         "audio":{"codec":"AAC","sample_rate":44100}},"clients":[
         {"id":1,"remote_address":"192.0.2.1:5","protocol":"rtmp","time":61000,"bw_in":2100000,"bw_out":0,
          "dropped":0,"publishing":true,"relay":false},
         {"id":2,"remote_address":"192.0.2.2:6","protocol":"flv","time":1000,"bw_in":0,"bw_out":1500,
          "dropped":3,"publishing":false,"relay":false}]},
        {"name":"b","time":5000,"bw_in":0,"bw_out":0,"frame_rate":0.0,"nclients":1,"publishing":false,"meta":null,
         "clients":[{"id":3,"remote_address":"192.0.2.3:7","protocol":"rtmp","time":5000,"bw_in":0,"bw_out":0,
          "dropped":0,"publishing":false,"relay":false}]}]}]}]}}"#;
    serde_json::from_str(text).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_clients_are_listed() {
        let want = "\
process 7, up 1h 1m: 2 streams, 3 clients, in 4.2 Mbit/s, out 999 bit/s

server default, application live
  a\u{fffd}[31m: published, 2 clients, in 2.1 Mbit/s, out 0 bit/s, H264 640x360 25.0 fps, AAC 44100 Hz, 1m 1s
    *1 publisher rtmp 192.0.2.1:5, 2.1 Mbit/s, 1m 1s
    *2 player flv 192.0.2.2:6, 1.5 kbit/s, 1s, 3 packets skipped
  b: not published, 1 client, in 0 bit/s, out 0 bit/s, 5s
    *3 player rtmp 192.0.2.3:7, 0 bit/s, 5s
";
        assert_eq!(sample().page(), want);
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(shown(&"ü".repeat(10_000)), format!("{}…", "ü".repeat(80)));
    }
}
