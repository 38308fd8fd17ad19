//! Replaces the client of requests that trusted proxies pass on.

use bstr::{BStr, ByteSlice};

use super::conf::Current;
use super::settings::RealIp;
use crate::directive::Network;
use crate::http::exchange::{
    Check, Decision, Exchange, Lookup, PhaseCheck, RequestVariables, VariableLookup,
};
use crate::http::routes::Location;
use crate::net::address_text::address_text;

/// Takes the client's address from a header. It runs in two phases: settings of locations are known in the second.
pub struct RealIpCheck;

impl PhaseCheck for RealIpCheck {
    fn applies_to(&self, location: &Location) -> bool {
        !location.get::<Current>().from.is_empty()
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        if exchange.client.is_some() || exchange.is_subrequest() {
            return Check::Now(Decision::Next);
        }
        let location = exchange.location.clone();
        let conf = location.get::<Current>();
        let from: Vec<Network> = conf.from.iter().flat_map(|line| line.0.iter().copied()).collect();
        let real = RealIp { from: &from, header: &conf.header, recursive: conf.recursive };
        let lines: Vec<&[u8]> = match real.field() {
            Some(field) => exchange.request.headers_named(field).map(|value| value.as_bytes()).collect(),
            None => Vec::new(),
        };
        let peer = exchange.connected_peer();
        let declared = peer.declared.as_ref();
        let declared = declared.and_then(|header| Some((header.source_ip()?, header.source_port).into()));
        if let Some(address) = real.address(peer.ip, &lines, declared) {
            let mut client = peer.clone();
            client.addr = address_text(address.ip());
            client.ip = Some(address.ip());
            client.port = address.port();
            exchange.client = Some(client);
        }
        Check::Now(Decision::Next)
    }
}

/// `$realip_remote_addr` and `$realip_remote_port`: the other end of the connection.
pub struct RealIpVariables;

impl RequestVariables for RealIpVariables {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        let peer = exchange.connected_peer();
        match name.as_bytes() {
            b"realip_remote_addr" => out.extend_from_slice(peer.addr.as_bytes()),
            b"realip_remote_port" if peer.port > 0 => out.extend_from_slice(peer.port.to_string().as_bytes()),
            b"realip_remote_port" => {}
            _ => return Ok(None),
        }
        Ok(Some(Lookup::Found))
    }
}
