//! Directives of `events { }`.

use crate::conf::context::{EVENTS, MAIN};
use crate::conf::directive::directives;
use crate::conf::{Args, Present, Problem, Scene, Value, number, sentence};

/// How many connections each worker may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections(pub u64);

directives! {
    /// Connection processing.
    module "events";
    blocks {
        /// Connection processing; every configuration has this block.
        "events" => Present as single, opens EVENTS, in MAIN;
    }
    held as Conf {
        restart {
            /// Connections per worker; together with `worker_processes` it bounds the whole server.
            "worker_connections" => worker_connections: Connections = "512", in EVENTS;
        }
    }
}

impl Value for Connections {
    fn syntax() -> String {
        "number".into()
    }

    fn parse(args: &Args<'_>, _: &mut Scene<'_>) -> Result<Connections, Problem> {
        let word = args.first();
        number::digits(&word.bytes).map(Connections).ok_or_else(|| {
            let text = sentence(&[
                b"invalid number \"",
                &word.bytes,
                b"\" in \"",
                &args.name.bytes,
                b"\" directive",
            ]);
            Problem::new(text).at(word.span)
        })
    }
}
