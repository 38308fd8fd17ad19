//! The configuration: its language, its directives, what becomes of them, what is said of mistakes.

mod cases;
mod commands;
mod diagnostics;
mod fuzz;
mod hostile;
mod model;
mod original;
mod support;
mod table;
mod variables;
