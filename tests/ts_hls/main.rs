//! What the server makes of a stream as MPEG-TS: HTTP-TS, HLS files, HLS from memory.

#[path = "../support/mod.rs"]
mod support;

mod clocks;
mod ffmpeg;
mod files;
mod media;
mod memory;
mod odd;
mod readers;
mod ts;
