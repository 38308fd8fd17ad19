//! A future that is polled only after it was woken.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

/// Wrapper for a future that is rarely ready, in a task that is woken often: a task woken for every packet does not
/// poll a dozen idle sources each time. The first poll always reaches the future.
pub struct WhenWoken<F> {
    future: Pin<Box<F>>,
    bell: Arc<TaskWaker>,
    /// Waker passed to the future; it sets the flag.
    waker: Waker,
    /// The task to wake.
    task: Option<Waker>,
}

struct TaskWaker {
    rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = self.task.lock().clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<F: Future> WhenWoken<F> {
    /// Wraps a future that has not been polled.
    pub fn new(future: F) -> Self {
        let bell = Arc::new(TaskWaker { rung: AtomicBool::new(true), task: Mutex::default() });
        WhenWoken { future: Box::pin(future), waker: bell.clone().into(), bell, task: None }
    }
}

impl<F: Future> Future for WhenWoken<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if !this.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            this.task = Some(cx.waker().clone());
            *this.bell.task.lock() = this.task.clone();
        }
        // Wake-ups from here on reach the task of this poll. Usually there was none, and a load is cheaper than a swap.
        if !this.bell.rung.load(Ordering::Acquire) || !this.bell.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        this.future.as_mut().poll(&mut Context::from_waker(&this.waker))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::{Notify, oneshot};

    use super::*;

    #[tokio::test]
    async fn only_its_own_wake_ups_reach_it() {
        let polls = AtomicUsize::new(0);
        let (sender, mut receiver) = oneshot::channel::<()>();
        let mut rare = WhenWoken::new(poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut receiver).poll(cx)
        }));
        let frequent = Notify::new();
        for _ in 0..5 {
            frequent.notify_one();
            tokio::select! {
                biased;
                _ = &mut rare => panic!("nothing was sent"),
                () = frequent.notified() => {}
            }
        }
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        sender.send(()).unwrap();
        assert_eq!(rare.await, Ok(()));
        assert_eq!(polls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn it_wakes_the_task_that_polled_it_last() {
        let (sender, receiver) = oneshot::channel::<()>();
        let mut rare = WhenWoken::new(receiver);
        tokio::select! {
            biased;
            _ = &mut rare => panic!("nothing was sent"),
            () = std::future::ready(()) => {}
        }
        let elsewhere = tokio::spawn(async move { rare.await.is_ok() });
        tokio::task::yield_now().await;
        sender.send(()).unwrap();
        assert!(elsewhere.await.unwrap());
    }
}
