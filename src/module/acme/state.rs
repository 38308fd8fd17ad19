//! What is kept of an issuer: the account's key, certificates and their keys, in the directory `state_path`, whose files have the names that
//! nginx's module gives them where they do not depend on its hash.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::log;
use super::plan::{AcmePlan, Issuer, Order};
use crate::config::model::Config;
use crate::net::tls::issued::IssuedCertificates;
use crate::task::disk;

/// The account's key.
const ACCOUNT_KEY: &str = "account.key";
/// The process that has it locked orders.
const LOCK: &str = "lock";
/// Modes of files and of the directory: everything in it is secret.
const MODES: (u32, u32) = (0o600, 0o700);

/// Creates the directories of all issuers, and returns those that are there, so that they can be handed over to the server's
/// user. Failures are logged.
pub fn make_directories(config: &Config) -> Vec<PathBuf> {
    let directories = config.get::<AcmePlan>().issuers.iter().filter_map(|issuer| issuer.state.as_deref());
    directories
        .filter(|directory| match make_directory(directory) {
            Ok(()) => true,
            Err(error) => {
                log::not_kept(directory, &error);
                false
            }
        })
        .map(Path::to_owned)
        .collect()
}

fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(MODES.1).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if !path.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
        _ => Ok(()),
    }
}

/// Loads kept certificates of orders that have none in this process. What cannot be loaded is ordered anew; why is logged.
pub fn load_kept(config: &Config, issued: &IssuedCertificates) {
    for order in config.get::<AcmePlan>().orders.iter().filter(|order| issued.validity(&order.id).is_none()) {
        load(order, issued);
    }
}

/// Loads the kept certificate of an order. Returns whether there is one.
pub(super) fn load(order: &Order, issued: &IssuedCertificates) -> bool {
    let Some(directory) = &order.issuer.state else { return false };
    let read = |ending: &str| {
        let path = directory.join(format!("{}.{ending}", order.file_name()));
        disk::read(&path).map_err(|error| (path, error))
    };
    let (chain, key) = match (read("crt"), read("key")) {
        (Ok(chain), Ok(key)) => (chain, key),
        (Err((path, error)), _) | (_, Err((path, error))) => {
            if !is_absent(&error) {
                log::kept_unreadable(&path, &error);
            }
            return false;
        }
    };
    match issued.put(&order.id, &order.names(), &chain, &key) {
        Ok(_) => true,
        Err(error) => {
            log::kept_unusable(&order.id, &error);
            false
        }
    }
}

/// Keeps a certificate with its key.
///
/// # Errors
///
/// Errors of the system.
pub(super) fn keep(order: &Order, chain: &[u8], key: &[u8]) -> io::Result<()> {
    let Some(directory) = &order.issuer.state else { return Ok(()) };
    make_directory(directory)?;
    // A crash between the two leaves a pair that does not belong together, which is not loaded.
    write(directory, &format!("{}.key", order.file_name()), key)?;
    write(directory, &format!("{}.crt", order.file_name()), chain)
}

/// The account's key that is kept, if any.
///
/// # Errors
///
/// Errors of the system.
pub(super) fn account_key(issuer: &Issuer) -> io::Result<Option<Vec<u8>>> {
    let Some(directory) = &issuer.state else { return Ok(None) };
    match disk::read(&directory.join(ACCOUNT_KEY)) {
        Ok(key) => Ok(Some(key)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether there is nothing, as opposed to something that cannot be read.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Keeps the account's key.
///
/// # Errors
///
/// Errors of the system.
pub(super) fn keep_account_key(issuer: &Issuer, key: &[u8]) -> io::Result<()> {
    let Some(directory) = &issuer.state else { return Ok(()) };
    make_directory(directory)?;
    write(directory, ACCOUNT_KEY, key)
}

/// Replaces a file, which has either its old or its new contents after a crash.
fn write(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = directory.join(format!(".{name}.new"));
    // One that a crash has left, with whatever mode.
    let _ = fs::remove_file(&new);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODES.0).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, directory.join(name))
    })();
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

/// Keeps other processes from ordering as long as it lives.
#[derive(Debug)]
pub(super) struct OrderLock(#[expect(dead_code, reason = "it is held")] Option<Flock<File>>);

impl OrderLock {
    /// Takes the turn at an issuer; `None` while another process has it.
    ///
    /// # Errors
    ///
    /// Errors of the system. Without a file, processes cannot tell one another.
    pub(super) fn take(issuer: &Issuer) -> io::Result<Option<OrderLock>> {
        let Some(directory) = &issuer.state else { return Ok(Some(OrderLock(None))) };
        make_directory(directory)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(MODES.0);
        let file = disk::open(&mut options, &directory.join(LOCK), true)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => Ok(Some(OrderLock(Some(locked)))),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(error.into()),
        }
    }
}

/// Ids of all orders.
pub(super) fn ids(plan: &AcmePlan) -> HashSet<&str> {
    plan.orders.iter().map(|order| order.id.as_str()).collect()
}
