//! Reload task. Files may hang for any time without blocking signals and connections.
//!
//! One task carries out all requests about the configuration, one after the other. It waits only while files are read
//! and configurations compared on the loader's thread, and makes changes only between two waits. It can therefore be
//! cancelled at any wait, which leaves a complete configuration in force. That happens when a new binary takes over,
//! and when files hang while another reload is requested.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::control::order::QueuedRequest;
use super::generations::GenerationWriter;
use super::helper::HelperClient;
use super::parts::Parts;
use super::service::Service;
use crate::config::LoadOptions;
use crate::limits;
use crate::log::{ErrorLog, os_text};
use crate::net::listener::Listeners;
use crate::server::log;
use crate::task::loader::Loader;
use crate::task::sleep_until;
use crate::task::supervise::caught;

/// Applies configurations.
pub(super) struct Reloader {
    pub(super) parts: Arc<Parts>,
    pub(super) load: LoadOptions,
    pub(super) log: ErrorLog,
    pub(super) listeners: Listeners,
    pub(super) service: Service,
    pub(super) generations: GenerationWriter,
    /// The privileged helper, if there is one.
    pub(super) helper: Option<Arc<HelperClient>>,
}

/// Handle to the reload task.
pub(super) struct Reloads {
    requests: Arc<ReloadRequests>,
    task: AbortHandle,
}

/// Requests to the reload task.
#[derive(Default)]
struct ReloadRequests {
    /// Another reload after the current one. Several requests count as one.
    again: Notify,
    /// Cancel the current reload.
    give_up: Notify,
    /// Do not accept connections after the current reload.
    accept_no_more: AtomicBool,
}

impl Reloads {
    /// Starts the task. `orders` come from the control socket, `changed` reports changed files.
    pub(super) fn start(
        reloader: Reloader,
        orders: mpsc::Receiver<QueuedRequest>,
        changed: mpsc::Receiver<()>,
    ) -> Reloads {
        let requests = Arc::new(ReloadRequests::default());
        let task = tokio::spawn(run(reloader, requests.clone(), orders, changed)).abort_handle();
        Reloads { requests, task }
    }

    /// Requests a reload after the current one.
    pub(super) fn ask(&self) {
        self.requests.again.notify_one();
    }

    /// Cancels the current reload, if any.
    pub(super) fn give_up(&self) {
        self.requests.give_up.notify_waiters();
    }

    /// Makes the current reload, if any, leave no new sockets accepting.
    pub(super) fn accept_no_more(&self) {
        self.requests.accept_no_more.store(true, Ordering::Relaxed);
    }

    /// Prevents any further change of the configuration.
    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

async fn run(
    mut reloader: Reloader,
    requests: Arc<ReloadRequests>,
    mut orders: mpsc::Receiver<QueuedRequest>,
    mut changed: mpsc::Receiver<()>,
) {
    let loader = reloader.parts.loader.clone();
    let mut next = None;
    loop {
        let request = match next.take() {
            Some(request) => request,
            None => {
                let confirm_by = reloader.confirm_by();
                tokio::select! {
                    request = wished(&requests, &mut orders, &mut changed) => request,
                    () = sleep_until(confirm_by) => ReloadRequest::GoBack,
                }
            }
        };
        let work = async {
            match request {
                ReloadRequest::Reload => reloader.reload().await,
                ReloadRequest::Order(order) => reloader.order(order).await,
                // It may have been confirmed at the last moment.
                ReloadRequest::GoBack if reloader.confirm_by().is_some_and(|by| by <= Instant::now()) => {
                    reloader.not_confirmed().await;
                }
                ReloadRequest::GoBack => {}
            }
        };
        let more = wished(&requests, &mut orders, &mut changed);
        next = until_replaced(&requests, work, more, &loader, limits::RELOAD_HANGS).await;
        if requests.accept_no_more.swap(false, Ordering::Relaxed) {
            reloader.listeners.close(true);
        }
    }
}

/// A request about the configuration.
enum ReloadRequest {
    /// Reload the files.
    Reload,
    /// A request of the control socket.
    Order(QueuedRequest),
    /// Roll back, because the configuration was not confirmed.
    GoBack,
}

/// Waits for the next request. Cancelling it loses no request.
async fn wished(
    requests: &ReloadRequests,
    orders: &mut mpsc::Receiver<QueuedRequest>,
    changed: &mut mpsc::Receiver<()>,
) -> ReloadRequest {
    tokio::select! {
        () = requests.again.notified() => ReloadRequest::Reload,
        Some(()) = changed.recv() => ReloadRequest::Reload,
        Some(order) = orders.recv() => ReloadRequest::Order(order),
        // The server is shutting down.
        else => std::future::pending().await,
    }
}

/// Runs `work` unless it is cancelled, and logs if it is slow. If it takes longer than `hangs`, the next request
/// cancels it and is returned: another thread reads the files for that one.
async fn until_replaced<T>(
    requests: &ReloadRequests,
    work: impl Future<Output = ()>,
    more: impl Future<Output = T>,
    loader: &Loader,
    hangs: Duration,
) -> Option<T> {
    requests.accept_no_more.store(false, Ordering::Relaxed);
    let slow = limits::RELOAD_SLOW.min(hangs);
    let replaced = async {
        tokio::time::sleep(slow).await;
        log::reload_slow(slow);
        tokio::time::sleep(hangs - slow).await;
        // A hanging thread may recover in the meantime.
        while !loader.is_replaceable() {
            tokio::time::sleep(slow).await;
        }
        let request = more.await;
        log::reload_hangs();
        if let Err(error) = loader.replace() {
            log::reload_error(&format!("no loader thread ({})", os_text(&error)));
        }
        request
    };
    tokio::select! {
        done = caught(work) => {
            if done.is_err() {
                log::reload_error("the reload has panicked, the configuration in force is kept");
            }
            None
        }
        () = requests.give_up.notified() => {
            log::reload_given_up();
            None
        }
        request = replaced => Some(request),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as sync;

    use tokio::sync::oneshot;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_reload_that_hangs_is_given_up_for_the_next_one() {
        let (requests, loader) = (ReloadRequests::default(), Loader::start().unwrap());
        let (release, hung) = sync::channel::<()>();
        let (began, begun) = oneshot::channel();
        let reading = loader.begin(move || (began.send(()), hung.recv()));
        // Otherwise the thread that replaces the first one could be the one that hangs.
        begun.await.unwrap();
        let hanging = async { drop(reading.await) };
        let next = until_replaced(&requests, hanging, async { 7 }, &loader, SOON).await;
        assert_eq!(next, Some(7));
        assert_eq!(loader.run(|| 8).await, Some(8), "another thread reads");
        drop(release);
    }

    #[tokio::test]
    async fn a_reload_that_takes_long_goes_on_while_none_other_is_asked_for() {
        let (requests, loader) = (ReloadRequests::default(), Loader::start().unwrap());
        let slow = async { tokio::time::sleep(5 * SOON).await };
        let next = until_replaced(&requests, slow, std::future::pending::<()>(), &loader, SOON).await;
        assert_eq!(next, None);
        // Work that takes less time is not cancelled either.
        let quick = async { tokio::time::sleep(SOON).await };
        assert_eq!(until_replaced(&requests, quick, async { 7 }, &loader, 100 * SOON).await, None);
    }
}
