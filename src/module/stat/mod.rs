//! Documents about streams and the process: `rtmp_stat` and `sys_stat`. What they show is collected by
//! `media::statistics`.

pub mod conf;
mod handler;
mod json;
mod media;
mod overview;
mod shared;
mod sys;
mod xml;

pub use handler::{StatHandler, StatService};
pub use shared::SharedDocuments;
