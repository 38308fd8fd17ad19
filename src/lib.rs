//! pingosd: a live-media server with RTMP ingest and RTMP, HTTP-FLV, MPEG-TS and HLS output. Configured like nginx,
//! controlled by HTTP callbacks to a business server, reloaded without interrupting streams.
//!
//! The rooms, from top to bottom; a room imports only from rooms below it:
//!
//! - [`cli`]: the command line: nginx's options, and commands.
//! - [`modules`]: the list of modules; the configuration language that results from it is passed down as a value.
//! - [`server`]: the process: start, signals, supervision, reload, upgrade; builds and connects all parts.
//! - [`module`]: one folder per feature: its directives, rules and tasks.
//! - [`http`]: the HTTP server: connections, routing, handlers.
//! - [`media`]: the running media core: sessions, admission, ingest, delivery.
//! - [`notify`]: callbacks: events, requests, verdicts.
//! - [`net`]: sockets, listeners, TLS, DNS.
//! - [`config`]: the values of all modules in one immutable configuration, and the store that swaps it.
//! - [`task`]: running work: restarting tasks, waiting for tasks, blocking disk work.
//! - [`log`]: the error log.
//! - [`hub`]: one publisher, many subscribers. No I/O.
//! - [`directive`]: the table of directives: rows, typed values, contexts, defaults, inheritance. Contains no
//!   directive.
//! - [`syntax`]: the configuration language: lexer, parser, syntax tree, includes, diagnostics.
//! - [`wire`]: protocols without I/O and without a clock: AMF0, RTMP, FLV, MPEG-TS, HLS, codecs.
//!
//! Bounds on everything that a peer can make grow are named in [`limits`].

#![warn(unreachable_pub)]

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

/// nginx version in `$nginx_version` and statistics: the version whose configuration language is supported.
pub const NGINX_VERSION: &str = "1.17.5";

/// Name and version of the program, in HTTP responses and callbacks.
pub const VERSION: &str = concat!("pingosd/", env!("CARGO_PKG_VERSION"));
