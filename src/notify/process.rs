//! Callbacks about the process: `on_proc` and `on_master`.

use std::time::{Duration, Instant};

use super::main_conf::MainCurrent;
pub use super::process_event::{PROCESS_EVENTS, SERVER_EVENT, WORKER_EVENT};
use super::process_proxy::ProcessProxy;
use super::request::{self, Stage};
use super::transport::OutgoingRequest;
use super::values::CallbackVariables;
use super::{Notifier, RequestId};
use crate::notify::log;
use crate::task::sleep_until;

impl Notifier {
    /// Sends `on_proc`, once for each worker thread.
    pub fn announce(&self, workers: usize) {
        let config = self.store.load();
        let Some(rtmp) = &config.rtmp else { return };
        let way = &rtmp.get::<ProcessProxy>().0;
        if let Some(hook) = rtmp.get::<MainCurrent>().on_proc.clone() {
            for worker in 0..workers {
                let (notifier, hook, way) = (self.clone(), hook.clone(), way.clone());
                // Tracked, so that it is sent even if the server stops right after the start.
                drop(self.spawn(async move {
                    let target = request::process_target(&hook.url.path_and_query, worker);
                    let id = RequestId::new();
                    let sent = OutgoingRequest { target: &target, id: &id, way: &way };
                    let answer =
                        notifier.call(&hook, WORKER_EVENT.word(), Stage::Start, None, sent).await.0.answer;
                    log::process_callback(&hook, WORKER_EVENT.call, &answer);
                }));
            }
        }
    }

    /// Sends `on_master`: `start` now, then updates as long as the server runs. Reloads take effect; a line with
    /// another address or other arguments begins with `start` again.
    pub async fn keep_master(self) {
        let mut announced = None;
        let mut changed = self.store.watch();
        loop {
            let hook =
                self.store.load().rtmp.as_ref().and_then(|rtmp| rtmp.get::<MainCurrent>().on_master.clone());
            let Some(hook) = hook else {
                announced = None;
                if changed.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let line = Some((hook.url.clone(), hook.args.clone()));
            let started = announced == line;
            if started {
                let update = if hook.stages.update { hook.update.duration() } else { Duration::MAX };
                let due = Instant::now().checked_add(update);
                tokio::select! {
                    () = sleep_until(due) => {}
                    _ = changed.changed() => continue,
                }
            }
            let stage = if started { Stage::Update } else { Stage::Start };
            let (id, mut args) = (RequestId::new(), Vec::new());
            let variables = CallbackVariables { id: &id, groupid: b"", subject: None };
            hook.args.expand(&variables, self.escape(), &mut args);
            let target = request::master_target(&hook.url.path_and_query, stage, &args);
            let way = self.store.load().rtmp.as_ref().map(|rtmp| rtmp.get::<ProcessProxy>().0.clone());
            let sent = OutgoingRequest { target: &target, id: &id, way: &way.unwrap_or_default() };
            let answer = self.call(&hook, SERVER_EVENT.word(), stage, None, sent).await.0.answer;
            log::process_callback(&hook, SERVER_EVENT.call, &answer);
            announced = line;
        }
    }
}
