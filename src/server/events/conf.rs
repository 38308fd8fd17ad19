//! Directives of `events { }`.

use crate::directive::conclusion::WholeConfig;
use crate::directive::context::{EVENTS, MAIN};
use crate::directive::table::directives;
use crate::directive::uses_modules::UsesModules;
use crate::directive::value::not_digits;
use crate::directive::{Args, Arity, Evaluation, Flag, Msec, Num, Value, Words, number};
use crate::media::delivery::conf::BackEnd;
use crate::syntax::{Problem, sentence};

/// Maximum number of connections per worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerConnections(pub u64);

/// Event notification method of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventMethod(pub &'static str);

/// Methods on Linux.
const EVENT_METHODS: [&str; 3] = ["epoll", "poll", "select"];

directives! {
    /// Connection processing.
    module "events";
    blocks {
        /// Connection processing; required in every configuration.
        "events" => UsesModules as single, opens EVENTS, in MAIN;
    }
    held as Conf {
        restart {
            /// Maximum number of connections per worker; multiplied by `worker_processes` it limits the whole server.
            ///
            /// Example: `worker_connections 10000;`
            "worker_connections" => worker_connections: WorkerConnections = "512", in EVENTS;
            /// System interface for sending media to players that are up to date: `uring` passes the same bytes for
            /// many players to Linux in one system call, `writev` makes one call per player; `auto` is `uring` if the
            /// system allows io_uring.
            ///
            /// Not in PingOS.
            ///
            /// Example: `delivery writev;`
            "delivery" => delivery: BackEnd = "auto", in EVENTS;
        }
    }
    needless {
        /// Event notification method; always epoll here.
        "use" => EventMethod, in EVENTS;
        /// Accepts all waiting connections at once.
        "multi_accept" => Flag = "off", in EVENTS;
        /// Makes worker processes accept in turn; here there is only one process.
        "accept_mutex" => Flag = "off", in EVENTS;
        /// How long a worker process waits for its turn to accept.
        "accept_mutex_delay" => Msec = "500ms", in EVENTS;
        /// Number of events fetched at once.
        "epoll_events" => Num = "512", in EVENTS;
        /// Number of asynchronous read requests.
        "worker_aio_requests" => Num = "32", in EVENTS;
        /// Detailed logs for some clients, in debug builds of nginx.
        "debug_connection" => Vec<Words>, in EVENTS, args Arity::ONE;
    }
    concludes {
        connections_suffice;
    }
}

/// Reports if the maximum number of connections does not exceed the number of listening sockets.
fn connections_suffice(whole: &mut WholeConfig<'_>) -> Vec<Problem> {
    let connections = whole.events.get::<Conf>().worker_connections.0;
    let sockets = whole.sockets;
    let few = connections <= sockets as u64;
    let text = || format!("{connections} worker_connections are not enough for {sockets} listening sockets");
    few.then(|| Problem::new(text())).into_iter().collect()
}

impl Value for EventMethod {
    fn syntax() -> String {
        EVENT_METHODS.join(" | ")
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<EventMethod, Problem> {
        let word = args.first();
        let known = EVENT_METHODS.iter().find(|method| word.bytes == method.as_bytes());
        known.map(|method| EventMethod(method)).ok_or_else(|| {
            let text = sentence(&[b"invalid event type \"", &word.bytes, b"\""]);
            Problem::new(text).at(word.span).help(format!("accepted: {}", EVENT_METHODS.join(", ")))
        })
    }
}

impl Value for WorkerConnections {
    fn syntax() -> String {
        "number".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<WorkerConnections, Problem> {
        let word = args.first();
        number::digits(&word.bytes).map(WorkerConnections).ok_or_else(|| {
            let text = sentence(&[b"invalid number \"", &word.bytes, b"\""]);
            Problem::new(text).at(word.span).caption(not_digits(&word.bytes))
        })
    }
}
