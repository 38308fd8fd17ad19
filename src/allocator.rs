//! The allocator: jemalloc, which gives freed memory back to the system. The C library's keeps what slow players have
//! cost once (160 MB after a backlog of 200 MB) for as long as the process lives.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Options that jemalloc reads when it starts, ended by a zero byte. Memory goes back after it has been free for one
/// second; the default of ten costs 8 % more per player.
// jemalloc looks for this name, of the C type `const char *`.
#[expect(unsafe_code, reason = "the symbol's name is not mangled")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: &[u8; 40] = b"dirty_decay_ms:1000,muzzy_decay_ms:1000\0";

/// Starts the thread that gives memory back while no worker allocates. The process may not fork afterwards.
pub(crate) fn start_thread() {
    // Without the thread memory goes back later: when a worker allocates.
    let _ = tikv_jemalloc_ctl::background_thread::write(true);
}
