//! Control requests.

pub mod conf;
mod drop;
mod handler;
pub mod log;
mod pause;
mod redirect;
mod role;

pub use self::drop::DROP;
pub use self::handler::{ControlHandler, ControlSections};
pub use self::pause::{PAUSE, RESUME};
pub use self::redirect::REDIRECT;
