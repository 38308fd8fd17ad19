//! All modules' values in one immutable value, and how it comes about.

pub mod log_spec;
pub mod lookup;
pub mod store;
pub mod locations;
pub mod model;
pub mod names;

pub use model::Config;
/// stub
#[derive(Clone, Debug)]
pub struct LoadOptions;
/// stub
pub struct Report;
impl Report { /// stub
pub fn first_lines(&self) -> Vec<String> { vec![] } }
/// stub
pub fn load(_: &LoadOptions) -> Result<Config, Report> { Err(Report) }
impl crate::conf::Diagnostic { /// stub
pub fn first_line(&self) -> String { String::new() } }
