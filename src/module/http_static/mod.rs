//! Static files: indexes, listings, fallbacks, and the empty GIF.

mod autoindex;
pub mod conf;
mod directory;
mod empty_gif;
mod index;
mod index_names;
mod listing;
mod log;
mod random_index;
mod tried;
mod try_files;
mod utf8;

pub use autoindex::{AutoindexCheck, AutoindexFilter};
pub use empty_gif::EmptyGifHandler;
pub use index::IndexCheck;
pub use random_index::RandomIndexCheck;
pub use try_files::TryFilesCheck;
