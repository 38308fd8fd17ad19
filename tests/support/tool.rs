//! Third-party programs: ffmpeg, ffprobe, curl, rtmpdump.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

/// Seconds of the clip.
pub const CLIP_SECONDS: u32 = 60;

/// A program with these arguments and no input.
pub fn tool(name: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(name);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
#[track_caller]
pub fn run(name: &str, args: &[&str]) -> Output {
    tool(name, args)
        .output()
        .unwrap_or_else(|error| panic!("{name} cannot be run ({error}); tests/run installs it"))
}

/// A program that runs beside the test and is killed with it.
pub struct Background(Child);

impl Background {
    /// Starts it.
    #[track_caller]
    pub fn start(name: &str, args: &[&str]) -> Self {
        let mut command = tool(name, args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Background(command.spawn().unwrap_or_else(|error| panic!("{name} cannot be run ({error})")))
    }

    /// Asks it to end, and waits until it has.
    pub fn interrupt(mut self) {
        super::process::signal(i32::try_from(self.0.id()).unwrap(), nix::sys::signal::Signal::SIGINT);
        let _ = self.0.wait();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A minute of H.264 and AAC in FLV, made once.
pub fn clip() -> &'static Path {
    static CLIP: OnceLock<PathBuf> = OnceLock::new();
    CLIP.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = directory.join("h264-aac.flv");
        if path.exists() {
            return path;
        }
        // Test programs may run at the same time: each makes its own, the last one stays.
        let unfinished = directory.join(format!("h264-aac-{}.flv", std::process::id()));
        let seconds = CLIP_SECONDS.to_string();
        #[rustfmt::skip]
        let output = run("ffmpeg", &[
            "-v", "error", "-y",
            "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100",
            "-t", &seconds, "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuv420p",
            "-c:a", "aac", "-b:a", "32k", "-f", "flv", unfinished.to_str().unwrap(),
        ]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(&unfinished, &path).unwrap();
        path
    })
}

/// Publishes the clip in real time.
pub fn publish_clip(url: &str) -> Background {
    let clip = clip().to_str().unwrap();
    Background::start("ffmpeg", &["-v", "error", "-re", "-i", clip, "-c", "copy", "-f", "flv", url])
}

/// Names of the codecs that ffprobe finds in a file or stream, sorted.
#[track_caller]
pub fn codecs(input: &str) -> Vec<String> {
    let output =
        run("ffprobe", &["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", input]);
    let mut names: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .map(|name| name.trim_matches(',').to_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "ffprobe found nothing: {}", String::from_utf8_lossy(&output.stderr));
    names
}
