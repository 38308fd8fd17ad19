//! Files that issuers name: found beforehand, so that a configuration with unusable ones is refused, and so that the process's
//! helper opens those that only root may read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;

use super::error::AcmeError;
use super::jose::SigningKey;
use super::plan::{AcmePlan, Issuer};
use super::setting::{AccountKey, ExternalSource};
use crate::config::model::Config;
use crate::net::tls;
use crate::task::disk;

/// A file of an issuer that cannot be used; nginx's sentence.
#[derive(Debug, thiserror::Error)]
#[error("acme_issuer: {0}")]
pub struct AcmeFileError(String);

/// The key's name and bytes.
pub(super) type External = (String, Vec<u8>);

/// The files that issuers name.
pub fn files(config: &Config) -> Vec<PathBuf> {
    let issuers = &config.get::<AcmePlan>().issuers;
    issuers.iter().flat_map(|issuer| of(issuer)).collect()
}

fn of(issuer: &Issuer) -> impl Iterator<Item = PathBuf> {
    let account = match &issuer.account_key {
        AccountKey::File(path) => Some(path.clone()),
        AccountKey::Made(_) => None,
    };
    let external = match issuer.external.as_ref().map(|external| &external.key) {
        Some(ExternalSource::File(path)) => Some(path.clone()),
        _ => None,
    };
    [account, external, issuer.trusted.clone()].into_iter().flatten()
}

/// Checks the files that issuers name.
///
/// # Errors
///
/// One cannot be read or used.
pub fn check(config: &Config) -> Result<(), AcmeFileError> {
    for issuer in &config.get::<AcmePlan>().issuers {
        if let AccountKey::File(path) = &issuer.account_key {
            account_key(path).map_err(AcmeFileError)?;
        }
        read_now(issuer, false).map_err(AcmeFileError)?;
    }
    Ok(())
}

/// The key of an account in a file.
pub(super) fn account_key(path: &Path) -> Result<SigningKey, String> {
    let failed =
        |error: &dyn std::fmt::Display| format!("cannot load account key \"{}\": {error}", path.display());
    let pem = disk::read(path).map_err(|error| failed(&crate::log::os_text(&error)))?;
    SigningKey::read(&pem).map_err(|error| failed(&error))
}

/// What the files of an issuer hold: the key of its other accounts, and which certificates it is verified with.
pub(super) async fn read(issuer: &Issuer) -> Result<(Option<External>, Arc<ClientConfig>), AcmeError> {
    let issuer = issuer.clone();
    let read = tokio::task::spawn_blocking(move || read_now(&issuer, true)).await;
    let (external, tls) = read.unwrap_or_else(|error| Err(error.to_string())).map_err(AcmeError::File)?;
    Ok((external, tls.ok_or_else(|| AcmeError::Internal("no settings of TLS".into()))?))
}

/// The system's certificates are read only where they are needed.
fn read_now(
    issuer: &Issuer,
    connects: bool,
) -> Result<(Option<External>, Option<Arc<ClientConfig>>), String> {
    let read = |path: &Path| {
        disk::read(path).map_err(|error| {
            format!("\"{}\" cannot be read ({})", path.display(), crate::log::os_text(&error))
        })
    };
    let external = match &issuer.external {
        None => None,
        Some(external) => {
            let key = match &external.key {
                ExternalSource::Inline(key) => key.clone(),
                ExternalSource::File(path) => ExternalSource::decode(&read(path)?)
                    .ok_or_else(|| format!("\"{}\" has no base64url encoded key", path.display()))?,
            };
            Some((external.id.clone(), key))
        }
    };
    let trusted = issuer.trusted.as_deref().map(|path| Ok::<_, String>((path, read(path)?))).transpose()?;
    if trusted.is_none() && !connects {
        return Ok((external, None));
    }
    let pem = trusted.as_ref().map(|(_, pem)| &pem[..]);
    let tls = tls::client::of_http_client(issuer.verify, pem).map_err(|error| match &trusted {
        Some((path, _)) => format!("\"{}\" {error}", path.display()),
        None => error.to_string(),
    })?;
    Ok((external, Some(tls)))
}
