//! Memory allocator: jemalloc, which returns freed memory to the system. The C library's allocator keeps memory once
//! used for slow players (160 MB after a backlog of 200 MB) as long as the process lives.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Options that jemalloc reads at its start, with a terminating zero byte. Memory is returned after it has been free
/// for one second; the default of ten costs 8 % more per player.
// jemalloc looks up this symbol, of the C type `const char *`.
#[expect(unsafe_code, reason = "the symbol's name is not mangled")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: &[u8; 40] = b"dirty_decay_ms:1000,muzzy_decay_ms:1000\0";

/// Starts the thread that returns memory while no worker allocates. The process must not fork afterwards.
pub(crate) fn start_thread() {
    // Without the thread memory is returned later, when a worker allocates.
    let _ = tikv_jemalloc_ctl::background_thread::write(true);
}
