//! Values about individual worker processes; here there is only one process.

use bstr::ByteSlice;

use crate::directive::address::literal_addr;
use crate::directive::{Args, Arity, Evaluation, ListenAddr, Value, number};
use crate::syntax::{Problem, Word, sentence};

/// Default port.
const DEFAULT_PORT: u16 = 80;

/// `multi_listen`: a further socket for each worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiListen {
    /// Socket of the first worker; the worker's number is appended to the path or added to the port.
    pub base: ListenAddr,
    /// `listen` address whose connections it accepts.
    pub related: ListenAddr,
}

/// `stream_zone`: table of streams shared by worker processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamZone {
    /// Number of hash buckets.
    pub buckets: u64,
    /// Number of streams.
    pub streams: u64,
}

impl Value for MultiListen {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "base-address address".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<MultiListen, Problem> {
        let [base, related] = args.words else { return Err(args.refuse("takes two addresses")) };
        Ok(MultiListen { base: address(base, "baseport")?, related: address(related, "relationport")? })
    }
}

impl Value for StreamZone {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "buckets=number streams=number".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<StreamZone, Problem> {
        let mut zone = StreamZone::default();
        for word in args.words {
            let (field, name, value) = match word.bytes.split_once_str("=") {
                Some((b"buckets", value)) => (&mut zone.buckets, "buckets", value),
                Some((b"streams", value)) => (&mut zone.streams, "streams", value),
                _ => {
                    let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
                    return Err(Problem::new(text).at(word.span).help("accepted: buckets=, streams="));
                }
            };
            let count = number::digits(value).filter(|n| *n > 0);
            *field = count.ok_or_else(|| {
                let text = sentence(&[b"invalid ", name.as_bytes(), b" \"", &word.bytes, b"\""]);
                Problem::new(text).at(word.span_of(value)).caption("a number from 1")
            })?;
        }
        Ok(zone)
    }
}

fn address(word: &Word, role: &str) -> Result<ListenAddr, Problem> {
    literal_addr(&word.bytes, DEFAULT_PORT).map_err(|reason| {
        let text = sentence(&[
            reason.as_bytes(),
            b" in \"",
            &word.bytes,
            b"\" of the \"multi_listen ",
            role.as_bytes(),
            b"\" directive",
        ]);
        Problem::new(text).at(word.span).help("an address as `listen` takes it: port, host:port or unix:path")
    })
}
