//! What is said over the control socket: one JSON object per line, a request and its answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::on_disk::OnDisk;
use crate::notify::ledger::snapshot::LedgerSnapshot;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// How the server is.
    Status,
    /// What became of callbacks.
    Callbacks,
    /// Sends a marked callback of the line at `place` (`FILE:LINE`).
    Probe {
        /// Which line.
        place: String,
    },
    /// Uses the files anew.
    Reload {
        /// Goes back after this long unless `Confirm` comes first.
        confirm_ms: Option<u64>,
        /// Whether excerpts are coloured.
        colour: bool,
    },
    /// What a reload would do.
    Plan {
        /// Whether excerpts are coloured.
        colour: bool,
    },
    /// Goes back to the configuration before the one in force.
    Rollback,
    /// Keeps what a reload with `confirm_ms` has brought.
    Confirm,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Nothing was done; the reason is for people.
    Refused {
        /// Why.
        text: String,
    },
    /// It was done, or here it is.
    Done {
        /// For people.
        text: String,
    },
    /// How the server is.
    Status(Box<Status>),
    /// What became of callbacks.
    Callbacks(Box<LedgerSnapshot>),
}

/// How the server is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Process number.
    pub pid: u32,
    /// Time since the start.
    pub uptime_seconds: u64,
    /// Whether it waits for its sessions to end.
    pub draining: bool,
    /// The configuration.
    pub configuration: Configuration,
    /// Addresses that are listened on.
    pub listeners: Vec<String>,
    /// Streams that exist.
    pub streams: usize,
    /// Sessions by what they do.
    pub sessions: SessionCounts,
    /// What is under way or waits.
    #[serde(default)]
    pub queues: Queues,
    /// Connections open now.
    pub connections: u64,
    /// Connections that may be open.
    pub connections_limit: u64,
    /// Connections accepted so far.
    pub accepted_total: u64,
    /// Tasks of all threads: they grow with sessions, not with reloads.
    #[serde(default)]
    pub tasks: usize,
    /// Ends (`done`) that wait to be told to a callback server that is away.
    pub done_waiting: usize,
    /// Ends that nobody could be told of.
    pub done_lost_total: u64,
}

/// Sessions by what they do, relays among them. Who loads HLS files has none: each request is by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCounts {
    /// Send a stream.
    pub publishers: usize,
    /// Are sent a stream.
    pub players: usize,
    /// The same by how they speak: `rtmp`, `http-flv`, `http-ts`, `hls` (from memory), `relay` (publishers: streams that
    /// are pulled; players: pushes).
    #[serde(default)]
    pub by_protocol: BTreeMap<String, Count>,
}

/// Sessions of one protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Send a stream.
    pub publishers: usize,
    /// Are sent a stream.
    pub players: usize,
}

/// What is under way or waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Callbacks under way.
    pub callbacks: usize,
    /// Files being completed, and other work that a stop waits for.
    pub unfinished: usize,
    /// Lines that an error log could not take.
    pub log_lines_lost_total: u64,
}

/// The configuration of a running server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// The main file.
    pub file: String,
    /// Number of the generation in force. Numbers go on over restarts where generations are kept on disk.
    pub generation: u64,
    /// Hash over names and contents of all its files.
    pub hash: String,
    /// When it came into force (RFC 3339).
    pub since: String,
    /// The generations that a rollback can go back to and the one in force, the newest first.
    #[serde(default)]
    pub kept: Vec<Kept>,
    /// The directory in which they are also kept over restarts.
    #[serde(default)]
    pub kept_in: Option<String>,
    /// Why the one in force is not in that directory.
    #[serde(default)]
    pub not_kept: Option<String>,
    /// The files as they are now.
    pub on_disk: OnDisk,
    /// The last reload that was refused, unless one has succeeded since.
    pub refused: Option<Refusal>,
    /// Seconds until the server goes back by itself, while a reload waits to be confirmed.
    pub confirm_seconds_left: Option<u64>,
}

/// A generation that is or was in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its number.
    pub generation: u64,
    /// First digits of its hash.
    pub hash: String,
    /// When it came into force (RFC 3339).
    pub since: String,
}

/// A reload that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// When (RFC 3339).
    pub at: String,
    /// Why.
    pub reasons: Vec<String>,
}
