//! FLV container: tags with the same bodies as RTMP media messages (FLV specification, annex E).

mod reader;
mod remuxer;
mod writer;

pub use reader::{FlvError, FlvReader, FlvTag};
pub use remuxer::Remuxer;
pub use writer::{TAG_HEADER, tag_header, write_header, write_previous_tag_size, write_tag};
