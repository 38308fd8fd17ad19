//! Configuration: the values of all modules in one immutable value; loading and comparing configurations.

pub mod applications;
pub mod archive;
mod build;
mod builder;
pub mod diff;
pub mod dynamic;
pub mod group_copy;
pub mod history;
mod http;
pub mod load;
pub mod lookup;
pub mod model;
pub mod names;
pub mod on_disk;
pub mod path_setting;
pub mod private_files;
mod report;
mod rtmp;
mod socket;
pub mod store;
mod texts;
pub mod watch;

pub use load::{LoadOptions, Report, load};
pub use model::Config;
pub use texts::{ReadableTexts, WithFile};
