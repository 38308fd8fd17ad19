//! Files that issuers name: found beforehand, so that a configuration with unusable ones is refused, and so that the process's
//! helper opens those that only root may read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;

use super::error::AcmeError;
use super::file_fault::{AcmeFileError, FileFault};
use super::jose::SigningKey;
use super::plan::{AcmePlan, Issuer};
use super::setting::{AccountKey, ExternalSource};
use crate::config::model::Config;
use crate::net::tls;
use crate::task::disk;

/// The key's name and bytes.
pub(super) type ExternalKey = (String, Vec<u8>);

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
            account_key(path)?;
        }
        read_now(issuer, false)?;
    }
    Ok(())
}

/// The key of an account in a file.
pub(super) fn account_key(path: &Path) -> Result<SigningKey, FileFault> {
    let pem = disk::read(path).map_err(|error| FileFault::AccountKey(path.to_owned(), error))?;
    SigningKey::read(&pem).map_err(|error| FileFault::NoAccountKey(path.to_owned(), error))
}

/// What the files of an issuer hold: the key of its other accounts, and which certificates it is verified with.
pub(super) async fn read(issuer: &Issuer) -> Result<(Option<ExternalKey>, Arc<ClientConfig>), AcmeError> {
    let issuer = issuer.clone();
    let read = tokio::task::spawn_blocking(move || read_now(&issuer, true)).await;
    let (external, tls) = read.map_err(|error| AcmeError::Internal(error.to_string()))??;
    Ok((external, tls.ok_or_else(|| AcmeError::Internal("no settings of TLS".into()))?))
}

/// The system's certificates are read only where they are needed.
fn read_now(
    issuer: &Issuer,
    connects: bool,
) -> Result<(Option<ExternalKey>, Option<Arc<ClientConfig>>), FileFault> {
    let read = |path: &Path| disk::read(path).map_err(|error| FileFault::Unreadable(path.to_owned(), error));
    let external = match &issuer.external {
        None => None,
        Some(external) => {
            let key = match &external.key {
                ExternalSource::Inline(key) => key.clone(),
                ExternalSource::File(path) => ExternalSource::decode(&read(path)?)
                    .ok_or_else(|| FileFault::NoExternalKey(path.clone()))?,
            };
            Some((external.id.clone(), key))
        }
    };
    let trusted =
        issuer.trusted.as_deref().map(|path| Ok::<_, FileFault>((path, read(path)?))).transpose()?;
    if trusted.is_none() && !connects {
        return Ok((external, None));
    }
    let pem = trusted.as_ref().map(|(_, pem)| &pem[..]);
    let tls = tls::client::of_http_client(issuer.verify, pem).map_err(|error| match &trusted {
        Some((path, _)) => FileFault::NotTrusted(path.to_path_buf(), error),
        None => FileFault::System(error),
    })?;
    Ok((external, Some(tls)))
}
