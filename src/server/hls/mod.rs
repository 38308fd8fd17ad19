//! HLS files: a task per publish segments the stream and writes, another removes what is left over.

mod crypt;
mod directory;
mod queue;
mod recording;
pub mod sweeper;
mod writer;

pub use directory::make_directories;
pub(super) use queue::Queue;
pub use recording::record;
pub(super) use writer::{WriteError, create, failed};
