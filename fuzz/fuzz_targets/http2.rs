//! Any bytes on a connection of HTTP/2. `fuzz/corpus/http2` is replayed by `cargo test --test http_fuzz`.
#![no_main]

mod check_http2;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check_http2::frames(bytes));
