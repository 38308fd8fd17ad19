//! Any bytes on an HTTP connection. `fuzz/corpus/http` is replayed by `cargo test --test http_fuzz`.
#![no_main]

mod check_http;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check_http::connection(bytes));
