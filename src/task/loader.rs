//! The thread on which configurations are read and compared.
//!
//! The allocator of the C library gives each thread that asks while others do an arena of its own, and what was freed
//! there is used again by that thread alone. Read on any thread that may wait, a large configuration would in time leave
//! its room behind in the arenas of all of them; the last one's is used again by the next if it is always the same thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

/// Gives work to that thread, which may wait and does one thing after the other. It ends with its last handle.
#[derive(Clone)]
pub struct Loader(mpsc::Sender<Work>);

type Work = Box<dyn FnOnce() + Send>;

impl Loader {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// What the system says when there are too many threads.
    pub fn start() -> io::Result<Loader> {
        let (sender, receiver) = mpsc::channel::<Work>();
        let run = move || {
            for work in receiver {
                // The panic is on standard error; who waits is told by `run`.
                let _ = catch_unwind(AssertUnwindSafe(work));
            }
        };
        thread::Builder::new().name("loader".into()).spawn(run)?;
        Ok(Loader(sender))
    }

    /// Does `work` there and waits for what comes of it. `None` if it panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.begin(work).await.ok()
    }

    /// Has `work` done there. What comes of it is sent; nothing if it panics.
    pub fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, outcome) = oneshot::channel();
        let work = move || {
            // Who asked may have left.
            let _ = done.send(work());
        };
        // Without the thread the sending end goes with the work.
        let _ = self.0.send(Box::new(work));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_in_turn_on_one_thread_which_survives_a_panic() {
        let loader = Loader::start().unwrap();
        let thread = || thread::current().id();
        let first = loader.run(thread).await.unwrap();
        assert_ne!(first, thread());
        assert_eq!(loader.run(|| panic!("this test wants a panic")).await, None::<()>);
        assert_eq!(loader.run(thread).await, Some(first));
    }
}
