//! The entries, by what they are about.

pub mod files;
pub mod headers;
pub mod locations;
pub mod maps;
pub mod ranges;
pub mod rewriting;
pub mod selection;
pub mod variables;
