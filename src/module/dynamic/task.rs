//! Task of `dynamic_conf`: checks a file at intervals, and applies changed contents.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::conf::Current;
use super::file::DynamicConf;
use crate::config::dynamic::Dynamic;
use crate::config::model::Config;
use crate::config::store::Store;
use crate::log::level::{LogLevel, LogTarget};
use crate::log::{line, open_log};
use crate::module::dynamic::log;
use crate::module::relay::relays::Relays;
use crate::module::relay::standing::Standing;
use crate::syntax::include::read_file;
use crate::task::lifetime::Lifetime;

/// Runs until the process ends.
pub async fn run(store: Arc<Store>, relays: Arc<Relays>, lifetime: Lifetime) {
    let mut generation = store.watch();
    let mut standing = Standing::default();
    let mut complaints = Vec::new();
    let mut seen: Option<(DynamicConf, Result<[u8; 32], String>)> = None;
    loop {
        generation.mark_unchanged();
        let config = store.load();
        match &config.get::<Current>().dynamic_conf {
            Some(conf) => {
                let path = conf.path.clone();
                let read = tokio::task::spawn_blocking(move || read_file(&path)).await;
                let read = read.map_err(|error| error.to_string()).and_then(|r| r.map_err(|e| e.to_string()));
                let hash = read.as_ref().map(|bytes| Sha256::digest(bytes).into()).map_err(Clone::clone);
                let now = (conf.clone(), hash);
                if seen.as_ref() != Some(&now) {
                    seen = Some(now);
                    take(&store, &config, conf, read);
                }
            }
            None if seen.take().is_some() => store.set_dynamic(Dynamic::default()),
            None => {}
        }
        let now = standing.apply(&relays, &store.dynamic().static_pulls);
        if now != complaints {
            now.iter().for_each(|complaint| tell(&config, LogLevel::Error, complaint));
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

/// Applies the contents, or logs why they cannot be used; the last valid contents stay in force then.
fn take(store: &Store, config: &Config, conf: &DynamicConf, read: Result<Bytes, String>) {
    let name = conf.path.display();
    match read.map_err(|error| vec![error]).and_then(|bytes| Dynamic::parse(&conf.path, bytes)) {
        Ok(dynamic) => {
            let pulls = dynamic.static_pulls.len();
            store.set_dynamic(dynamic);
            tell(config, LogLevel::Notice, &format!("dynamic conf {name} loaded, {pulls} static pulls"));
        }
        Err(lines) => {
            for line in lines {
                tell(config, LogLevel::Error, &line);
            }
            tell(config, LogLevel::Error, &format!("dynamic conf {name} refused, what it said before stays"));
        }
    }
}

/// Writes to the files of `dynamic_log`, or to the error log. Such lines are rare, so each one opens its file, which is
/// therefore the right one after a log rotation.
fn tell(config: &Config, level: LogLevel, message: &str) {
    if config.get::<Current>().dynamic_log.is_empty() {
        return log::used(level, message);
    }
    for log in config.get::<Current>().dynamic_log.iter().filter(|log| level <= log.level) {
        let written = match &log.target {
            LogTarget::File(path) => {
                open_log(path).and_then(|mut file| file.write_all(line(level, message).as_bytes()))
            }
            LogTarget::Stderr | LogTarget::Memory(_) | LogTarget::Syslog(_) => {
                std::io::stderr().write_all(line(level, message).as_bytes())
            }
        };
        if let Err(error) = written {
            log::used(LogLevel::Error, &format!("dynamic_log: {error}; {message}"));
        }
    }
}
