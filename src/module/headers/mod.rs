//! Headers of responses.

pub mod conf;
pub mod expires;
