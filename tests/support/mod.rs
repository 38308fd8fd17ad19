//! What the tests of the whole server share: the server itself as a process, a scripted callback server, and
//! clients of RTMP and HTTP-FLV that keep what they were sent.
//!
//! Nothing here waits for a fixed time: every wait is for a condition and ends the test when it lasts longer
//! than [`wait::PATIENCE`].

#![allow(dead_code, unused_imports, reason = "every test file uses its own part")]

pub mod acme_front;
pub mod any_server;
pub mod burnt;
pub mod certificates;
pub mod chromium;
pub mod clip;
pub mod conf;
pub mod disk;
pub mod dns;
pub mod etcd;
pub mod frame;
pub mod http;
pub mod notify;
pub mod ocsp;
pub mod pebble;
pub mod player;
pub mod playlist;
pub mod process;
pub mod publisher;
pub mod raw;
pub mod rtmp;
pub mod scripts;
pub mod server;
pub mod sockets;
pub mod tls;
pub mod tool;
pub mod upgrade;
pub mod wait;

pub use conf::Conf;
pub use dns::{DnsServer, Records};
pub use notify::{Answer, NotifyServer};
pub use player::Player;
pub use publisher::{Feed, Publisher};
pub use rtmp::{End, RtmpClient};
pub use server::Server;
