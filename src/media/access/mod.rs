//! Who may publish and play.

pub mod conf;
pub mod rule;
