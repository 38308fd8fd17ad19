//! Static files: indexes, fallbacks, and the empty GIF.

pub mod autoindex;
pub mod conf;
mod empty_gif;
mod index;
mod log;
mod try_files;

pub use empty_gif::EmptyGifHandler;
pub use index::IndexCheck;
pub use try_files::TryFilesCheck;
