//! Servers of a group.

use bstr::{BString, ByteSlice};

use super::balance::{self, UpstreamBalance};
use crate::directive::address::strip_unix;
use crate::directive::{Args, Arity, Evaluation, Sec, Value, number};
use crate::http::variable::Template;
use crate::syntax::{Problem, Word, sentence, suggest};

/// Parameters after an address.
const PARAMETERS: [&str; 6] = ["weight", "max_conns", "max_fails", "fail_timeout", "backup", "down"];

/// One server of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamServer {
    /// Address as written.
    pub address: BString,
    /// Relative share of the requests.
    pub weight: u64,
    /// Maximum number of concurrent connections; zero is no limit.
    pub max_conns: u64,
    /// Number of failures within `fail_timeout` after which the server is not used for that time.
    pub max_fails: u64,
    /// See `max_fails`.
    pub fail_timeout: Sec,
    /// Whether it is used only when the others fail.
    pub backup: bool,
    /// Whether it is never used.
    pub down: bool,
}

/// `hash`: requests with the same key go to the same server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashBalance {
    /// The key.
    pub key: Template,
    /// Whether most keys keep their server when the group changes.
    pub consistent: bool,
}

impl Value for UpstreamServer {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "address [weight=number] [max_conns=number] [max_fails=number] [fail_timeout=time] [backup] [down]"
            .into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<UpstreamServer, Problem> {
        check_address(args.first())?;
        let mut server = UpstreamServer {
            address: args.first().text().to_owned(),
            weight: 1,
            max_conns: 0,
            max_fails: 1,
            fail_timeout: Sec(10),
            backup: false,
            down: false,
        };
        for word in args.words.get(1..).unwrap_or_default() {
            let count = |value| number::digits(value).ok_or_else(|| invalid(word).caption("a number"));
            match word.bytes.split_once_str("=") {
                Some((b"weight", b"0")) => return Err(invalid(word).caption("at least 1")),
                Some((b"weight", value)) => server.weight = count(value)?,
                Some((b"max_conns", value)) => server.max_conns = count(value)?,
                Some((b"max_fails", value)) => server.max_fails = count(value)?,
                Some((b"fail_timeout", value)) => {
                    server.fail_timeout = number::sec(value).map(Sec).ok_or_else(|| invalid(word))?;
                }
                None if &word.bytes[..] == b"backup" => {
                    if evaluation.block.of::<UpstreamBalance>().without_backup {
                        let text = "balancing method does not support parameter \"backup\"";
                        return Err(Problem::new(text).at(word.span));
                    }
                    server.backup = true;
                }
                None if &word.bytes[..] == b"down" => server.down = true,
                _ => return Err(unknown(word)),
            }
        }
        Ok(server)
    }
}

impl Value for HashBalance {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "key [consistent]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<HashBalance, Problem> {
        let key = Template::compile(args.first(), &args.first().bytes, evaluation)?;
        balance::note(args, evaluation, false);
        match args.words.get(1) {
            None => Ok(HashBalance { key, consistent: false }),
            Some(word) if &word.bytes[..] == b"consistent" => Ok(HashBalance { key, consistent: true }),
            Some(word) => Err(invalid(word).help("accepted: consistent")),
        }
    }
}

/// Refuses an invalid address; names are resolved when needed.
fn check_address(word: &Word) -> Result<(), Problem> {
    let refuse = |reason: &[u8]| {
        let text = sentence(&[reason, b" in upstream \"", &word.bytes, b"\""]);
        Problem::new(text).at(word.span)
    };
    if let Some(path) = strip_unix(&word.bytes) {
        return if path.is_empty() { Err(refuse(b"no path in the unix domain socket")) } else { Ok(()) };
    }
    let port = match word.bytes.strip_prefix(b"[") {
        Some(rest) => rest.split_once_str("]:").map(|(_, port)| port),
        None => word.bytes.split_once_str(":").map(|(_, port)| port),
    };
    let valid = |port: &[u8]| number::digits(port).is_some_and(|p| (1..=65_535).contains(&p));
    match port {
        Some(port) if !valid(port) => Err(refuse(b"invalid port")),
        _ => Ok(()),
    }
}

/// Error about an unknown parameter of a server.
fn unknown(word: &Word) -> Problem {
    let name = word.bytes.split_once_str("=").map_or(&word.bytes[..], |(name, _)| name);
    match suggest::nearest(name, PARAMETERS.into_iter()) {
        Some(near) => invalid(word).help(format!("did you mean `{near}`?")),
        None => invalid(word).help(format!("accepted: {}", PARAMETERS.join(", "))),
    }
}

fn invalid(word: &Word) -> Problem {
    Problem::new(sentence(&[b"invalid parameter \"", &word.bytes, b"\""])).at(word.span)
}
