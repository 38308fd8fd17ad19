//! Lookups in a configuration by the properties of a connection.

use std::sync::Arc;

use super::model::{Application, Config, Http, HttpServer, Listener, Rtmp, RtmpServer};
use super::names::NameTable;
use super::report::render_all;
use super::socket::covers;
use crate::directive::{ListenAddr, ListenOptions};
use crate::syntax::Severity;
use crate::syntax::render::Style;

impl Rtmp {
    /// Servers for connections to an address: those that listen on it, through their own socket or that of a wildcard,
    /// otherwise those of the wildcard.
    pub fn servers_at(&self, addr: &ListenAddr) -> Option<&NameTable<RtmpServer>> {
        servers_at(&self.listeners, addr)
    }

    /// Addresses in `listen` lines, including those for which a wildcard's socket accepts.
    pub fn addresses(&self) -> impl Iterator<Item = &ListenAddr> {
        self.listeners.iter().flat_map(Listener::addresses).map(|(addr, ..)| addr)
    }

    /// The `listen` address that applies to connections to an address, chosen as by [`Rtmp::servers_at`], with its
    /// options.
    pub fn address_at(&self, addr: &ListenAddr) -> Option<(&ListenAddr, &ListenOptions)> {
        address_at(&self.listeners, addr)
    }

    /// As [`Rtmp::servers_at`], but only if a `listen` line names this exact address.
    pub fn servers_on(&self, addr: &ListenAddr) -> Option<&NameTable<RtmpServer>> {
        servers_on(&self.listeners, addr)
    }
}

impl Http {
    /// As [`Rtmp::servers_at`].
    pub fn servers_at(&self, addr: &ListenAddr) -> Option<&NameTable<HttpServer>> {
        servers_at(&self.listeners, addr)
    }

    /// As [`Rtmp::address_at`].
    pub fn address_at(&self, addr: &ListenAddr) -> Option<(&ListenAddr, &ListenOptions)> {
        address_at(&self.listeners, addr)
    }
}

fn servers_at<'a, S>(listeners: &'a [Listener<S>], addr: &ListenAddr) -> Option<&'a NameTable<S>> {
    let covering = || listeners.iter().find(|wildcard| covers(&wildcard.addr, addr));
    servers_on(listeners, addr).or_else(|| covering().map(|wildcard| &wildcard.servers))
}

fn servers_on<'a, S>(listeners: &'a [Listener<S>], addr: &ListenAddr) -> Option<&'a NameTable<S>> {
    let mut addresses = listeners.iter().flat_map(Listener::addresses);
    addresses.find(|(own, ..)| *own == addr).map(|(.., servers)| servers)
}

fn address_at<'a, S>(
    listeners: &'a [Listener<S>],
    addr: &ListenAddr,
) -> Option<(&'a ListenAddr, &'a ListenOptions)> {
    let mut addresses = listeners.iter().flat_map(Listener::addresses);
    let exact = addresses.find(|(own, ..)| *own == addr).map(|(own, options, _)| (own, options));
    let covering = || listeners.iter().find(|wildcard| covers(&wildcard.addr, addr));
    exact.or_else(|| covering().map(|wildcard| (&wildcard.addr, &wildcard.options)))
}

impl Config {
    /// The applications of all RTMP servers, in the order of the file.
    pub fn applications(&self) -> impl Iterator<Item = &Arc<Application>> {
        let servers = self.rtmp.iter().flat_map(|rtmp| &rtmp.servers);
        servers.flat_map(|server| server.applications.iter())
    }

    /// The warnings of `-t` as text.
    pub fn render_warnings(&self, style: Style) -> Vec<u8> {
        render_all(&self.warnings, &self.sources, style, Severity::Warn)
    }

    /// Takes the values of the reload class `restart` from the configuration in force: they stay until the next start.
    /// Rows of that class stand in the blocks that exist once, the main one and `events`.
    pub fn keep_restart_values(&mut self, in_force: &Config) {
        self.values = self.values.keeping_restart_values(&in_force.values);
        self.events = self.events.keeping_restart_values(&in_force.events);
    }
}
