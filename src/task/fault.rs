//! Faults on demand, for tests of how the server survives its own. In builds without debug assertions, which are those that
//! are shipped, nothing of it is there.
//!
//! A test names a directory in `PINGOSD_FAULTS`. A file in it is a fault, named like the place where it strikes.

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

    /// Panics where that fault is asked for, once.
    pub fn panic_at(name: &str) {
        let struck = path(name).is_some_and(|path| std::fs::remove_file(path).is_ok());
        assert!(!struck, "fault \"{name}\" was asked\nfor");
    }

    /// Holds the thread up for as long as that fault is asked for.
    pub fn stall_at(name: &str) {
        while path(name).is_some_and(|path| path.exists()) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(debug_assertions)]
pub use armed::{panic_at, stall_at};

/// Nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn panic_at(_: &str) {}

/// Nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn stall_at(_: &str) {}
