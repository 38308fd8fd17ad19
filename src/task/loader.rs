//! Thread on which configurations are read and compared.
//!
//! The C library's allocator assigns arenas to threads, and memory freed in an arena is reused only by its threads. If
//! large configurations were read on arbitrary threads, each arena would keep their memory in time; a single thread
//! reuses it.
//!
//! If the thread hangs, for example on a hanging file system, another one can replace it: it continues with the queued
//! work, and the first one ends after its current item.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::limits;

/// Handle that queues work for the thread, which runs one item after the other. The thread ends with its last handle.
#[derive(Clone)]
pub struct Loader {
    queue: Arc<JobQueue>,
    _last: Arc<ThreadGuard>,
}

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct JobQueue {
    state: Mutex<LoaderState>,
    changed: Condvar,
}

#[derive(Default)]
struct LoaderState {
    work: VecDeque<Work>,
    /// Number of the current thread; threads with lower numbers end.
    turn: u64,
    /// Number of threads, including hanging ones.
    threads: usize,
    /// Whether the last handle was dropped.
    ended: bool,
}

/// Ends the thread when dropped.
struct ThreadGuard(Arc<JobQueue>);

impl Loader {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Error of the system if there are too many threads.
    pub fn start() -> io::Result<Loader> {
        let queue = Arc::new(JobQueue::default());
        queue.start_thread()?;
        Ok(Loader { _last: Arc::new(ThreadGuard(queue.clone())), queue })
    }

    /// Runs `work` on the thread and returns its result; `None` if it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.begin(work).await.ok()
    }

    /// Queues `work`. Its result is sent; nothing is sent if it panicked.
    pub fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, outcome) = oneshot::channel();
        let work = move || {
            // The receiver may be gone.
            let _ = done.send(work());
        };
        self.queue.state.lock().work.push_back(Box::new(work));
        self.queue.changed.notify_all();
        outcome
    }

    /// Whether another thread is allowed ([`limits::LOADERS`]).
    pub fn is_replaceable(&self) -> bool {
        self.queue.state.lock().threads < limits::LOADERS
    }

    /// Starts another thread for queued and future work.
    ///
    /// # Errors
    ///
    /// Error of the system if there are too many threads; the current thread then continues.
    pub fn replace(&self) -> io::Result<()> {
        self.queue.start_thread()
    }
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        self.0.state.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl JobQueue {
    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.state.lock();
        let (queue, turn) = (self.clone(), state.turn + 1);
        thread::Builder::new().name("loader".into()).spawn(move || queue.work(turn))?;
        state.turn = turn;
        state.threads += 1;
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Main function of a thread, for as long as it is the current one.
    fn work(&self, turn: u64) {
        while let Some(work) = self.next(turn) {
            // The panic was printed to standard error; the dropped sender informs the waiting side.
            let _ = catch_unwind(AssertUnwindSafe(work));
        }
        self.state.lock().threads -= 1;
    }

    fn next(&self, turn: u64) -> Option<Work> {
        let mut state = self.state.lock();
        loop {
            if state.turn != turn {
                return None;
            }
            if let Some(work) = state.work.pop_front() {
                return Some(work);
            }
            if state.ended {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

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

    #[tokio::test]
    async fn a_thread_that_hangs_is_replaced_and_ends_when_it_hangs_no_more() {
        let loader = Loader::start().unwrap();
        let mut hanging = Vec::new();
        while loader.is_replaceable() {
            let (release, hung) = mpsc::channel::<()>();
            let (began, begun) = oneshot::channel();
            let done = loader.begin(move || (began.send(()), hung.recv()).1.is_err());
            begun.await.unwrap();
            let waits = loader.begin(|| 7);
            loader.replace().unwrap();
            assert_eq!(waits.await, Ok(7), "what has waited is done");
            hanging.push((release, done));
        }
        assert_eq!(hanging.len(), limits::LOADERS - 1);
        for (release, done) in hanging {
            drop(release);
            assert_eq!(done.await, Ok(true));
        }
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while loader.queue.state.lock().threads > 1 && std::time::Instant::now() < end {
            tokio::task::yield_now().await;
        }
        assert!(loader.queue.state.lock().threads == 1 && loader.run(|| ()).await.is_some());
    }
}
