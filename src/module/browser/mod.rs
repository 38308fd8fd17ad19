//! Classification of browsers by their `User-Agent`.

pub mod browsers;
pub mod conf;
mod variables;

pub use variables::BrowserVariables;
