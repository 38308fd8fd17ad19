//! ffmpeg and ffprobe, as encoders and as judges.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file made by ffmpeg with these arguments.
pub fn clip(name: &str, arguments: &str) -> PathBuf {
    let path = scratch(name);
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments.split(' '))
        .arg(&path)
        .output()
        .expect("ffmpeg is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

/// A file with these bytes.
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = scratch(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Where a file of this name goes.
pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mpegts_{name}"))
}

/// Codec and kind of every stream.
pub fn streams(path: &Path) -> Vec<String> {
    let text = ffprobe(path, &["-show_entries", "stream=codec_name,codec_type"]);
    let mut streams: Vec<_> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect();
    streams.sort();
    streams.dedup();
    streams
}

/// Presentation and decoding times in milliseconds, counted from the first decoding time.
pub fn clocks(path: &Path, stream: &str) -> Vec<(i64, i64)> {
    let text = ffprobe(path, &["-select_streams", stream, "-show_entries", "packet=pts_time,dts_time"]);
    let clocks: Vec<(i64, i64)> = text
        .lines()
        .filter_map(|line| {
            let mut times = line.split(',').map_while(|time| time.parse::<f64>().ok());
            let mut next = || times.next().map(|time| (time * 1000.0).round() as i64);
            Some((next()?, next()?))
        })
        .collect();
    let first = clocks[0].1;
    clocks.into_iter().map(|(pts, dts)| (pts - first, dts - first)).collect()
}

fn ffprobe(path: &Path, arguments: &[&str]) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(arguments)
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    String::from_utf8(output.stdout).unwrap()
}

/// What a strict decoder complains about.
pub fn decode_errors(path: &Path) -> String {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-i"])
        .arg(path)
        .args(["-f", "null", "-"])
        .output()
        .expect("ffmpeg is installed");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
