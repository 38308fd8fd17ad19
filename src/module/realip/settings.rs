//! Values of the directives, and the address that they yield.

use std::net::{IpAddr, SocketAddr};

use bstr::{BString, ByteSlice};

use crate::directive::address::host_addrs;
use crate::directive::evaluation::HostNames;
use crate::directive::{Args, Evaluation, Network, Value};
use crate::http::forwarded::forwarded;
use crate::syntax::{Problem, sentence};

/// The networks that one `set_real_ip_from` line names; a host name may have several addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealIpFrom(pub Vec<Network>);

/// Source of the client's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RealIpHeader {
    /// `X-Real-IP`, or any other header in lower case: its first line.
    Header(BString),
    /// `X-Forwarded-For`: all lines.
    ForwardedFor,
    /// The address in the header of the PROXY protocol.
    ProxyProtocol,
}

/// The three directives together.
#[derive(Clone, Copy, Debug)]
pub struct RealIp<'s> {
    /// Trusted proxies.
    pub from: &'s [Network],
    /// Source of the address.
    pub header: &'s RealIpHeader,
    /// Whether trusted proxies in the list are skipped.
    pub recursive: bool,
}

impl Value for RealIpFrom {
    fn syntax() -> String {
        "address | network | host | unix:".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<RealIpFrom, Problem> {
        let word = args.first();
        if &word.bytes[..] == b"unix:" {
            return Ok(RealIpFrom(vec![Network::Unix]));
        }
        match Network::parse(&word.bytes) {
            Some((network @ (Network::V4(..) | Network::V6(..)), has_low_bits)) => {
                if has_low_bits {
                    let text = sentence(&[b"low address bits of ", &word.bytes, b" are meaningless"]);
                    evaluation.report(Problem::warning(text).at(word.span));
                }
                return Ok(RealIpFrom(vec![network]));
            }
            _ if evaluation.bases.host_names == HostNames::Ignored => return Ok(RealIpFrom(Vec::new())),
            _ => {}
        }
        let whole = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => Network::V4(ip, 32),
            IpAddr::V6(ip) => Network::V6(ip, 128),
        };
        let found = host_addrs(&word.bytes).map_err(|reason| {
            let text =
                sentence(&[reason.to_string().as_bytes(), b" in set_real_ip_from \"", &word.bytes, b"\""]);
            Problem::new(text).at(word.span)
        })?;
        Ok(RealIpFrom(found.into_iter().map(whole).collect()))
    }
}

impl Value for RealIpHeader {
    fn syntax() -> String {
        "field | X-Real-IP | X-Forwarded-For | proxy_protocol".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<RealIpHeader, Problem> {
        Ok(match &args.first().bytes[..] {
            b"X-Forwarded-For" => RealIpHeader::ForwardedFor,
            b"proxy_protocol" => RealIpHeader::ProxyProtocol,
            field => RealIpHeader::Header(field.to_ascii_lowercase().into()),
        })
    }
}

impl RealIp<'_> {
    /// The client's address, or `None` to keep the connection's; the port is zero where none is reported.
    ///
    /// `peer` is the address of the connection, `None` for a Unix socket; `lines` are the values of the header in their
    /// order; `proxied` is the source in the header of the PROXY protocol.
    pub fn address(
        &self,
        peer: Option<IpAddr>,
        lines: &[&[u8]],
        proxied: Option<SocketAddr>,
    ) -> Option<SocketAddr> {
        match self.header {
            RealIpHeader::ForwardedFor => forwarded(peer, lines, self.from, self.recursive),
            RealIpHeader::Header(_) => forwarded(peer, lines.get(..1)?, self.from, self.recursive),
            RealIpHeader::ProxyProtocol => {
                let source = proxied?;
                let text = source.ip().to_string();
                let found = forwarded(peer, &[text.as_bytes()], self.from, self.recursive)?;
                Some((found.ip(), source.port()).into())
            }
        }
    }

    /// Name of the header in lower case; `None` for the PROXY protocol.
    pub fn field(&self) -> Option<&[u8]> {
        match self.header {
            RealIpHeader::Header(field) => Some(field.as_bytes()),
            RealIpHeader::ForwardedFor => Some(b"x-forwarded-for"),
            RealIpHeader::ProxyProtocol => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    fn address(header: &str, peer: &str, lines: &[&str], recursive: bool) -> Option<String> {
        let header: RealIpHeader = sample::value(&format!("real_ip_header {header};"));
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let from = [Network::parse(b"127.0.0.0/8").unwrap().0, Network::Unix];
        let real = RealIp { from: &from, header: &header, recursive };
        let proxied = Some("[2001:db8::7]:77".parse().unwrap());
        real.address(peer.parse().ok(), &lines, proxied).map(|address| address.to_string())
    }

    #[test]
    fn trusted_peers_report_the_address() {
        let one = |header, lines: &[&str]| address(header, "127.0.0.1", lines, false);
        assert_eq!(one("X-Real-IP", &["1.2.3.4"]).as_deref(), Some("1.2.3.4:0"));
        assert_eq!(one("x-other", &["1.2.3.4:99"]).as_deref(), Some("1.2.3.4:99"));
        assert_eq!(one("X-Real-IP", &["1.1.1.1", "2.2.2.2"]).as_deref(), Some("1.1.1.1:0"));
        assert_eq!(one("X-Forwarded-For", &["1.1.1.1", "2.2.2.2, 3.3.3.3"]).as_deref(), Some("3.3.3.3:0"));
        assert_eq!(one("X-Forwarded-For", &[]), None);
        assert_eq!(one("X-Real-IP", &[]), None);
        assert_eq!(one("proxy_protocol", &[]).as_deref(), Some("[2001:db8::7]:77"));
        assert_eq!(address("X-Real-IP", "8.8.8.8", &["1.2.3.4"], false), None);
        assert_eq!(address("X-Real-IP", "a unix socket", &["1.2.3.4"], false).as_deref(), Some("1.2.3.4:0"));
        let all = address("X-Forwarded-For", "127.0.0.1", &["1.1.1.1, 127.0.0.2"], true);
        assert_eq!(all.as_deref(), Some("1.1.1.1:0"));
    }

    #[test]
    fn networks_are_refused_in_the_words_of_nginx() {
        let said = |text: &str| sample::read::<RealIpFrom>(&format!("set_real_ip_from {text};"));
        assert_eq!(said("10.0.0.1/8").1, ["low address bits of 10.0.0.1/8 are meaningless"]);
        assert_eq!(said("unix:").0, Some(RealIpFrom(vec![Network::Unix])));
        assert_eq!(said("10.0.0.1/33").1, ["host not found in set_real_ip_from \"10.0.0.1/33\""]);
        let local = said("localhost").0.unwrap().0;
        assert!(local.iter().all(Network::is_loopback) && !local.is_empty(), "{local:?}");
    }
}
