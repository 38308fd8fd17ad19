//! Values of http variables for one request.

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use bstr::{BStr, BString, ByteSlice};
use data_encoding::HEXLOWER;
use http::{StatusCode, Version};

use super::credentials::Credentials;
use super::exchange::{Exchange, Lookup};
use super::log;
use super::variable::{Template, Templates, Variable, Variables, is_true};
use crate::directive::Match;
use crate::media::variables::find_query_argument;
use crate::notify::ProcessVariables;
use crate::notify::variable::{Variable as ProcessVariable, Variables as _};

/// Values for one request.
struct RequestValues<'a, 'r> {
    exchange: &'a Exchange<'r>,
    /// Groups that go before those of the request.
    matched: Option<&'a Match>,
}

impl Variables for RequestValues<'_, '_> {
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        let exchange = self.exchange;
        if let Some(matched) = self.matched
            && let Some(group) = group_of(matched, variable)
        {
            out.extend_from_slice(group);
            return true;
        }
        if let Some(found) = exchange.assigned.found(variable) {
            if let Some(value) = &found {
                out.extend_from_slice(value);
            }
            return found.is_some();
        }
        if let Some(value) = exchange.assigned.given(variable) {
            match variable {
                Variable::LimitRate => {
                    let rate = crate::directive::number::size(value).unwrap_or(0);
                    out.extend_from_slice(rate.to_string().as_bytes());
                }
                _ => out.extend_from_slice(value),
            }
            return true;
        }
        let (request, peer) = (exchange.request, exchange.peer());
        let mut text = |text: &[u8]| out.extend_from_slice(text);
        let process = |variable: ProcessVariable, out: &mut Vec<u8>| ProcessVariables.value(&variable, out);
        match variable {
            Variable::Args if exchange.query.is_empty() && !exchange.has_query => return false,
            Variable::Args => text(&exchange.query),
            Variable::BinaryRemoteAddr => match peer.ip {
                Some(std::net::IpAddr::V4(ip)) => text(&ip.octets()),
                Some(std::net::IpAddr::V6(ip)) => text(&ip.octets()),
                None => text(peer.addr.as_bytes()),
            },
            Variable::BodyBytesSent => text(exchange.sent.body_bytes.to_string().as_bytes()),
            Variable::BytesSent => text(exchange.sent.bytes.to_string().as_bytes()),
            Variable::Connection => text(exchange.id().to_string().as_bytes()),
            Variable::ConnectionRequests => text(exchange.connection.requests.to_string().as_bytes()),
            Variable::ConnectionTime => text(seconds(exchange.connection.started.elapsed()).as_bytes()),
            Variable::ContentLength => {
                // As in nginx, that a body in chunks has no length yet is not kept.
                let is_open = exchange.chunked_length.is_none();
                return header(exchange, b"content-length", out)
                    || !is_open
                        && exchange.keep_value(b"content_length", out, |out| {
                            out.extend_from_slice(exchange.chunked_length?.to_string().as_bytes());
                            Some(())
                        });
            }
            Variable::ContentType => return header(exchange, b"content-type", out),
            Variable::DateGmt => text(
                date(&jiff::ZonedDateTime::now().with_time_zone(jiff::tz::TimeZone::UTC), "GMT").as_bytes(),
            ),
            Variable::DateLocal => text(date(&jiff::ZonedDateTime::now(), "%Z").as_bytes()),
            Variable::DocumentRoot => text(exchange.document_root().as_os_str().as_bytes()),
            Variable::Host => match request.host() {
                host if host.is_empty() => text(&exchange.server_name()),
                host => text(&host),
            },
            Variable::Http2 if request.version() == Version::HTTP_2 => {
                text(if exchange.connection.socket.is_tls() { b"h2" } else { b"h2c" });
            }
            Variable::Http2 => return true,
            Variable::Hostname => text(&crate::directive::server_name::host_name()),
            Variable::Https if exchange.connection.socket.is_tls() => text(b"on"),
            Variable::Https => return true,
            Variable::IsArgs if !exchange.query.is_empty() => text(b"?"),
            Variable::IsArgs => return true,
            // As in nginx, the configuration's rate is known once the response is sent.
            Variable::LimitRate if exchange.sent.status == 0 => text(b"0"),
            Variable::LimitRate => {
                let rate = exchange.core().limit_rate.bytes(|template| exchange.expand(template));
                text(rate.to_string().as_bytes());
            }
            Variable::Msec => process(ProcessVariable::Msec, out),
            Variable::NginxVersion => process(ProcessVariable::NginxVersion, out),
            Variable::Pid => process(ProcessVariable::Pid, out),
            Variable::ProxyAddXForwardedFor => {
                if header(exchange, b"x-forwarded-for", out) {
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(peer.addr.as_bytes());
            }
            Variable::ProxyProtocolAddr
            | Variable::ProxyProtocolPort
            | Variable::ProxyProtocolServerAddr
            | Variable::ProxyProtocolServerPort => {
                let Some(declared) = &exchange.connected_peer().declared else { return false };
                let port = |port: u16| if port > 0 { port.to_string() } else { String::new() };
                match variable {
                    Variable::ProxyProtocolAddr => text(declared.source.as_bytes()),
                    Variable::ProxyProtocolPort => text(port(declared.source_port).as_bytes()),
                    Variable::ProxyProtocolServerAddr => text(declared.destination.as_bytes()),
                    _ => text(port(declared.destination_port).as_bytes()),
                }
            }
            Variable::Pipe => {
                text(if exchange.connection.is_pipelined && !exchange.is_subrequest() { b"p" } else { b"." });
            }
            Variable::RealpathRoot => match exchange.real_root() {
                Some(path) => text(path.as_os_str().as_bytes()),
                None => return false,
            },
            Variable::RemoteAddr => text(peer.addr.as_bytes()),
            Variable::RemotePort if peer.port > 0 => text(peer.port.to_string().as_bytes()),
            Variable::RemotePort => return true,
            Variable::RemoteUser => match Credentials::parse(exchange.header("authorization")) {
                Some(credentials) => text(&credentials.user),
                None => return false,
            },
            Variable::RequestText if request.lacks_line => return false,
            Variable::RequestText => text(request.text()),
            Variable::RequestBody => {
                return exchange.keep_value(b"request_body", out, |out| {
                    out.extend_from_slice(exchange.body.as_ref()?.in_memory()?);
                    Some(())
                });
            }
            Variable::RequestBodyFile => {
                return exchange.keep_value(b"request_body_file", out, |out| {
                    out.extend_from_slice(exchange.body.as_ref()?.file()?.path.as_os_str().as_bytes());
                    Some(())
                });
            }
            Variable::RequestCompletion => {
                return exchange.keep_value(b"request_completion", out, |out| {
                    out.extend_from_slice(if exchange.sent.is_complete { b"OK" } else { b"" });
                    Some(())
                });
            }
            Variable::RequestFilename => match exchange.file_of(&exchange.path) {
                Some(path) => text(path.as_os_str().as_bytes()),
                None => {
                    if exchange.is_alias_misplaced() {
                        log::alias_after_rewrite(exchange);
                    }
                    return false;
                }
            },
            Variable::RequestId => text(exchange.request_id().as_bytes()),
            Variable::RequestLength => text(exchange.request_length().to_string().as_bytes()),
            Variable::RequestPort => {
                text(request.port().map(|port| port.to_string()).unwrap_or_default().as_bytes());
            }
            Variable::IsRequestPort => text(if request.port().is_some() { b":" } else { b"" }),
            Variable::RequestMethod if request.lacks_method => return false,
            Variable::RequestMethod => text(exchange.main_method().as_str().as_bytes()),
            Variable::RequestTime => text(seconds(exchange.started.elapsed()).as_bytes()),
            Variable::RequestUri if exchange.is_target_invalid || request.target().is_empty() => {
                return false;
            }
            Variable::RequestUri => text(request.target()),
            Variable::Scheme => text(exchange.connection.scheme.as_bytes()),
            Variable::ServerAddr => text(peer.local_addr.as_bytes()),
            Variable::ServerName => text(&exchange.server_name()),
            Variable::ServerPort if peer.local_port == 0 => return true,
            Variable::ServerPort => text(peer.local_port.to_string().as_bytes()),
            Variable::ServerProtocol if request.version() == Version::HTTP_09 => return false,
            Variable::ServerProtocol => text(request.protocol()),
            Variable::Status => match exchange.status() {
                9 => text(b"009"),
                status => text(format!("{status:03}").as_bytes()),
            },
            Variable::TcpinfoRcvSpace
            | Variable::TcpinfoRtt
            | Variable::TcpinfoRttvar
            | Variable::TcpinfoSndCwnd => {
                let Some(info) = exchange.connection.socket.tcp_info() else { return false };
                let number = match variable {
                    Variable::TcpinfoRcvSpace => info.receive_space,
                    Variable::TcpinfoRtt => info.round_trip,
                    Variable::TcpinfoRttvar => info.round_trip_variance,
                    _ => info.congestion_window,
                };
                text(number.to_string().as_bytes());
            }
            Variable::TimeIso8601 => process(ProcessVariable::TimeIso8601, out),
            Variable::TimeLocal => process(ProcessVariable::TimeLocal, out),
            Variable::Uri if exchange.path.is_empty() && request.target().is_empty() => return false,
            Variable::Uri => text(&exchange.path),
            Variable::Arg(name) if name.is_empty() => return false,
            Variable::Arg(name) => match find_query_argument(&exchange.query, name) {
                Some(value) => text(value),
                None => return false,
            },
            Variable::Capture(group) => match exchange.assigned.group(*group) {
                Some(group) => text(group),
                None => return false,
            },
            Variable::Header(name) => return header(exchange, name, out),
            Variable::Cookie(name) => match exchange.cookie(name) {
                Some(value) => text(&value),
                None => return false,
            },
            Variable::SentHeader(name) => {
                let header = name.replace("_", "-");
                return exchange.keep_value(&[b"sent_http_", &name[..]].concat(), out, |out| {
                    out.extend_from_slice(&sent_header(exchange, &header)?);
                    Some(())
                });
            }
            Variable::SentTrailer(name) => {
                return exchange.keep_value(&[b"sent_trailer_", &name[..]].concat(), out, |out| {
                    out.extend_from_slice(&exchange.response.trailers.joined(name)?);
                    Some(())
                });
            }
            Variable::Other(name) if name.starts_with(b"proxy_protocol_tlv_") => {
                let declared = exchange.connected_peer().declared.as_ref();
                match declared.and_then(|declared| declared.tlv(&name[b"proxy_protocol_tlv_".len()..])) {
                    Some(value) => text(&value),
                    None => return false,
                }
            }
            Variable::User(name) | Variable::Other(name) => return of_module(exchange, name.as_bstr(), out),
        }
        true
    }
}

impl Exchange<'_> {
    /// Expands a template for this request.
    pub fn expand(&self, template: &Template) -> Vec<u8> {
        self.expand_matched(template, None)
    }

    /// Expands a template, with the groups of a match in place of the request's.
    pub fn expand_matched(&self, template: &Template, matched: Option<&Match>) -> Vec<u8> {
        let mut text = Vec::with_capacity(template.literal_bytes());
        template.expand(&RequestValues { exchange: self, matched }, &mut text);
        text
    }

    /// Whether one of the texts is true.
    pub fn holds_any(&self, lines: &[Templates]) -> bool {
        lines.iter().flat_map(|line| &line.0).any(|text| is_true(&self.expand(text)))
    }

    /// Value of a variable for this request; `None` if it has none.
    pub fn find_value(&self, variable: &Variable) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        self.append_value(variable, &mut value).then_some(value)
    }

    /// Appends the value of a variable for this request. Returns `false`, having appended nothing, if it has none.
    pub fn append_value(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        RequestValues { exchange: self, matched: None }.value(variable, out)
    }

    /// Value of a variable for this request; empty if it has none.
    pub fn value(&self, variable: &Variable) -> Vec<u8> {
        self.find_value(variable).unwrap_or_default()
    }

    /// Whether a regular expression exceeded its bounds since the last call.
    pub fn take_undecided(&self) -> bool {
        self.is_undecided.swap(false, Ordering::Relaxed)
    }

    /// Status of the response; 0 if there is none yet.
    pub fn status(&self) -> u16 {
        match (self.error_status, self.sent.status) {
            (Some(status), _) => status.as_u16(),
            (None, 0) if self.has_status => self.response.status.as_u16(),
            (None, status) => status,
        }
    }

    /// Value of a cookie, whose name is in any case.
    pub fn cookie(&self, name: &[u8]) -> Option<BString> {
        for line in self.request.headers_named(b"cookie") {
            let mut rest: &[u8] = line;
            while !rest.is_empty() {
                let start = rest.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name));
                if let Some(after) = start.map(|_| rest[name.len()..].trim_start_with(|c| c == ' '))
                    && let [b'=', value @ ..] = after
                {
                    // As in nginx, a value ends with a semicolon; a comma ends only what is passed over.
                    let value = value.trim_start_with(|c| c == ' ');
                    return Some(value.split(|b| *b == b';').next().unwrap_or_default().into());
                }
                let end = rest.iter().position(|b| matches!(b, b';' | b',')).map_or(rest.len(), |at| at + 1);
                rest = rest[end..].trim_start_with(|c| c == ' ');
            }
        }
        None
    }

    fn request_id(&self) -> &str {
        self.random_id.get_or_init(|| {
            let mut bytes = [0; 16];
            // Without randomness the id is still well formed.
            let _ = getrandom::fill(&mut bytes);
            HEXLOWER.encode(&bytes)
        })
    }

    /// Bytes received of the request, as nginx counts them: those of a body that is discarded do not count.
    fn request_length(&self) -> i64 {
        if self.is_subrequest() {
            return 0;
        }
        i64::try_from(self.request.head_length()).unwrap_or(i64::MAX).saturating_add(self.body_length)
    }

    /// Appends the value that a variable had at its first use. As in nginx it stays for the request, also if it has none.
    fn keep_value(
        &self,
        name: &[u8],
        out: &mut Vec<u8>,
        make: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> bool {
        if let Some(kept) = self.assigned.kept(name.as_bstr()) {
            out.extend_from_slice(kept.as_deref().map_or(b"", |kept| kept));
            return kept.is_some();
        }
        let start = out.len();
        let has_value = make(out).is_some();
        self.assigned.keep(name.as_bstr(), has_value.then(|| out[start..].into()));
        has_value
    }

    /// Seconds since 1970 at which the request was received.
    pub fn received_seconds(&self) -> u64 {
        let received = SystemTime::now().checked_sub(self.started.elapsed());
        let since = received.and_then(|received| received.duration_since(UNIX_EPOCH).ok());
        since.map_or(0, |since| since.as_secs())
    }
}

/// Group of a match that a variable names.
fn group_of<'m>(matched: &'m Match, variable: &Variable) -> Option<&'m BString> {
    match variable {
        Variable::Capture(number) => matched.groups.get(usize::from(*number)),
        Variable::User(name) => matched.named.iter().find(|(known, _)| known == name).map(|(_, text)| text),
        _ => None,
    }
}

/// Appends the value of a module's variable, which is kept for the request unless it changes.
fn of_module(exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> bool {
    if let Some(kept) = exchange.assigned.kept(name) {
        out.extend_from_slice(kept.as_deref().map_or(b"", |kept| kept));
        return kept.is_some();
    }
    for module in &exchange.service().variables {
        let start = out.len();
        match module.value(exchange, name, out) {
            Ok(None) => {}
            Ok(Some(Lookup::Missing)) => {
                exchange.assigned.keep(name, None);
                return false;
            }
            Ok(Some(Lookup::Found)) => {
                exchange.assigned.keep(name, Some(out[start..].into()));
                return true;
            }
            Ok(Some(Lookup::Changing)) => return true,
            Ok(Some(Lookup::Absent)) => return false,
            Err(_) => {
                exchange.is_undecided.store(true, Ordering::Relaxed);
                return false;
            }
        }
    }
    false
}

/// Appends the value of a request header; of several, all of them, as in nginx since 1.23.
fn header(exchange: &Exchange<'_>, name: &[u8], out: &mut Vec<u8>) -> bool {
    let between: &[u8] = if name == b"cookie" { b"; " } else { b", " };
    let mut is_found = false;
    for value in exchange.request.headers_like(name) {
        out.extend_from_slice(if is_found { between } else { b"" });
        out.extend_from_slice(value);
        is_found = true;
    }
    is_found
}

/// Value of a response header.
fn sent_header(exchange: &Exchange<'_>, name: &[u8]) -> Option<Vec<u8>> {
    let response = &exchange.response;
    match name {
        b"content-type" => exchange.sent_content_type().map(Cow::into_owned),
        b"content-length" if !exchange.is_answered || response.hides_length => None,
        b"content-length" if response.status == StatusCode::NO_CONTENT => None,
        b"content-length" => {
            exchange.sent.length.or(response.body.length()).map(|length| length.to_string().into_bytes())
        }
        b"last-modified" if response.last_modified.is_some() => {
            exchange.sent_last_modified().map(String::into_bytes)
        }
        b"location" if response.location.is_some() => {
            // As in nginx, it becomes absolute when it is sent.
            let is_sent = exchange.sent.status != 0 && !exchange.is_subrequest();
            let location = response.location.as_ref();
            location.map(|location| if is_sent { exchange.absolute(location) } else { location.to_vec() })
        }
        b"connection" if response.status == StatusCode::SWITCHING_PROTOCOLS => Some(b"upgrade".to_vec()),
        b"connection" => Some(if exchange.keeps_alive { b"keep-alive".to_vec() } else { b"close".to_vec() }),
        b"keep-alive" => {
            let seconds = exchange.conf().keepalive_timeout.header_seconds.filter(|_| exchange.keeps_alive);
            seconds.map(|seconds| format!("timeout={seconds}").into_bytes())
        }
        b"transfer-encoding" => exchange.sent.is_chunked.then(|| b"chunked".to_vec()),
        _ => response.headers.joined(name),
    }
}

/// Seconds with three decimals.
fn seconds(time: std::time::Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

/// A date in nginx's format of server-side includes.
fn date(now: &jiff::ZonedDateTime, zone: &str) -> String {
    now.strftime(&format!("%A, %d-%b-%Y %H:%M:%S {zone}")).to_string()
}
