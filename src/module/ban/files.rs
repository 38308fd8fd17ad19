//! Refusal of files that a banned stream has written, where a location serves its directory.

use std::path::Path;
use std::sync::Arc;

use http::StatusCode;

use super::bans::{BanTarget, Bans};
use super::log;
use crate::config::Config;
use crate::config::store::Store;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::media::files::stream_files::{StreamDirectory, StreamFiles};
use crate::task::disk::{self, DiskWork};

/// Refuses the files of banned streams. It runs behind `try_files`, which chooses the file.
pub struct BanFileCheck {
    /// The bans.
    pub bans: Arc<Bans>,
    /// The configuration, whose directories count.
    pub store: Arc<Store>,
    /// What writes files of streams.
    pub outputs: Arc<[Box<dyn StreamFiles>]>,
}

impl PhaseCheck for BanFileCheck {
    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let streams = self.bans.streams();
        if streams.is_empty() {
            return Check::Now(Decision::Next);
        }
        let Some(path) = exchange.file_of(&exchange.path) else { return Check::Now(Decision::Next) };
        let (store, outputs) = (self.store.clone(), self.outputs.clone());
        Check::Later(Box::pin(async move {
            // Symbolic links are followed.
            let find = move || {
                let path = path.canonicalize().ok()?;
                ban_of(streams, &store.load(), &outputs, &path)
            };
            match disk::spawn(DiskWork::Served, find).await {
                Ok(Some(ban)) => {
                    log::request_refused(exchange, &ban);
                    Decision::page(StatusCode::FORBIDDEN)
                }
                Ok(None) => Decision::Next,
                Err(_) => Decision::page(StatusCode::INTERNAL_SERVER_ERROR),
            }
        }))
    }
}

/// The ban on the stream that has written the file, as names and directories say.
fn ban_of(
    streams: Vec<BanTarget>,
    config: &Config,
    outputs: &[Box<dyn StreamFiles>],
    path: &Path,
) -> Option<BanTarget> {
    let is_written = |ban: &BanTarget| {
        config.rtmp.iter().flat_map(|rtmp| &rtmp.servers).any(|server| {
            server.applications.iter().any(|application| {
                ban.names_in(&application.name).any(|name| {
                    let directories =
                        outputs.iter().flat_map(|output| output.directories(server, application, name, path));
                    directories.into_iter().any(|directory| is_in(&directory))
                })
            })
        })
    };
    streams.into_iter().find(is_written)
}

fn is_in(place: &StreamDirectory) -> bool {
    let Ok(directory) = place.directory.canonicalize() else { return false };
    if place.deep { place.before.starts_with(&directory) } else { place.before == directory }
}
