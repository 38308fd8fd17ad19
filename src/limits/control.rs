//! Bounds of control requests, the control socket, the web console and statistics.

use std::time::Duration;

/// Maximum length of the name to which a control request moves sessions, in bytes; names in RTMP commands are not longer.
pub const REDIRECT_NAME: usize = 65_535;

/// Time that the answer to a control request waits at most until sessions have moved to another stream. Encoders send a key
/// frame every few seconds.
pub const REDIRECT_PATIENCE: Duration = Duration::from_secs(3);

/// Maximum number of bans; each is compared with every publish, play and HTTP request.
pub const BANS: usize = 1_000;

/// Maximum number of streams with metrics of their own (`rtmp_metrics top=`): each is a series that Prometheus keeps for
/// every name that ever occurs.
pub const METRICS_STREAMS: usize = 1000;

/// Maximum length of a label of metrics in bytes; longer names are cut.
pub const METRICS_LABEL: usize = 128;

/// Interval at which counters are noted for rates in statistics.
pub const RATE_INTERVAL: Duration = Duration::from_secs(2);

/// Time over which rates in statistics are computed, as in nginx-rtmp.
pub const RATE_WINDOW: Duration = Duration::from_secs(10);
const _: () = assert!(RATE_INTERVAL.as_secs() < RATE_WINDOW.as_secs());

/// Maximum number of commands at the control socket at once; users and scripts of one machine use it.
pub const CONTROL_CONNECTIONS: usize = 8;

/// Maximum number of connections to the control socket, requests of the other process of an upgrade included. Those take
/// one for each stream and for each request that they share.
pub const CONTROL_SOCKETS: usize = 16_384;

/// Maximum number of event streams of consoles. All share one document per tick.
pub const CONSOLE_EVENT_STREAMS: usize = 64;

/// Time between two events.
pub const CONSOLE_TICK: Duration = Duration::from_secs(1);

/// Time that a reader of events may take for one of them.
pub const CONSOLE_SLOW: Duration = Duration::from_secs(10);

/// Maximum number of streams in an event.
pub const CONSOLE_STREAMS: usize = 200;

/// Maximum number of clients in an event, of all streams together, if there are not more streams than that.
pub const CONSOLE_CLIENTS: usize = 1000;

/// Maximum number of callback lines, and of calls, in an event.
pub const CONSOLE_CALLS: usize = 50;

/// Maximum length of an application's or stream's name by which the console can select it, in bytes.
pub const CONSOLE_NAME: usize = 512;

/// Maximum length of a text that peers choose in an event, in bytes.
pub const CONSOLE_TEXT: usize = 256;

/// Longest time by which a client is said to be behind its publisher; one that is further behind plays something else.
pub const CONSOLE_DELAY: Duration = Duration::from_secs(600);

/// Maximum size of the configuration's texts that the console shows, in bytes.
pub const CONSOLE_CONF: usize = 4 << 20;

/// Maximum number of requests of consoles that wait for a reload.
pub const CONSOLE_ORDERS: usize = 4;

/// Maximum number of commands waiting for a reload; the other connections stay free for commands that only read.
pub const CONTROL_ORDERS: usize = CONTROL_CONNECTIONS / 2;

/// Maximum size of a request on the control socket, in bytes. The longest contains the query of an HTTP request, each byte
/// of which may take three.
pub const CONTROL_REQUEST: u64 = 128 * 1024;

/// Idle timeout of a connection to the control socket.
pub const CONTROL_IDLE: Duration = Duration::from_secs(10);

/// Maximum size of a server's answer that a command reads, in bytes.
pub const CONTROL_ANSWER: u64 = 64 << 20;

/// Time that a command waits for a server's answer. A reload may read files from a slow disk.
pub const CONTROL_PATIENCE: Duration = Duration::from_secs(60);
