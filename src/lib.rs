//! pingosd: a live-media server. RTMP in, RTMP, HTTP-FLV, MPEG-TS and HLS out, configured as nginx is, asking a business server
//! over HTTP callbacks, reloaded without losing a frame.
//!
//! The rooms, from the top floor down; a room imports from rooms below it only:
//!
//! - [`cli`]: the command line, in nginx's words, and its commands.
//! - [`server`]: the process: start, signals, supervision, reload, upgrade; builds and connects all parts.
//! - [`modules`]: the list of modules. [`module`]: one folder per feature: its directives, rules and tasks.
//! - [`http`]: the HTTP server: connections, routing, handlers.
//! - [`media`]: the running media core: sessions, admission, ingest, delivery.
//! - [`notify`]: callbacks: events, requests, verdicts.
//! - [`net`]: sockets, listeners, TLS, DNS.
//! - [`config`]: all modules' values in one immutable configuration, and the store that swaps it.
//! - [`task`]: running work: tasks that are kept alive or waited for, work that waits for a disk.
//! - [`log`]: the error log and what is written there.
//! - [`hub`]: one publisher, many subscribers. No I/O.
//! - [`directive`]: the table of directives: rows, typed values, contexts, defaults, inheritance. Knows no directive.
//! - [`syntax`]: the configuration language: bytes, tokens, tree, includes, diagnostics.
//! - [`wire`]: protocols without I/O and without a clock: AMF0, RTMP, FLV, MPEG-TS, HLS, codecs.
//!
//! Bounds on everything a peer can make grow are named in [`limits`].

pub mod cli;
pub mod config;
pub mod directive;
pub mod http;
pub mod hub;
pub mod limits;
pub mod log;
pub mod media;
pub mod module;
pub mod modules;
pub mod net;
pub mod notify;
pub mod server;
pub mod syntax;
pub mod task;
pub mod wire;

/// What `$nginx_version` and statistics say: the version of nginx that the configuration language follows.
pub const NGINX_VERSION: &str = "1.17.5";

/// The name and the version of the program, as HTTP and callbacks are told.
pub const VERSION: &str = concat!("pingosd/", env!("CARGO_PKG_VERSION"));
