//! What the console asks of the server: orders of the configuration, and control requests.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::control::order::QueuedRequest;
use super::control::protocol::{ControlAnswer, Request};
use crate::limits;
use crate::log::counted;
use crate::media::control::{ControlCaller, ControlOrder, ControlOutcome};
use crate::module::console::action::{ActionError, ActionResult, ConsoleAction, ConsoleActions};
use crate::module::control::ControlSections;
use crate::task::lifetime::Lifetime;

/// Carries out requests of the console.
pub(super) struct ConsoleOrders {
    control: Arc<ControlSections>,
    lifetime: Lifetime,
    /// The task that reloads, once it runs.
    orders: OnceLock<mpsc::Sender<QueuedRequest>>,
    /// Permits for orders that wait or are in progress.
    waiting: Semaphore,
}

impl ConsoleOrders {
    /// Without a task that reloads, so far.
    pub(super) fn new(control: Arc<ControlSections>, lifetime: Lifetime) -> ConsoleOrders {
        let waiting = Semaphore::new(limits::CONSOLE_ORDERS);
        ConsoleOrders { control, lifetime, orders: OnceLock::new(), waiting }
    }

    /// Gives orders to a task from now on.
    pub(super) fn serve(&self, orders: mpsc::Sender<QueuedRequest>) {
        // There is one such task in a process.
        let _ = self.orders.set(orders);
    }

    async fn order(&self, request: Request) -> ActionResult {
        let Lifetime { draining, shutdown, .. } = &self.lifetime;
        if draining.is_cancelled() || shutdown.is_cancelled() {
            return Err(ActionError::Stopping);
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(ActionError::Busy);
        };
        let orders = self.orders.get().ok_or(ActionError::Starting)?;
        let (reply, answer) = oneshot::channel();
        orders.send(QueuedRequest { request, reply }).await.map_err(|_| ActionError::Stopping)?;
        let answer = tokio::select! {
            answer = answer => answer.map_err(|_| ActionError::Stopping)?,
            () = draining.cancelled() => return Err(ActionError::Stopping),
            () = shutdown.cancelled() => return Err(ActionError::Stopping),
        };
        match answer {
            ControlAnswer::Done { text, warnings } => Ok(text + &warnings),
            ControlAnswer::Refused { text } => Err(ActionError::Refused(text)),
            _ => Err(ActionError::Unexpected),
        }
    }

    async fn drop_sessions(&self, query: &[u8], addr: &str) -> ActionResult {
        let caller = ControlCaller::Client(addr.to_owned());
        let order = ControlOrder::new(b"client", query, &caller);
        match self.control.carry_out(b"drop", &order).await {
            Some(Ok(ControlOutcome::Sessions(count))) => Ok(format!("{} ended", counted(count, "session"))),
            Some(Ok(other)) => Ok(other.to_string()),
            Some(Err(why)) => Err(ActionError::Refused(why.to_string())),
            None => Err(ActionError::Unknown),
        }
    }
}

impl ConsoleActions for ConsoleOrders {
    fn carry_out<'a>(
        &'a self,
        action: ConsoleAction<'a>,
    ) -> Pin<Box<dyn Future<Output = ActionResult> + Send + 'a>> {
        Box::pin(async move {
            match action {
                ConsoleAction::Plan => self.order(Request::Plan { colour: false }).await,
                ConsoleAction::Reload => {
                    self.order(Request::Reload { confirm_ms: None, colour: false }).await
                }
                ConsoleAction::RollBack => self.order(Request::Rollback).await,
                ConsoleAction::Drop { query, addr } => self.drop_sessions(query, addr).await,
            }
        })
    }
}
