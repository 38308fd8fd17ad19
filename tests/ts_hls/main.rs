//! What the server makes of a stream as MPEG-TS: HTTP-TS, HLS files, HLS from memory.

#[path = "../support/mod.rs"]
mod support;

#[path = "../mpegts/input.rs"]
#[allow(dead_code, reason = "shared with the test of packaging, which uses all of it")]
mod input;

mod clocks;
mod ffmpeg;
mod files;
mod hevc;
mod large;
mod media;
mod memory;
mod odd;
mod readers;
mod ts;
