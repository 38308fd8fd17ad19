//! The entries, by what they are about.

pub mod files;
pub mod locations;
pub mod ranges;
pub mod selection;
pub mod variables;
