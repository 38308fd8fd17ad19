//! Servers that share stream names through etcd, in operation: faults, what guards etcd, what shows the cluster, and load.
#![cfg(feature = "cluster")]

mod carriers;
mod faults;
mod load;
mod names;
mod proxy;
mod security;
#[path = "../support/mod.rs"]
mod support;
mod views;

use std::time::{Duration, Instant};

use support::frame::Tracks;
use support::{Publisher, RtmpClient, Server};

/// Directives of an application that publishes to and pulls from the cluster.
const BOTH: &str = "cluster_publish on; cluster_pull on;";

/// Whether the tests run in their long form.
fn is_long() -> bool {
    std::env::var_os("PINGOSD_CLUSTER_LONG").is_some()
}

/// Publishes `live/NAME`.
#[track_caller]
fn publish(server: &Server, name: &str) -> Publisher {
    Publisher::with(RtmpClient::publish(server.rtmp, "live", name), Tracks::Both)
}

/// What `pingosd ctl cluster` prints.
fn shown(server: &Server, what: &str) -> String {
    String::from_utf8_lossy(&server.run(&["ctl", "cluster", what]).stdout).into_owned()
}

/// As `until_true`, for what may take longer than anything else: a duration that is printed is returned.
#[track_caller]
fn until_within(what: &str, patience: Duration, mut look: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !look() {
        assert!(began.elapsed() < patience, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    began.elapsed()
}
