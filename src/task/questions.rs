//! Liveness probes of tasks.

use std::future::Future;
use std::pin::pin;

use tokio::sync::{mpsc, oneshot};

/// A probe; the task that receives it sends an answer to show that it is alive.
pub type Question = oneshot::Sender<()>;
/// Receiving end of a task's probes.
pub type Questions = mpsc::Receiver<Question>;

/// Probes without an answer so far.
#[derive(Default)]
pub struct OpenQuestions(Vec<(String, oneshot::Receiver<()>)>);

impl OpenQuestions {
    /// Creates a probe for another task. A task that has ended needs no answer.
    pub fn question(&mut self, name: String) -> Question {
        let (question, answer) = oneshot::channel();
        self.0.push((name, answer));
        question
    }

    /// Waits until all tasks have answered. Answers received so far are kept if the future is dropped.
    pub async fn answered(&mut self) {
        while let Some((_, answer)) = self.0.last_mut() {
            let _ = answer.await;
            self.0.pop();
        }
    }

    /// Names of the tasks that have not answered.
    pub fn silent(&mut self) -> String {
        self.0.retain_mut(|(_, answer)| answer.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        self.0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Waits for `what` and answers probes in the meantime.
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
        let mut asked = OpenQuestions::default();
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
        // The awaited future completes only after the answer.
        answering(&mut inbox, asked.answered()).await;
        assert_eq!(asked.silent(), "");
    }
}
