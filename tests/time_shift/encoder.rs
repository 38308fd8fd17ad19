//! A publisher whose frames can be told apart, what is recorded of it, and its players of every kind.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::BytesMut;
use pingosd::wire::MediaKind;
use pingosd::wire::flv::{FlvReader, Remuxer};

use crate::support::frame::{Frame, Tracks};
use crate::support::http::{Dechunker, Head};
use crate::support::player::Media;
use crate::support::rtmp::{RtmpClient, is_timeout};
use crate::support::wait::until_true;
use crate::support::{Conf, Player, Server};

/// Recording in parts of at least 900 ms.
const RECORD: &str = "live_record on; live_record_path {dir}/ts; live_record_min_fragment 900ms; \
    live_record_max_fragment 4s; ";

const LOCATIONS: &str = "location /flv { flv_live {rtmp_port} app=live; }
    location /ts { ts_live {rtmp_port} app=live; } location /control { rtmp_control all; }";

/// Publishes H.264 and AAC whose frames carry their numbers and survive a transport stream: a NAL unit each, or a raw AAC
/// frame. The distance of audio frames is that of 44.1 kHz.
pub struct Encoder {
    pub client: RtmpClient,
    /// Distinguishes its frames from those of others.
    id: usize,
    video: u64,
    audio: u64,
    /// Bytes added to each picture.
    pub padding: usize,
    /// The messages so far, without headers, by kind.
    pub sent: [Vec<Frame>; 2],
}

impl Encoder {
    pub fn start(server: &Server, name: &str) -> Encoder {
        let mut client = RtmpClient::publish(server.rtmp, "live", name).wait_started();
        for header in Tracks::Both.headers() {
            client.session.send_media(header.kind, header.timestamp, &header.payload).unwrap();
        }
        client.flush();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        Encoder { client, id, video: 0, audio: 0, padding: 0, sent: Default::default() }
    }

    /// Publishes `live/s` until this time in milliseconds, and waits until this number of parts is in the index of recordings.
    pub fn recorded(server: &Server, end: u32, parts: usize) -> Encoder {
        let mut encoder = Encoder::start(server, "s");
        encoder.send_until(end);
        until_true("parts are in the index", || indexed(server, "s") >= parts);
        encoder
    }

    /// Waits until a player has been sent the first picture.
    #[track_caller]
    pub fn wait_past(&self, viewer: &Viewer) {
        until_true("the past has come", || self.places(viewer).first() == Some(&0));
    }

    /// Sends media until this time in milliseconds: 25 pictures a second, a key frame every 400 ms.
    pub fn send_until(&mut self, end: u32) {
        loop {
            let video_at = (self.video * 40) as u32;
            let audio_at = (self.audio * 1024 * 1000 / 44_100) as u32;
            if video_at.min(audio_at) >= end {
                return;
            }
            let is_video = video_at <= audio_at;
            let frame = if is_video {
                let is_key = self.video.is_multiple_of(10);
                let head = if is_key { 'e' } else { 'A' };
                let nal =
                    format!("{head}picture {:06} of {}{}", self.video, self.id, "x".repeat(self.padding));
                let head = [if is_key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
                let length = (nal.len() as u32).to_be_bytes();
                let payload = [&head[..], &length, nal.as_bytes()].concat();
                Frame { kind: MediaKind::Video, timestamp: video_at, payload: payload.into() }
            } else {
                let payload =
                    [&[0xAF, 1][..], format!("sound {:06} of {}", self.audio, self.id).as_bytes()].concat();
                Frame { kind: MediaKind::Audio, timestamp: audio_at, payload: payload.into() }
            };
            self.client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
            self.client.flush();
            *if is_video { &mut self.video } else { &mut self.audio } += 1;
            self.sent[usize::from(is_video)].push(frame);
        }
    }

    /// Sends this much more, in milliseconds.
    pub fn send_more(&mut self, time: u32) {
        let end = self.video as u32 * 40 + time;
        self.send_until(end);
    }

    /// Whether a player has been sent the newest picture.
    pub fn has_come(&self, viewer: &Viewer) -> bool {
        let newest = &self.sent[1].last().unwrap().payload;
        viewer.media().iter().rev().any(|media| media.payload == *newest)
    }

    /// Waits until a player has been sent the newest picture.
    #[track_caller]
    pub fn wait_come(&self, viewer: &Viewer) {
        until_true("the newest picture has come", || self.has_come(viewer));
    }

    /// Numbers of the pictures that a player was sent.
    pub fn places(&self, viewer: &Viewer) -> Vec<usize> {
        let place = |media: &Media| self.sent[1].iter().position(|frame| frame.payload == media.payload);
        viewer.pictures().iter().map(|media| place(media).unwrap()).collect()
    }

    /// Checks that a player was sent every frame from its first one on, once and in order, with the distances of their
    /// timestamps. Returns the number of its first picture.
    #[track_caller]
    pub fn assert_whole(&self, viewer: &Viewer) -> usize {
        let got = viewer.media();
        let mut origin = None;
        let mut first_picture = 0;
        for (kind, slack) in [(MediaKind::Video, 0), (MediaKind::Audio, 3)] {
            let sent = &self.sent[usize::from(kind == MediaKind::Video)];
            let is_frame = |payload: &[u8]| payload.get(1) == Some(&1);
            let of_kind = got.iter().filter(|media| media.kind == kind && is_frame(&media.payload));
            let of_kind: Vec<_> = of_kind.collect();
            let first = sent.iter().position(|frame| frame.payload == of_kind[0].payload).unwrap();
            for (frame, media) in sent[first..].iter().zip(&of_kind) {
                assert_eq!(frame.payload, media.payload, "a gap or a repetition");
                let distance = frame.timestamp.wrapping_sub(media.timestamp);
                let origin = *origin.get_or_insert(distance);
                let off = origin.wrapping_sub(distance).cast_signed().unsigned_abs();
                assert!(off <= slack, "{kind:?} at {} is {off} ms away", frame.timestamp);
            }
            if kind == MediaKind::Video {
                first_picture = first;
                assert_eq!(of_kind.len(), sent.len() - first);
            } else {
                // The newest sound may be on its way.
                let late = viewer.late_sounds();
                assert!(of_kind.len() + late >= sent.len() - first && of_kind.len() <= sent.len() - first);
            }
        }
        first_picture
    }
}

/// A player.
pub enum Viewer {
    /// Of RTMP or HTTP-FLV.
    Tags(Player),
    Ts(TsPlayer),
}

impl Viewer {
    /// Plays `live/s` in every way that goes back over recordings, with this query.
    pub fn all(server: &Server, query: &str) -> Vec<Viewer> {
        let request =
            |target: &str, version: &str| format!("GET {target}{query} HTTP/{version}\r\nHost: x\r\n\r\n");
        let flv = |request: String| Viewer::Tags(Player::http_request(server.http, &request));
        let ts = |request: String| Viewer::Ts(TsPlayer::start(server.http, &request));
        vec![
            flv(request("/flv/s.flv", "1.1")),
            flv(request("/flv/s", "1.0")),
            Viewer::rtmp(server, query),
            ts(request("/ts/s.ts", "1.1")),
            ts(request("/ts/s", "1.0")),
        ]
    }

    /// Plays `live/s` over RTMP with this query.
    pub fn rtmp(server: &Server, query: &str) -> Viewer {
        Viewer::Tags(Player::start(server.rtmp, &format!("s{query}")))
    }

    /// Plays `live/s` as MPEG-TS with this query.
    pub fn ts(server: &Server, query: &str) -> Viewer {
        let request = format!("GET /ts/s.ts{query} HTTP/1.1\r\nHost: x\r\n\r\n");
        Viewer::Ts(TsPlayer::start(server.http, &request))
    }

    /// What it was sent.
    pub fn media(&self) -> Vec<Media> {
        match self {
            Viewer::Tags(player) => player.got().media.clone(),
            Viewer::Ts(player) => player.media(),
        }
    }

    /// Pictures it was sent.
    pub fn pictures(&self) -> Vec<Media> {
        let is_picture = |media: &Media| media.kind == MediaKind::Video && media.payload[1] == 1;
        self.media().into_iter().filter(is_picture).collect()
    }

    /// Whether the server has ended it.
    pub fn has_ended(&self) -> bool {
        match self {
            Viewer::Tags(player) => player.got().end.is_some(),
            Viewer::Ts(player) => player.received().1,
        }
    }

    /// The player over RTMP or HTTP-FLV.
    pub fn tags(&self) -> &Player {
        let Viewer::Tags(player) = self else { panic!("MPEG-TS") };
        player
    }

    /// Checks the continuity counters of MPEG-TS, and returns how many breaks it announces; `None` for other formats.
    #[track_caller]
    pub fn breaks(&self) -> Option<usize> {
        let Viewer::Ts(player) = self else { return None };
        let (mut before, mut breaks) = (std::collections::HashMap::new(), 0);
        for packet in player.received().0.chunks_exact(188) {
            let &[0x47, b1, b2, b3, ..] = packet else { panic!("no packet") };
            let pid = u16::from(b1 & 0x1F) << 8 | u16::from(b2);
            let says_so = says_break(packet);
            breaks += usize::from(says_so);
            if let Some(before) = before.insert(pid, b3 & 0x0F).filter(|_| !says_so) {
                let step = b3 >> 4 & 1;
                assert_eq!((before + step) & 0x0F, b3 & 0x0F, "PID {pid} does not continue");
            }
        }
        Some(breaks)
    }

    /// How many sounds may be behind the newest picture: MPEG-TS collects them.
    fn late_sounds(&self) -> usize {
        match self {
            Viewer::Tags(_) => 5,
            Viewer::Ts(_) => 20,
        }
    }
}

/// A player of MPEG-TS that reads in the background. Dropping it closes the connection.
pub struct TsPlayer {
    /// The body so far, and whether it has ended.
    received: Arc<Mutex<(Vec<u8>, bool)>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TsPlayer {
    fn start(port: u16, request: &str) -> TsPlayer {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (received, stop) = (Arc::<Mutex<(Vec<u8>, bool)>>::default(), Arc::<AtomicBool>::default());
        let thread = thread::spawn({
            let (received, stop) = (received.clone(), stop.clone());
            move || read(socket, &received, &stop)
        });
        TsPlayer { received, stop, thread: Some(thread) }
    }

    fn received(&self) -> (Vec<u8>, bool) {
        self.received.lock().unwrap().clone()
    }

    /// The frames in it, with timestamps from 0.
    fn media(&self) -> Vec<Media> {
        let (mut tags, mut reader, mut media) = (BytesMut::new(), FlvReader::at_tags(1 << 24), Vec::new());
        let mut remuxer = Remuxer::without_header(1 << 22);
        for packet in self.received().0.chunks(188) {
            // Nothing goes on behind a break: what came before is complete, and time may begin again.
            if says_break(packet) {
                remuxer.end_run(&mut tags);
            }
            remuxer.push(packet, &mut tags);
        }
        remuxer.flush(&mut tags);
        let mut rest = &tags[..];
        while let Some(tag) = reader.read(&mut rest).unwrap() {
            media.push(Media { kind: tag.kind, timestamp: tag.timestamp, payload: tag.payload });
        }
        media
    }
}

impl Drop for TsPlayer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let outcome = self.thread.take().map(JoinHandle::join);
        assert!(outcome.is_none_or(|outcome| outcome.is_ok()) || thread::panicking());
    }
}

/// Whether a packet has `discontinuity_indicator`.
fn says_break(packet: &[u8]) -> bool {
    matches!(packet, [0x47, _, _, b3, length, flags, ..] if b3 & 0x20 != 0 && *length > 0 && flags & 0x80 != 0)
}

fn read(mut socket: TcpStream, received: &Mutex<(Vec<u8>, bool)>, stop: &AtomicBool) {
    let (mut buffer, mut head, mut chunks) = (vec![0; 1 << 16], Some(Vec::new()), None::<Dechunker>);
    while !stop.load(Ordering::Relaxed) {
        let count = match socket.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if is_timeout(&error) => continue,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error}"),
        };
        if count == 0 {
            received.lock().unwrap().1 = true;
            return;
        }
        let mut bytes = buffer[..count].to_vec();
        if let Some(begun) = &mut head {
            begun.append(&mut bytes);
            let Some((found, length)) = Head::parse(begun) else { continue };
            assert_eq!(found.status, 200);
            chunks = found.header("transfer-encoding").map(|_| Dechunker::default());
            bytes = begun.split_off(length);
            head = None;
        }
        if let Some(chunks) = &mut chunks {
            bytes = chunks.take(&bytes).0;
        }
        received.lock().unwrap().0.append(&mut bytes);
    }
}

/// Lines of all indexes of a stream.
pub fn indexed(server: &Server, name: &str) -> usize {
    files(server, name, "index").iter().map(|file| fs::read_to_string(file).unwrap().lines().count()).sum()
}

/// Files in the directories of days of a stream's recording.
pub fn files(server: &Server, name: &str, below: &str) -> Vec<PathBuf> {
    let root = server.prefix().path().join(format!("ts/default/live/{name}")).join(below);
    let days = fs::read_dir(root).into_iter().flatten().flatten();
    let days = days.filter(|day| day.file_name().len() == 8);
    days.flat_map(|day| fs::read_dir(day.path()).unwrap().flatten()).map(|file| file.path()).collect()
}

/// Application with recording and these directives. Those of the cache are also set for MPEG-TS.
pub fn conf(more: &str) -> Conf {
    // A line in `more` stands for the same one here.
    let for_mpegts = more
        .split(';')
        .map(str::trim)
        .filter(|line| line.starts_with("cache_time") || line.starts_with("roll_back"));
    let more = format!("{more} {}", for_mpegts.map(|line| format!("mpegts_{line};")).collect::<String>());
    let name = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let given: Vec<_> = more.split(';').filter_map(name).collect();
    let others = RECORD.split(';').filter(|line| name(line).is_some_and(|name| !given.contains(&name)));
    let record: String = others.map(|line| format!("{line};")).collect();
    Conf::live(&format!("{record} {more}")).http_server(LOCATIONS)
}

pub fn recording(more: &str) -> Server {
    Server::start(&conf(more))
}

/// As [`recording`], with directives of the server.
pub fn recording_of(server: &str, more: &str) -> Server {
    Server::start(&conf(more).rtmp(server))
}
