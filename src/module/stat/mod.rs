//! Statistics.

pub mod conf;
mod handler;
mod json;
mod overview;
mod shared;
mod sys;
mod xml;

pub use handler::{StatHandler, StatService};
pub use shared::SharedDocuments;
