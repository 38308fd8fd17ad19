//! Reading of a configuration and of the files that it names, and the reasons for which it is refused.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::model::Config;
use crate::config::watch::Fingerprint;
use crate::config::{LoadOptions, ReadableTexts, WithFile, load};
use crate::log::sink::OpenedSinks;
use crate::media::relay_conf;
use crate::media::trails::Secrets;
use crate::module::{acme, proxy};
use crate::net::dns::Dns;
use crate::net::tls::Tls;
use crate::notify::transport::Transport;
use crate::server::StartError;
use crate::server::http_modules::tls_of_http;
use crate::server::log;
use crate::syntax::Sources;
use crate::syntax::render::Style;
use crate::task::fault;

/// A configuration with the contents of the files that it names, as read on a blocking thread.
pub(super) struct LoadedConfig {
    pub(super) config: Config,
    pub(super) fingerprint: Fingerprint,
    /// Warnings, for the log.
    pub(super) warnings: Vec<String>,
    /// Warnings, human-readable.
    pub(super) shown_warnings: String,
    pub(super) opened: OpenedFiles,
}

/// Objects created from the files that a configuration names.
pub(super) struct OpenedFiles {
    pub(super) logs: OpenedSinks,
    pub(super) transport: Transport,
    pub(super) tls: Tls,
    /// Secrets of relays.
    pub(super) secrets: Secrets,
}

/// Resources in force, parts of which may be kept.
pub(super) struct PartsInForce {
    pub(super) tls: Arc<Tls>,
    pub(super) transport: Arc<Transport>,
    pub(super) dns: Dns,
}

/// Reason why a configuration is refused.
pub(super) struct ReloadRefusal {
    /// Fingerprint of the texts, if they were read.
    pub(super) fingerprint: Option<Fingerprint>,
    /// One line per problem, for the log.
    pub(super) lines: Vec<String>,
    /// Human-readable, with excerpts.
    pub(super) text: String,
}

/// Texts to read instead of the files.
pub(super) enum OtherTexts {
    /// All of them.
    All(Sources),
    /// One file.
    File(PathBuf, Bytes),
}

/// One line per problem, for the log.
const BRIEF: Style = Style { colour: false, brief: true };

impl ReloadRefusal {
    pub(super) fn simply(fingerprint: Option<Fingerprint>, error: &dyn Display) -> ReloadRefusal {
        let line = error.to_string();
        let text = format!("nginx: [emerg] {line}\n");
        ReloadRefusal { fingerprint, lines: vec![line], text }
    }
}

pub(super) fn read(
    load: &LoadOptions,
    texts: Option<&OtherTexts>,
    style: Style,
    before: &PartsInForce,
) -> Result<LoadedConfig, ReloadRefusal> {
    let readable = || {
        ReadableTexts::helped().unwrap_or_else(|error| {
            log::helper_failed(&error);
            ReadableTexts::default()
        })
    };
    let loaded = match texts {
        Some(OtherTexts::All(texts)) => load::load_texts(load, texts),
        Some(OtherTexts::File(path, bytes)) => {
            load::load_texts(load, &WithFile { texts: &readable(), path, bytes })
        }
        None => load::load_texts(load, &readable()),
    };
    let config = loaded.map_err(|report| ReloadRefusal {
        fingerprint: Some(Fingerprint::of(&report.sources)),
        lines: lines(&report.render(BRIEF)),
        text: text(&report.render(style)),
    })?;
    let fingerprint = Fingerprint::of(&config.sources);
    let opened = open(&config, before).map_err(|error| ReloadRefusal::simply(Some(fingerprint), &error))?;
    let warnings = lines(&config.render_warnings(BRIEF));
    let shown_warnings = text(&config.render_warnings(style));
    Ok(LoadedConfig { config, fingerprint, warnings, shown_warnings, opened })
}

/// Opens the files that a configuration names.
fn open(config: &Config, before: &PartsInForce) -> Result<OpenedFiles, StartError> {
    let tls = Tls::load(config, relay_conf::trust(config), tls_of_http(), Some(&before.tls))?;
    proxy::check_files(config)?;
    acme::check_files(config)?;
    acme::load_kept(config, tls.server.issued());
    fault::stall_at("reload_stalls");
    let logs = OpenedSinks::open(&config.sink_specs())?;
    let transport = Transport::load(config, &before.dns, Some(&before.transport))?;
    Ok(OpenedFiles { logs, transport, tls, secrets: Secrets::load(config)? })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(bytes: &[u8]) -> Vec<String> {
    text(bytes).lines().map(|line| line.trim_start_matches("nginx: ").to_owned()).collect()
}
