//! Data messages of publishers in MPEG-TS as timed ID3 metadata, and breaks in playlists as date ranges.

mod support;

#[path = "ts_hls/media.rs"]
mod media;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use bytes::BytesMut;
use m3u8_rs::{DateRange, MediaPlaylist, QuotedOrUnquoted};
use media::Source;
use pingosd::wire::MediaKind;
use pingosd::wire::amf0::{self, AmfValue};
use pingosd::wire::scte35::SpliceSection;
use support::clip::{clip, publish};
use support::frame::Frame;
use support::http::{self, Connection, Dechunker, Head};
use support::server::Prefix;
use support::tool::run;
use support::wait::until_true;
use support::{Conf, Server};

/// A placement opportunity of 307 s (SCTE 35 §14.1), and its end.
const OUT: &str = "/DA0AAAAAAAA///wBQb+cr0AUAAeAhxDVUVJSAAAjn/PAAGlmbAICAAAAAAsoKGKNAIAmsnRfg==";
const IN: &str = "/DAvAAAAAAAA///wBQb+dGKQoAAZAhdDVUVJSAAAjn+fCAgAAAAALKChijUCAKnMZ1g=";

fn data(timestamp: u32, values: &[AmfValue]) -> Frame {
    let mut payload = BytesMut::new();
    amf0::encode_all(values, &mut payload);
    Frame { kind: MediaKind::Data, timestamp, payload: payload.freeze() }
}

/// Codecs that ffprobe finds in a file.
#[track_caller]
fn codecs(path: &Path) -> BTreeSet<String> {
    let args = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0"];
    let done = run("ffprobe", &[&args[..], &[path.to_str().unwrap()]].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = String::from_utf8(done.stdout).unwrap();
    told.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Reads the response to a request until it contains `end`.
fn stream_until(server: &Server, target: &str, end: &[u8], start: impl FnOnce()) -> Vec<u8> {
    let mut connection = Connection::open(server.http);
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    server.wait_log("play: name='s'");
    start();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    let (mut body, mut chunks) = (Vec::new(), Dechunker::default());
    let mut head = None;
    while !body.windows(end.len()).any(|window| window == end) {
        let count = (&connection.socket).read(&mut buffer).expect("something within the patience");
        assert!(count > 0, "the response ended");
        if head.is_some() {
            body.extend(chunks.take(&buffer[..count]).0);
            continue;
        }
        bytes.extend_from_slice(&buffer[..count]);
        head = Head::parse(&bytes);
        if let Some((head, length)) = &head {
            assert!(head.header("transfer-encoding").is_some());
            body.extend(chunks.take(&bytes[*length..]).0);
        }
    }
    body
}

#[test]
fn ffprobe_finds_timed_id3_in_every_output_of_mpegts() {
    let prefix = Prefix::new();
    fs::create_dir_all(prefix.path().join("live")).unwrap();
    let conf = Conf::live(
        "hls on; hls_path {dir}/hls; hls_fragment 1s; hls_type event; hls2 on; hls2_fragment 1s; hls2_minfrags 1;
         live_record on; live_record_path {dir}/live; live_record_min_fragment 900ms;
         idle_streams on; mpegts_cache_time 10s;",
    );
    let locations =
        "location /ts { ts_live {rtmp_port} app=live; } location /hls2 { hls2_live {rtmp_port} app=live; }";
    let server = Server::start_in(prefix, &conf.http_server(locations));
    let mut frames = clip(&["-bf", "0"]);
    for (n, at) in [1_500, 3_500].into_iter().enumerate() {
        let place = frames.iter().position(|frame| frame.timestamp > at).unwrap();
        frames.insert(place, data(at, &["onTextData".into(), format!("text {n}").into()]));
    }
    let mut client = None;
    let http =
        stream_until(&server, "/ts/s", b"\"text 1\"", || client = Some(publish(&server, "s", &frames)));
    let name = |name: &str| server.prefix().path().join(name);
    let mut files = vec![server.prefix().write("http.ts", &http)];
    let mut fragment = None;
    until_true("the fragment is there", || {
        // The first request begins the session.
        let playlist = http::get(server.http, "/hls2/s.m3u8?session=a");
        fragment = (playlist.status() == 200).then(|| http::get(server.http, "/hls2/s-3.ts?session=a"));
        fragment.as_ref().is_some_and(|response| response.status() == 200)
    });
    let fragment = fragment.unwrap();
    files.push(server.prefix().write("fragment.ts", &fragment.body));
    client.unwrap().leave();
    until_true("the segments are complete", || {
        fs::read_to_string(name("hls/s.m3u8")).is_ok_and(|text| text.contains("s-5.ts"))
    });
    files.push(name("hls/s-3.ts"));
    let index = |end: &str| {
        let mut found = Vec::new();
        let mut directories = vec![name("live")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().flatten() {
                match entry.path().is_dir() {
                    true => directories.push(entry.path()),
                    false => found.push(entry.path()),
                }
            }
        }
        found.into_iter().find(|path| path.to_str().unwrap().ends_with(end))
    };
    until_true("the recording is complete", || {
        index(".m3u8").is_some_and(|path| fs::read_to_string(path).unwrap().lines().count() >= 5)
    });
    files.push(index(".ts").unwrap());
    let wanted = ["aac", "h264", "timed_id3"].map(str::to_owned).into();
    for file in files {
        assert_eq!(codecs(&file), wanted, "{}", file.display());
        let bytes = fs::read(&file).unwrap();
        assert!(bytes.windows(8).any(|window| window == b"\"text 1\""), "{}", file.display());
    }
}

/// A place where a playlist is found.
struct Output {
    directives: &'static str,
    target: &'static str,
}

const OUTPUTS: [Output; 5] = [
    Output { directives: "hls on;", target: "/hls/s.m3u8" },
    Output { directives: "hls on; hls_type event fmp4;", target: "/hls/s.m3u8" },
    Output { directives: "hls2 on;", target: "/hls2/s.m3u8?session=a" },
    Output { directives: "hls2 on; hls2_format fmp4;", target: "/hls2/s.m3u8?session=a" },
    Output { directives: "hls2 on; hls2_low_latency on;", target: "/hls2/s.m3u8?session=a" },
];

fn start(output: &Output, more: &str) -> Server {
    let lengths = "hls_path {dir}/hls; hls_fragment 1s; hls2_fragment 1s; hls2_minfrags 1; \
                   hls_playlist_length 30s; hls2_playlist_length 30s;";
    let locations = "location /hls { root {dir}; } location /hls2 { hls2_live {rtmp_port} app=live; }";
    Server::start(&Conf::live(&format!("{lengths} {more} {}", output.directives)).http_server(locations))
}

#[track_caller]
fn playlist(server: &Server, output: &Output) -> (String, MediaPlaylist) {
    let response = http::get(server.http, output.target);
    let text = response.text();
    if response.status() != 200 {
        return (text, MediaPlaylist::default());
    }
    let (_, list) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap_or_else(|_| panic!("{text}"));
    (text, list)
}

/// Waits until this many segments are listed.
#[track_caller]
fn wait_playlist(server: &Server, output: &Output, segments: usize) -> (String, MediaPlaylist) {
    let mut last = (String::new(), MediaPlaylist::default());
    until_true(&format!("{segments} segments in {}", output.directives), || {
        last = playlist(server, output);
        last.1.segments.len() >= segments
    });
    last
}

fn attribute(range: &DateRange, name: &str) -> Option<Vec<u8>> {
    let QuotedOrUnquoted::Unquoted(text) = range.other_attributes.as_ref()?.get(name)? else { return None };
    let digits = text.strip_prefix("0x")?;
    Some(
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect(),
    )
}

#[test]
fn breaks_are_date_ranges_of_every_playlist() {
    use base64::Engine;
    let decoded = |text| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    for output in &OUTPUTS {
        let server = start(output, "");
        let mut source = Source::start(&server, "s");
        // A session begins with the first fragment.
        source.send_to(1_200);
        wait_playlist(&server, output, 1);
        source.send_to(2_300);
        let out =
            [("type", "scte35".into()), ("cue", OUT.into()), ("id", "break 1".into()), ("time", 2.5.into())];
        source.send_frame(&data(2_290, &["onAdCue".into(), AmfValue::object(out)]));
        // It is repeated for players that come later.
        source.send_to(3_300);
        let again = [("type", "scte35".into()), ("cue", OUT.into()), ("elapsed", 0.8.into())];
        source.send_frame(&data(3_290, &["onAdCue".into(), AmfValue::object(again)]));
        source.send_to(5_300);
        source.send_frame(&data(5_290, &["onSCTE35".into(), IN.into()]));
        source.send_to(7_500);
        let (text, list) = wait_playlist(&server, output, 7);
        let ranges: Vec<_> = list
            .segments
            .iter()
            .enumerate()
            .filter_map(|(n, segment)| Some((n, segment.daterange.as_ref()?, segment.program_date_time?)))
            .collect();
        let [(out_at, out, out_date), (in_at, back, in_date)] = ranges[..] else { panic!("{text}") };
        assert_eq!((out_at, in_at), (2, 5), "{text}");
        assert!(out.id.starts_with("break 1-") && out.id == back.id, "{text}");
        assert_eq!((out.planned_duration, out.start_date), (Some(307.0), back.start_date), "{text}");
        // The splice is half a second behind the begin of its segment.
        assert_eq!((out.start_date - out_date).num_milliseconds(), 500, "{text}");
        assert_eq!((in_date - out_date).num_milliseconds(), 3_000, "{text}");
        assert_eq!(back.duration, Some(2.79), "{text}");
        assert_eq!(attribute(out, "SCTE35-OUT"), Some(decoded(OUT)), "{text}");
        assert_eq!(attribute(back, "SCTE35-IN"), Some(decoded(IN)), "{text}");
        assert_eq!(text.matches("#EXT-X-PROGRAM-DATE-TIME:").count(), 2, "{text}");
        source.leave();
    }
}

#[test]
fn a_break_that_lasts_stays_in_a_playlist_that_slides() {
    for output in [&OUTPUTS[0], &OUTPUTS[4]] {
        let server = start(output, "");
        let mut source = Source::start(&server, "s");
        source.send_to(500);
        let out = [("cue", "SpliceOut".into()), ("id", "4711".into()), ("duration", 3_600.0.into())];
        source.send_frame(&data(490, &["onAdCue".into(), AmfValue::object(out)]));
        source.send_to(1_500);
        wait_playlist(&server, output, 1);
        source.send_to(40_500);
        let mut last = (String::new(), MediaPlaylist::default());
        until_true("the playlist slides", || {
            last = playlist(&server, output);
            last.1.media_sequence >= 8
        });
        let (text, list) = last;
        let range = list.segments[0].daterange.as_ref().unwrap_or_else(|| panic!("{text}"));
        let wanted = SpliceSection::insert(4711, true, Some(3_600_000));
        assert_eq!(attribute(range, "SCTE35-OUT").as_deref(), Some(&wanted.bytes()[..]), "{text}");
        assert_eq!(text.matches("DATERANGE").count(), 1, "{text}");
        assert!(list.segments[0].program_date_time.unwrap() > range.start_date, "{text}");
        if output.directives.contains("latency") {
            let delta = http::get(server.http, &format!("{}&_HLS_skip=YES", output.target)).text();
            assert!(delta.contains("#EXT-X-SKIP:") && delta.matches("DATERANGE").count() == 1, "{delta}");
        }
    }
}

#[test]
fn what_is_no_cue_or_unsafe_leaves_playlists_as_they_are() {
    let output = &OUTPUTS[0];
    let server = start(output, "");
    let mut source = Source::start(&server, "s");
    source.send_to(1_300);
    let bad =
        |cue: &'static str, id: &'static str| AmfValue::object([("cue", cue.into()), ("id", id.into())]);
    for value in [bad("chapter", "1"), bad("/DA=", "1"), bad("0xFC30", "1"), bad("", "\"")] {
        source.send_frame(&data(1_290, &["onAdCue".into(), value.clone()]));
        source.send_frame(&data(1_290, &["onSCTE35".into(), value]));
    }
    source.send_to(3_300);
    source.send_frame(&data(3_290, &["onAdCue".into(), bad(OUT, "x\"\n#EXT-X-ENDLIST")]));
    source.send_to(5_500);
    let (text, list) = wait_playlist(&server, output, 5);
    let ranges: Vec<_> = list.segments.iter().filter_map(|segment| segment.daterange.as_ref()).collect();
    // The name is refused, the break is not: it has the number of its event.
    assert!(ranges.len() == 1 && ranges[0].id.starts_with("1207959694-"), "{text}");
    assert!(!text.contains("ENDLIST"), "{text}");
}

#[test]
fn an_event_that_goes_on_keeps_its_date_ranges() {
    let output = &OUTPUTS[1];
    let server = start(output, "");
    for n in 0..2 {
        let mut source = Source::start(&server, "s");
        source.send_to(1_300);
        source.send_frame(&data(1_290, &["onSCTE35".into(), OUT.into()]));
        source.send_to(3_500);
        source.leave();
        wait_playlist(&server, output, 4 * (n + 1));
    }
    let (text, list) = playlist(&server, output);
    let at: Vec<_> =
        (0..).zip(&list.segments).filter(|(_, s)| s.daterange.is_some()).map(|(n, _)| n).collect();
    assert_eq!(at, [1, 5], "{text}");
}
