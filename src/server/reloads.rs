//! Reloads run beside everything else: files may hang for as long as they like, signals and connections go on.
//!
//! One task does what is asked of the configuration, one thing after the other. It waits only while files are read and
//! configurations compared, on the loader's thread; what it changes is changed between two waits. So it can be given up
//! at any wait, and the configuration in force is then a whole one. That happens when a new binary takes over, and when
//! files hang while the next one is asked for.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::control::Order;
use super::generations::Keeper;
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

/// Puts configurations in force.
pub(super) struct Reloader {
    pub(super) parts: Arc<Parts>,
    pub(super) load: LoadOptions,
    pub(super) log: ErrorLog,
    pub(super) listeners: Listeners,
    pub(super) service: Service,
    pub(super) generations: Keeper,
}

/// Where it is asked to.
pub(super) struct Reloads {
    wishes: Arc<Wishes>,
    task: AbortHandle,
}

/// What is wanted of the reload under way, and after it.
#[derive(Default)]
struct Wishes {
    /// Another one, after the one under way. However often it is asked for meanwhile, it is one.
    again: Notify,
    /// The one under way is to be given up.
    give_up: Notify,
    /// No connections are to be accepted once it is through.
    accept_no_more: AtomicBool,
}

impl Reloads {
    /// Begins. `orders` are those of the control socket, `changed` tells of files that have changed.
    pub(super) fn start(
        reloader: Reloader,
        orders: mpsc::Receiver<Order>,
        changed: mpsc::Receiver<()>,
    ) -> Reloads {
        let wishes = Arc::new(Wishes::default());
        let task = tokio::spawn(run(reloader, wishes.clone(), orders, changed)).abort_handle();
        Reloads { wishes, task }
    }

    /// Reads the files anew, after what is under way.
    pub(super) fn ask(&self) {
        self.wishes.again.notify_one();
    }

    /// Gives up the reload under way, if there is one.
    pub(super) fn give_up(&self) {
        self.wishes.give_up.notify_waiters();
    }

    /// The reload under way, if there is one, does not open sockets for long.
    pub(super) fn accept_no_more(&self) {
        self.wishes.accept_no_more.store(true, Ordering::Relaxed);
    }

    /// No configuration comes into force any more.
    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

async fn run(
    mut reloader: Reloader,
    wishes: Arc<Wishes>,
    mut orders: mpsc::Receiver<Order>,
    mut changed: mpsc::Receiver<()>,
) {
    let loader = reloader.parts.loader.clone();
    let mut next = None;
    loop {
        let wish = match next.take() {
            Some(wish) => wish,
            None => {
                let confirm_by = reloader.confirm_by();
                tokio::select! {
                    wish = wished(&wishes, &mut orders, &mut changed) => wish,
                    () = sleep_until(confirm_by) => Wish::GoBack,
                }
            }
        };
        let work = async {
            match wish {
                Wish::Reload => reloader.reload().await,
                Wish::Order(order) => reloader.order(order).await,
                // It may have been confirmed in the last moment.
                Wish::GoBack if reloader.confirm_by().is_some_and(|by| by <= Instant::now()) => {
                    reloader.not_confirmed().await;
                }
                Wish::GoBack => {}
            }
        };
        let more = wished(&wishes, &mut orders, &mut changed);
        next = beside(&wishes, work, more, &loader, limits::RELOAD_HANGS).await;
        if wishes.accept_no_more.swap(false, Ordering::Relaxed) {
            reloader.listeners.close(true);
        }
    }
}

/// What is to be done with the configuration.
enum Wish {
    /// The files are read.
    Reload,
    /// The control socket asks for it.
    Order(Order),
    /// The configuration in force was not confirmed.
    GoBack,
}

/// Waits for the next one from outside. Takes none unless it returns it.
async fn wished(
    wishes: &Wishes,
    orders: &mut mpsc::Receiver<Order>,
    changed: &mut mpsc::Receiver<()>,
) -> Wish {
    tokio::select! {
        () = wishes.again.notified() => Wish::Reload,
        Some(()) = changed.recv() => Wish::Reload,
        Some(order) = orders.recv() => Wish::Order(order),
        // The server ends.
        else => std::future::pending().await,
    }
}

/// Does `work` unless it is given up, and tells when it takes long. Where it takes longer than `hangs` it is given up for the
/// next wish, which is returned: another thread reads for that one.
async fn beside<T>(
    wishes: &Wishes,
    work: impl Future<Output = ()>,
    more: impl Future<Output = T>,
    loader: &Loader,
    hangs: Duration,
) -> Option<T> {
    wishes.accept_no_more.store(false, Ordering::Relaxed);
    let slow = limits::RELOAD_SLOW.min(hangs);
    let replaced = async {
        tokio::time::sleep(slow).await;
        log::reload_slow(slow);
        tokio::time::sleep(hangs - slow).await;
        // A thread that hung before may come back meanwhile.
        while !loader.is_replaceable() {
            tokio::time::sleep(slow).await;
        }
        let wish = more.await;
        log::reload_hangs();
        if let Err(error) = loader.replace() {
            log::reload_error(&format!("no loader thread ({})", os_text(&error)));
        }
        wish
    };
    tokio::select! {
        done = caught(work) => {
            if done.is_err() {
                log::reload_error("the reload has died by a panic, the configuration in force goes on");
            }
            None
        }
        () = wishes.give_up.notified() => {
            log::reload_given_up();
            None
        }
        wish = replaced => Some(wish),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as sync;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_reload_that_hangs_is_given_up_for_the_next_one() {
        let (wishes, loader) = (Wishes::default(), Loader::start().unwrap());
        let (release, hung) = sync::channel::<()>();
        let hanging = async { assert!(loader.run(move || hung.recv()).await.is_none()) };
        let next = beside(&wishes, hanging, async { 7 }, &loader, SOON).await;
        assert_eq!(next, Some(7));
        assert_eq!(loader.run(|| 8).await, Some(8), "another thread reads");
        drop(release);
    }

    #[tokio::test]
    async fn a_reload_that_takes_long_goes_on_while_none_other_is_asked_for() {
        let (wishes, loader) = (Wishes::default(), Loader::start().unwrap());
        let slow = async { tokio::time::sleep(5 * SOON).await };
        let next = beside(&wishes, slow, std::future::pending::<()>(), &loader, SOON).await;
        assert_eq!(next, None);
        // Nor is one given up that takes less.
        let quick = async { tokio::time::sleep(SOON).await };
        assert_eq!(beside(&wishes, quick, async { 7 }, &loader, 100 * SOON).await, None);
    }
}
