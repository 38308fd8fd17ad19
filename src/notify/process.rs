//! Callbacks about the process: `on_proc` and `on_master`.

use std::time::{Duration, Instant};

use super::request::{self, Act};
use super::values::RequestVariables;
use super::{Notifier, RequestId, sleep_until};
use crate::notify::log;

impl Notifier {
    /// Tells that worker threads have started (`on_proc`, once each) and that the server has (`on_master`).
    pub fn announce(&self, workers: usize) {
        let config = self.store.load();
        let Some(rtmp) = &config.rtmp else { return };
        if let Some(hook) = rtmp.notify.on_proc.clone() {
            for worker in 0..workers {
                let (notifier, hook) = (self.clone(), hook.clone());
                // Counted, so that even a stop right after the start lets it out.
                drop(self.spawn(async move {
                    let target = request::process_target(&hook.url.path_and_query, worker);
                    let id = RequestId::new();
                    let answer = notifier.call(&hook, "proc", Act::Start, None, &target, &id).await.0.answer;
                    log::process_callback(&hook, "init_process", &answer);
                }));
            }
        }
    }

    /// `on_master`: start now, then updates for as long as the server runs. They follow reloads; a line that asks another
    /// server, or with other arguments, is told from its start.
    pub async fn keep_master(self) {
        let mut told = None;
        let mut changed = self.store.watch();
        loop {
            let hook = self.store.load().rtmp.as_ref().and_then(|rtmp| rtmp.notify.on_master.clone());
            let Some(hook) = hook else {
                told = None;
                if changed.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let line = Some((hook.url.clone(), hook.args.clone()));
            let started = told == line;
            if started {
                let update = if hook.stages.update { hook.update.duration() } else { Duration::MAX };
                let due = Instant::now().checked_add(update);
                tokio::select! {
                    () = sleep_until(due) => {}
                    _ = changed.changed() => continue,
                }
            }
            let act = if started { Act::Update } else { Act::Start };
            let (id, mut args) = (RequestId::new(), Vec::new());
            let variables = RequestVariables { id: &id, groupid: b"", subject: None };
            hook.args.expand(&variables, self.escape(), &mut args);
            let target = request::master_target(&hook.url.path_and_query, act, &args);
            let answer = self.call(&hook, "master", act, None, &target, &id).await.0.answer;
            log::process_callback(&hook, "init_master", &answer);
            told = line;
        }
    }
}
