//! HTTP/2: a connection with many requests at a time. Each request is answered like one of HTTP/1, on a socket that is its
//! stream; what differs in a head or at the end of a response stands here.

mod choice;
pub mod conf;
mod connection;
mod head;
mod send;

pub(super) use self::choice::{Chosen, choose};
pub(super) use self::connection::serve;
pub(super) use self::send::FRAME_HEAD;
