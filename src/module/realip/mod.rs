//! Client addresses that trusted proxies report.

pub mod conf;
pub mod settings;
