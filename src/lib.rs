//! pingosd: a live-media server. RTMP in, RTMP, HTTP-FLV, MPEG-TS and HLS out, configured as nginx is, asking a business server
//! over HTTP callbacks, reloaded without losing a frame.
//!
//! Six layers, arrows only downwards:
//!
//! - [`cli`]: the command line, in nginx's words; [`command`]: its commands that are words.
//! - [`server`]: sockets, threads, timers, files, HTTP, signals; the only layer that waits.
//! - [`config`]: all modules' values in one immutable configuration, and the store that swaps it.
//! - [`module`]: one folder per feature: its directives and its behaviour; [`modules`] lists them.
//! - [`hub`]: one publisher, many subscribers.
//! - [`conf`]: the configuration language: bytes, words, tree, typed values. Knows no directive.
//! - [`wire`]: protocols without I/O: AMF0, RTMP, FLV, MPEG-TS, HLS, codecs.
//!
//! Bounds on everything a peer can make grow are named in [`limits`].

pub mod cli;
pub mod command;
pub mod conf;
pub mod config;
pub mod hub;
pub mod limits;
pub mod module;
pub mod modules;
pub mod server;
pub mod wire;

/// What `$nginx_version` and statistics say: the version of nginx that the configuration language follows.
pub const NGINX_VERSION: &str = "1.17.5";
