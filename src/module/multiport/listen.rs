//! `multi_listen`: a socket for each worker.

use super::zone::{MultiListen, worker_listen};
use crate::config::Config;
use crate::directive::ListenAddr;
use crate::directive::conclusion::WholeConfig;
use crate::directive::context::EVENTS;
use crate::directive::table::directives;
use crate::syntax::Problem;

directives! {
    /// Sockets of individual workers.
    module "multi listen";
    live as Current {
        /// Opens a further listening socket for each worker, BASE with the worker's number: `unix:PATH.N`, or PORT+N. It
        /// behaves like the socket of `listen RELATED`, and its connections are served by that worker. Numbers begin
        /// with 0, and a port above 65535 is an error. `worker_processes` is the number of workers. May be repeated. A line
        /// whose RELATED no server listens on opens nothing, and `-t` warns of it.
        ///
        /// Example: `multi_listen unix:/tmp/http 8080;`
        "multi_listen" => multi_listen: Vec<MultiListen>, in EVENTS;
    }
    concludes {
        related_exists;
    }
}

/// A socket of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSocket<'c> {
    /// Its address.
    pub addr: ListenAddr,
    /// Number of the worker, which serves its connections.
    pub worker: usize,
    /// The `listen` address that it stands for.
    pub related: &'c ListenAddr,
}

/// The first line whose port leaves no port for one of the workers.
pub fn without_ports(config: &Config, workers: usize) -> Option<&MultiListen> {
    let lines = &config.events.get::<Current>().multi_listen;
    lines.iter().find(|line| worker_listen(&line.base, workers.saturating_sub(1)).is_none())
}

/// The sockets that a configuration has for this number of workers.
pub fn sockets(config: &Config, workers: usize) -> impl Iterator<Item = WorkerSocket<'_>> {
    config.events.get::<Current>().multi_listen.iter().flat_map(move |line| {
        (0..workers).filter_map(|worker| {
            Some(WorkerSocket { addr: worker_listen(&line.base, worker)?, worker, related: &line.related })
        })
    })
}

/// Warns of lines that open nothing.
fn related_exists(whole: &mut WholeConfig<'_>) -> Vec<Problem> {
    let lines = &whole.events.get::<Current>().multi_listen;
    let listens = |addr| whole.rtmp_addresses.contains(&addr) || whole.http_addresses.contains(&addr);
    let lost = lines.iter().filter(|line| !listens(&line.related));
    let warning = |line: &MultiListen| {
        let MultiListen { base, related } = line;
        let text = format!("\"multi_listen {base} {related}\" opens nothing, no server listens on {related}");
        Problem::warning(text)
    };
    lost.map(warning).collect()
}
