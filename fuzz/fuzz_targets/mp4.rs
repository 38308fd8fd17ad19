//! Any bytes as an MP4 file of which a part is asked for. The first bytes choose the part. `fuzz/corpus/mp4` is replayed by
//! `cargo test --test conf`.
#![no_main]

mod check_mp4;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check_mp4::part(bytes));
