//! What a configuration names: the files and addresses that the helper may open for it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::directive::{ListenAddr, ListenOptions};
use crate::media::relay_conf;
use crate::media::trails::Secrets;
use crate::module::{acme, multiport, proxy};
use crate::net::tls::Tls;
use crate::notify::transport::Transport;
use crate::task::rights::OpenMode;

/// The files and addresses of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    /// The files.
    pub(super) files: Vec<ListedFile>,
    /// The addresses.
    pub(super) addresses: Vec<ListedAddress>,
}

/// A file. Paths may have bytes that are not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ListedFile {
    /// How it is opened.
    pub(super) mode: OpenMode,
    /// Its path.
    pub(super) path: OsString,
}

/// An address with the options that matter until a socket listens on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ListedAddress {
    address: Address,
    backlog: Option<u64>,
    rcvbuf: Option<u64>,
    sndbuf: Option<u64>,
    reuseport: bool,
    ipv6only: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Address {
    Tcp(SocketAddr),
    Unix(OsString),
}

impl Listed {
    /// What `config` names.
    pub(super) fn of(config: &Config) -> Listed {
        let sinks = config.sink_specs();
        let logs = sinks.iter().filter_map(|sink| {
            let path = sink.path()?.as_os_str().to_owned();
            Some(ListedFile { mode: sink.open_mode(), path })
        });
        let secrets = Secrets::files(config).iter().chain(Transport::files(config)).map(|path| &*path.0);
        let read = Tls::files(config, relay_conf::trust(config)).chain(secrets);
        let of_proxies = proxy::files(config);
        let of_issuers = acme::files(config);
        let read = read.chain(of_proxies.iter().chain(&of_issuers).map(|path| &**path));
        let read = read.map(|path| ListedFile { mode: OpenMode::Read, path: path.as_os_str().to_owned() });
        let files: BTreeSet<ListedFile> = logs.chain(read).collect();
        let rtmp = config.rtmp.iter().flat_map(|rtmp| &rtmp.listeners).map(|l| (&l.addr, &l.options));
        let http = config.http.iter().flat_map(|http| &http.listeners).map(|l| (&l.addr, &l.options));
        let mut addresses: Vec<ListedAddress> =
            rtmp.chain(http).map(|(addr, options)| ListedAddress::of(addr, options)).collect();
        let of_workers = multiport::listen::sockets(config, config.workers());
        let plain = ListenOptions::default();
        addresses.extend(of_workers.map(|socket| ListedAddress::of(&socket.addr, &plain)));
        Listed { files: files.into_iter().collect(), addresses }
    }

    /// Place of a file.
    pub(super) fn file(&self, path: &Path, mode: OpenMode) -> Option<usize> {
        self.files.iter().position(|file| file.mode == mode && *file.path == *path)
    }

    /// Place of an address.
    pub(super) fn address(&self, addr: &ListenAddr) -> Option<usize> {
        self.addresses.iter().position(|listed| listed.addr() == *addr)
    }
}

impl ListedAddress {
    fn of(addr: &ListenAddr, options: &ListenOptions) -> ListedAddress {
        let address = match addr {
            ListenAddr::Tcp(addr) => Address::Tcp(*addr),
            ListenAddr::Unix(path) => Address::Unix(path.clone().into_os_string()),
        };
        let ListenOptions { backlog, rcvbuf, sndbuf, reuseport, ipv6only, .. } = options.clone();
        ListedAddress { address, backlog, rcvbuf, sndbuf, reuseport, ipv6only }
    }

    /// The address.
    pub(super) fn addr(&self) -> ListenAddr {
        match &self.address {
            Address::Tcp(addr) => ListenAddr::Tcp(*addr),
            Address::Unix(path) => ListenAddr::Unix(path.into()),
        }
    }

    /// The options.
    pub(super) fn options(&self) -> ListenOptions {
        let ListedAddress { backlog, rcvbuf, sndbuf, reuseport, ipv6only, .. } = *self;
        ListenOptions { backlog, rcvbuf, sndbuf, reuseport, ipv6only, ..ListenOptions::default() }
    }
}
