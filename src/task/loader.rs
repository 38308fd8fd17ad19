//! The thread on which configurations are read and compared.
//!
//! The allocator of the C library gives each thread that asks while others do an arena of its own, and what was freed
//! there is used again by that thread alone. Read on any thread that may wait, a large configuration would in time leave
//! its room behind in the arenas of all of them; the last one's is used again by the next if it is always the same thread.
//!
//! A thread that hangs, as files on a file system that hangs do, can be replaced: another one goes on with the work that
//! waits, and the one that hangs ends with what it does.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use tokio::sync::oneshot;

use crate::limits;

/// Gives work to that thread, which may wait and does one thing after the other. It ends with its last handle.
#[derive(Clone)]
pub struct Loader {
    queue: Arc<Queue>,
    _last: Arc<Last>,
}

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    work: VecDeque<Work>,
    /// Number of the thread whose turn it is; those before it end.
    turn: u64,
    /// Threads there are, those that hang among them.
    threads: usize,
    /// There are no handles any more.
    ended: bool,
}

/// Ends the thread when it goes.
struct Last(Arc<Queue>);

impl Loader {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// What the system says when there are too many threads.
    pub fn start() -> io::Result<Loader> {
        let queue = Arc::new(Queue::default());
        queue.start_thread()?;
        Ok(Loader { _last: Arc::new(Last(queue.clone())), queue })
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
        self.queue.lock().work.push_back(Box::new(work));
        self.queue.changed.notify_all();
        outcome
    }

    /// Whether there may be one more thread: [`limits::LOADERS`].
    pub fn is_replaceable(&self) -> bool {
        self.queue.lock().threads < limits::LOADERS
    }

    /// Has another thread do what waits and what is to come.
    ///
    /// # Errors
    ///
    /// What the system says when there are too many threads; the one before goes on then.
    pub fn replace(&self) -> io::Result<()> {
        self.queue.start_thread()
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl Queue {
    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.lock();
        let (queue, turn) = (self.clone(), state.turn + 1);
        thread::Builder::new().name("loader".into()).spawn(move || queue.work(turn))?;
        state.turn = turn;
        state.threads += 1;
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// What a thread does for as long as it is its turn.
    fn work(&self, turn: u64) {
        while let Some(work) = self.next(turn) {
            // The panic is on standard error; who waits is told by `run`.
            let _ = catch_unwind(AssertUnwindSafe(work));
        }
        self.lock().threads -= 1;
    }

    fn next(&self, turn: u64) -> Option<Work> {
        let mut state = self.lock();
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
            state = self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is a whole one.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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
        while loader.queue.lock().threads > 1 && std::time::Instant::now() < end {
            tokio::task::yield_now().await;
        }
        assert!(loader.queue.lock().threads == 1 && loader.run(|| ()).await.is_some());
    }
}
