//! Reloads run beside everything else: files may hang for as long as they like, signals and connections go on.
//!
//! One task does what is asked of the configuration, one thing after the other. It waits only while files are read and
//! configurations compared, on the loader's thread; what it changes is changed between two waits. So it can be given up
//! at any wait, and the configuration in force is then a whole one.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::control::Order;
use super::generations::Keeper;
use super::parts::Parts;
use super::service::Service;
use crate::config::LoadOptions;
use crate::limits;
use crate::log::ErrorLog;
use crate::net::listener::Listeners;
use crate::server::log;
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
    loop {
        let confirm_by = reloader.confirm_by();
        tokio::select! {
            () = wishes.again.notified() => beside(&wishes, reloader.reload()).await,
            Some(()) = changed.recv() => beside(&wishes, reloader.reload()).await,
            Some(order) = orders.recv() => beside(&wishes, reloader.order(order)).await,
            () = sleep_until(confirm_by) => {
                // It may have been confirmed in the last moment.
                if reloader.confirm_by().is_some_and(|by| by <= Instant::now()) {
                    beside(&wishes, reloader.not_confirmed()).await;
                }
            }
        }
        if wishes.accept_no_more.swap(false, Ordering::Relaxed) {
            reloader.listeners.close(true);
        }
    }
}

/// Does `work` unless it is given up, and tells when it takes long.
async fn beside(wishes: &Wishes, work: impl Future<Output = ()>) {
    wishes.accept_no_more.store(false, Ordering::Relaxed);
    let slow = async {
        tokio::time::sleep(limits::RELOAD_SLOW).await;
        log::reload_slow(limits::RELOAD_SLOW);
        std::future::pending().await
    };
    tokio::select! {
        done = caught(work) => if done.is_err() {
            log::reload_error("the reload has died by a panic, the configuration in force goes on");
        },
        () = wishes.give_up.notified() => log::reload_given_up(),
        () = slow => {}
    }
}
