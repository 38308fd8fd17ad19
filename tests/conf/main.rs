//! The configuration: language, directives, their effect, and diagnostics.

mod cases;
mod commands;
mod diagnostics;
mod examples;
mod fuzz;
mod hostile;
mod listen;
mod model;
mod original;
mod support;
mod table;
mod variables;
