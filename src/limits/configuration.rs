//! Bounds of the files of a configuration: checking, watching, reloading and keeping them.

use std::time::Duration;

/// Time that `-t` waits for the addresses of all hosts together. Name servers answer within some tens of milliseconds,
/// and a user waits for the result.
pub const LINTED_HOSTS_WAIT: Duration = Duration::from_secs(2);

/// Maximum number of hosts that `-t` resolves, each on its own thread. Callbacks and relays name a few.
pub const LINTED_HOSTS: usize = 64;

/// Quiet time after the last change of a configuration file before it is read: editors save in several steps.
pub const CONF_QUIET: Duration = Duration::from_millis(200);

/// Time after which continuing changes no longer delay the reading.
pub const CONF_SETTLE: Duration = Duration::from_secs(5);

/// Polling interval of `conf_watch on` where the system reports no changes: on network file systems, or when inotify
/// watches are exhausted.
pub const CONF_POLL: Duration = Duration::from_secs(5);

/// Minimum interval between two reads of the files for statistics, which report whether the files match the
/// configuration in force; any client may request them.
pub const CONF_LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Duration after which a running reload is logged as slow; large configurations take a second.
pub const RELOAD_SLOW: Duration = Duration::from_secs(10);

/// Duration after which a reload counts as hanging and a new one replaces it. It must exceed the duration of any
/// working reload, or reloads would replace one another forever.
pub const RELOAD_HANGS: Duration = Duration::from_secs(30);

/// Maximum number of threads that read configurations: one active, the others hanging.
pub const LOADERS: usize = 4;

/// Time that statistics and status wait for the files to be read: a file system may hang.
pub const CONF_LOOK_WAIT: Duration = Duration::from_secs(1);

/// Time that a thread waits for the last reader of a replaced configuration to finish; readers hold it for moments.
pub const RETIRED_CONFIG_WAIT: Duration = Duration::from_secs(1);

/// Number of former configurations kept for a rollback.
pub const GENERATIONS: usize = 10;

/// Maximum size in bytes of a configuration kept on disk, all files together. Configurations of thousands of
/// applications take a megabyte.
pub const GENERATION_BYTES: u64 = 64 << 20;

/// Maximum number of entries visited in the directory of kept configurations. Servers that share it have ten each.
pub const GENERATION_ENTRIES: usize = 10_000;

/// Maximum number of configurations queued for writing to disk. They arrive one at a time, as fast as reloads.
pub const GENERATIONS_WAITING: usize = 16;
