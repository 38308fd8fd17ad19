//! Files of TLS to backends: found beforehand, so that a configuration with unusable ones is refused as by nginx, and so that
//! the process's helper opens those that only root may read.

use std::collections::HashSet;
use std::path::PathBuf;

use super::conf::Current;
use super::file::ProxyFile;
use super::keeper::{TlsKey, TlsSettingsError, make};
use crate::config::model::Config;
use crate::http::locations::Location;
use crate::http::temp_directory;
use crate::net::tls::BackendTlsError;

/// The settings of all locations that may forward with TLS: the URL says so, or has variables.
fn settings(config: &Config) -> HashSet<TlsKey> {
    let mut found = HashSet::new();
    for server in config.http.iter().flat_map(|http| &http.servers) {
        let routes = server.routes();
        let mut open: Vec<&Location> = routes.locations.iter().map(|location| &**location).collect();
        while let Some(location) = open.pop() {
            let conf: &Current = location.get();
            let pass = conf.pass.0.as_ref();
            if pass.is_some_and(|pass| pass.fixed.as_ref().is_none_or(|target| target.is_encrypted)) {
                found.insert(TlsKey::of(conf, ProxyFile::fixed));
            }
            let limited = location.limited.iter().map(|(_, limited)| limited);
            let inner = location.conditional.iter().chain(limited).chain(location.nested.iter());
            open.extend(inner.map(|location| &**location));
        }
    }
    found
}

/// The directories of temporary files of responses (`proxy_temp_path`).
pub fn temp_directories(config: &Config) -> impl Iterator<Item = PathBuf> {
    temp_directory::of_locations(config, |location| &location.get::<Current>().temp_path.directory)
}

/// The files that forwarding reads.
pub fn files(config: &Config) -> Vec<PathBuf> {
    settings(config).iter().flat_map(TlsKey::files).cloned().collect()
}

/// Checks the files that forwarding reads. That no protocol is left is found by requests.
///
/// # Errors
///
/// One cannot be read or used.
pub fn check(config: &Config) -> Result<(), TlsSettingsError> {
    settings(config).iter().try_for_each(|key| match make(key, None, None) {
        Err(TlsSettingsError::Contents(BackendTlsError::Settings(_))) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    })
}
