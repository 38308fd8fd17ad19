//! Every fixed bound with its reason, in one name space. Bounds that a directive sets are parameters where they are used.
//!
//! | file | bounds of |
//! | --- | --- |
//! | `wire.rs` | what is decoded: AMF0, RTMP messages and chunks, FLV, tracks and their headers |
//! | `delivery.rs` | an RTMP connection and delivery to players |
//! | `relay.rs` | relays (`push`, `pull`) |
//! | `notify.rs` | callbacks and the ledger |
//! | `outputs.rs` | HLS and DASH, and the queues before tasks that write files |
//! | `recordings.rs` | recordings, their playback and the removal of old files |
//! | `snapshot.rs` | snapshots |
//! | `http.rs` | HTTP requests, responses and files, and regular expressions |
//! | `http2.rs` | HTTP/2 connections |
//! | `proxy.rs` | backends, tunnels and the cache of responses |
//! | `net.rs` | listening sockets, the PROXY protocol and DNS |
//! | `tls.rs` | TLS and OCSP |
//! | `acme.rs` | certificates from an issuer (ACME) |
//! | `logs.rs` | logs |
//! | `configuration.rs` | the files of a configuration: checking, watching, reloading and keeping them |
//! | `process.rs` | the process: its threads, children, privileged helper and upgrade |
//! | `control.rs` | control requests, the control socket, the web console and statistics |
//! | `cluster.rs` | the cluster and the configuration of a group |

mod acme;
mod cluster;
mod configuration;
mod control;
mod delivery;
mod http;
mod http2;
mod logs;
mod net;
mod notify;
mod outputs;
mod process;
mod proxy;
mod recordings;
mod relay;
mod snapshot;
mod tls;
mod wire;

pub use acme::*;
pub use cluster::*;
pub use configuration::*;
pub use control::*;
pub use delivery::*;
pub use http::*;
pub use http2::*;
pub use logs::*;
pub use net::*;
pub use notify::*;
pub use outputs::*;
pub use process::*;
pub use proxy::*;
pub use recordings::*;
pub use relay::*;
pub use snapshot::*;
pub use tls::*;
pub use wire::*;
