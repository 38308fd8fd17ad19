//! pingosd.
fn main() {}
