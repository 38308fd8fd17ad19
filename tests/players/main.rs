//! Players of other projects play every output in Chromium: mpegts.js and hls.js as the console has them, dash.js and Shaka Player
//! from the npm registry. The page comes from another origin than the streams.
//!
//! - `http_live.rs`, `hls.rs`, `dash.rs`: each output with each player that knows it.
//! - `proxied.rs`: the same through a proxy as PingOS is configured, over TLS and HTTP/2.
//! - `latency.rs`: how long it takes from the publisher to the picture. It takes a quiet machine and is left out by default.
//! - `codecs.rs`, `boxes.rs`: a current ffmpeg and mp4box.js, without a browser.

#[path = "../support/mod.rs"]
mod support;

mod boxes;
mod codecs;
mod dash;
mod hls;
mod http_live;
mod latency;
mod proxied;
mod stage;
