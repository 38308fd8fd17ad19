//! Load balancing methods of a server group.

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::upstream::times::Measured;
use crate::syntax::{Problem, Word, sentence};

/// State of a group while its lines are parsed.
#[derive(Default)]
pub struct UpstreamBalance {
    /// Whether a method or `keepalive` was given.
    named: bool,
    /// Whether the method does not support backup servers.
    pub without_backup: bool,
    /// Whether the method does not support `slow_start`.
    pub without_slow_start: bool,
}

/// What a method does with servers beside their weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supports {
    /// Whether it falls back on backup servers.
    pub backup: bool,
    /// Whether weights may recover slowly.
    pub slow_start: bool,
}

impl Supports {
    /// All of it.
    pub const ALL: Supports = Supports { backup: true, slow_start: true };
    /// Nothing of it.
    pub const NEITHER: Supports = Supports { backup: false, slow_start: false };
}

/// A method without arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method;

/// `random`, or `random two [least_conn]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    /// Whether the less loaded of two is used.
    pub two: bool,
}

/// `least_time header | last_byte [inflight]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeastTimeBalance(pub Measured);

/// `keepalive`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepaliveConnections {
    /// Maximum number of idle connections.
    pub most: u64,
    /// Whether locations do not share them.
    pub local: bool,
}

/// Records a method; warns if it replaces another one.
pub fn note(args: &Args<'_>, evaluation: &mut Evaluation<'_>, supports: Supports) {
    let group = evaluation.block.of::<UpstreamBalance>();
    (group.without_backup, group.without_slow_start) = (!supports.backup, !supports.slow_start);
    if std::mem::replace(&mut group.named, true) {
        evaluation.report(Problem::warning("load balancing method redefined").at(args.name.span));
    }
}

/// Records a directive behind which a method is too late, as nginx warns.
pub fn occupy(evaluation: &mut Evaluation<'_>) {
    evaluation.block.of::<UpstreamBalance>().named = true;
}

impl Value for Method {
    const ARITY: Arity = Arity::NONE;

    fn syntax() -> String {
        String::new()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Method, Problem> {
        let is_ip_hash = &args.name.bytes[..] == b"ip_hash";
        note(args, evaluation, if is_ip_hash { Supports::NEITHER } else { Supports::ALL });
        Ok(Method)
    }

    fn may_repeat(&self) -> bool {
        true
    }
}

impl Value for Random {
    const ARITY: Arity = Arity::between(0, 2);

    fn syntax() -> String {
        "[two [least_conn]]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Random, Problem> {
        for (word, known) in args.words.iter().zip([&b"two"[..], b"least_conn"]) {
            if &word.bytes[..] != known {
                let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
                let help = format!("accepted: {}", String::from_utf8_lossy(known));
                return Err(Problem::new(text).at(word.span).help(help));
            }
        }
        note(args, evaluation, Supports::NEITHER);
        Ok(Random { two: !args.words.is_empty() })
    }

    fn may_repeat(&self) -> bool {
        true
    }
}

impl Value for LeastTimeBalance {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "header | last_byte [inflight]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<LeastTimeBalance, Problem> {
        let refuse = |word: &Word, accepted: &str| {
            let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
            Problem::new(text).at(word.span).help(format!("accepted: {accepted}"))
        };
        let of_head = match &args.first().bytes[..] {
            b"header" => true,
            b"last_byte" => false,
            _ => return Err(refuse(args.first(), "header, last_byte")),
        };
        let counts_pending = match args.words.get(1) {
            None => false,
            Some(word) if &word.bytes[..] == b"inflight" => true,
            Some(word) => return Err(refuse(word, "inflight")),
        };
        note(args, evaluation, Supports::ALL);
        Ok(LeastTimeBalance(Measured { of_head, counts_pending }))
    }

    fn may_repeat(&self) -> bool {
        true
    }
}

/// `zone`: name and size of the shared state, which only are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupZone;

impl Value for GroupZone {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "name [size]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<GroupZone, Problem> {
        /// Eight pages, as in nginx.
        const LEAST: u64 = 8 * 4096;
        let name = args.first();
        if name.bytes.is_empty() {
            return Err(Problem::new("invalid zone name \"\"").at(name.span));
        }
        let Some(word) = args.words.get(1) else { return Ok(GroupZone) };
        match number::size(&word.bytes) {
            None => {
                let text = sentence(&[b"invalid zone size \"", &word.bytes, b"\""]);
                Err(Problem::new(text).at(word.span))
            }
            Some(size) if size < LEAST => {
                let text = sentence(&[b"zone \"", &name.bytes, b"\" is too small"]);
                Err(Problem::new(text).at(word.span).caption("at least 32k"))
            }
            Some(_) => Ok(GroupZone),
        }
    }
}

impl Value for KeepaliveConnections {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "number [local]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<KeepaliveConnections, Problem> {
        let word = args.first();
        let count = number::digits(&word.bytes).filter(|n| *n > 0).ok_or_else(|| {
            let text =
                sentence(&[b"invalid value \"", &word.bytes, b"\" in \"", &args.name.bytes, b"\" directive"]);
            Problem::new(text).at(word.span).caption("a number from 1")
        })?;
        let local = args.words.get(1);
        if let Some(word) = local.filter(|word| &word.bytes[..] != b"local") {
            let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
            return Err(Problem::new(text).at(word.span).help("accepted: local"));
        }
        occupy(evaluation);
        Ok(KeepaliveConnections { most: count, local: local.is_some() })
    }
}
