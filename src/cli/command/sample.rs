//! A fictitious session, to show requests of callbacks.

use bstr::{BString, ByteSlice};

use crate::NGINX_VERSION;
use crate::notify::EventKind;
use crate::notify::request::{QueryEscape, SessionFields, Stage, session_target};
use crate::notify::url::Url;
use crate::notify::variable::{Template, Variable, Variables};
use crate::syntax::Word;

/// Events whose requests can be shown completely.
const CALLS: [EventKind; 4] = [EventKind::Play, EventKind::Publish, EventKind::Stream, EventKind::Meta];

/// A session for a stream; its addresses are from the documentation ranges (RFC 5737).
pub(super) struct Sample {
    pub(super) domain: BString,
    pub(super) app: BString,
    pub(super) name: BString,
    pub(super) serverid: BString,
    pub(super) port: u16,
}

impl Sample {
    /// Request that a notification line would send at the start of this session; `None` for other directives.
    pub(super) fn request(&self, directive: &str, words: &[Word]) -> Option<String> {
        let event = directive.strip_prefix("on_")?;
        let parameter = |name: &[u8]| words.iter().find_map(|w| w.bytes.strip_prefix(name));
        let url = words.iter().find_map(|w| Url::parse(&w.bytes).ok())?.0;
        let groupid = parameter(b"groupid=").filter(|groupid| !groupid.is_empty());
        let mut args = Vec::new();
        if let Some(template) = parameter(b"args=").and_then(|text| Template::compile(text).ok()) {
            template.expand(&View { sample: self, groupid }, QueryEscape::Minimal, &mut args);
        }
        let host = format!("{}://{}:{}", url.scheme.name(), url.host, url.port);
        let Some(call) = CALLS.into_iter().find(|call| call.name() == event) else {
            let args = args.as_bstr();
            return Some(format!(
                "GET {host}... with {}",
                if args.is_empty() { b"no args".as_bstr() } else { args }
            ));
        };
        let fields =
            SessionFields { domain: &self.domain, app: &self.app, name: &self.name, clientid: 1, later: &[] };
        let target = session_target(
            &url.path_and_query,
            call,
            Stage::Start,
            fields,
            groupid,
            &args,
            QueryEscape::Minimal,
        );
        Some(format!("GET {host}{target}"))
    }
}

/// The session's variables as a line uses them.
struct View<'s> {
    sample: &'s Sample,
    groupid: Option<&'s [u8]>,
}

impl Variables for View<'_> {
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) {
        let View { sample, groupid } = self;
        let port = sample.port.to_string();
        let tc_url = [b"rtmp://", &sample.domain[..], b"/", &sample.app].concat();
        let stream = [&sample.serverid[..], b"/", &sample.app, b"/", &sample.name].concat();
        let value: &[u8] = match variable {
            Variable::Domain | Variable::RelayDomain => &sample.domain,
            Variable::App | Variable::RelayApp => &sample.app,
            Variable::Name | Variable::RelayName => &sample.name,
            Variable::Stream => &stream,
            Variable::Serverid => &sample.serverid,
            Variable::TcUrl => &tc_url,
            Variable::Scheme => b"rtmp",
            Variable::Groupid => groupid.unwrap_or_default(),
            Variable::Flashver => b"FMLE/3.0",
            Variable::RemoteAddr => b"192.0.2.10",
            Variable::RemotePort => b"50000",
            Variable::ServerAddr => b"192.0.2.1",
            Variable::ServerPort => port.as_bytes(),
            Variable::NginxVersion => NGINX_VERSION.as_bytes(),
            Variable::Stage => b"start",
            // Unknown without a real session: times, ids, data from clients.
            _ => return,
        };
        out.extend_from_slice(value);
    }
}
