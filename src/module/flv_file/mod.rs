//! FLV files that players seek in by `?start=`, as nginx's flv module serves them.

mod check;
pub mod conf;

pub use check::FlvFileCheck;
