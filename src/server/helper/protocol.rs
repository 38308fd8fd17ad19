//! Messages between the serving process and its helper: one JSON text per packet, with descriptors beside it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::limits;

/// Request of the serving process. Files and addresses are named by their place in a list that the helper has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HelperRequest {
    /// Read the configuration. The answer brings its texts and its list.
    ReadConf,
    /// The configuration with this list is in force.
    InForce {
        /// Number of the list.
        generation: u64,
    },
    /// Open a file.
    Open {
        /// Number of the list.
        generation: u64,
        /// Place in it.
        index: usize,
    },
    /// Bind an address.
    Bind {
        /// Number of the list.
        generation: u64,
        /// Place in it.
        index: usize,
    },
    /// Remove the file of a Unix socket.
    Unbind {
        /// Number of the list.
        generation: u64,
        /// Place in it.
        index: usize,
    },
    /// Keep the listening sockets that come with this packet for an upgrade.
    Sockets,
    /// Start the program again, with the sockets kept.
    Upgrade {
        /// Counters for the new process.
        carried: String,
    },
    /// Remove the pid file and the control socket.
    UnlinkPid,
}

/// Answer of the helper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HelperAnswer {
    /// It was done; a file or socket comes with the packet if one was requested.
    Done,
    /// The configuration was read; its texts and its list come with the packet.
    Read {
        /// Number of the list.
        generation: u64,
    },
    /// The new process runs. A pipe comes with the packet: it brings the text how the process ended.
    Started {
        /// Its process id.
        pid: u32,
    },
    /// It was not done.
    Refused {
        /// The reason.
        reason: String,
        /// Number of the system's error, if there was one.
        errno: Option<i32>,
    },
}

/// A packet.
#[derive(Debug)]
pub(super) struct Packet {
    /// The text; `None` if it was longer than [`limits::HELPER_PACKET`] or had too many descriptors.
    pub(super) text: Option<Vec<u8>>,
    /// The descriptors.
    pub(super) descriptors: Vec<OwnedFd>,
}

/// Sends a packet.
///
/// # Errors
///
/// Errors of the system; [`io::ErrorKind::InvalidInput`] with more than [`limits::HELPER_DESCRIPTORS`] descriptors.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let mut room = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(limits::HELPER_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut room);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    retry(|| sendmsg(socket, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Waits for a packet. `None` means that the other end is closed.
///
/// # Errors
///
/// Errors of the system; [`io::ErrorKind::WouldBlock`] if the socket has a timeout and it has passed.
pub(super) fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<Packet>> {
    let mut text = vec![0; limits::HELPER_PACKET];
    let mut room = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(limits::HELPER_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut room);
    let received =
        retry(|| recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC))?;
    let descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptors: Vec<OwnedFd> = descriptors.flatten().collect();
    if received.bytes == 0 {
        return Ok(None);
    }
    text.truncate(received.bytes);
    let is_whole = !received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    Ok(Some(Packet { text: is_whole.then_some(text), descriptors }))
}

/// Repeats a system call that a signal has interrupted.
fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}
