//! Fault injection for tests of recovery. Release builds, which have no debug assertions, contain none of it.
//!
//! A test names a directory in `PINGOSD_FAULTS`. A file in it triggers the fault at the place of the same name.

#[cfg(debug_assertions)]
mod armed {
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::time::Duration;

    fn path(name: &str) -> Option<PathBuf> {
        static FAULTS: OnceLock<Option<PathBuf>> = OnceLock::new();
        let directory = FAULTS.get_or_init(|| std::env::var_os("PINGOSD_FAULTS").map(PathBuf::from));
        directory.as_ref().map(|directory| directory.join(name))
    }

    /// Panics once if the fault is requested.
    pub fn panic_at(name: &str) {
        let struck = path(name).is_some_and(|path| std::fs::remove_file(path).is_ok());
        assert!(!struck, "fault \"{name}\" was asked\nfor");
    }

    /// Blocks the thread as long as the fault is requested.
    pub fn stall_at(name: &str) {
        while path(name).is_some_and(|path| path.exists()) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(debug_assertions)]
pub use armed::{panic_at, stall_at};

/// Does nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn panic_at(_: &str) {}

/// Does nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn stall_at(_: &str) {}
