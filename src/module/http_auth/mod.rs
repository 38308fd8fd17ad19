//! Passwords.

pub mod conf;
