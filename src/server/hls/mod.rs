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
pub use recording::record;
