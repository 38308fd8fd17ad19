//! DASH files on disk: manifests and segments of every published stream. One task per publish segments the stream and
//! writes files; the sweeper of `media::files` removes what publishes have left.
//!
//! The rules perform no I/O: [`DashSegmenter`] tells [`DashFiles`] what to do, in order, and learns whether it succeeded.
//!
//! The time line of the media is the time of day in milliseconds since 1970. So the live edge needs no arithmetic,
//! names of segments never repeat, and a stream that is published again goes on in the same presentation.
//!
//! - [`DashLayout`] gives the names and URIs of files.
//! - [`Manifest`] is the MPD.
//! - [`DashCleanup`] decides which files of a directory are outdated.

mod cleanup;
pub mod conf;
mod files;
mod layout;
mod log;
mod manifest;
mod output;
mod segmenter;
mod writer;

pub use cleanup::DashCleanup;
pub use files::DashStreamFiles;
pub use layout::DashLayout;
pub use manifest::{Manifest, ManifestPeriod, ManifestTrack};
pub use output::DashOutput;
pub use segmenter::{DashFiles, DashSegmenter, DashSettings};

use std::path::PathBuf;

use crate::config::Config;

/// Directories to which applications write, for their creation before privileges are dropped.
pub fn directories(config: &Config) -> impl Iterator<Item = &PathBuf> {
    let writing = config.applications().map(|application| application.get::<conf::Conf>());
    writing.filter(|conf| conf.dash).map(|conf| &conf.path.0)
}
