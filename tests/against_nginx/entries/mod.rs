//! The entries, by what they are about.

pub mod selection;
