//! A walk through the table of directives, row by row: each is changed while sessions run, and what becomes of it is
//! looked at from outside.
//!
//! A *live* row counts for the running session or listener at its next event, a *session* row only for newcomers, and a
//! *restart* row is named in a warning while the old value goes on.

mod access;
mod bodies;
mod caching;
mod client;
mod cluster;
mod core;
mod dash;
mod dns;
mod dynamic;
mod exec;
mod files;
mod filters;
mod gop;
mod hls;
mod http;
mod http2;
mod limit;
mod live;
mod logs;
#[path = "../ts_hls/media.rs"]
mod media;
mod memory;
mod mpegts;
mod notify;
mod notify_main;
mod ocsp;
mod proxying;
mod proxying_tls;
mod record;
mod relay;
mod release;
mod requests;
mod rtmp;
mod session_limit;
mod snapshot;
mod ssl;
mod table;
mod upstream;
mod walk;

#[path = "../support/mod.rs"]
mod support;
