//! Errors of the process.

use std::io;
use std::path::PathBuf;

use super::control::socket::ControlSocketError;
use super::pid_file::PidFileError;
use super::process::PrivilegeError;
use crate::directive::ListenAddr;
use crate::log::{FileError, os_text};
use crate::module::acme::AcmeFileError;
use crate::module::proxy::TlsSettingsError;
use crate::net::secret::SecretError;
use crate::net::tls::TlsError;
use crate::notify::TransportError;
use crate::syntax::source::Pos;

/// The reason why the server cannot start, or cannot use a configuration: the configuration's or the system's fault, never a peer's.
/// The text is nginx's sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A log cannot be opened.
    #[error(transparent)]
    Log(#[from] FileError),
    /// Callbacks cannot be sent as configured.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file of an `acme_issuer` cannot be used.
    #[error(transparent)]
    Acme(#[from] AcmeFileError),
    /// A file of TLS to backends cannot be used.
    #[error(transparent)]
    BackendTls(#[from] TlsSettingsError),
    /// A secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// There is no configuration file, and the process to be replaced does not run with the built-in configuration.
    #[error("no configuration file is found, and the process to be replaced has one")]
    NoConfiguration,
    /// The pid file cannot be claimed.
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    /// The pid file cannot be written.
    #[error("write() of the pid file failed ({})", os_text(.0))]
    PidFileNotWritten(#[source] io::Error),
    /// The control socket cannot be created.
    #[error(transparent)]
    ControlSocket(#[from] ControlSocketError),
    /// The process cannot become the configured user.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// An address cannot be bound.
    #[error("bind() to {address} failed ({})", os_text(.source))]
    Bind {
        /// The address.
        address: ListenAddr,
        /// The system's error.
        source: io::Error,
    },
    /// `rtmp` and `http` listen on one address.
    #[error("\"listen\" in {rtmp} and in {http} name the same address {address}, for rtmp and for http")]
    SharedAddress {
        /// The address.
        address: ListenAddr,
        /// Its `listen` in `rtmp`.
        rtmp: Pos,
        /// Its `listen` in `http`.
        http: Pos,
    },
    /// `listen` on a bound socket failed.
    #[error("listen() on {address} failed ({})", os_text(.source))]
    Listen {
        /// The address.
        address: ListenAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The system provides no random numbers.
    #[error("getrandom() failed ({0})")]
    Randomness(#[source] getrandom::Error),
    /// The working directory does not exist any more.
    #[error("getcwd() failed ({})", os_text(.0))]
    WorkingDirectory(#[source] io::Error),
    /// A thread or timer could not be created.
    #[error("no {what} ({})", os_text(.source))]
    Runtime {
        /// What could not be created.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A worker thread died and was not replaced.
    #[error("worker thread {0} has panicked")]
    WorkerDied(usize),
}

impl StartError {
    /// The system does not give `what`.
    pub(super) fn runtime(what: &'static str) -> impl Fn(io::Error) -> StartError {
        move |source| StartError::Runtime { what, source }
    }
}

/// Reason why the binary upgrade failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpgradeError {
    /// The sockets cannot be passed on.
    #[error(transparent)]
    Sockets(io::Error),
    /// The pid file cannot be renamed.
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    /// The program cannot be started.
    #[error("execve() \"{}\" failed ({})", .program.display(), os_text(.source))]
    Program {
        /// Its file.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}
