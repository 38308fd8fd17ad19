//! The serving process's side of the helper.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use nix::errno::Errno;
use parking_lot::Mutex;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use socket2::SockRef;
use tokio::net::unix::pipe::Receiver;

use super::HELPER;
use super::listed::Listed;
use super::lists::Lists;
use super::protocol::{HelperAnswer, HelperRequest, Packet, receive, send};
use super::reading::ReadConf;
use super::setup::{Setup, from_memory, to_memory};
use crate::config::watch::Fingerprint;
use crate::directive::ListenAddr;
use crate::limits;
use crate::media::listing::CarriedCounts;
use crate::server::log;
use crate::server::upgrade::Successor;
use crate::syntax::Sources;
use crate::task::rights::{Helper, OpenMode};

/// The helper as the serving process knows it.
pub(in crate::server) struct HelperClient {
    /// `None` after it has not answered: a late answer would be taken for that of the next request.
    socket: Mutex<Option<OwnedFd>>,
    /// Lists of configurations that were read.
    read: Mutex<Lists<KnownList>>,
    /// Set once the helper knows what the configuration of the start names.
    begun: OnceLock<()>,
}

struct KnownList {
    fingerprint: Fingerprint,
    listed: Listed,
}

impl HelperClient {
    /// Starts the helper.
    ///
    /// # Errors
    ///
    /// Errors of the system, or the helper does not answer.
    pub(in crate::server) fn start(setup: &Setup) -> io::Result<HelperClient> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        SockRef::from(&ours).set_read_timeout(Some(limits::HELPER_ANSWER))?;
        SockRef::from(&ours).set_write_timeout(Some(limits::HELPER_ANSWER))?;
        // It ends with this process, which has no need to wait for it.
        let _child = Command::new("/proc/self/exe")
            .arg0("pingosd: privileged helper")
            .arg(HELPER)
            // Ctrl-C must not end it before the serving process, which needs it until the end.
            .process_group(0)
            .env_clear()
            .current_dir(&setup.directory)
            .stdin(theirs)
            .stdout(to_memory(setup)?)
            .spawn()?;
        let ready = receive(ours.as_fd())?.ok_or(io::ErrorKind::BrokenPipe)?;
        match answer_of(&ready)? {
            HelperAnswer::Done => {}
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(HelperClient { socket: Mutex::new(Some(ours)), read: Mutex::default(), begun: OnceLock::new() })
    }

    /// Has the helper read the configuration that is in force since the start, unless it has.
    pub(in crate::server) fn begin(&self) {
        self.begun.get_or_init(|| match self.read_configuration() {
            Ok(sources) => self.in_force(Fingerprint::of_files(&sources)),
            Err(error) => log::helper_failed(&error),
        });
    }

    /// The configuration with these texts is in force: the helper keeps its list.
    pub(in crate::server) fn in_force(&self, fingerprint: Fingerprint) {
        let mut read = self.read.lock();
        let known = read.newest_first().find(|(_, known)| known.fingerprint == fingerprint);
        let Some((generation, _)) = known else { return };
        read.set_in_force(generation);
        drop(read);
        if let Err(error) = self.ask_soon(&HelperRequest::InForce { generation }, &[]) {
            log::helper_failed(&error);
        }
    }

    /// Has the helper start the program again, with these sockets and counters.
    ///
    /// # Errors
    ///
    /// The helper refuses, or the program cannot be started.
    pub(in crate::server) fn upgrade(
        &self,
        sockets: &[OwnedFd],
        carried: &CarriedCounts,
    ) -> io::Result<Successor> {
        for some in sockets.chunks(limits::HELPER_DESCRIPTORS) {
            let some: Vec<BorrowedFd<'_>> = some.iter().map(AsFd::as_fd).collect();
            self.ask_soon(&HelperRequest::Sockets, &some)?;
        }
        match self.ask_soon(&HelperRequest::Upgrade { carried: carried.to_string() }, &[])? {
            (HelperAnswer::Started { pid }, Some(pipe)) => {
                Ok(Successor::told(pid, Receiver::from_owned_fd(pipe)?))
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Sends a request and waits for the answer, on a thread that may wait.
    fn ask(&self, request: &HelperRequest) -> io::Result<(HelperAnswer, Option<OwnedFd>)> {
        self.ask_within(limits::HELPER_ANSWER, request, &[])
    }

    /// Sends a request and waits for the answer, on the control thread: the helper answers these at once.
    fn ask_soon(
        &self,
        request: &HelperRequest,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<(HelperAnswer, Option<OwnedFd>)> {
        self.ask_within(limits::HELPER_BUSY, request, descriptors)
    }

    fn ask_within(
        &self,
        patience: Duration,
        request: &HelperRequest,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<(HelperAnswer, Option<OwnedFd>)> {
        let busy = || io::Error::new(io::ErrorKind::TimedOut, "the privileged helper is busy");
        let mut slot = self.socket.try_lock_for(patience).ok_or_else(busy)?;
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the privileged helper is gone");
        let socket = slot.as_ref().ok_or_else(gone)?;
        let packet = send(socket.as_fd(), request, descriptors).and_then(|()| receive(socket.as_fd()));
        let packet = match packet {
            Ok(Some(packet)) => packet,
            failed => {
                *slot = None;
                return Err(failed.err().unwrap_or_else(gone));
            }
        };
        match answer_of(&packet)? {
            HelperAnswer::Refused { reason, errno } => Err(match errno {
                Some(errno) => Errno::from_raw(errno).into(),
                None => io::Error::new(io::ErrorKind::PermissionDenied, reason),
            }),
            answer => Ok((answer, packet.descriptors.into_iter().next())),
        }
    }

    /// Place of something in the last list that names it: the list's number and the place.
    fn find(&self, place: impl Fn(&Listed) -> Option<usize>) -> Option<(u64, usize)> {
        let read = self.read.lock();
        read.newest_first().find_map(|(generation, known)| Some((generation, place(&known.listed)?)))
    }
}

impl Helper for HelperClient {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<File> {
        self.begin();
        let (generation, index) = self.find(|listed| listed.file(path, mode)).ok_or_else(unlisted)?;
        match self.ask(&HelperRequest::Open { generation, index }) {
            Ok((_, Some(file))) => Ok(file.into()),
            Ok((_, None)) => Err(io::ErrorKind::InvalidData.into()),
            Err(error) => {
                log::not_opened_as_root(path, &error);
                Err(error)
            }
        }
    }

    fn bind(&self, addr: &ListenAddr) -> io::Result<OwnedFd> {
        self.begin();
        let (generation, index) = self.find(|listed| listed.address(addr)).ok_or_else(unlisted)?;
        let (_, socket) = self.ask(&HelperRequest::Bind { generation, index })?;
        let socket = socket.ok_or(io::ErrorKind::InvalidData)?;
        SockRef::from(&socket).set_nonblocking(true)?;
        Ok(socket)
    }

    fn unbind(&self, addr: &ListenAddr) {
        if let Some((generation, index)) = self.find(|listed| listed.address(addr)) {
            // What remains is removed at the next start.
            let _ = self.ask_soon(&HelperRequest::Unbind { generation, index }, &[]);
        }
    }

    fn may_bind(&self, addr: &ListenAddr) -> bool {
        self.find(|listed| listed.address(addr)).is_some()
    }

    fn read_configuration(&self) -> io::Result<Sources> {
        let (answer, file) = self.ask(&HelperRequest::ReadConf)?;
        let (HelperAnswer::Read { generation }, Some(file)) = (answer, file) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let read: ReadConf = from_memory(&file)?;
        if let Some(why) = &read.unlisted {
            log::nothing_listed(why);
        }
        let sources = read.sources();
        let fingerprint = Fingerprint::of_files(&sources);
        self.read.lock().put(generation, KnownList { fingerprint, listed: read.listed });
        Ok(sources)
    }

    fn remove_own_files(&self) {
        let _ = self.ask_soon(&HelperRequest::UnlinkPid, &[]);
    }
}

fn unlisted() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "the configuration does not name it")
}

fn answer_of(packet: &Packet) -> io::Result<HelperAnswer> {
    let text = packet.text.as_ref().ok_or(io::ErrorKind::InvalidData)?;
    Ok(serde_json::from_slice(text)?)
}
