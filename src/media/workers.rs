//! Worker threads, which move media, and their replacement after a failure.
//!
//! A panic in a session ends that session. A panic in the delivery loop ends the thread: its runtime is dropped there,
//! and with it its sessions, each with its callbacks. `worker_failure` decides whether another thread replaces it.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc;

use super::delivery::conf::BackEnd;
use super::delivery::figures::WorkerFigures;
use super::delivery::{BacklogTotal, Delivery, IoRing};
use crate::hub::pace::Grid;
use crate::limits;
use crate::net::moderation::{self, WorkerWaker};

/// A worker thread.
#[derive(Clone)]
pub struct Worker {
    /// Runtime of its sessions.
    pub runtime: Handle,
    /// Its delivery loop.
    pub delivery: Delivery,
    /// Makes it poll its sockets at once.
    pub waker: WorkerWaker,
    is_dead: Arc<AtomicBool>,
}

/// A worker thread ended because of a panic.
#[derive(Debug)]
pub struct Death {
    /// Worker number.
    pub number: usize,
    /// Whether it died soon after its start, and may do so again.
    pub at_once: bool,
}

/// All workers. Their number is constant.
pub struct Workers {
    places: Vec<ArcSwap<Worker>>,
    next: AtomicUsize,
    how: BackEnd,
    grid: Grid,
    total: Arc<BacklogTotal>,
    /// Figures of each worker.
    figures: Vec<Arc<WorkerFigures>>,
    deaths: mpsc::UnboundedSender<Death>,
}

impl Workers {
    /// Starts `count` threads; the receiver reports threads that die.
    ///
    /// # Errors
    ///
    /// The system has no more threads or descriptors.
    pub fn start(
        count: usize,
        how: BackEnd,
        grid: Grid,
    ) -> io::Result<(Workers, mpsc::UnboundedReceiver<Death>)> {
        // At most one message per thread, so the channel is bounded.
        let (deaths, told) = mpsc::unbounded_channel();
        let mut rings = IoRing::for_workers(count, how);
        let total = BacklogTotal::new(count);
        let figures: Vec<Arc<WorkerFigures>> = std::iter::repeat_with(Arc::default).take(count).collect();
        let places = figures.iter().enumerate().map(|(number, figures)| {
            Ok(ArcSwap::from_pointee(start(number, rings.pop(), grid, (&total, figures), &deaths)?))
        });
        let places = places.collect::<io::Result<_>>()?;
        Ok((Workers { places, next: AtomicUsize::new(0), how, grid, total, figures, deaths }, told))
    }

    /// Number of workers.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// All workers, in order.
    pub fn iter(&self) -> impl Iterator<Item = Arc<Worker>> + '_ {
        self.places.iter().map(ArcSwap::load_full)
    }

    /// Figures of all workers, in order.
    pub fn figures(&self) -> &[Arc<WorkerFigures>] {
        &self.figures
    }

    /// Time during which each worker was busy so far, with the threads that it has replaced.
    pub fn busy(&self) -> impl Iterator<Item = Duration> + '_ {
        let now = self.iter().map(|worker| worker.runtime.metrics().worker_total_busy_duration(0));
        now.zip(&self.figures).map(|(now, figures)| now + figures.busy())
    }

    /// Bytes that wait for the players of all workers whose sockets are full.
    pub fn backlog(&self) -> usize {
        let workers = self.figures.iter().zip(self.total.bytes());
        // A worker without such players does not tell its bytes anew.
        workers
            .filter(|(figures, _)| figures.blocked() > 0)
            .map(|(_, bytes)| bytes)
            .fold(0, usize::saturating_add)
    }

    /// The next worker in turn; dead ones are skipped.
    pub fn next(&self) -> Worker {
        self.at(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The worker with a number, counted round; if it is dead, the next one.
    pub fn at(&self, turn: usize) -> Worker {
        let count = self.places.len();
        let mut turns = (0..count).map(|n| self.places[turn.wrapping_add(n) % count].load());
        let living = turns.find(|worker| !worker.is_dead.load(Ordering::Acquire));
        Worker::clone(&living.unwrap_or_else(|| self.places[turn % count].load()))
    }

    /// Replaces a dead worker by a new thread.
    ///
    /// # Errors
    ///
    /// As for [`Workers::start`].
    pub fn replace(&self, number: usize) -> io::Result<()> {
        let busy = self.places[number].load().runtime.metrics().worker_total_busy_duration(0);
        let ring = IoRing::for_workers(1, self.how).pop();
        let shared = (&self.total, &self.figures[number]);
        self.places[number].store(Arc::new(start(number, ring, self.grid, shared, &self.deaths)?));
        self.figures[number].add_busy(busy);
        Ok(())
    }
}

/// Starts a worker. A player's socket, session and delivery loop stay on one thread.
fn start(
    number: usize,
    ring: Option<IoRing>,
    grid: Grid,
    (total, figures): (&Arc<BacklogTotal>, &Arc<WorkerFigures>),
    deaths: &mpsc::UnboundedSender<Death>,
) -> io::Result<Worker> {
    let (delivery, serving) = Delivery::new(number, ring, grid, total.clone(), figures.clone());
    let waker = WorkerWaker::new()?;
    let heard = waker.clone();
    let serve = move || {
        // A worker without a working bell never delays polling.
        let _ = moderation::begin(heard);
        serving.run()
    };
    let (runtime, is_dead) = spawn(number, serve, deaths.clone())?;
    Ok(Worker { runtime, delivery, waker, is_dead })
}

/// Runs the future from `serve`, and everything spawned on the runtime, on a new thread. The flag becomes true when the
/// thread dies.
fn spawn<F: Future<Output = ()> + Send + 'static>(
    number: usize,
    serve: impl FnOnce() -> F + Send + 'static,
    deaths: mpsc::UnboundedSender<Death>,
) -> io::Result<(Handle, Arc<AtomicBool>)> {
    let runtime =
        Builder::new_current_thread().enable_all().on_thread_park(moderation::before_park).build()?;
    let (handle, is_dead, started) =
        (runtime.handle().clone(), Arc::new(AtomicBool::new(false)), Instant::now());
    let died = is_dead.clone();
    let run = move || {
        let serve = async move {
            // A task of its own: whatever wakes the future of `block_on` makes a system call for it.
            if let Err(error) = tokio::spawn(serve()).await
                && let Ok(panic) = error.try_into_panic()
            {
                resume_unwind(panic);
            }
        };
        // Everything that the panic left behind is dropped with the runtime.
        if catch_unwind(AssertUnwindSafe(|| runtime.block_on(serve))).is_ok() {
            return;
        }
        died.store(true, Ordering::Release);
        // First, so that new connections are served while the old ones end.
        let _ = deaths.send(Death { number, at_once: started.elapsed() < limits::REVIVE_AFTER });
        // Without waiting for blocked file operations.
        let _ = catch_unwind(AssertUnwindSafe(|| runtime.shutdown_background()));
    };
    std::thread::Builder::new().name(format!("worker{number}")).spawn(run)?;
    Ok((handle, is_dead))
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// Sends when dropped.
    struct Guard(Option<oneshot::Sender<()>>);

    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.take().map(|told| told.send(()));
        }
    }

    #[tokio::test]
    async fn a_thread_that_panics_is_told_of_and_its_tasks_end() {
        let (deaths, mut told) = mpsc::unbounded_channel();
        let (kill, killed) = oneshot::channel::<()>();
        let serve = || async {
            let _ = killed.await;
            panic!("this test wants a panic");
        };
        let (runtime, is_dead) = spawn(7, serve, deaths).unwrap();
        let (dropped, ended) = oneshot::channel();
        let (running, runs) = oneshot::channel();
        let guard = Guard(Some(dropped));
        runtime.spawn(async move {
            let _guard = guard;
            let _ = running.send(());
            std::future::pending::<()>().await;
        });
        runs.await.unwrap();
        // A panic in a task does not end the thread.
        assert!(runtime.spawn(async { panic!("this test wants a panic") }).await.is_err());
        assert!(!is_dead.load(Ordering::Acquire));
        kill.send(()).unwrap();
        assert_eq!(told.recv().await.unwrap().number, 7);
        ended.await.unwrap();
        assert!(is_dead.load(Ordering::Acquire));
    }

    #[tokio::test]
    async fn a_dead_worker_gets_no_turn_until_it_is_replaced() {
        let (workers, _told) = Workers::start(2, BackEnd::Writev, Grid::new(Instant::now())).unwrap();
        let dead = |worker: &Worker| worker.is_dead.load(Ordering::Acquire);
        workers.iter().next().unwrap().is_dead.store(true, Ordering::Release);
        assert!((0..4).all(|_| !dead(&workers.next())));
        assert!(workers.iter().any(|worker| dead(&worker)));
        workers.replace(0).unwrap();
        assert!(workers.iter().all(|worker| !dead(&worker)));
    }
}
