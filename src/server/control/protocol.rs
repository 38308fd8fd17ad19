//! Protocol of the control socket: one JSON object per line, a request and its answer.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::config::group_copy::GroupCopy;
use crate::config::on_disk::OnDisk;
use crate::media::counterpart::message::BytesText;
use crate::notify::ledger::snapshot::LedgerSnapshot;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// State of the server.
    Status,
    /// Ledger of callbacks.
    Callbacks,
    /// Streams and clients.
    Streams,
    /// Files of the configuration in force.
    Files,
    /// Sends a marked callback of the line at `place` (`FILE:LINE`).
    Probe {
        /// Position of the line.
        place: String,
    },
    /// Reads the files again and applies them.
    Reload {
        /// Time until the automatic rollback unless `Confirm` is received.
        confirm_ms: Option<u64>,
        /// Whether to colour excerpts.
        colour: bool,
    },
    /// Shows what a reload would do.
    Plan {
        /// Whether to colour excerpts.
        colour: bool,
    },
    /// Returns to the preceding configuration.
    Rollback,
    /// Keeps the configuration of a reload with `confirm_ms`.
    Confirm,
    /// A control request, as over HTTP.
    Control {
        /// The section.
        section: String,
        /// The method.
        method: BytesText,
        /// Arguments, as a query string.
        query: BytesText,
    },
    /// Applies the configuration of a group of the cluster: only from within the server.
    #[serde(skip)]
    GroupConf {
        /// Its place on disk.
        copy: GroupCopy,
        /// Content of the file.
        file: Bytes,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ControlAnswer {
    /// The request was not carried out.
    Refused {
        /// Human-readable reason.
        text: String,
    },
    /// The request was carried out.
    Done {
        /// Human-readable result.
        text: String,
        /// Warnings about the configuration, human-readable.
        #[serde(default)]
        warnings: String,
    },
    /// The request was carried out, and what it tested has failed.
    Failed {
        /// Human-readable result.
        text: String,
    },
    /// The user may not send requests.
    NotPermitted {
        /// Human-readable reason.
        text: String,
    },
    /// The configuration in force.
    Files {
        /// Its files, the main file first.
        files: Vec<FileInForce>,
        /// Whether it came into force by a rollback.
        is_rolled_back: bool,
    },
    /// A control request was carried out.
    Controlled {
        /// Human-readable result.
        text: String,
        /// The result in JSON.
        result: serde_json::Value,
    },
    /// State of the server.
    Status(Box<ServerStatus>),
    /// Ledger of callbacks.
    Callbacks(Box<LedgerSnapshot>),
    /// Streams and clients: the document of `rtmp_stat_format json`.
    Streams(Box<serde_json::Value>),
}

/// A file of the configuration in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInForce {
    /// Its path.
    pub path: BytesText,
    /// Its content.
    pub content: BytesText,
}

/// State of the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Version of the program.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Time since the start.
    pub uptime_seconds: u64,
    /// Whether the server waits for its sessions to end.
    pub draining: bool,
    /// The configuration.
    pub configuration: Configuration,
    /// Addresses on which it listens.
    pub listeners: Vec<String>,
    /// Number of streams.
    pub streams: usize,
    /// Numbers of sessions by role.
    pub sessions: SessionCounts,
    /// Pending work.
    #[serde(default)]
    pub queues: Queues,
    /// Number of open connections.
    pub connections: u64,
    /// Maximum number of connections.
    pub connections_limit: u64,
    /// Number of connections accepted so far.
    pub accepted_total: u64,
    /// Number of tasks on all threads: grows with sessions, not with reloads.
    #[serde(default)]
    pub tasks: usize,
    /// Number of `done` callbacks waiting to be repeated.
    pub done_waiting: usize,
    /// Number of `done` callbacks that were given up.
    pub done_lost_total: u64,
    /// Certificates that are ordered with ACME.
    #[serde(default)]
    pub certificates: Vec<CertificateStatus>,
}

/// A certificate that is ordered with ACME. Times are in RFC 3339.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// Issuer, first name and a hash, as in the log.
    pub id: String,
    /// Name of the `acme_issuer`.
    pub issuer: String,
    /// Host names and addresses.
    pub names: Vec<String>,
    /// Moment after which it is not valid any more; absent if it was not issued yet.
    pub valid_until: Option<String>,
    /// When it is ordered or renewed next; absent if it is not until the configuration changes.
    pub next_order: Option<String>,
    /// Why the last attempt has failed; absent if it has not.
    pub failure: Option<String>,
}

/// Numbers of sessions by role, including relays. Clients that load HLS files have no session: each request is
/// independent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCounts {
    /// Number of publishers.
    pub publishers: usize,
    /// Number of players.
    pub players: usize,
    /// Numbers by protocol: `rtmp`, `http-flv`, `http-ts`, `hls` (from memory), `relay` (publishers: pulled streams;
    /// players: pushes).
    #[serde(default)]
    pub by_protocol: BTreeMap<String, ProtocolCount>,
}

/// Numbers of sessions of one protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolCount {
    /// Number of publishers.
    pub publishers: usize,
    /// Number of players.
    pub players: usize,
}

/// Pending work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Number of pending callbacks.
    pub callbacks: usize,
    /// Number of files being completed and of other work for which a stop waits.
    pub unfinished: usize,
    /// Number of lines that an error log could not accept.
    pub log_lines_lost_total: u64,
}

/// The configuration of a running server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// The main file.
    pub file: String,
    /// Number of the current generation. Numbers continue across restarts if generations are kept on disk.
    pub generation: u64,
    /// Hash of the names and contents of all its files.
    pub hash: String,
    /// Time at which it came into force (RFC 3339).
    pub since: String,
    /// The current generation and those available for a rollback, newest first.
    #[serde(default)]
    pub kept: Vec<GenerationStatus>,
    /// Directory in which they are kept across restarts.
    #[serde(default)]
    pub kept_in: Option<String>,
    /// Reason why the current generation is not in that directory.
    #[serde(default)]
    pub not_kept: Option<String>,
    /// State of the files.
    pub on_disk: OnDisk,
    /// The last refused reload, unless a later one succeeded.
    pub refused: Option<RefusedReload>,
    /// Seconds until the automatic rollback, if a reload waits for confirmation.
    pub confirm_seconds_left: Option<u64>,
}

/// A current or former generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationStatus {
    /// Its number.
    pub generation: u64,
    /// First digits of its hash.
    pub hash: String,
    /// Time at which it came into force (RFC 3339).
    pub since: String,
}

/// A refused reload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedReload {
    /// Time (RFC 3339).
    pub at: String,
    /// Reasons.
    pub reasons: Vec<String>,
}
