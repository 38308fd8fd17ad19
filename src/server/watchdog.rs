//! The watchdog of the service manager: answered when all that serve have answered, not when some time has passed.
//!
//! Workers and the tasks that accept are asked; the control loop proves itself by asking. A reload is not asked: files
//! may hang for as long as they like.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::context::Context;
use super::event;
use super::listener::Listeners;
use super::service::Service;

/// Asked of a task; its answer says that it is alive.
pub type Question = oneshot::Sender<()>;
/// What a task is asked.
pub type Questions = mpsc::Receiver<Question>;

/// Those that have been asked and have not answered.
#[derive(Default)]
pub struct Asked(Vec<(String, oneshot::Receiver<()>)>);

impl Asked {
    /// A question to one more. One that is gone has nothing to answer any more.
    pub fn question(&mut self, name: String) -> Question {
        let (question, answer) = oneshot::channel();
        self.0.push((name, answer));
        question
    }

    /// Waits until all have answered. What was answered stays so if this is dropped.
    async fn answered(&mut self) {
        while let Some((_, answer)) = self.0.last_mut() {
            let _ = answer.await;
            self.0.pop();
        }
    }

    /// The names of those that have not.
    fn silent(&mut self) -> String {
        self.0.retain_mut(|(_, answer)| answer.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        self.0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Waits for `what`, and answers in the meantime.
pub async fn answering<T>(questions: &mut Questions, what: impl Future<Output = T>) -> T {
    let mut what = pin!(what);
    loop {
        tokio::select! {
            done = &mut what => return done,
            Some(question) = questions.recv() => drop(question.send(())),
        }
    }
}

/// Tells the service manager that the server is alive.
pub struct Watchdog {
    service: Service,
    /// Half of the time allowed; `None`: no watchdog is wanted.
    ticks: Option<Interval>,
    asked: Option<Asked>,
}

impl Watchdog {
    /// Looks at the environment. To be called within the control runtime.
    pub fn from_env(service: &Service) -> Watchdog {
        let allowed = sd_notify::watchdog_enabled().filter(|_| service.listens());
        let ticks = allowed.map(|time| {
            // The interval must not be zero.
            let mut ticks = interval((time / 2).max(Duration::from_millis(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Watchdog { service: service.clone(), ticks, asked: None }
    }

    /// Tells it once more when it is due and all have answered. Never resolves where no watchdog is wanted; may be
    /// dropped and called anew at any time.
    pub async fn alive(&mut self, context: &Context, listeners: &Listeners) {
        let Some(ticks) = &mut self.ticks else { return pending().await };
        if self.asked.is_none() {
            ticks.tick().await;
        }
        let asked = self.asked.get_or_insert_with(|| ask(context, listeners));
        loop {
            tokio::select! {
                biased;
                () = asked.answered() => break,
                _ = ticks.tick() => event::process::no_answer(&asked.silent()),
            }
        }
        self.asked = None;
        self.service.alive();
    }
}

fn ask(context: &Context, listeners: &Listeners) -> Asked {
    let mut asked = Asked::default();
    for (number, worker) in context.workers.iter().enumerate() {
        let question = asked.question(format!("worker thread {number}"));
        worker.runtime.spawn(async move { question.send(()) });
    }
    listeners.ask(&mut asked);
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_that_are_asked_have_to_answer() {
        let mut asked = Asked::default();
        let (first, second) = (asked.question("first".into()), asked.question("second".into()));
        second.send(()).unwrap();
        tokio::select! {
            biased;
            () = asked.answered() => panic!("one has not answered"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(asked.silent(), "first");
        let (questions, mut inbox) = mpsc::channel(1);
        questions.send(first).await.unwrap();
        // What the task waits for comes only after the answer.
        answering(&mut inbox, asked.answered()).await;
        assert_eq!(asked.silent(), "");
    }
}
