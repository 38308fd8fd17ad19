//! Creation of directories for HLS files and recordings before privileges are dropped.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::conf::Conf;
use crate::config::model::Config;
use crate::module::hls::log;

/// Creates missing directories, including those in `records`, and returns all of them, so that they can be handed over
/// to the server's user. Failures are logged, and creation is retried when a stream is published.
pub fn make_directories<'c>(config: &'c Config, records: impl Iterator<Item = &'c PathBuf>) -> Vec<PathBuf> {
    let hls = config.applications().map(|application| application.get::<Conf>()).filter(|hls| hls.hls);
    let wanted: BTreeSet<&PathBuf> = hls
        .flat_map(|hls| [&hls.path.0, &hls.key_path.0])
        .chain(records)
        .filter(|path| !path.as_os_str().is_empty() && !path.is_dir())
        .collect();
    let mut made = Vec::new();
    for path in wanted {
        match fs::create_dir_all(path) {
            Ok(()) => made.push(path.clone()),
            Err(error) => log::not_made(path, &error),
        }
    }
    made
}
