//! Parameters of `listen`: messages as Debian's nginx prints them, and what counts as a socket of its own.

use crate::support::{checked, load};
