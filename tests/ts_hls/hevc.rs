//! HEVC in HLS, of publishers with enhanced RTMP and with the codec id of old: MPEG-TS and fragmented MP4.

use std::fs;
use std::path::Path;

use bstr::ByteSlice;
use mpeg2ts_reader::StreamType;
use pingosd::wire::MediaKind;

use super::readers::{elementary, files};
use crate::input::{hevc_frames, nal_units};
use crate::support::clip::encoded;
use crate::support::frame::Frame;
use crate::support::http;
use crate::support::rtmp::RtmpClient;
use crate::support::tool::run;
use crate::support::wait::{until, until_true};
use crate::support::{Conf, Server};

/// Seconds of the clip, each a segment.
const SECONDS: usize = 4;
const PICTURES: usize = SECONDS * 25;

/// NAL unit types of parameter sets, VPS to PPS, and of the delimiter of access units (H.265, table 7-1).
const PARAMETER_SETS: [u8; 3] = [32, 33, 34];
const DELIMITER: u8 = 35;

/// How a publisher says that a message is HEVC.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// A FourCC, as in enhanced RTMP.
    Enhanced,
    /// Codec id 12.
    Classic,
}

/// What a publisher sends, and the NAL units of its pictures.
struct Clip {
    enhanced: Vec<Frame>,
    nals: Vec<Vec<u8>>,
}

impl Clip {
    fn new() -> Clip {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("in.hevc");
        let args = "-v error -y -f lavfi -i testsrc=size=320x180:rate=25 -t 4 -pix_fmt yuv420p -c:v libx265 -preset ultrafast \
            -x265-params keyint=25:min-keyint=25:scenecut=0:open-gop=0:bframes=0:aud=1:log-level=none";
        let args: Vec<&str> = args.split_whitespace().chain([file.to_str().unwrap()]).collect();
        let done = run("ffmpeg", &args);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let bytes = fs::read(&file).unwrap();
        let video = hevc_frames(&bytes).into_iter();
        let video = video.map(|frame| Frame {
            kind: MediaKind::Video,
            timestamp: frame.timestamp,
            payload: frame.payload.into(),
        });
        let sound: Vec<&str> = "-f lavfi -i sine=sample_rate=44100 -t 4 -c:a aac".split(' ').collect();
        let sound = encoded(&sound).into_iter().filter(|frame| frame.kind == MediaKind::Audio);
        let mut enhanced: Vec<Frame> = video.chain(sound).collect();
        enhanced.sort_by_key(|frame| frame.timestamp);
        Clip { enhanced, nals: pictures(&bytes) }
    }

    fn frames(&self, form: Form) -> Vec<Frame> {
        let classic = |frame: &Frame| {
            let head: &[u8] = match frame.payload.strip_prefix(&frame.payload[..1]).unwrap() {
                rest if !rest.starts_with(b"hvc1") => return frame.clone(),
                _ => match frame.payload[0] {
                    0x90 => &[0x1c, 0, 0, 0, 0],
                    0x93 => &[0x1c, 1, 0, 0, 0],
                    0xa3 => &[0x2c, 1, 0, 0, 0],
                    other => panic!("{other:#x}"),
                },
            };
            Frame { payload: [head, &frame.payload[5..]].concat().into(), ..frame.clone() }
        };
        match form {
            Form::Enhanced => self.enhanced.clone(),
            Form::Classic => self.enhanced.iter().map(classic).collect(),
        }
    }

    /// The access units with lengths, as messages have them.
    fn units(&self) -> impl Iterator<Item = &[u8]> {
        let video = self.enhanced.iter().filter(|frame| frame.kind == MediaKind::Video);
        video.skip(1).map(|frame| &frame.payload[5..])
    }
}

fn kind(nal: &[u8]) -> u8 {
    nal[0] >> 1
}

/// The NAL units of a byte stream without delimiters and parameter sets.
fn pictures(annexb: &[u8]) -> Vec<Vec<u8>> {
    let nals = nal_units(annexb).into_iter();
    let nals = nals.filter(|nal| !PARAMETER_SETS.contains(&kind(nal)) && kind(nal) != DELIMITER);
    nals.map(<[u8]>::to_vec).collect()
}

/// Publishes the clip in this form as `s`, with HLS in files and in memory.
fn start(clip: &Clip, form: Form, application: &str) -> (Server, RtmpClient) {
    let conf =
        format!("hls on; hls_path {{dir}}/hls; hls_fragment 1s; hls2 on; hls2_fragment 1s; {application}");
    let conf = Conf::live(&conf).http_server("location /hls2 { hls2_live {rtmp_port} app=live; }");
    let server = Server::start(&conf);
    let mut client = RtmpClient::publish(server.rtmp, "live", "s").wait_started();
    for frame in clip.frames(form) {
        client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
        client.flush();
    }
    (server, client)
}

/// The first three segments from memory, and the initialisation segment.
fn from_memory(server: &Server) -> (Option<Vec<u8>>, Vec<Vec<u8>>) {
    let piece = |uri: &str| http::get(server.http, &format!("/hls2/{uri}")).body;
    let text = until("three segments in memory", || {
        let text = http::get(server.http, "/hls2/s.m3u8?session=a").text();
        (text.matches("#EXTINF").count() >= SECONDS - 1).then_some(text)
    });
    let map = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")?.strip_suffix('"'));
    let segments = text.lines().filter(|line| !line.starts_with('#')).map(piece).collect();
    (map.map(piece), segments)
}

/// The segments of the files, and their initialisation segment, after the publisher has left.
fn from_files(server: &Server, end: &str) -> (Option<Vec<u8>>, Vec<Vec<u8>>) {
    // A segment is listed when it is complete.
    until_true("all segments", || server.prefix().read("hls/s.m3u8").matches("#EXTINF").count() == SECONDS);
    let found = files(&server.prefix().path().join("hls"), end).into_iter();
    let found: (Vec<_>, Vec<_>) = found.partition(|path| path.to_str().unwrap().contains("init"));
    let read = |path: &Path| fs::read(path).unwrap();
    (found.0.first().map(|path| read(path)), found.1.iter().map(|path| read(path)).collect())
}

/// Codec, tag and number of decoded pictures that ffprobe finds, with no complaint; and that there is AAC.
#[track_caller]
fn probe(server: &Server, what: &str, bytes: &[u8]) -> (String, String, usize) {
    let file = server.prefix().write(what, bytes);
    let ask = |track: &str| {
        let entries = "stream=codec_name,codec_tag_string,nb_read_frames";
        let args = ["-v", "error", "-count_frames", "-select_streams", track, "-show_entries", entries];
        let done = run("ffprobe", &[&args[..], &["-of", "default=nw=1", file.to_str().unwrap()]].concat());
        assert_eq!(String::from_utf8_lossy(&done.stderr), "", "{what}");
        String::from_utf8(done.stdout).unwrap()
    };
    let told = ask("v:0");
    let value = |key: &str| {
        let value = told.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("{what}: no {key} in {told}")).to_owned()
    };
    assert!(ask("a:0").contains("codec_name=aac"), "{what}");
    (value("codec_name"), value("codec_tag_string"), value("nb_read_frames").parse().unwrap())
}

#[track_caller]
fn check_mpegts(server: &Server, clip: &Clip, what: &str, segments: &[Vec<u8>]) {
    let mut found = Vec::new();
    for (n, segment) in segments.iter().enumerate() {
        // Each segment can be played by itself.
        let (codec, _, pictures) = probe(server, "segment.ts", segment);
        assert_eq!((&codec[..], pictures), ("hevc", 25), "{what}, segment {n}");
        let (video, units) = elementary(segment, StreamType::H265);
        assert_eq!(units, 25, "{what}, segment {n}");
        let kinds: Vec<u8> = nal_units(&video).into_iter().map(kind).take(4).collect();
        assert_eq!(kinds[0], DELIMITER, "{what}, segment {n}");
        assert_eq!(kinds[1..], PARAMETER_SETS, "{what}, segment {n}");
        found.extend(self::pictures(&video));
    }
    assert!(found.len() >= (SECONDS - 1) * 25, "{what}: {} NAL units", found.len());
    assert!(clip.nals.starts_with(&found), "{what}: NAL units differ");
}

#[track_caller]
fn check_mp4(server: &Server, clip: &Clip, what: &str, init: &[u8], segments: &[Vec<u8>]) {
    let whole = [init, &segments.concat()].concat();
    let (codec, tag, pictures) = probe(server, "whole.mp4", &whole);
    assert_eq!((&codec[..], &tag[..], pictures), ("hevc", "hvc1", segments.len() * 25), "{what}");
    let mut rest = &whole[..];
    for (n, unit) in clip.units().take(pictures).enumerate() {
        let at = rest.find(unit).unwrap_or_else(|| panic!("{what}: picture {n} is not there as it was sent"));
        rest = &rest[at + unit.len()..];
    }
}

#[test]
fn hevc_is_in_segments_of_mpegts() {
    let clip = Clip::new();
    for form in [Form::Enhanced, Form::Classic] {
        let (server, client) = start(&clip, form, "");
        let (map, segments) = from_memory(&server);
        assert_eq!(map, None);
        check_mpegts(&server, &clip, &format!("{form:?}, memory"), &segments);
        let master = http::get(server.http, "/hls2/s.m3u8").text();
        assert!(master.contains("CODECS=\"hvc1.") && master.contains("RESOLUTION=320x180"), "{master}");
        client.leave();
        let (_, segments) = from_files(&server, ".ts");
        check_mpegts(&server, &clip, &format!("{form:?}, files"), &segments);
        assert_eq!(probe(&server, "whole.ts", &segments.concat()).2, PICTURES);
    }
}

#[test]
fn hevc_is_in_segments_of_fragmented_mp4() {
    let clip = Clip::new();
    for form in [Form::Enhanced, Form::Classic] {
        let (server, client) = start(&clip, form, "hls_type fmp4; hls2_format fmp4;");
        let (map, segments) = from_memory(&server);
        check_mp4(&server, &clip, &format!("{form:?}, memory"), &map.unwrap(), &segments);
        let master = http::get(server.http, "/hls2/s.m3u8").text();
        assert!(master.contains("CODECS=\"hvc1.") && master.contains("RESOLUTION=320x180"), "{master}");
        client.leave();
        let (init, segments) = from_files(&server, ".m4s");
        check_mp4(&server, &clip, &format!("{form:?}, files"), &init.unwrap(), &segments);
        assert_eq!(segments.len() * 25, PICTURES);
    }
}
