//! The helper's process: answers one request after the other until the serving process ends.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::{dup2_stdin, dup2_stdout, geteuid};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::READER;
use super::alert::Alerts;
use super::budget::Budget;
use super::listed::{Listed, ListedAddress};
use super::lists::Lists;
use super::opening::{self, OpeningError};
use super::protocol::{HelperAnswer, HelperRequest, Packet, receive, send};
use super::reading::ReadConf;
use super::setup::{OwnFile, Setup, from_memory, identity, to_memory};
use crate::directive::ListenAddr;
use crate::limits;
use crate::net::listener;
use crate::server::control::socket::old_name;
use crate::server::upgrade;
use crate::task::rights::OpenMode;

/// Runs the helper: standard input is the socket of the serving process, standard output a file with its fixed values.
pub fn run() -> ExitCode {
    match start() {
        Ok(mut helper) => {
            helper.serve();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("nginx: [alert] privileged helper: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> io::Result<RootHelper> {
    if !geteuid().is_root() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not root"));
    }
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let setup: Setup = from_memory(io::stdout())?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    send(socket.as_fd(), &HelperAnswer::Done, &[])?;
    let budget = Budget::new(Instant::now());
    Ok(RootHelper {
        socket,
        setup,
        lists: Lists::default(),
        sockets: Vec::new(),
        budget,
        alerts: Alerts::new(),
    })
}

struct RootHelper {
    socket: OwnedFd,
    setup: Setup,
    lists: Lists<Listed>,
    /// Listening sockets for an upgrade.
    sockets: Vec<OwnedFd>,
    budget: Budget,
    alerts: Alerts,
}

/// Reason why a request is refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("a packet is longer than {} bytes or brings too many descriptors", limits::HELPER_PACKET)]
    Packet,
    #[error("a request is not understood ({0})")]
    Request(serde_json::Error),
    #[error("too many requests")]
    TooMany,
    #[error("list {0} is not known")]
    Generation(u64),
    #[error("list {generation} has no entry {index}")]
    Index { generation: u64, index: usize },
    #[error("\"{}\" is not opened: {source}", .path.display())]
    Opening { path: PathBuf, source: OpeningError },
    #[error("bind() to {address} failed ({source})")]
    Bind { address: ListenAddr, source: io::Error },
    #[error("users other than root may change the directory of {0}")]
    Directory(ListenAddr),
    #[error("the configuration is not read: {0}")]
    Reading(io::Error),
    #[error("too many sockets for an upgrade")]
    Sockets,
    #[error("\"{}\" is not started: {source}", .program.display())]
    Program { program: PathBuf, source: OpeningError },
    #[error("the new process does not start: {0}")]
    Start(io::Error),
}

impl Refusal {
    /// The reason for the serving process, which knows what it has asked for.
    fn reason(&self) -> String {
        match self {
            Refusal::Opening { source, .. } | Refusal::Program { source, .. } => source.to_string(),
            refusal => refusal.to_string(),
        }
    }

    fn errno(&self) -> Option<i32> {
        match self {
            Refusal::Opening { source, .. } | Refusal::Program { source, .. } => source.errno(),
            Refusal::Bind { source, .. } | Refusal::Reading(source) | Refusal::Start(source) => {
                source.raw_os_error()
            }
            _ => None,
        }
    }

    /// Whether it is an ordinary failure, which the serving process logs. All others result from requests that a working server does
    /// not send.
    fn is_ordinary(&self) -> bool {
        match self {
            Refusal::Opening { source, .. } => matches!(source, OpeningError::System(_)),
            Refusal::Bind { .. } | Refusal::Reading(_) | Refusal::Start(_) => true,
            _ => false,
        }
    }
}

/// What an answer brings beside its text.
type AnswerWithFile = (HelperAnswer, Option<OwnedFd>);

impl RootHelper {
    fn serve(&mut self) {
        while let Ok(Some(packet)) = receive(self.socket.as_fd()) {
            let (answer, descriptor) = self.answer(packet).unwrap_or_else(|refusal| {
                if !refusal.is_ordinary() {
                    self.alert(&refusal.to_string());
                }
                let (reason, errno) = (refusal.reason(), refusal.errno());
                (HelperAnswer::Refused { reason, errno }, None)
            });
            let descriptors: Vec<BorrowedFd<'_>> = descriptor.iter().map(AsFd::as_fd).collect();
            if send(self.socket.as_fd(), &answer, &descriptors).is_err() {
                return;
            }
        }
    }

    fn alert(&mut self, text: &str) {
        let files = self.lists.in_force().map_or(&[][..], |listed| &listed.files);
        let log = files.iter().find(|file| file.mode == OpenMode::Append);
        let log = self.setup.absolute(log.map_or(&self.setup.error_log, |file| &file.path));
        self.alerts.write(&log, &self.setup.user, text);
    }

    fn answer(&mut self, Packet { text, descriptors }: Packet) -> Result<AnswerWithFile, Refusal> {
        let request = text
            .ok_or(Refusal::Packet)
            .and_then(|text| serde_json::from_slice(&text).map_err(Refusal::Request));
        let cost = match &request {
            Ok(HelperRequest::ReadConf | HelperRequest::Upgrade { .. }) => limits::HELPER_COST_OF_PROCESS,
            _ => 1.0,
        };
        if !self.budget.take(cost, Instant::now()) {
            return Err(Refusal::TooMany);
        }
        match request? {
            HelperRequest::ReadConf => self.read_conf(),
            HelperRequest::InForce { generation } => match self.lists.set_in_force(generation) {
                true => Ok((HelperAnswer::Done, None)),
                false => Err(Refusal::Generation(generation)),
            },
            HelperRequest::Open { generation, index } => self.open(generation, index),
            HelperRequest::Bind { generation, index } => self.bind(generation, index),
            HelperRequest::Unbind { generation, index } => self.unbind(generation, index),
            HelperRequest::Sockets => {
                if self.sockets.len() + descriptors.len() > limits::HELPER_SOCKETS {
                    self.sockets.clear();
                    return Err(Refusal::Sockets);
                }
                self.sockets.extend(descriptors);
                Ok((HelperAnswer::Done, None))
            }
            HelperRequest::Upgrade { carried } => self.upgrade(&carried),
            HelperRequest::UnlinkPid => {
                self.setup.own_files.iter().for_each(OwnFile::remove);
                Ok((HelperAnswer::Done, None))
            }
        }
    }

    fn read_conf(&mut self) -> Result<AnswerWithFile, Refusal> {
        let (read, file) = self.run_reader().map_err(Refusal::Reading)?;
        let generation = self.lists.add(read.listed);
        Ok((HelperAnswer::Read { generation }, Some(file)))
    }

    /// Runs the reader. Its result comes back parsed and as the file that it has written.
    fn run_reader(&self) -> io::Result<(ReadConf, OwnedFd)> {
        let out = memfd_create("pingosd", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut child = Command::new("/proc/self/exe")
            .arg(READER)
            .env_clear()
            .current_dir(&self.setup.directory)
            .stdin(to_memory(&self.setup)?)
            .stdout(out.try_clone()?)
            .spawn()?;
        if !wait(&mut child, limits::HELPER_READ)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // The serving process gets the same file.
        fcntl_add_seals(&out, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok((from_memory(&out)?, out))
    }

    fn open(&self, generation: u64, index: usize) -> Result<AnswerWithFile, Refusal> {
        let listed = self.lists.get(generation).ok_or(Refusal::Generation(generation))?;
        let file = listed.files.get(index).ok_or(Refusal::Index { generation, index })?;
        let path = self.setup.absolute(&file.path);
        let opened = opening::open(&path, file.mode, &self.setup.user);
        let file = opened.map_err(|source| Refusal::Opening { path, source })?;
        Ok((HelperAnswer::Done, Some(file.into())))
    }

    fn address(&self, generation: u64, index: usize) -> Result<&ListedAddress, Refusal> {
        let listed = self.lists.get(generation).ok_or(Refusal::Generation(generation))?;
        let listed = listed.addresses.get(index).ok_or(Refusal::Index { generation, index })?;
        match listed.addr() {
            ListenAddr::Unix(path) if !opening::is_in_roots_directory(&self.setup.absolute(&path)) => {
                Err(Refusal::Directory(ListenAddr::Unix(path)))
            }
            _ => Ok(listed),
        }
    }

    fn unbind(&self, generation: u64, index: usize) -> Result<AnswerWithFile, Refusal> {
        if let ListenAddr::Unix(path) = self.address(generation, index)?.addr() {
            let path = self.setup.absolute(path);
            if path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()) {
                let _ = std::fs::remove_file(path);
            }
        }
        Ok((HelperAnswer::Done, None))
    }

    fn bind(&self, generation: u64, index: usize) -> Result<AnswerWithFile, Refusal> {
        let listed = self.address(generation, index)?;
        let address = listed.addr();
        let bound = listener::bind_unaided(&address, &listed.options());
        let bound = bound.and_then(|bound| bound.as_fd().try_clone_to_owned());
        let socket = bound.map_err(|source| Refusal::Bind { address, source })?;
        Ok((HelperAnswer::Done, Some(socket)))
    }

    fn upgrade(&mut self, carried: &str) -> Result<AnswerWithFile, Refusal> {
        let sockets = std::mem::take(&mut self.sockets);
        let program = PathBuf::from(&self.setup.program);
        if let Err(source) = opening::open_roots(&program) {
            return Err(Refusal::Program { program, source });
        }
        let setup = &self.setup;
        let command =
            upgrade::command(&program, &setup.arguments, Path::new(&setup.directory), sockets, carried);
        let mut command = command.map_err(Refusal::Start)?;
        // What an upgrade sets or removes goes before what was set at the start.
        let changes: Vec<(OsString, Option<OsString>)> =
            command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
        command.env_clear().envs(setup.environment.iter().cloned()).stdin(Stdio::null());
        for (name, value) in changes {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.process_group(setup.process_group);
        setup.own_files.iter().for_each(OwnFile::step_aside);
        let started = io::pipe().and_then(|pipe| Ok((pipe, command.spawn()?)));
        let ((reader, mut writer), mut child) = started.map_err(|error| {
            setup.own_files.iter().for_each(OwnFile::step_back);
            Refusal::Start(error)
        })?;
        let (pid, own_files) = (child.id(), setup.own_files.clone());
        // It is not waited for: its end is only told.
        drop(std::thread::Builder::new().spawn(move || {
            let how = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
            own_files.iter().for_each(OwnFile::step_back);
            let _ = writer.write_all(how.as_bytes());
        }));
        Ok((HelperAnswer::Started { pid }, Some(reader.into())))
    }
}

impl OwnFile {
    /// The path at which the file is now, if root alone may change its directory.
    fn place(&self) -> Option<PathBuf> {
        let path = PathBuf::from(&self.path);
        let places = [old_name(&path), path];
        let is_there = |path: &&PathBuf| identity(path) == Some(self.identity);
        places.iter().find(is_there).filter(|path| opening::is_in_roots_directory(path)).cloned()
    }

    fn remove(&self) {
        if let Some(path) = self.place() {
            let _ = std::fs::remove_file(path);
        }
    }

    fn step_aside(&self) {
        self.rename(&old_name(Path::new(&self.path)));
    }

    fn step_back(&self) {
        self.rename(Path::new(&self.path));
    }

    fn rename(&self, to: &Path) {
        if let Some(from) = self.place().filter(|from| from != to) {
            let _ = std::fs::rename(from, to);
        }
    }
}

/// Waits for a child, which is killed if it takes longer than `limit`. Returns whether it succeeded.
fn wait(child: &mut Child, limit: Duration) -> io::Result<bool> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return match status.success() {
                true => Ok(true),
                false => Err(io::Error::other(format!("the reader ended with {status}"))),
            };
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
