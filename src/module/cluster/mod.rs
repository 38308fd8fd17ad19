//! Servers that share stream names through etcd: a name has one publisher in all of them, and a player's server finds the
//! server that has it.

pub mod app_conf;
mod carried;
mod carriers;
mod claims;
pub mod conf;
mod engine;
mod entry;
mod etcd;
mod figures;
mod log;
mod map;
mod name_requests;
mod origins;
mod setting;
pub mod shared_conf;
mod tenure;
#[cfg(test)]
mod tenure_search;
mod totals;
mod verb;

pub use claims::Cluster;
pub use engine::run;
pub use verb::{CLUSTER, ClusterVerb};
