//! Questions to tasks: an answer says that the task is alive.

use std::future::Future;
use std::pin::pin;

use tokio::sync::{mpsc, oneshot};

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
    pub async fn answered(&mut self) {
        while let Some((_, answer)) = self.0.last_mut() {
            let _ = answer.await;
            self.0.pop();
        }
    }

    /// The names of those that have not.
    pub fn silent(&mut self) -> String {
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
