//! Destination of a relay: its address and all arguments. The line or the answer takes precedence over the session that
//! caused the relay.

use bstr::ByteSlice;
use bytes::Bytes;

use super::address::{RelayAddress, RelayProtocol};
use crate::media::relay_target::RelayTarget;
use crate::media::session::{Identity, Session};

/// Arguments of the session that caused a relay.
#[derive(Clone, Copy, Debug, Default)]
pub struct CauseIdentity<'a> {
    /// Application.
    pub app: &'a [u8],
    /// Stream name.
    pub name: &'a [u8],
    /// Query of the stream name.
    pub pargs: &'a [u8],
    /// flashVer.
    pub flash_ver: &'a [u8],
    /// pageUrl.
    pub page_url: &'a [u8],
    /// swfUrl.
    pub swf_url: &'a [u8],
}

/// Address and arguments of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Address to connect to.
    pub address: RelayAddress,
    /// Host in tcUrl, or the `Host` header.
    pub domain: Bytes,
    /// Application; over HTTP the location.
    pub app: Bytes,
    /// Stream name.
    pub name: Bytes,
    /// Query of the stream name.
    pub pargs: Bytes,
    /// flashVer, or `User-Agent`.
    pub flash_ver: Bytes,
    /// pageUrl, or `Referer`.
    pub page_url: Bytes,
    /// swfUrl.
    pub swf_url: Bytes,
    /// Path of the HTTP request.
    pub path: Bytes,
}

impl Destination {
    /// Removes arguments that a push must not forward. A player's arguments are passed to the origin, but a publisher's
    /// arguments for this server, such as a password, are not meant for others: a target gets them only if it gets the
    /// publisher's stream name too, not if the line names the stream itself.
    pub fn of_push(self, asked: CauseIdentity<'_>, line: Option<&RelayTarget>) -> Destination {
        let names_stream = self.address.rest().is_some() || line.is_some_and(|line| line.name.is_some());
        let says = !self.address.query.is_empty() || line.is_some_and(|line| line.pargs.is_some());
        let pargs =
            if names_stream && !says && self.pargs == asked.pargs { Bytes::new() } else { self.pargs };
        Destination { pargs, ..self }
    }

    /// From the `Location` of an answer; `domain` is its `Domain` header.
    pub fn redirected(address: RelayAddress, domain: Option<&[u8]>, asked: CauseIdentity<'_>) -> Destination {
        Destination::new(address, domain, None, asked)
    }

    /// From a `push` or `pull` line and one of its addresses.
    pub fn fixed(address: RelayAddress, line: &RelayTarget, asked: CauseIdentity<'_>) -> Destination {
        Destination::new(address, line.domain.as_ref().map(|d| d.as_slice()), Some(line), asked)
    }

    /// Identification of the relay's session.
    pub fn identity(&self) -> Identity {
        Identity {
            domain: self.domain.clone(),
            app: self.app.clone(),
            name: self.name.clone(),
            pargs: self.pargs.clone(),
            flash_ver: self.flash_ver.clone(),
            page_url: self.page_url.clone(),
            swf_url: self.swf_url.clone(),
            ..Identity::default()
        }
    }

    /// Sets the values of `$relay_*`, which a line's further addresses do not change, and the address in statistics.
    pub fn name(&self, session: &Session) {
        let _ = session.relayed_as.set(self.identity().into());
        let host = self.address.host.to_str_lossy().into_owned();
        *session.relayed_to.lock() = Some(Box::new((host, self.address.port)));
    }

    fn new(
        address: RelayAddress,
        domain: Option<&[u8]>,
        line: Option<&RelayTarget>,
        asked: CauseIdentity<'_>,
    ) -> Destination {
        let given = |field: fn(&RelayTarget) -> Option<&[u8]>| line.and_then(field);
        let copy = Bytes::copy_from_slice;
        let (url_app, url_name) = match address.protocol {
            RelayProtocol::Rtmp => (address.first(), address.rest()),
            // The first element is the location, the last one the stream name.
            RelayProtocol::HttpFlv => {
                (address.first(), address.rest().map(|r| r.rsplit(|b| *b == b'/').next().unwrap_or(r).into()))
            }
        };
        let app = given(|l| l.app.as_ref().map(|a| a.as_slice()))
            .or(url_app.map(|a| a.as_ref()))
            .unwrap_or(asked.app);
        let name = given(|l| l.name.as_ref().map(|n| n.as_slice()))
            .or(url_name.map(|n| n.as_ref()))
            .unwrap_or(asked.name);
        let pargs = given(|l| l.pargs.as_ref().map(|p| p.as_slice()))
            .or(Some(address.query.as_slice()).filter(|query| !query.is_empty()))
            .unwrap_or(asked.pargs);
        let flash_ver = given(|l| l.user_agent.as_ref().map(|u| u.as_slice())).unwrap_or(asked.flash_ver);
        let page_url = given(|l| l.referer.as_ref().map(|r| r.as_slice())).unwrap_or(asked.page_url);
        let named = given(|l| l.app.as_ref().or(l.name.as_ref()).map(|n| n.as_slice())).is_some();
        let path = if named || url_name.is_none() {
            Bytes::from([b"/", app, b"/", name].concat())
        } else {
            copy(&address.path)
        };
        let domain = match (domain, address.protocol) {
            (Some(domain), _) => copy(domain),
            (None, RelayProtocol::HttpFlv) if !address.has_default_port() => {
                Bytes::from(format!("{}:{}", address.host, address.port))
            }
            (None, _) => copy(&address.host),
        };
        Destination {
            domain,
            app: copy(app),
            name: copy(name),
            pargs: copy(pargs),
            flash_ver: copy(flash_ver),
            page_url: copy(page_url),
            swf_url: copy(asked.swf_url),
            path,
            address,
        }
    }

    /// tcUrl, without a port as in recordings of PingOS's traffic.
    pub fn tc_url(&self) -> Bytes {
        let scheme = self.address.scheme().as_bytes();
        Bytes::from([scheme, b"://", &self.domain[..], b"/", &self.app[..]].concat())
    }

    /// Stream name with query, for `publish` and `play`.
    pub fn name_and_query(&self) -> Bytes {
        if self.pargs.is_empty() {
            return self.name.clone();
        }
        Bytes::from([&self.name[..], b"?", &self.pargs[..]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: CauseIdentity<'_> = CauseIdentity {
        app: b"edge",
        name: b"s1",
        pargs: b"tk=1",
        flash_ver: b"fv",
        page_url: b"http://page/",
        swf_url: b"swf",
    };

    fn redirected(location: &str, domain: Option<&[u8]>) -> Destination {
        Destination::redirected(RelayAddress::parse(location.as_bytes()).unwrap(), domain, ASKED)
    }

    fn line() -> RelayTarget {
        RelayTarget {
            domain: Some("d.example".into()),
            app: Some("live".into()),
            name: Some("fixed".into()),
            pargs: Some("k=v".into()),
            referer: Some("http://ref/".into()),
            user_agent: Some("ua1".into()),
            ..RelayTarget::default()
        }
    }

    #[test]
    fn what_a_location_leaves_out_is_the_session_s() {
        let d = redirected("rtmp://h:1936", None);
        assert_eq!((&d.app[..], &d.name[..], &d.pargs[..]), (&b"edge"[..], &b"s1"[..], &b"tk=1"[..]));
        assert_eq!(d.tc_url(), "rtmp://h/edge");
        assert_eq!((&d.flash_ver[..], &d.page_url[..]), (&b"fv"[..], &b"http://page/"[..]));
        let d = redirected("rtmp://h/live/o?from=edge", None);
        assert_eq!(d.tc_url(), "rtmp://h/live");
        assert_eq!(d.name_and_query(), "o?from=edge");
    }

    #[test]
    fn a_publisher_s_arguments_do_not_go_to_a_target_that_names_its_stream() {
        let pushed = |location: &str, line: Option<&RelayTarget>| {
            let address = RelayAddress::parse(location.as_bytes()).unwrap();
            let destination = match line {
                Some(line) => Destination::fixed(address, line, ASKED),
                None => Destination::redirected(address, None, ASKED),
            };
            destination.of_push(ASKED, line).name_and_query()
        };
        assert_eq!(pushed("rtmp://h/live/o", None), "o");
        assert_eq!(pushed("rtmp://h/live", None), "s1?tk=1");
        assert_eq!(pushed("rtmp://h/live/o?k=v", None), "o?k=v");
        let named = RelayTarget { name: Some("n".into()), ..RelayTarget::default() };
        assert_eq!(pushed("rtmp://h/live", Some(&named)), "n");
        assert_eq!(pushed("rtmp://h/live", Some(&RelayTarget::default())), "s1?tk=1");
        let with_args = RelayTarget { pargs: Some("tk=1".into()), ..named };
        assert_eq!(pushed("rtmp://h/live", Some(&with_args)), "n?tk=1");
    }

    #[test]
    fn tls_shows_in_tc_url_and_host() {
        assert_eq!(redirected("rtmps://h:1936/live/o", None).tc_url(), "rtmps://h/live");
        assert_eq!(redirected("https://h/flv/o", None).domain, "h");
        assert_eq!(redirected("https://h:8443/flv/o", None).domain, "h:8443");
    }

    #[test]
    fn the_domain_header_names_the_host() {
        assert_eq!(redirected("rtmp://h/live/o", Some(b"cdn.example")).tc_url(), "rtmp://cdn.example/live");
        assert_eq!(redirected("http://h:8080/flv/o", Some(b"cdn.example")).domain, "cdn.example");
        assert_eq!(redirected("http://h:8080/flv/o", None).domain, "h:8080");
        assert_eq!(redirected("http://h/flv/o", None).domain, "h");
    }

    #[test]
    fn an_http_location_is_asked_for_as_it_is() {
        let d = redirected("http://h/a/b/o.flv?x=1", None);
        assert_eq!(
            (&d.path[..], &d.pargs[..], &d.name[..]),
            (&b"/a/b/o.flv"[..], &b"x=1"[..], &b"o.flv"[..])
        );
        assert_eq!(redirected("http://h/flv", None).path, "/flv/s1");
        assert_eq!(redirected("http://h", None).path, "/edge/s1");
    }

    #[test]
    fn a_line_s_parameters_win_over_its_address() {
        let d = Destination::fixed(RelayAddress::parse(b"rtmp://h/x/y").unwrap(), &line(), ASKED);
        assert_eq!(d.tc_url(), "rtmp://d.example/live");
        assert_eq!(d.name_and_query(), "fixed?k=v");
        assert_eq!((&d.flash_ver[..], &d.page_url[..]), (&b"ua1"[..], &b"http://ref/"[..]));
        let d = Destination::fixed(RelayAddress::parse(b"http://h/flv/o").unwrap(), &line(), ASKED);
        assert_eq!(d.path, "/live/fixed");
    }
}
