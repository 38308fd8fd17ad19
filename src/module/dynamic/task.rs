//! Task of `dynamic_conf`: checks a file at intervals, and applies changed contents.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::conf::Current;
use super::contents::{Contents, ContentsError};
use super::file::DynamicConf;
use crate::config::dynamic::Dynamic;
use crate::config::model::Config;
use crate::config::store::Store;
use crate::log::level::LogLevel;
use crate::log::line;
use crate::log::sink::{SinkSpec, Sinks};
use crate::media::static_pull::StaticPull;
use crate::module::dynamic::log;
use crate::syntax::texts::{TextError, read_file};
use crate::task::lifetime::Lifetime;

/// Reason why the file cannot be read.
#[derive(Debug, thiserror::Error)]
enum DynamicError {
    /// The system refuses, or the file is too large.
    #[error(transparent)]
    Unreadable(#[from] TextError),
    /// The thread that read it has panicked.
    #[error("reading the file has failed")]
    Panicked,
}

/// Runs until the process ends. `pull` is called with the streams to be pulled from now on, and returns complaints about those
/// that cannot be pulled.
pub async fn run(
    store: Arc<Store>,
    sinks: Sinks,
    mut pull: impl FnMut(&[StaticPull]) -> Vec<String>,
    lifetime: Lifetime,
) {
    let mut generation = store.watch();
    let mut static_pulls = Vec::new();
    let mut complaints = Vec::new();
    // Whether the file was read, and the hash of its contents or of the reason why not.
    let mut seen: Option<(DynamicConf, bool, [u8; 32])> = None;
    loop {
        generation.mark_unchanged();
        let config = store.load();
        match &config.get::<Current>().dynamic_conf {
            Some(conf) => {
                let path = conf.path.clone();
                let read = tokio::task::spawn_blocking(move || Ok(read_file(&path)?)).await;
                let read = read.unwrap_or(Err(DynamicError::Panicked));
                let hash = match &read {
                    Ok(bytes) => Sha256::digest(bytes),
                    Err(error) => Sha256::digest(error.to_string()),
                };
                let now = (conf.clone(), read.is_ok(), hash.into());
                if seen.as_ref() != Some(&now) {
                    seen = Some(now);
                    if let Some(pulls) = take(&store, &sinks, &config, conf, read) {
                        static_pulls = pulls;
                    }
                }
            }
            None if seen.take().is_some() => {
                store.set_dynamic(Dynamic::default());
                static_pulls.clear();
            }
            None => {}
        }
        let now = pull(&static_pulls);
        if now != complaints {
            now.iter().for_each(|complaint| tell(&config, &sinks, LogLevel::Error, complaint));
            complaints = now;
        }
        // Zero would poll without pause.
        let refresh = config.get::<Current>().dynamic_conf.as_ref().map(|conf| conf.refresh.duration());
        let refresh = refresh.map(|refresh| refresh.max(Duration::from_millis(10)));
        tokio::select! {
            more = generation.changed() => if more.is_err() { return },
            () = lifetime.shutdown.cancelled() => return,
            // Existing pulls with players continue.
            () = lifetime.draining.cancelled() => return,
            () = tokio::time::sleep(refresh.unwrap_or(Duration::MAX)) => {}
        }
    }
}

/// Applies the contents, or logs why they cannot be used; the last valid contents stay in force then. Returns the streams to
/// be pulled.
fn take(
    store: &Store,
    sinks: &Sinks,
    config: &Config,
    conf: &DynamicConf,
    read: Result<Bytes, DynamicError>,
) -> Option<Vec<StaticPull>> {
    let name = conf.path.display();
    let contents = read
        .map_err(|error| ContentsError(vec![error.to_string()]))
        .and_then(|bytes| Contents::parse(&conf.path, bytes));
    match contents {
        Ok(Contents { dynamic, static_pulls }) => {
            let pulls = static_pulls.len();
            store.set_dynamic(dynamic);
            tell(
                config,
                sinks,
                LogLevel::Notice,
                &format!("dynamic conf {name} loaded, {pulls} static pulls"),
            );
            Some(static_pulls)
        }
        Err(ContentsError(lines)) => {
            for line in lines {
                tell(config, sinks, LogLevel::Error, &line);
            }
            tell(
                config,
                sinks,
                LogLevel::Error,
                &format!("dynamic conf {name} refused, what it said before stays"),
            );
            None
        }
    }
}

/// Writes to the logs of `dynamic_log`, or to the error log.
fn tell(config: &Config, sinks: &Sinks, level: LogLevel, message: &str) {
    if config.get::<Current>().dynamic_log.is_empty() {
        return log::used(level, message);
    }
    for log in config.get::<Current>().dynamic_log.iter().filter(|log| level <= log.level) {
        sinks.get(&SinkSpec::of(log.target.clone())).error_line(
            log.form,
            level,
            line(log.form, level, message),
        );
    }
}
