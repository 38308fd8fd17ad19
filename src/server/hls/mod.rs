//! HLS files: a task per publish segments the stream and writes, another removes what is left over.

mod crypt;
mod directory;
mod place;
mod queue;
mod recording;
pub mod sweeper;
mod writer;

pub use directory::make_directories;
pub use place::Places;
pub(super) use queue::Queue;
pub use recording::record;
pub(super) use writer::{WriteError, create, failed};
