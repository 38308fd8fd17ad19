//! Any bytes as a configuration. `fuzz/corpus/conf` is replayed by `cargo test --test conf`.
#![no_main]

mod check;

libfuzzer_sys::fuzz_target!(|text: &[u8]| check::whole_path(text));
