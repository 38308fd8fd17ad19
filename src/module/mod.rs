//! Features, one folder each: `conf.rs` declares its directives, the rest is its behaviour.

pub mod access;
pub mod codec;
pub mod control;
pub mod core;
pub mod events;
pub mod flv;
pub mod gop;
pub mod hls2;
pub mod http;
pub mod live;
pub mod notify;
pub mod rtmp;
pub mod stat;
pub mod ts;

use crate::conf::registry::Advice;

/// Names that other servers know, or that documents misspell, and what to write here.
pub static NAMES_ELSEWHERE: &[Advice] = &[];
