//! Variables in `args=` of notifications.
//!
//! A name is the longest run of letters, digits and `_` after `$`, in any letter case; there is no `${name}`.
//! A missing value expands to nothing.

use std::sync::LazyLock;

use bstr::BString;
use rustc_hash::FxHashMap;

use super::request::{QueryEscape, push_single};
use crate::directive::template::{self, Braces, Notation};
use crate::syntax::suggest;

/// Declares the fixed variables of the dialect.
macro_rules! variables {
    ($( $(#[doc = $doc:literal])+ $name:literal => $Variant:ident, )+) => {
        /// A variable.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Variable {
            $( $(#[doc = $doc])+ $Variant, )+
            /// `parg_NAME`: one argument of the stream's query string; the name is in lower case.
            Parg(BString),
            /// `metadata_NAME`: one field of the stream's metadata. Unknown fields expand to `unknown`.
            MetadataField(BString),
        }

        /// Every fixed name with its meaning.
        pub const MEANINGS: &[(&str, &[&str])] = &[$(($name, &[$($doc),+])),+];

        /// Every fixed name.
        const FIXED: &[(&str, Variable)] = &[$(($name, Variable::$Variant)),+];
    };
}

variables! {
    /// Host of the session.
    "domain" => Domain,
    /// Application.
    "app" => App,
    /// Stream name.
    "name" => Name,
    /// serverid/app/name.
    "stream" => Stream,
    /// Query string of publish or play.
    "pargs" => Pargs,
    /// Query string of connect.
    "args" => Args,
    /// flashVer of connect.
    "flashver" => Flashver,
    /// swfUrl of connect.
    "swf_url" => SwfUrl,
    /// tcUrl of connect.
    "tc_url" => TcUrl,
    /// pageUrl of connect.
    "page_url" => PageUrl,
    /// audioCodecs of connect.
    "acodecs" => Acodecs,
    /// videoCodecs of connect.
    "vcodecs" => Vcodecs,
    /// Scheme of the session's tcUrl.
    "scheme" => Scheme,
    /// serverid of the selected server.
    "serverid" => Serverid,
    /// groupid of the line.
    "groupid" => Groupid,
    /// HTTP status of the session's last notification, -1 without an answer.
    "notify_status" => NotifyStatus,
    /// Number of the request, the same over its retries; see notify_request_id.
    "notify_id" => NotifyId,
    /// Why the session ends.
    "finalize_reason" => FinalizeReason,
    /// Phase of the session.
    "stage" => Stage,
    /// When the session was created, in ms of the server's clock.
    "init" => Init,
    /// When the handshake ended.
    "handshake_done" => HandshakeDone,
    /// When connect came.
    "connect" => Connect,
    /// When createStream came.
    "create_stream" => CreateStream,
    /// When publish or play came.
    "ptime" => Ptime,
    /// When the first media or metadata message came.
    "first_data" => FirstData,
    /// When the first metadata came.
    "first_metadata" => FirstMetadata,
    /// When the first audio message came.
    "first_audio" => FirstAudio,
    /// When the first video message came.
    "first_video" => FirstVideo,
    /// When closeStream came.
    "close_stream" => CloseStream,
    /// Domain of a relay.
    "relay_domain" => RelayDomain,
    /// Application of a relay.
    "relay_app" => RelayApp,
    /// Stream name of a relay.
    "relay_name" => RelayName,
    /// Connect arguments of a relay.
    "relay_args" => RelayArgs,
    /// Stream arguments of a relay.
    "relay_pargs" => RelayPargs,
    /// pageUrl or Referer of a relay.
    "relay_referer" => RelayReferer,
    /// flashVer or User-Agent of a relay.
    "relay_user_agent" => RelayUserAgent,
    /// swfUrl of a relay.
    "relay_swf_url" => RelaySwfUrl,
    /// audioCodecs of a relay.
    "relay_acodecs" => RelayAcodecs,
    /// videoCodecs of a relay.
    "relay_vcodecs" => RelayVcodecs,
    /// Peer address.
    "remote_addr" => RemoteAddr,
    /// Peer port.
    "remote_port" => RemotePort,
    /// Local address.
    "server_addr" => ServerAddr,
    /// Local port.
    "server_port" => ServerPort,
    /// Version of the server.
    "nginx_version" => NginxVersion,
    /// Process id.
    "pid" => Pid,
    /// Time in seconds with three decimals.
    "msec" => Msec,
    /// Local time, ISO 8601.
    "time_iso8601" => TimeIso8601,
    /// Local time, common log format.
    "time_local" => TimeLocal,
    /// Number of the worker.
    "ngx_worker" => NgxWorker,
    /// All metadata of the stream as a query string.
    "metadata" => Metadata,
}

/// Notation of variables in `args=`.
const NOTATION: Notation = Notation { braces: Braces::None, ..Notation::WORDS };

/// Text with variables, prepared for expansion.
pub type Template = template::Template<Variable>;

/// Reason why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// `$` without a name.
    NoName,
    /// Unknown variable.
    Unknown {
        /// The name in lower case.
        name: BString,
        /// Position of the `$` in the text.
        at: usize,
        /// A similar name.
        nearest: Option<&'static str>,
    },
}

/// A source of values.
pub trait Variables {
    /// Appends the value of a variable; nothing if there is none.
    fn value(&self, variable: &Variable, out: &mut Vec<u8>);
}

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    ///
    /// A `$` without a name, or an unknown name.
    pub fn compile(text: &[u8]) -> Result<Template, TemplateError> {
        NOTATION.template(text, |found| {
            let (name, at) = found.map_err(|_| TemplateError::NoName)?;
            Variable::find(&name.to_ascii_lowercase(), at).map(Some)
        })
    }

    /// Appends the text with every variable replaced by its value: whole query strings unchanged, single values
    /// encoded.
    pub fn expand(&self, source: &dyn Variables, escape: QueryEscape, out: &mut Vec<u8>) {
        self.fill(out, |variable, out| {
            if variable.is_query() {
                return source.value(variable, out);
            }
            let (mut value, mut encoded) = (Vec::new(), String::new());
            source.value(variable, &mut value);
            push_single(&mut encoded, &value, escape);
            out.extend_from_slice(encoded.as_bytes());
        });
    }
}

impl Variable {
    /// Whether the value is a whole query string rather than a single value.
    pub fn is_query(&self) -> bool {
        matches!(
            self,
            Variable::Args
                | Variable::Pargs
                | Variable::Metadata
                | Variable::RelayArgs
                | Variable::RelayPargs
        )
    }

    fn find(name: &[u8], at: usize) -> Result<Variable, TemplateError> {
        // A large configuration contains tens of thousands of variables.
        static BY_NAME: LazyLock<FxHashMap<&[u8], &Variable>> =
            LazyLock::new(|| FIXED.iter().map(|(name, variable)| (name.as_bytes(), variable)).collect());
        if let Some(variable) = BY_NAME.get(name) {
            return Ok((*variable).clone());
        }
        if let Some(parg) = name.strip_prefix(b"parg_") {
            return Ok(Variable::Parg(parg.into()));
        }
        if let Some(field) = name.strip_prefix(b"metadata") {
            return Ok(Variable::MetadataField(field.strip_prefix(b"_").unwrap_or(field).into()));
        }
        let nearest = suggest::nearest(name, FIXED.iter().map(|(fixed, _)| *fixed));
        Err(TemplateError::Unknown { name: name.into(), at, nearest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Session;

    impl Variables for Session {
        fn value(&self, variable: &Variable, out: &mut Vec<u8>) {
            match variable {
                Variable::Name => out.extend_from_slice(b"cam1"),
                Variable::App => out.extend_from_slice(b"a&b=%"),
                Variable::Pargs => out.extend_from_slice(b"c=1&d=%"),
                Variable::Parg(name) if name == "token" => out.extend_from_slice(b"a%20b"),
                _ => {}
            }
        }
    }

    fn expanded(text: &str) -> String {
        let mut out = Vec::new();
        Template::compile(text.as_bytes()).unwrap().expand(&Session, QueryEscape::Minimal, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn variables_are_replaced_and_missing_ones_vanish() {
        assert_eq!(expanded("a=$NAME&b=$parg_token&c=$args&d"), "a=cam1&b=a%20b&c=&d");
        assert_eq!(expanded("$app&$pargs"), "a%26b=%25&c=1&d=%");
        assert_eq!(expanded("$metadata_width$metadatafoo-$name-"), "-cam1-");
        assert_eq!(expanded(""), "");
    }

    #[test]
    fn unknown_names_and_lone_dollars_are_refused() {
        for text in ["a$", "${name}", "$ x", "$$"] {
            assert_eq!(Template::compile(text.as_bytes()), Err(TemplateError::NoName), "{text}");
        }
        let error = Template::compile(b"$clientid").unwrap_err();
        assert!(matches!(error, TemplateError::Unknown { name, .. } if name == "clientid"));
    }
}
