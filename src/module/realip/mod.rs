//! Client addresses that trusted proxies report.

mod check;
pub mod conf;
pub mod settings;

pub use check::{RealIpCheck, RealIpVariables};
