//! The `add_trailer` lines in force.

use crate::http::header::AddHeader;

/// The lines that a level has and takes over.
#[derive(Debug)]
pub struct AddedTrailers(pub Vec<AddHeader>);
