//! Static files: indexes and fallbacks, and the empty GIF.

pub mod autoindex;
pub mod conf;
mod empty_gif;

pub use empty_gif::EmptyGifHandler;
