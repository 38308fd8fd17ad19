//! Bounds of the process: its threads, children, privileged helper and upgrade.

use std::time::Duration;

use super::STOP_CALLBACK_GRACE;

/// Maximum number of threads blocked on a disk, for each of eight kinds of work. A worker's thread pool has 512.
pub const DISK_WORK: usize = 60;

/// Delay before a task or thread that panicked is restarted, so that an immediate panic does not cause a tight loop.
pub const REVIVE_AFTER: Duration = Duration::from_secs(1);

/// Time that the process's end waits for threads that may hang, such as those that read files.
pub const STOP_HANGING: Duration = Duration::from_secs(1);

/// Maximum number of concurrent commands of single events (`exec_publish` and the like), which clients cause.
pub const EXEC_CHILDREN: usize = 1024;

/// Minimum interval between two starts of a command that is kept running, whatever `respawn_timeout` is.
pub const EXEC_RESPAWN_LEAST: Duration = Duration::from_millis(100);

/// Time that a command has to end after `exec_kill_signal` before it is killed.
pub const EXEC_KILL_GRACE: Duration = Duration::from_secs(2);

const _: () = assert!(EXEC_KILL_GRACE.as_secs() < STOP_CALLBACK_GRACE.as_secs());

/// Maximum size of a message between the two processes of an upgrade, in bytes: it contains the names of a stream, each
/// byte of which may take three.
pub const COUNTERPART_MESSAGE: u64 = 1 << 20;

/// Time that a new process waits for the streams of the one that it replaces before it accepts connections.
pub const COUNTERPART_JOIN: Duration = Duration::from_secs(5);

/// Time that a program which did not take over has to say what it finds wrong with the configuration.
pub const UPGRADE_TEST: Duration = Duration::from_secs(10);

/// Maximum number of such lines in the log.
pub const UPGRADE_COMPLAINTS: usize = 10;

/// Interval at which a new process tries to exchange streams with the one that it replaces, after the exchange broke off.
pub const COUNTERPART_REJOIN: Duration = Duration::from_secs(1);

/// Time that a publisher waits until the other process of an upgrade agrees.
pub const COUNTERPART_PATIENCE: Duration = Duration::from_secs(5);

/// Interval at which a process of an upgrade tells the other one that it is alive.
pub const COUNTERPART_ALIVE: Duration = Duration::from_secs(2);

/// Time without a message after which the other process of an upgrade counts as ended.
pub const COUNTERPART_SILENCE: Duration = Duration::from_secs(10);

/// Interval at which it is checked whether a publisher that was claimed still comes.
pub const COUNTERPART_LOOK: Duration = Duration::from_millis(100);

/// Interval of attempts to fetch a stream from the other process of an upgrade.
pub const COUNTERPART_RETRY: Duration = Duration::from_millis(50);

/// Maximum number of worker threads; more only cost memory, and PingOS's slot table ends at 128 too.
pub const WORKERS: usize = 128;

/// Maximum length of a packet between the serving process and its privileged helper, in bytes. Paths never travel in one;
/// the longest are the reason of a refusal, with a path, and the counters for an upgrade.
pub const HELPER_PACKET: usize = 16 * 1024;

/// Maximum number of descriptors in such a packet. The system's bound is 253.
pub const HELPER_DESCRIPTORS: usize = 128;

/// Maximum number of listening sockets that the helper passes on in an upgrade. The shipped configurations have a dozen.
pub const HELPER_SOCKETS: usize = 1024;

/// Maximum size in bytes of what is passed to and from the helper in files in memory: a configuration, each byte of which
/// may take two, with the list of what it names.
pub const HELPER_SETUP: u64 = 2 << 30;

/// Number of lists that the helper keeps beside those of the configurations in force, now and before: of `pingosd plan`
/// and refused reloads.
pub const HELPER_LISTS: usize = 4;

/// Maximum number of links in a path that the helper follows, as in the system.
pub const HELPER_LINKS: usize = 40;

/// Time that the helper's child has to read the configuration.
pub const HELPER_READ: Duration = Duration::from_secs(10);

/// Time that the helper has to answer: longer than [`HELPER_READ`].
pub const HELPER_ANSWER: Duration = Duration::from_secs(15);

/// Maximum wait for the answer to another request of the helper.
pub const HELPER_BUSY: Duration = Duration::from_secs(1);

/// Number of requests that the helper answers at once. A start or reload needs one for each file that only root may open,
/// at most some thousands.
pub const HELPER_BURST: f64 = 8192.0;

/// Number of further requests per second.
pub const HELPER_PER_SECOND: f64 = 200.0;

/// Number of requests for which one counts that starts a process.
pub const HELPER_COST_OF_PROCESS: f64 = 100.0;

/// Maximum number of log lines of the helper per second.
pub const HELPER_ALERTS: usize = 20;
