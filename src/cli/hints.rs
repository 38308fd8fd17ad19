//! What to do next, printed after an error whose text is nginx's.

use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::help::HelpEntry;
use super::{CommandLineError, holder};
use crate::config::LoadOptions;
use crate::directive::ListenAddr;
use crate::log::FileError;
use crate::server::StartError;
use crate::server::pid_file::PidFileError;

/// After a wrong command line.
///
/// # Errors
///
/// The output cannot be written.
pub fn of_command_line(error: &CommandLineError, err: &mut dyn Write) -> io::Result<()> {
    if let CommandLineError::Word(word) = error
        && let Some(near) = HelpEntry::nearest_command(word.as_bytes())
    {
        return writeln!(err, "pingosd: did you mean \"pingosd {near}\"?");
    }
    writeln!(err, "pingosd: \"pingosd --help\" lists options and commands")
}

/// After a configuration file that cannot be opened: names the one in this directory, since names after `-c` are relative to
/// the prefix, as in nginx. A directory is no file.
///
/// # Errors
///
/// The output cannot be written.
pub fn of_missing_file(load: &LoadOptions, err: &mut dyn Write) -> io::Result<()> {
    if let Some(directory) = load.conf_file.as_deref().filter(|file| file.is_dir()) {
        let directory = directory.display();
        return writeln!(err, "pingosd: \"{directory}\" is a directory; give a file in it to -c");
    }
    let Some(file) = load.conf_file.as_deref().filter(|file| !file.exists()) else { return Ok(()) };
    let Ok(given) = file.strip_prefix(&load.prefix) else { return Ok(()) };
    let Ok(here) = std::path::absolute(given) else { return Ok(()) };
    let prefix = load.prefix.display();
    if here != file && here.is_file() {
        let (given, here) = (given.display(), here.display());
        return writeln!(
            err,
            "pingosd: did you mean \"./{given}\"? A name after -c is relative to the prefix \"{prefix}\"; give -c {here}"
        );
    }
    writeln!(err, "pingosd: a name after -c is relative to the prefix \"{prefix}\", which -p sets")
}

/// After a failed start.
///
/// # Errors
///
/// The output cannot be written.
pub fn of_start(error: &StartError, err: &mut dyn Write) -> io::Result<()> {
    match error {
        StartError::Bind { address, source } if source.kind() == ErrorKind::AddrInUse => {
            address_in_use(address, err)
        }
        StartError::Bind { address: ListenAddr::Tcp(address), source }
            if source.kind() == ErrorKind::PermissionDenied =>
        {
            let port = address.port();
            writeln!(err, "pingosd: only root may listen on port {port}; start as root, or listen above 1023")
        }
        StartError::Bind { source, .. } if source.kind() == ErrorKind::AddrNotAvailable => {
            writeln!(
                err,
                "pingosd: this machine does not have that address; \"ip address\" lists those it has"
            )
        }
        StartError::PidFile(PidFileError::Running { .. }) => {
            writeln!(
                err,
                "pingosd: the server runs already: \"pingosd status\" shows it, \"pingosd reload\" applies the files"
            )
        }
        StartError::PidFile(PidFileError::Open(file)) | StartError::Log(file) => missing_directory(file, err),
        _ => Ok(()),
    }
}

fn address_in_use(address: &ListenAddr, err: &mut dyn Write) -> io::Result<()> {
    let Some(holder::Holder { pid, name }) = holder::of(address) else {
        return writeln!(
            err,
            "pingosd: another process listens on {address}; \"ss -ltnp\" as root shows which"
        );
    };
    if name == env!("CARGO_PKG_NAME") {
        return writeln!(
            err,
            "pingosd: process {pid} ({name}) listens on {address}: a server runs already; \"pingosd status\" shows it, \
             \"kill -QUIT {pid}\" ends it once its sessions have ended"
        );
    }
    writeln!(err, "pingosd: process {pid} ({name}) listens on {address}; stop it, or change the listen line")
}

fn missing_directory(error: &FileError, err: &mut dyn Write) -> io::Result<()> {
    let directory = error.path.parent().unwrap_or(Path::new("."));
    match error.source.kind() {
        ErrorKind::NotFound if !directory.exists() => {
            let directory = directory.display();
            writeln!(err, "pingosd: the directory \"{directory}\" does not exist: mkdir -p {directory}")
        }
        ErrorKind::PermissionDenied => {
            writeln!(
                err,
                "pingosd: this user may not write there; start as root, or choose another prefix with -p"
            )
        }
        _ => Ok(()),
    }
}

/// After a signal for a server on the built-in configuration.
///
/// # Errors
///
/// The output cannot be written.
pub fn of_no_pid_file(err: &mut dyn Write) -> io::Result<()> {
    writeln!(
        err,
        "pingosd: give the configuration of the running server with -p or -c; a server on the built-in one is stopped with Ctrl-C"
    )
}

/// After a signal that the system has not permitted.
///
/// # Errors
///
/// The output cannot be written.
pub fn of_foreign_server(err: &mut dyn Write) -> io::Result<()> {
    writeln!(err, "pingosd: run this command as root or as the server's user")
}

/// After a signal that could not be sent, because there is no pid file or its process has ended.
///
/// # Errors
///
/// The output cannot be written.
pub fn of_signal(pid_file: &Path, has_ended: bool, err: &mut dyn Write) -> io::Result<()> {
    let pid_file = pid_file.display();
    if has_ended {
        return writeln!(
            err,
            "pingosd: the server has ended without removing its pid file \"{pid_file}\"; the next start replaces it"
        );
    }
    writeln!(
        err,
        "pingosd: no server runs with this configuration; is it the one of the running server (-p, -c)?"
    )
}
