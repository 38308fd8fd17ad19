//! Recordings in each format as ffprobe reads them, of good and of broken publishers.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use nix::sys::signal::Signal;
use pingosd::wire::MediaKind;
use pingosd::wire::amf0::{self, AmfValue};
use pingosd::wire::flv::FlvReader;
use support::clip::{clip, publish};
use support::disk::SmallDisk;
use support::frame::{Frame, Tracks};
use support::server::Prefix;
use support::tool::run;
use support::wait::until_true;
use support::{Conf, Publisher, RtmpClient, Server};

const RECORDERS: &str = "
    recorder flv { record all; record_path {dir}/rec; }
    recorder ts { record all; record_path {dir}/rec; record_format ts; }
    recorder mp4 { record all; record_path {dir}/rec; record_format mp4; }";

fn start(directives: &str) -> Server {
    let prefix = Prefix::new();
    fs::create_dir_all(prefix.path().join("rec")).unwrap();
    Server::start_in(prefix, &Conf::live(directives).rtmp("max_message 16m;"))
}

/// Complete recordings of a stream in this format, in the order of their parts.
fn recorded(server: &Server, name: &str, format: &str) -> Vec<PathBuf> {
    let directory = server.prefix().path().join("rec");
    let parts = (1..).map(|part| match part {
        1 => directory.join(format!("{name}.{format}")),
        _ => directory.join(format!("{name}+{part}.{format}")),
    });
    parts.take_while(|path| path.exists()).collect()
}

/// What ffprobe reads without any complaint.
#[track_caller]
fn probe(file: &Path, args: &[&str]) -> String {
    let done =
        run("ffprobe", &[&["-v", "error"], args, &["-of", "csv=p=0", file.to_str().unwrap()]].concat());
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.is_empty(), "{}: {said}", file.display());
    String::from_utf8(done.stdout).unwrap()
}

/// Number of frames that can be decoded, and their length in seconds.
#[track_caller]
fn track(file: &Path, track: &str) -> (usize, f64) {
    let told =
        probe(file, &["-select_streams", track, "-count_frames", "-show_entries", "stream=nb_read_frames"]);
    let frames = told
        .trim()
        .trim_end_matches(',')
        .lines()
        .next()
        .map_or(0, |n| n.trim_end_matches(',').parse().unwrap_or(0));
    let told = probe(file, &["-select_streams", track, "-show_entries", "packet=dts_time"]);
    let times: Vec<f64> = told.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    assert!(times.is_sorted(), "{}: decoding times of {track} go back", file.display());
    let seconds = match times[..] {
        [first, .., before, last] => last + (last - before) - first,
        _ => 0.0,
    };
    (frames, seconds)
}

/// Frames and seconds of a track in all parts.
#[track_caller]
fn tracks(files: &[PathBuf], of: &str) -> (usize, f64) {
    let all = files.iter().map(|file| track(file, of));
    all.fold((0, 0.0), |(frames, seconds), (more, longer)| (frames + more, seconds + longer))
}

/// A publisher: what it sends, and what recordings have of it.
struct Input {
    name: &'static str,
    frames: Vec<Frame>,
    /// Pictures, and seconds of audio.
    video: usize,
    audio: f64,
    /// Parts of the recording as MPEG-TS and as MP4.
    parts: [usize; 2],
    /// Whether the log tells that timestamps were corrected.
    repaired: bool,
}

fn inputs() -> Vec<Input> {
    let plain = clip(&["-bf", "3"]);
    let steady = clip(&["-bf", "0"]);
    let input = |name, frames| Input { name, frames, video: 150, audio: 6.0, parts: [1, 1], repaired: false };
    let only = |kind| plain.iter().filter(|frame| frame.kind == kind).cloned().collect::<Vec<_>>();
    let changed = |frames: &[Frame], change: &dyn Fn(&Frame) -> u32| -> Vec<Frame> {
        frames.iter().map(|frame| Frame { timestamp: change(frame), ..frame.clone() }).collect()
    };
    let is_header = |frame: &Frame| frame.payload.get(1) == Some(&0);
    let later = |frames: Vec<Frame>| changed(&frames, &|frame| frame.timestamp + 6_000);
    let after_3s = |ahead: i64| {
        changed(&steady, &move |frame| match frame.timestamp {
            at if at < 3_000 || is_header(frame) => at,
            at => (i64::from(at) + ahead) as u32,
        })
    };
    // The audio begins with the frames after two seconds, and its header comes then.
    let mut late = Vec::new();
    let mut header = None;
    for frame in &plain {
        match frame.kind {
            MediaKind::Audio if is_header(frame) => header = Some(frame.clone()),
            MediaKind::Audio if frame.timestamp < 2_000 => {}
            MediaKind::Audio => {
                late.extend(header.take().map(|header| Frame { timestamp: frame.timestamp, ..header }));
                late.push(frame.clone());
            }
            _ => late.push(frame.clone()),
        }
    }
    let large = clip(&[
        "-bf",
        "0",
        "-c:v",
        "libx264",
        "-qp",
        "0",
        "-s",
        "2880x1620",
        "-vf",
        "noise=alls=60:allf=t",
        "-g",
        "25",
        "-t",
        "0.4",
    ]);
    let key = large.iter().map(|frame| frame.payload.len()).max().unwrap();
    assert!(key > 2 << 20, "a key frame of {key} bytes");
    let wrong = Bytes::from_static(b"\x02\0\x0AonMetaData\x08\0\0\0\x02\0\x05width\0\x40\x10\0\0\0\0\0\0\0\x0Caudiocodecid\x02\0\x03???\0\0\x09");
    let mut told_wrong = vec![Frame { kind: MediaKind::Data, timestamp: 0, payload: wrong }];
    told_wrong.extend(steady.iter().filter(|frame| frame.kind != MediaKind::Data).cloned());
    vec![
        input("b-frames", plain.clone()),
        Input { audio: 0.0, ..input("no-audio", only(MediaKind::Video)) },
        Input { video: 0, ..input("no-video", only(MediaKind::Audio)) },
        Input { audio: 4.0, parts: [1, 2], ..input("late-audio", late) },
        input(
            "apart",
            changed(&steady, &|frame| {
                frame.timestamp + if frame.kind == MediaKind::Audio { 3_000 } else { 0 }
            }),
        ),
        Input { repaired: true, ..input("jump", after_3s(3_600_000)) },
        Input { repaired: true, ..input("back", after_3s(-3_000)) },
        input("wrap", changed(&steady, &|frame| frame.timestamp.wrapping_sub(3_000))),
        Input {
            video: 300,
            audio: 12.0,
            parts: [1, 2],
            ..input("resolution", [plain.clone(), later(clip(&["-bf", "3", "-s", "160x90"]))].concat())
        },
        Input {
            video: 300,
            audio: 12.0,
            parts: [2, 2],
            ..input("codec", [steady.clone(), later(clip(&["-bf", "0", "-c:a", "libmp3lame"]))].concat())
        },
        Input { video: 10, audio: 0.4, ..input("large", large) },
        input("odd-rate", clip(&["-bf", "0", "-ar", "22050", "-ac", "1"])),
        input("metadata", told_wrong),
    ]
}

#[test]
fn every_input_makes_valid_files_that_last_as_long_as_its_media() {
    let server = start(RECORDERS);
    for Input { name, frames, video, audio, parts, repaired } in inputs() {
        publish(&server, name, &frames).leave();
        let written = || {
            let of = |format: &str| {
                let lines = server.log_lines(&format!("recorded '{name}' to "));
                lines.iter().filter(|line| line.contains(&format!(".{format}\""))).count()
            };
            [of("flv"), of("ts"), of("mp4")]
        };
        until_true(&format!("all files of {name}, not {:?}", written()), || {
            let [flv, ts, mp4] = written();
            flv == 1 && ts >= parts[0] && mp4 >= parts[1]
        });
        assert_eq!(written(), [1, parts[0], parts[1]], "{name}");
        for format in ["flv", "ts", "mp4"] {
            let files = recorded(&server, name, format);
            if format == "flv" && ["resolution", "codec"].contains(&name) {
                // One file with everything, as published.
                continue;
            }
            let (frames, seconds) = tracks(&files, "v");
            assert_eq!(frames, video, "{name}.{format}");
            let wanted = video as f64 / 25.0;
            assert!((seconds - wanted).abs() <= 0.085, "{name}.{format}: {seconds} s of video, not {wanted}");
            let (_, seconds) = tracks(&files, "a");
            // Around a change of configuration audio is missing up to the key frame.
            let most = if files.len() > 1 { 1.0 } else { 0.1 };
            assert!((seconds - audio).abs() <= most, "{name}.{format}: {seconds} s of audio, not {audio}");
        }
        let said = server.log_lines(&format!("timestamps of '{name}' jump"));
        assert_eq!(said.len(), usize::from(repaired), "{name}: {said:?}");
    }
    assert_eq!(server.log_lines("[crit]").len(), 0);
}

#[test]
fn a_complete_mp4_tells_its_length_and_can_be_sought_in() {
    let server = start(RECORDERS);
    publish(&server, "s", &clip(&["-bf", "0"])).leave();
    server.wait_log("s.mp4\"");
    until_true("the file is complete", || server.log_lines("recorded 's' to ").len() == 3);
    let file = recorded(&server, "s", "mp4").remove(0);
    let told = probe(&file, &["-show_entries", "format=duration"]);
    let seconds: f64 = told.trim().parse().unwrap();
    assert!((seconds - 6.0).abs() < 0.1, "{seconds}");
    let told = probe(
        &file,
        &["-select_streams", "v", "-read_intervals", "4.5%+#1", "-show_entries", "packet=pts_time,flags"],
    );
    let at: f64 = told.split(',').next().unwrap().parse().unwrap();
    assert!((3.9..4.2).contains(&at) && told.contains('K'), "{told}");
}

#[test]
fn a_killed_server_leaves_files_that_play_up_to_the_last_flush() {
    let mut server = start(RECORDERS);
    let client = publish(&server, "s", &clip(&["-bf", "0"]));
    // A second of media may still be on its way into a fragment of MP4.
    for (format, least) in [("flv", 148), ("ts", 148), ("mp4", 120)] {
        until_true(&format!("the media is in the {format} file"), || {
            let files = recorded(&server, "s", format);
            let told = files.first().map(|file| {
                run(
                    "ffprobe",
                    &[
                        "-v",
                        "quiet",
                        "-select_streams",
                        "v",
                        "-count_packets",
                        "-show_entries",
                        "stream=nb_read_packets",
                        "-of",
                        "csv=p=0",
                        file.to_str().unwrap(),
                    ],
                )
            });
            let count = told.and_then(|done| {
                String::from_utf8(done.stdout).ok()?.trim().lines().next()?.parse::<usize>().ok()
            });
            count.is_some_and(|count| count >= least)
        });
    }
    server.signal(Signal::SIGKILL);
    server.wait_exit();
    drop(client);
    for (format, least) in [("flv", 148), ("ts", 148), ("mp4", 120)] {
        let (frames, _) = track(&recorded(&server, "s", format)[0], "v");
        assert!(frames >= least, "{frames} in {format}");
    }
}

#[test]
fn a_full_disk_ends_its_recording_with_a_playable_file_and_no_other() {
    for format in ["flv", "ts", "mp4"] {
        let prefix = Prefix::new();
        fs::create_dir_all(prefix.path().join("rec")).unwrap();
        let Some(disk) = SmallDisk::mount(&prefix.path().join("full"), "100k") else { return };
        let conf = Conf::live(
            "recorder full { record all; record_path {dir}/full; record_format {format}; record_notify on;
                exec_record_done sh -c 'echo $path >>{dir}/done'; }
             recorder other { record all; record_path {dir}/rec; record_format {format}; }",
        );
        let server = Server::start_in(prefix, &conf.var("format", format));
        let mut client = publish(&server, "s", &clip(&["-bf", "0"]));
        server.wait_log("record: write() \"");
        client.wait_status("NetStream.Record.Failed");
        until_true("the command has run", || server.prefix().read("done").ends_with('\n'));
        client.leave();
        until_true("the other recording is complete", || {
            server.log_lines("/rec/s.").iter().any(|line| line.contains("record: recorded 's'"))
        });
        let file = disk.0.join(format!("s.{format}"));
        assert_eq!(server.prefix().read("done"), format!("{}\n", file.display()));
        let (frames, _) = track(&file, "v");
        assert!((1..150).contains(&frames), "{frames} frames in {format}");
        assert_eq!(track(&recorded(&server, "s", format)[0], "v").0, 150);
        assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 1);
        assert_eq!(server.log_lines("[crit]").len(), 1);
    }
}

#[test]
fn limits_intervals_and_the_suffix_are_those_of_flv() {
    let server = start(
        "record_path {dir}/rec;
         recorder frames { record video; record_format mp4; record_max_frames 50; record_suffix .frames; }
         recorder size { record all; record_format ts; record_max_size 40k; record_suffix .size; }
         recorder keys { record keyframes; record_format mp4; record_suffix .keys.mp4; }
         recorder sound { record audio; record_format mp4; record_suffix .m4a; }",
    );
    publish(&server, "s", &clip(&["-bf", "0"])).leave();
    until_true("four files", || server.log_lines("record: recorded 's'").len() == 4);
    let rec = server.prefix().path().join("rec");
    assert_eq!(track(&rec.join("s.frames"), "v").0, 50);
    let size = fs::metadata(rec.join("s.size")).unwrap().len();
    assert!((40_960..120_000).contains(&size), "{size}");
    assert_eq!(track(&rec.join("s.keys.mp4"), "v").0, 6);
    let (frames, seconds) = track(&rec.join("s.m4a"), "a");
    assert!((258..=261).contains(&frames) && (seconds - 6.0).abs() < 0.1, "{frames} {seconds}");
    assert_eq!(track(&rec.join("s.m4a"), "v").0, 0);
}

#[test]
fn a_stream_whose_codecs_a_format_does_not_carry_leaves_no_file() {
    let server = start(RECORDERS);
    // Speex, which neither MPEG-TS nor MP4 carries.
    let frames: Vec<Frame> = (0..200)
        .map(|n| Frame {
            kind: MediaKind::Audio,
            timestamp: n * 20,
            payload: Bytes::from_static(b"\xB6speex"),
        })
        .collect();
    publish(&server, "s", &frames).leave();
    server.wait_log("recorded 's'");
    until_true("both say so", || server.log_lines("no media of 's'").len() == 2);
    assert_eq!(fs::read_dir(server.prefix().path().join("rec")).unwrap().count(), 1);
    let said = server.log_lines("audio of 's' is missing, wholly or in part, in ");
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn appending_is_refused_where_a_file_cannot_be_continued() {
    let server = start("");
    for format in ["ts", "mp4"] {
        let conf = "record all; record_path {dir}/rec; record_append on; record_format {format};";
        server.rewrite(&Conf::live(conf).var("format", format));
        let done = server.run(&["-t"]);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success(), "{said}");
        let wanted = format!("\"record_append\" works with \"record_format flv\" only, not with {format}");
        assert!(said.contains(&wanted), "{said}");
    }
}

#[test]
fn a_reload_changes_the_format_of_the_next_file() {
    let server = start("record all; record_path {dir}/rec; record_interval 100ms;");
    let feed = Publisher::with(RtmpClient::publish(server.rtmp, "live", "s"), Tracks::Both).keep_sending();
    server.wait_log("/rec/s.flv\"");
    for format in ["mp4", "ts"] {
        let conf = "record all; record_path {dir}/rec; record_interval 100ms; record_format {format};";
        server.reload(&Conf::live(conf).var("format", format));
        server.wait_log(&format!(
            "record: recorded 's' to \"{}/rec/s.{format}\"",
            server.prefix().path().display()
        ));
    }
    feed.stop().leave();
}

/// A data message with an object of these members.
fn data<const N: usize>(
    timestamp: u32,
    name: &'static str,
    members: [(&'static str, &'static str); N],
) -> Frame {
    let mut payload = BytesMut::new();
    let members = members.map(|(name, value)| (name, AmfValue::from(value)));
    amf0::encode_all(&[name.into(), AmfValue::object(members)], &mut payload);
    Frame { kind: MediaKind::Data, timestamp, payload: payload.freeze() }
}

/// Times of the events of a fragmented MP4, in milliseconds, with the ends of their messages.
fn events(file: &Path) -> Vec<(u64, Vec<u8>)> {
    let bytes = fs::read(file).unwrap();
    let (mut rest, mut found) = (&bytes[..], Vec::new());
    while let Some(head) = rest.first_chunk::<8>() {
        let length = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        if &head[4..] == b"emsg" {
            assert_eq!(rest[12..16], 1_000_u32.to_be_bytes());
            let time = u64::from_be_bytes(rest[16..24].try_into().unwrap());
            found.push((time, rest[length - 9..length].to_vec()));
        }
        rest = &rest[length..];
    }
    found
}

#[test]
fn data_messages_are_in_recordings_with_their_own_times() {
    let server = start(RECORDERS);
    let mut frames = clip(&["-bf", "0"]);
    // Between frames, and one that is a little ahead of them. The last one is longer than timed metadata may be.
    let long: &'static str = "x".repeat(40_000).leak();
    let messages = [
        data(1_507, "onTextData", [("text", "text 01")]),
        data(3_513, "onFI", [("text", "text 02")]),
        data(4_300, "onCuePoint", [("text", "text 03")]),
        // ffprobe stops at one that has no "text".
        data(5_001, "onTextData", [("text", "text 04"), ("one", long), ("other", long)]),
    ];
    for (message, before) in messages.iter().zip([1_507, 3_513, 4_021, 5_001]) {
        let place = frames.iter().position(|frame| frame.timestamp > before).unwrap();
        frames.insert(place, message.clone());
    }
    publish(&server, "s", &frames).leave();
    for format in ["flv", "ts", "mp4"] {
        until_true("the recording is complete", || {
            let log = server.log_lines("recorded 's'");
            log.iter().any(|line| line.contains(&format!("s.{format}")))
        });
    }
    let file = |format: &str| recorded(&server, "s", format).remove(0);
    let bytes = fs::read(file("flv")).unwrap();
    let (mut input, mut reader) = (&bytes[..], FlvReader::new(1 << 24));
    let (mut found, mut pictures) = (Vec::new(), 0);
    while let Some(tag) = reader.read(&mut input).unwrap() {
        pictures += usize::from(tag.kind == MediaKind::Video && tag.payload.get(1) == Some(&1));
        let is_ours = tag.kind == MediaKind::Data && messages.iter().any(|sent| sent.payload == tag.payload);
        found.extend(is_ours.then_some((tag.timestamp, tag.payload)));
    }
    assert!(found.iter().zip(&messages).all(|(tag, sent)| *tag == (sent.timestamp, sent.payload.clone())));
    assert_eq!(found.len(), messages.len());

    // As many pictures as without them.
    assert_eq!(pictures, 150);
    let told = probe(&file("flv"), &["-select_streams", "v", "-show_entries", "packet=dts_time"]);
    assert_eq!(told.lines().count(), 150);
    for format in ["ts", "mp4"] {
        assert_eq!(track(&file(format), "v").0, 150, "{format}");
    }
    let told = probe(&file("ts"), &["-select_streams", "d", "-show_entries", "packet=pts_time"]);
    let times: Vec<f64> = told.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    // Presentation is 700 ms behind.
    let near = |time: f64, ms: u32| ((time - 0.7) * 1000.0 - f64::from(ms)).abs() < 1.0;
    assert!(
        times.len() == 3 && near(times[0], 1_507) && near(times[1], 3_513) && near(times[2], 4_300),
        "{times:?}"
    );

    let events = events(&file("mp4"));
    let wanted: Vec<_> = messages[..3].iter().map(|sent| u64::from(sent.timestamp)).collect();
    assert_eq!(events.iter().map(|(time, _)| *time).collect::<Vec<_>>(), wanted);
    assert!(
        events.iter().zip(["01", "02", "03"]).all(|((_, end), n)| end == format!("text {n}\"}}").as_bytes())
    );
    // What is too long for timed metadata is told once for each file.
    for format in ["ts", "mp4"] {
        let told = server.log_lines("timed metadata of 's' is missing");
        assert_eq!(told.iter().filter(|line| line.contains(&format!("s.{format}"))).count(), 1, "{told:?}");
    }
}
