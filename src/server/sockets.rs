//! Addresses on which a configuration listens.

use std::collections::HashMap;
use std::io;

use super::error::StartError;
use crate::config::model::Config;
use crate::directive::listen::StandsFor;
use crate::directive::{ListenAddr, ListenOptions};
use crate::module::multiport::listen::{self, WorkerSocket};
use crate::net::listener;
use crate::net::speaks::ListenProtocol;
use crate::net::tls::server::ServerTls;

/// Checks that there is a port for each worker's socket, and that `rtmp` and `http` share none. nginx finds the latter out when it binds.
///
/// # Errors
///
/// A line of `multi_listen` begins too high, or two `listen` lines name one address.
pub(super) fn check(config: &Config, workers: usize) -> Result<(), StartError> {
    let http = config.http.iter().flat_map(|http| &http.listeners);
    let http: HashMap<&ListenAddr, _> = http.map(|listener| (&listener.addr, listener)).collect();
    let mut rtmp = config.rtmp.iter().flat_map(|rtmp| &rtmp.listeners);
    let shared = rtmp.find_map(|listener| Some((listener, http.get(&listener.addr)?)));
    if let Some((rtmp, http)) = shared {
        let (address, rtmp, http) = (rtmp.addr.clone(), rtmp.pos.clone(), http.pos.clone());
        return Err(StartError::SharedAddress { address, rtmp, http });
    }
    let Some(line) = listen::without_ports(config, workers) else { return Ok(()) };
    let text = format!("the ports of {workers} workers exceed 65535");
    let source = io::Error::new(io::ErrorKind::InvalidInput, text);
    Err(StartError::Bind { address: line.base.clone(), source })
}

/// The sockets of `listen` lines, without those whose certificate does not exist, and those of `multi_listen` for this
/// number of workers.
pub(super) fn wanted(
    config: &Config,
    tls: &ServerTls,
    workers: usize,
) -> HashMap<(ListenProtocol, ListenAddr), ListenOptions> {
    let mut wanted = listener::wanted(config, tls);
    let of_workers: Vec<_> = listen::sockets(config, workers)
        .filter_map(|WorkerSocket { addr, worker, related }| {
            let ((speaks, _), options) = wanted.iter().find(|((_, listens), _)| listens == related)?;
            let stands_for = Some(StandsFor { addr: related.clone(), worker });
            let options = ListenOptions { reuseport: false, stands_for, ..options.clone() };
            Some(((*speaks, addr), options))
        })
        .collect();
    for (key, options) in of_workers {
        // A `listen` line with the same address is that of a server of its own.
        if !wanted.keys().any(|(_, addr)| *addr == key.1) {
            wanted.insert(key, options);
        }
    }
    wanted
}
