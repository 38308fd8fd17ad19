//! ffmpeg as a child process: a key frame goes in, a picture comes out.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::limits;
use crate::task::disk::{self, DiskWork};

/// Environment variables that the child gets.
const ENVIRONMENT: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "TMPDIR"];

/// Format of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PictureFormat {
    Jpeg,
    Webp,
}

/// Why there is no picture.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum DecodeError {
    /// The program is not there.
    #[error("ffmpeg is missing: install it, or name it with rtmp_snapshot_ffmpeg")]
    Missing,
    /// It could not be started.
    #[error("ffmpeg was not started: {0}")]
    NotStarted(Arc<io::Error>),
    /// Its start, or the task that waits for it, was given up.
    #[error("ffmpeg was not started: it was given up")]
    GivenUp,
    /// It has no pipes.
    #[error("ffmpeg was not started: it has no pipes")]
    NoPipes,
    /// It has made no picture, and says this.
    #[error("ffmpeg has made no picture: {complaint}")]
    Failed {
        /// The first line of its errors.
        complaint: String,
    },
    /// It took too long.
    #[error("ffmpeg took too long")]
    TimedOut,
    /// The picture is too large.
    #[error("the picture is too large")]
    TooLarge,
}

impl PictureFormat {
    /// Its content type.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            PictureFormat::Jpeg => "image/jpeg",
            PictureFormat::Webp => "image/webp",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            PictureFormat::Jpeg => &["-c:v", "mjpeg", "-q:v", "4"],
            PictureFormat::Webp => &["-c:v", "libwebp", "-quality", "75"],
        }
    }
}

/// Decodes the first frame of an FLV file.
///
/// # Errors
///
/// There is no picture, for the reason given.
pub(super) async fn decode(program: &[u8], file: Bytes, format: PictureFormat) -> Result<Bytes, DecodeError> {
    let mut child = start(program, format).await?;
    let result = timeout(limits::SNAPSHOT_TIME, picture(&mut child, &file)).await;
    // It has usually ended; otherwise it must not go on.
    let _ = child.kill().await;
    result.unwrap_or(Err(DecodeError::TimedOut))
}

async fn start(program: &[u8], format: PictureFormat) -> Result<Child, DecodeError> {
    let program: OsString = OsStr::from_bytes(program).to_owned();
    // Starting programs may block on a disk.
    let started = disk::spawn(DiskWork::Exec, move || {
        let mut command = Command::new(program);
        command.env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        // A peer has made the frame: it may open nothing, and take only so much memory.
        command.args(["-hide_banner", "-loglevel", "error", "-max_alloc", limits::SNAPSHOT_ALLOCATION]);
        command.args(["-protocol_whitelist", "pipe", "-threads", "1", "-f", "flv"]);
        command.args(["-max_pixels", limits::SNAPSHOT_PIXELS, "-i", "pipe:0", "-an", "-frames:v", "1"]);
        command.args(["-vf", "scale=w='min(960,iw)':h=-2", "-threads", "1"]);
        command.args(format.arguments());
        command.args(["-f", "image2pipe", "pipe:1"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn()
    });
    match started.await {
        Ok(Ok(child)) => Ok(child),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(DecodeError::Missing),
        Ok(Err(error)) => Err(DecodeError::NotStarted(Arc::new(error))),
        Err(_) => Err(DecodeError::GivenUp),
    }
}

async fn picture(child: &mut Child, file: &[u8]) -> Result<Bytes, DecodeError> {
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut input), Some(output), Some(errors)) = pipes else {
        return Err(DecodeError::NoPipes);
    };
    let write = async move {
        // It need not read everything.
        let _ = input.write_all(file).await;
    };
    let both = async {
        tokio::join!(bounded(output, limits::SNAPSHOT_BYTES), bounded(errors, limits::SNAPSHOT_ERRORS))
    };
    let ((), (picture, complaint)) = tokio::join!(write, both);
    if picture.len() > limits::SNAPSHOT_BYTES {
        return Err(DecodeError::TooLarge);
    }
    let ended = child.wait().await;
    if picture.is_empty() || !ended.is_ok_and(|status| status.success()) {
        let complaint = String::from_utf8_lossy(&complaint);
        let first = complaint.lines().next().unwrap_or("it says nothing");
        return Err(DecodeError::Failed { complaint: first.to_owned() });
    }
    Ok(picture.into())
}

/// What comes out of a pipe, and no more than one byte over the bound.
async fn bounded(pipe: impl AsyncRead + Unpin, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = pipe.take(most as u64 + 1).read_to_end(&mut bytes).await;
    bytes
}
