//! Bounds of the cluster and of the configuration of a group.

use std::time::Duration;

/// Maximum number of addresses in a line of `advertise`.
pub const CLUSTER_ADDRESSES: usize = 16;

/// Maximum length of an address of etcd or of a server of a cluster.
pub const CLUSTER_ADDRESS_BYTES: usize = 300;

/// Maximum number of servers, and of streams, of a cluster that this server knows; further ones are not found by it.
pub const CLUSTER_ENTRIES: usize = 1 << 20;

/// Number of servers that a stream is pulled from in turn, beside the one that has claimed its name.
pub const CLUSTER_CARRIERS: usize = 4;

/// Number of keys that are read from etcd at once.
pub const CLUSTER_PAGE: usize = 1000;

/// Maximum length of an answer of etcd, and of what a watch sends at once.
pub const CLUSTER_ANSWER_BYTES: usize = 16 << 20;

/// Number of idle connections to etcd that are kept.
pub const CLUSTER_CONNECTIONS: usize = 16;

/// Time that etcd has to answer a request.
pub const CLUSTER_REQUEST: Duration = Duration::from_secs(2);

/// Time that a new publisher waits for its name before `registry_down` decides: one address of etcd may be silent meanwhile.
pub const CLUSTER_PATIENCE: Duration = Duration::from_secs(5);

/// Pause before a failed request about a name is repeated.
pub const CLUSTER_RETRY: Duration = Duration::from_millis(100);

/// Maximum length of the text of a refusal by etcd, in characters.
pub const CLUSTER_REFUSAL: usize = 200;

/// Maximum number of servers, and of streams, of the cluster that a statistics document lists.
pub const CLUSTER_LISTED: usize = 10_000;

/// Maximum length of a group's configuration in etcd. A change writes it together with the one before it, and etcd takes
/// requests of at most 1.5 MiB.
pub const CLUSTER_CONF_BYTES: usize = 640 << 10;

/// Maximum length of a server's reasons against a group's configuration, in etcd.
pub const CLUSTER_CONF_REASONS: usize = 2000;

/// Duration of the lease of a group's configuration on trial: it ends with the command that tries it.
pub const CLUSTER_CONF_TRIAL: Duration = Duration::from_secs(30);

/// Time between two looks at the answers of a group's servers.
pub const CLUSTER_CONF_LOOK: Duration = Duration::from_millis(200);

/// Time that a command about a group may take beyond its `--timeout`, for a last look at the answers, and again for the end
/// of a trial.
pub const CLUSTER_CONF_OVERRUN: Duration = Duration::from_millis(500);

/// Time that `pingosd cluster apply` waits for the servers by default.
pub const CLUSTER_CONF_WAIT: Duration = Duration::from_secs(60);

const _: () = assert!(2 * CLUSTER_CONF_BYTES < (3 << 19) - (64 << 10));

const _: () = assert!(CLUSTER_PATIENCE.as_millis() > 2 * CLUSTER_REQUEST.as_millis());
