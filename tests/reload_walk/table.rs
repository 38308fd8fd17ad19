//! No row of the table without a proof.

use std::collections::BTreeSet;

use pingosd::directive::ReloadClass;
use pingosd::modules::MODULES;

use crate::walk::{Case, name};

/// All cases, by family.
const FAMILIES: &[&[Case]] = &[
    crate::access::CASES,
    crate::access::ALONE,
    crate::bodies::CASES,
    crate::client::CASES,
    crate::cluster::CASES,
    crate::cluster::STREAMS,
    crate::core::CASES,
    crate::dash::CASES,
    crate::dns::CASES,
    crate::dns::KEEPING,
    crate::dynamic::CASES,
    crate::dynamic::PORT,
    crate::exec::CASES,
    crate::exec::ENVIRONMENT,
    crate::filters::CASES,
    crate::files::CASES,
    crate::gop::CASES,
    crate::hls::CASES,
    crate::http::CASES,
    crate::limit::CASES,
    crate::live::CASES,
    crate::logs::CASES,
    crate::memory::CASES,
    crate::mpegts::CASES,
    crate::notify::CASES,
    crate::notify_main::CASES,
    crate::notify_main::SIGNED,
    crate::notify_main::ENCRYPTED,
    crate::caching::CASES,
    crate::proxying::CASES,
    crate::proxying::OTHERS,
    crate::proxying_tls::CASES,
    crate::record::CASES,
    crate::relay::CASES,
    crate::requests::CASES,
    crate::relay::ALONE,
    crate::relay::SECRETS,
    crate::release::CASES,
    crate::rtmp::CASES,
    crate::session_limit::CASES,
    crate::snapshot::CASES,
    crate::http2::CASES,
    crate::ocsp::CASES,
    crate::ssl::CASES,
    crate::upstream::CASES,
];

/// Rows whose effect shows nowhere outside of the process, and why.
const UNSEEN: &[(&str, &str)] = &[
    ("http core/lingering_close", "only the moment at which a connection ends depends on it"),
    ("http core/lingering_time", "only the moment at which a connection ends depends on it"),
    ("http core/lingering_timeout", "only the moment at which a connection ends depends on it"),
    ("http core/reset_timedout_connection", "only how a connection ends after a timeout depends on it"),
    ("http static/autoindex_localtime", "the time zone of the tests may be UTC"),
    ("live record/live_record_buffer", "how much is written at once; the file is the same"),
    (
        "proxy/proxy_socket_keepalive",
        "an option of the socket inside the kernel: it shows after hours of silence",
    ),
    ("rtmp/merge_frame", "how much is written at once; what arrives is the same"),
];

/// Modules whose rows need other servers and are walked in `tests/acme.rs` and `tests/cluster_conf.rs`.
const ELSEWHERE: [&str; 3] = ["acme", "acme certificate", "cluster configuration"];

/// Never more of them.
const MOST_UNSEEN: usize = 8;

#[test]
fn every_row_with_an_effect_is_walked_once() {
    let rows = MODULES.iter().flat_map(|module| module.rows.iter().map(|row| (module.name, row)));
    let effective = rows.filter(|(module, row)| {
        !ELSEWHERE.contains(module)
            && !row.inert
            && matches!(row.class, ReloadClass::Live | ReloadClass::Session | ReloadClass::Restart)
    });
    let wanted: BTreeSet<String> = effective.map(|(module, row)| name(module, row)).collect();
    let cases = FAMILIES.iter().copied().flatten().map(|case| case.row);
    let walked: Vec<&str> = cases.chain(crate::core::KEPT.iter().map(|(row, ..)| *row)).collect();
    let unseen = UNSEEN.iter().map(|(row, _)| *row);
    let found: BTreeSet<String> = walked.iter().copied().chain(unseen).map(str::to_owned).collect();
    assert_eq!(found.len(), walked.len() + UNSEEN.len(), "a row is there twice");
    let missing: Vec<_> = wanted.difference(&found).collect();
    let needless: Vec<_> = found.difference(&wanted).collect();
    assert!(needless.is_empty(), "no such rows, or without effect: {needless:?}");
    assert!(missing.is_empty(), "rows without a case: {missing:?}");
    assert!(UNSEEN.len() <= MOST_UNSEEN && UNSEEN.iter().all(|(_, why)| !why.is_empty()));
}
