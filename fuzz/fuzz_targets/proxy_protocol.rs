//! Any bytes as the beginning of a connection. `fuzz/corpus/proxy_protocol` is replayed by
//! `cargo test --test proxy_protocol`.
#![no_main]

mod check_proxy;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check_proxy::beginning(bytes));
