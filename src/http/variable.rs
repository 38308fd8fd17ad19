//! Variables of `http { }`.
//!
//! Written as `$name` or `${name}`; a name is a case-insensitive run of letters, digits and `_`; `$1` to `$9` are
//! groups. The configuration may define names anywhere in `http { }`, so unknown names are reported at its end.
//!
//! A variable of the request is a row here and an arm in `variables.rs`. A variable of a module has its name in
//! `module_variables.rs`, and its value from a type that implements [`RequestVariables`](super::exchange::RequestVariables).

use std::collections::HashSet;

use bstr::{BString, ByteSlice};

use super::module_variables::{OF_MODULES, PREFIXES_OF_MODULES};
use crate::directive::conclusion::WholeConfig;
use crate::directive::context::{Contexts, HTTP_SERVER, LOCATION};
use crate::directive::template::{self, Malformed, Notation};
use crate::directive::{Args, Arity, BlockLevel, Evaluation, Pattern, Slot, Value};
use crate::net::tls::HandshakeNotes;
use crate::syntax::{Problem, Span, Word, sentence, suggest};

/// Declares the variables that have values.
macro_rules! variables {
    ($( $(#[doc = $doc:literal])+ $($name:literal)|+ => $Variant:ident, )+) => {
        /// A variable in a template.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Variable {
            $( $(#[doc = $doc])+ $Variant, )+
            /// `arg_NAME`: one argument of the query string; the name is in lower case.
            Arg(BString),
            /// `$1` to `$9`: group of the latest match of a regular expression.
            Capture(u8),
            /// `http_NAME`: a request header; the name is in lower case with `-` written as `_`.
            Header(BString),
            /// `cookie_NAME`: a cookie; the name is in lower case.
            Cookie(BString),
            /// `sent_http_NAME`: a response header; the name is in lower case with `-` written as `_`.
            SentHeader(BString),
            /// `sent_trailer_NAME`: a trailer of the response; the name is in lower case with `-` written as `_`.
            SentTrailer(BString),
            /// Defined by the configuration.
            User(BString),
            /// A module's; without one it has no value.
            Other(BString),
        }

        /// Every fixed name that has a value, with its meaning; several names may share a meaning.
        pub const MEANINGS: &[(&[&str], &[&str])] = &[$((&[$($name),+], &[$($doc),+])),+];

        const FIXED: &[(&str, Variable)] = &[$($(($name, Variable::$Variant)),+),+];
    };
}

variables! {
    /// Query string.
    "args" | "query_string" => Args,
    /// Address of the client as bytes.
    "binary_remote_addr" => BinaryRemoteAddr,
    /// Bytes sent of the response's body.
    "body_bytes_sent" => BodyBytesSent,
    /// Bytes sent of the response.
    "bytes_sent" => BytesSent,
    /// Number of the connection.
    "connection" => Connection,
    /// Number of requests on the connection so far.
    "connection_requests" => ConnectionRequests,
    /// Age of the connection in seconds with three decimals.
    "connection_time" => ConnectionTime,
    /// `Content-Length` of the request.
    "content_length" => ContentLength,
    /// `Content-Type` of the request.
    "content_type" => ContentType,
    /// Date in GMT.
    "date_gmt" => DateGmt,
    /// Date in the local time zone.
    "date_local" => DateLocal,
    /// Value of `root` or `alias`.
    "document_root" => DocumentRoot,
    /// Host asked for, in lower case without port.
    "host" => Host,
    /// Name of the machine.
    "hostname" => Hostname,
    /// Protocol of a connection with HTTP/2: `h2` with TLS, `h2c` without; empty with HTTP/1.
    "http2" => Http2,
    /// `on` for a TLS connection.
    "https" => Https,
    /// `?` if there is a query string.
    "is_args" => IsArgs,
    /// `:` if the client has named a port beside the host, see `$request_port`.
    "is_request_port" => IsRequestPort,
    /// Maximum rate of the response, which `set` may change.
    "limit_rate" => LimitRate,
    /// Time in seconds with three decimals.
    "msec" => Msec,
    /// Version of the server.
    "nginx_version" => NginxVersion,
    /// Process id.
    "pid" => Pid,
    /// `p` for a pipelined request, `.` otherwise.
    "pipe" => Pipe,
    /// `X-Forwarded-For` of the request with the client's address at its end.
    "proxy_add_x_forwarded_for" => ProxyAddXForwardedFor,
    /// Client's address in the header of the PROXY protocol.
    "proxy_protocol_addr" => ProxyProtocolAddr,
    /// Client's port in the header of the PROXY protocol.
    "proxy_protocol_port" => ProxyProtocolPort,
    /// Server's address in the header of the PROXY protocol.
    "proxy_protocol_server_addr" => ProxyProtocolServerAddr,
    /// Server's port in the header of the PROXY protocol.
    "proxy_protocol_server_port" => ProxyProtocolServerPort,
    /// Real path of `root` or `alias`.
    "realpath_root" => RealpathRoot,
    /// Peer address.
    "remote_addr" => RemoteAddr,
    /// Peer port.
    "remote_port" => RemotePort,
    /// User name of `Authorization: Basic`.
    "remote_user" => RemoteUser,
    /// Request line as received.
    "request" => RequestText,
    /// `OK` once the response was sent completely.
    "request_completion" => RequestCompletion,
    /// File of the request.
    "request_filename" => RequestFilename,
    /// 32 random hexadecimal digits.
    "request_id" => RequestId,
    /// Length of the request in bytes.
    "request_length" => RequestLength,
    /// Request method.
    "request_method" => RequestMethod,
    /// The body of the request, where it was read and is in memory.
    "request_body" => RequestBody,
    /// Path of the file with the body of the request, if it is in one.
    "request_body_file" => RequestBodyFile,
    /// Port that the client has named beside the host (`$host`).
    "request_port" => RequestPort,
    /// Time since the request began, in seconds with three decimals.
    "request_time" => RequestTime,
    /// Request target as received.
    "request_uri" => RequestUri,
    /// http or https.
    "scheme" => Scheme,
    /// Local address.
    "server_addr" => ServerAddr,
    /// Name of the selected server.
    "server_name" => ServerName,
    /// Local port.
    "server_port" => ServerPort,
    /// Protocol version of the request.
    "server_protocol" => ServerProtocol,
    /// Status of the response.
    "status" => Status,
    /// Bytes that the client may still send (TCP).
    "tcpinfo_rcv_space" => TcpinfoRcvSpace,
    /// Round trip time in microseconds (TCP).
    "tcpinfo_rtt" => TcpinfoRtt,
    /// Variance of the round trip time in microseconds (TCP).
    "tcpinfo_rttvar" => TcpinfoRttvar,
    /// Congestion window in segments (TCP).
    "tcpinfo_snd_cwnd" => TcpinfoSndCwnd,
    /// Local time, ISO 8601.
    "time_iso8601" => TimeIso8601,
    /// Local time, common log format.
    "time_local" => TimeLocal,
    /// Decoded path.
    "uri" | "document_uri" => Uri,
}

/// Known names that the configuration may redefine, in addition to those that begin with `ssl_`.
const CHANGEABLE: [&str; 14] = [
    "ancient_browser",
    "args",
    "invalid_referer",
    "limit_rate",
    "modern_browser",
    "msie",
    "ntm_currentid",
    "ntm_debug",
    "ntm_newid",
    "ntm_parentid",
    "ntm_traceid",
    "proxy_host",
    "proxy_port",
    "uid_reset",
];

/// Headers that are separate variables and, unlike others, cannot be defined.
const HEADERS: [&str; 15] = [
    "http_cookie",
    "http_host",
    "http_referer",
    "http_user_agent",
    "http_via",
    "http_x_forwarded_for",
    "sent_http_cache_control",
    "sent_http_connection",
    "sent_http_content_length",
    "sent_http_content_type",
    "sent_http_keep_alive",
    "sent_http_last_modified",
    "sent_http_link",
    "sent_http_location",
    "sent_http_transfer_encoding",
];

/// Notation of variables in `http { }`.
const NOTATION: Notation = Notation { captures: true, ..Notation::WORDS };

/// Text with variables, prepared for expansion.
pub type Template = template::Template<Variable>;

/// Several words with variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates(pub Vec<Template>);

/// Source of values.
pub trait Variables {
    /// Appends the value of a variable. Returns whether there is one.
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) -> bool;
}

/// Names used and defined in `http { }`.
#[derive(Default)]
pub struct VariableNames {
    used: Vec<(BString, Span)>,
    defined: HashSet<BString>,
    /// Those of named groups.
    groups: HashSet<BString>,
    uses_real_root: bool,
    handshakes: HandshakeNotes,
}

/// What the configuration uses of handshakes anywhere, so that it is noted while they last: what a connection has noted stays as it is
/// when the configuration changes.
#[derive(Clone, Copy, Debug)]
pub struct HandshakeUse(pub HandshakeNotes);

impl Slot for HandshakeUse {
    const HOLDERS: Contexts = HTTP_SERVER;

    fn make(_: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> HandshakeUse {
        HandshakeUse(evaluation.notes.of::<VariableNames>().handshakes)
    }
}

/// Whether the configuration uses `$realpath_root` anywhere, so that each request finds it out beforehand.
#[derive(Clone, Copy, Debug)]
pub struct RealRootUse(pub bool);

impl Slot for RealRootUse {
    const HOLDERS: Contexts = LOCATION;

    fn make(_: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> RealRootUse {
        RealRootUse(evaluation.notes.of::<VariableNames>().uses_real_root)
    }
}

/// Variables of named groups: as in nginx, the log does not tell that they have no value.
#[derive(Clone, Debug)]
pub struct GroupVariables(pub HashSet<BString>);

impl Slot for GroupVariables {
    const HOLDERS: Contexts = HTTP_SERVER;

    fn make(_: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> GroupVariables {
        GroupVariables(evaluation.notes.of::<VariableNames>().groups.clone())
    }
}

impl Template {
    /// Parses a text; `word` gives its position.
    ///
    /// # Errors
    ///
    /// A variable is unknown, or its name is incomplete.
    pub fn compile(word: &Word, text: &[u8], evaluation: &mut Evaluation<'_>) -> Result<Template, Problem> {
        NOTATION.template(text, |found| {
            let (spelled, _) = found.map_err(|malformed| complaint(malformed, word))?;
            let name: BString = spelled.to_ascii_lowercase().into();
            let variable = Variable::find(&name);
            let handshakes = &mut evaluation.notes.of::<VariableNames>().handshakes;
            handshakes.scheme |= name == "ssl_sigalg";
            handshakes.written_name |= name == "ssl_server_name";
            match &variable {
                Variable::User(name) => {
                    evaluation.notes.of::<VariableNames>().used.push((name.clone(), word.span_of(spelled)));
                }
                Variable::RealpathRoot => evaluation.notes.of::<VariableNames>().uses_real_root = true,
                _ => {}
            }
            Ok(Some(variable))
        })
    }

    /// Appends the text with every variable replaced by its value.
    pub fn expand(&self, source: &dyn Variables, out: &mut Vec<u8>) {
        self.fill(out, |variable, out| {
            source.value(variable, out);
        });
    }
}

impl Value for Template {
    fn syntax() -> String {
        "text".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Template, Problem> {
        Template::compile(args.first(), &args.first().bytes, evaluation)
    }
}

impl Value for Templates {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "text ...".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Templates, Problem> {
        args.words
            .iter()
            .map(|w| Template::compile(w, &w.bytes, evaluation))
            .collect::<Result<_, _>>()
            .map(Templates)
    }
}

impl VariableNames {
    /// Records the variable that a word such as `$name` defines, and returns its name in lower case.
    ///
    /// # Errors
    ///
    /// The argument is not a variable name, or the variable cannot be set.
    pub fn definition(word: &Word, evaluation: &mut Evaluation<'_>) -> Result<BString, Problem> {
        let name = word.bytes.strip_prefix(b"$").filter(|name| !name.is_empty()).ok_or_else(|| {
            let text = sentence(&[b"invalid variable name \"", &word.bytes, b"\""]);
            Problem::new(text).at(word.span).help("a variable begins with `$`")
        })?;
        if let Some(problem) = Self::duplicate(name) {
            return Err(problem.at(word.span));
        }
        evaluation.notes.of::<VariableNames>().define(name);
        Ok(name.to_ascii_lowercase().into())
    }

    /// Records the named groups of a regular expression.
    ///
    /// # Errors
    ///
    /// An error about a reserved name.
    pub fn define_groups(
        pattern: &Pattern,
        word: &Word,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<(), Problem> {
        if let Some(problem) = Self::misnamed(pattern).next() {
            return Err(problem.at(word.span));
        }
        evaluation.notes.of::<VariableNames>().groups_of(pattern);
        Ok(())
    }

    /// Errors about named groups with reserved names.
    pub fn misnamed(pattern: &Pattern) -> impl Iterator<Item = Problem> {
        pattern.group_names().into_iter().filter_map(|group| Self::duplicate(&group))
    }

    /// The error about a reserved name.
    fn duplicate(name: &[u8]) -> Option<Problem> {
        let text = sentence(&[b"the duplicate \"", name, b"\" variable"]);
        let problem = || Problem::new(text).help("it is a built-in variable; choose another name");
        (!Variable::may_be_defined(&name.to_ascii_lowercase())).then(problem)
    }

    /// Records the named groups of a regular expression.
    pub fn groups_of(&mut self, pattern: &Pattern) {
        for group in pattern.group_names() {
            self.define(&group);
            self.groups.insert(group.to_ascii_lowercase().into());
        }
    }

    /// Records a name that the configuration defines.
    pub fn define(&mut self, name: &[u8]) {
        self.defined.insert(name.to_ascii_lowercase().into());
    }

    /// Records a name that the configuration uses.
    pub fn used(&mut self, name: &[u8], span: Span) {
        let name: BString = name.to_ascii_lowercase().into();
        match Variable::find(&name) {
            Variable::User(_) => self.used.push((name, span)),
            Variable::RealpathRoot => self.uses_real_root = true,
            _ => {}
        }
    }

    /// Errors about names that are used but not defined.
    pub fn unknown(&self) -> Vec<Problem> {
        let unknown = self.used.iter().filter(|(name, _)| !self.defined.contains(name));
        unknown
            .map(|(name, span)| {
                let defined = self.defined.iter().filter_map(|name| name.to_str().ok());
                let known = known_names().chain(defined);
                let text = sentence(&[b"unknown \"", name, b"\" variable"]);
                let problem = Problem::new(text).at(*span).place(*span);
                match suggest::nearest(name, known) {
                    Some(name) => problem.help(format!("did you mean `${name}`?")),
                    None => {
                        problem.help("it is neither built in nor defined by set, map, geo or a named group")
                    }
                }
            })
            .collect()
    }
}

/// Reports variables that are used but not defined.
pub fn are_known(whole: &mut WholeConfig<'_>) -> Vec<Problem> {
    whole.notes.of::<VariableNames>().unknown()
}

impl Variable {
    /// The variable with this lower-case name.
    pub fn find(name: &BString) -> Variable {
        if let Some((_, variable)) = FIXED.iter().find(|(fixed, _)| name == fixed.as_bytes()) {
            return variable.clone();
        }
        if let Some(arg) = name.strip_prefix(b"arg_") {
            return Variable::Arg(arg.into());
        }
        let prefixed: [(&[u8], NamedVariable); 4] = [
            (b"http_", Variable::Header),
            (b"cookie_", Variable::Cookie),
            (b"sent_http_", Variable::SentHeader),
            (b"sent_trailer_", Variable::SentTrailer),
        ];
        for (prefix, variable) in prefixed {
            if let Some(rest) = name.strip_prefix(prefix) {
                return variable(rest.into());
            }
        }
        if let [digit @ b'1'..=b'9'] = name.as_slice() {
            return Variable::Capture(digit - b'0');
        }
        let prefixed = PREFIXES_OF_MODULES.iter().any(|(prefix, _)| name.starts_with(prefix.as_bytes()));
        if prefixed || known_names().any(|other| name == other.as_bytes()) {
            return Variable::Other(name.clone());
        }
        Variable::User(name.clone())
    }
}

impl Variable {
    /// The name of one that has only this one, or its first name.
    pub fn fixed_name(&self) -> Option<&'static str> {
        FIXED.iter().find(|(_, known)| known == self).map(|(name, _)| *name)
    }

    /// Lower-case name under which the configuration may redefine it.
    pub fn definable(&self) -> Option<BString> {
        match self {
            Variable::Args => Some("args".into()),
            Variable::LimitRate => Some("limit_rate".into()),
            Variable::Arg(name) => Some(sentence(&[b"arg_", name])),
            Variable::Header(name) => Some(sentence(&[b"http_", name])),
            Variable::Cookie(name) => Some(sentence(&[b"cookie_", name])),
            Variable::SentHeader(name) => Some(sentence(&[b"sent_http_", name])),
            Variable::SentTrailer(name) => Some(sentence(&[b"sent_trailer_", name])),
            Variable::User(name) | Variable::Other(name) => Some(name.clone()),
            _ => None,
        }
    }

    /// Whether the configuration may define this lower-case name.
    fn may_be_defined(name: &[u8]) -> bool {
        let is_known = known_names().chain(HEADERS).any(|known| name == known.as_bytes());
        !is_known || name.starts_with(b"ssl_") || CHANGEABLE.iter().any(|free| name == free.as_bytes())
    }
}

/// Makes a variable from the part of its name behind the prefix.
type NamedVariable = fn(BString) -> Variable;

/// All names that the server knows, apart from those with prefixes.
fn known_names<'n>() -> impl Iterator<Item = &'n str> {
    let fixed = FIXED.iter().map(|(fixed, _)| *fixed);
    fixed.chain(OF_MODULES.iter().map(|(name, _)| *name))
}

/// Whether a text that stands for a condition is true: neither empty nor `0`, as in nginx.
pub fn is_true(text: &[u8]) -> bool {
    !matches!(text, b"" | b"0")
}

/// Names of the variables in a text, as written. A dollar sign without a name ends the iteration.
pub fn names(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    NOTATION.names(text)
}

/// The complaint about a variable that is written wrongly.
fn complaint(malformed: Malformed<'_>, word: &Word) -> Problem {
    match malformed {
        Malformed::Unclosed { name, .. } => {
            let text = sentence(&[b"the closing bracket in \"", name, b"\" variable is missing"]);
            Problem::new(text).at(word.span_of(name))
        }
        Malformed::NoName { .. } => {
            let help = "a variable is written `$name` or `${name}`; a plain dollar sign cannot be written";
            Problem::new("invalid variable name").at(word.span).help(help)
        }
    }
}
