//! Reload: prepare, commit, release. Any error leaves everything as it was.

mod loaded;

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::loaded::{LoadedConfig, OpenedFiles, OtherTexts, PartsInForce, ReloadRefusal, read};
use crate::config::diff::{self, Change, ChangeEffect, RunningSession};
use crate::config::group_copy::GroupCopy;
use crate::config::history::Generation;
use crate::config::model::Config;
use crate::config::watch::Fingerprint;
use crate::limits;
use crate::media::session::{Protocol, Session};
use crate::net::listener;
use crate::server::control::order::QueuedRequest;
use crate::server::control::protocol::{ControlAnswer, Request};
use crate::server::control::refused;
use crate::server::core;
use crate::server::inherited::Inherited;
use crate::server::log;
use crate::server::reloads::Reloader;
use crate::server::{Sockets, StartError, Wanted, accept, bind_all, life, orphans, sockets};
use crate::syntax::render::Style;
use crate::syntax::tree::Tree;

/// Everything that a configuration needs, opened. Dropping it releases everything.
struct PreparedReload {
    read: LoadedConfig,
    bound: Sockets,
}

/// Result of a reload or plan.
struct ReloadOutcome {
    /// Number of the generation in force afterwards.
    generation: u64,
    fingerprint: Fingerprint,
    /// Whether the texts match the ones in force.
    unchanged: bool,
    changes: Vec<Change>,
    /// Human-readable warnings.
    warnings: String,
}

/// Origin of a configuration.
enum ConfigOrigin {
    /// The files.
    Disk,
    /// Texts of a former generation.
    Kept(Box<Generation>),
    /// The files, with another configuration of the group.
    Group {
        /// Its place on disk.
        copy: GroupCopy,
        /// Content of the file.
        file: Bytes,
    },
}

impl Reloader {
    /// Reloads the files; the result is logged.
    pub(super) async fn reload(&mut self) {
        // The result is logged; there is no other reader.
        let _ = self.apply(ConfigOrigin::Disk, Style { colour: false, brief: false }).await;
    }

    /// Carries out a request of the control socket.
    pub(super) async fn order(&mut self, QueuedRequest { request, reply }: QueuedRequest) {
        let plain = Style { colour: false, brief: false };
        let answer = match request {
            Request::Reload { confirm_ms, colour } => {
                log::signal("reload over the control socket", "reconfiguring");
                let outcome = self.apply(ConfigOrigin::Disk, Style { colour, ..plain }).await;
                let answer = answer_for(outcome, &format!("{}", self.load.conf_name().display()), false);
                self.ask_to_confirm(confirm_ms, answer)
            }
            Request::Plan { colour } => answer_for(
                self.plan(Style { colour, ..plain }).await,
                &self.load.conf_name().display().to_string(),
                true,
            ),
            Request::Rollback => {
                log::signal("rollback over the control socket", "rolling back");
                self.roll_back(plain).await
            }
            // The one that waits may be rolled back, and this one with it.
            Request::GroupConf { .. } if self.confirm_by().is_some() => {
                ControlAnswer::Failed { text: "a reload waits for confirmation".into() }
            }
            Request::GroupConf { copy, file } => {
                log::group_conf(&copy.path);
                let brief =
                    |refused: ReloadRefusal| ControlAnswer::Refused { text: refused.lines.join("\n") };
                let outcome = self.apply(ConfigOrigin::Group { copy, file }, plain).await;
                outcome.map_or_else(brief, |_| ControlAnswer::done(String::new()))
            }
            // Answered elsewhere.
            Request::Confirm
            | Request::Control { .. }
            | Request::Status
            | Request::Callbacks
            | Request::Streams
            | Request::Files
            | Request::Probe { .. } => refused("not an order"),
        };
        // The client may have disconnected; the result is in the log.
        let _ = reply.send(answer);
    }

    /// Applies another configuration.
    async fn apply(&mut self, from: ConfigOrigin, style: Style) -> Result<ReloadOutcome, ReloadRefusal> {
        self.service.reloading();
        let prepared = match self.prepare(&from, style).await {
            Ok(ready) => self.keep_copy(&from, ready).await,
            refused => refused,
        };
        let done = match prepared {
            Ok(ready) => Ok(self.commit(ready, from).await),
            Err(refused) => {
                for line in &refused.lines {
                    log::reload_error(line);
                }
                log::reload_refused(self.parts.store.generation());
                self.parts.history.lock().refused(refused.fingerprint, refused.lines.clone());
                Err(refused)
            }
        };
        self.parts.history.lock().count_reload(done.is_ok());
        self.over(done.is_err());
        done
    }

    /// Notifies the service manager that a reload has ended: the service is running in either case.
    fn over(&self, refused: bool) {
        let mut status = life::status(&self.parts);
        if refused {
            status.push_str("; the last reload was refused, the log says why");
        }
        self.service.ready(&status, false);
    }

    /// Determines what a reload would do.
    async fn plan(&mut self, style: Style) -> Result<ReloadOutcome, ReloadRefusal> {
        let read = self.read(&ConfigOrigin::Disk, style).await?;
        if let Err(error) = sockets::check(&read.config, self.parts.workers.count()) {
            return Err(ReloadRefusal::simply(Some(read.fingerprint), &error));
        }
        for Wanted { key, options, .. } in self.missing(&read) {
            // Only checked: clients could connect to a bound socket. Further sockets of an address bind as the first did.
            if self.listeners.count(&key) > 0 {
                continue;
            }
            if let Err(source) = listener::check(&key.1, &options) {
                let error = StartError::Bind { address: key.1, source };
                return Err(ReloadRefusal::simply(Some(read.fingerprint), &error));
            }
        }
        let LoadedConfig { mut config, fingerprint, shown_warnings: warnings, .. } = read;
        let tree = std::mem::take(&mut config.tree);
        let (unchanged, generation) = (self.is_in_force(fingerprint), self.parts.store.generation());
        let changes = self.changes(self.parts.store.load(), Arc::new(config), tree).await;
        Ok(ReloadOutcome { generation, fingerprint, unchanged, changes, warnings })
    }

    fn is_in_force(&self, fingerprint: Fingerprint) -> bool {
        self.parts.history.lock().current().is_some_and(|current| current.fingerprint == fingerprint)
    }

    async fn prepare(&self, from: &ConfigOrigin, style: Style) -> Result<PreparedReload, ReloadRefusal> {
        let read = self.read(from, style).await?;
        if let Err(error) = sockets::check(&read.config, self.parts.workers.count()) {
            return Err(ReloadRefusal::simply(Some(read.fingerprint), &error));
        }
        let mut missing = self.missing(&read);
        // Last, since clients connect to further sockets of an open address at once.
        missing.sort_by_key(|wanted| self.listeners.count(&wanted.key) > 0);
        for Wanted { key, .. } in &missing {
            if let Err(source) = self.listeners.share(key) {
                let error = StartError::Bind { address: key.1.clone(), source };
                return Err(ReloadRefusal::simply(Some(read.fingerprint), &error));
            }
        }
        // The privileged helper may have to bind some of them.
        let binding = self.parts.loader.run(move || bind_all(missing.into_iter(), &mut Inherited::default()));
        match binding.await {
            Some(Ok(bound)) => Ok(PreparedReload { read, bound }),
            Some(Err(error)) => Err(ReloadRefusal::simply(Some(read.fingerprint), &error)),
            None => Err(ReloadRefusal::simply(Some(read.fingerprint), &"binding the sockets failed")),
        }
    }

    /// Keeps the configuration of a group on disk before it comes into force, so that a start has it too.
    async fn keep_copy(
        &self,
        from: &ConfigOrigin,
        ready: PreparedReload,
    ) -> Result<PreparedReload, ReloadRefusal> {
        let ConfigOrigin::Group { copy, file } = from else { return Ok(ready) };
        let (copy, file) = (copy.clone(), file.clone());
        let refused = |why: &dyn Display| ReloadRefusal::simply(Some(ready.read.fingerprint), &why);
        match self.parts.loader.run(move || copy.keep(&file)).await {
            Some(Ok(())) => Ok(ready),
            Some(Err(error)) => Err(refused(&error)),
            None => Err(refused(&"keeping the configuration of the group failed")),
        }
    }

    /// Sockets that the configuration requires and that are not open.
    fn missing(&self, read: &LoadedConfig) -> Vec<Wanted> {
        let workers = self.parts.workers.count();
        let wanted = sockets::wanted(&read.config, &read.opened.tls.server, workers).into_iter();
        let wanted = wanted.map(|(key, options)| {
            let required = listener::sockets_of(&key.1, &options, workers);
            let count = required.saturating_sub(self.listeners.count(&key));
            Wanted { key, options, count }
        });
        wanted.filter(|wanted| wanted.count > 0).collect()
    }

    async fn read(&self, from: &ConfigOrigin, style: Style) -> Result<LoadedConfig, ReloadRefusal> {
        let load = self.load.clone();
        let texts = match from {
            ConfigOrigin::Disk => None,
            ConfigOrigin::Kept(generation) => Some(OtherTexts::All(generation.sources.clone())),
            ConfigOrigin::Group { copy, file } => Some(OtherTexts::File(copy.path.clone(), file.clone())),
        };
        let before = PartsInForce {
            tls: self.parts.tls.load_full(),
            transport: self.parts.callbacks.transport(),
            dns: self.parts.dns.clone(),
        };
        // Reading and parsing may take a while; callbacks continue in the meantime.
        let reading = self.parts.loader.run(move || read(&load, texts.as_ref(), style, &before));
        match reading.await {
            Some(read) => read,
            None => Err(ReloadRefusal::simply(None, &"reading the configuration failed")),
        }
    }

    async fn commit(&mut self, ready: PreparedReload, from: ConfigOrigin) -> ReloadOutcome {
        let PreparedReload { read, bound } = ready;
        let LoadedConfig { mut config, fingerprint, warnings, shown_warnings, opened } = read;
        let OpenedFiles { logs, transport, tls, secrets } = opened;
        let before = self.parts.store.load();
        let unchanged = self.is_in_force(fingerprint);
        warnings.iter().for_each(|line| log::configuration_warning(line));
        let warnings = shown_warnings;
        config.keep_restart_values(&before);
        let wanted = sockets::wanted(&config, &tls.server, self.parts.workers.count());
        self.parts.callbacks.set_transport(transport);
        self.parts.trails.set_secrets(secrets);
        tls.server.log_closed();
        self.parts.tls.store(Arc::new(tls));
        self.log.sinks().apply(logs);
        self.log.replace(&config.log_specs(), config.own_log_level);
        crate::log::arguments::show(config.get::<core::conf::Current>().log_args);
        let mut tree = Tree::default();
        let generation = if unchanged {
            retire(Arc::new(config));
            self.parts.store.generation()
        } else {
            self.parts.dns.apply(&config);
            tree = std::mem::take(&mut config.tree);
            self.parts.store.commit(config)
        };
        if let Some(helper) = &self.helper {
            helper.in_force(Fingerprint::of_files(&self.parts.store.load().sources));
        }
        self.listeners.retain(|key| wanted.contains_key(key));
        self.listeners.update(&wanted);
        // The sockets are bound and the runtime is running, so registration can only fail for lack of memory, which is
        // logged.
        if let Err(error) = accept(&self.listeners, bound) {
            log::reload_error(&error.to_string());
        }
        if unchanged {
            self.parts.history.lock().withdraw_refusal();
            log::reloaded_unchanged(generation, self.load.conf_name());
            return ReloadOutcome { generation, fingerprint, unchanged, changes: Vec::new(), warnings };
        }
        let after = self.parts.store.load();
        let kept = {
            let mut history = self.parts.history.lock();
            history.confirm_within(None);
            let forgotten = match from {
                ConfigOrigin::Disk | ConfigOrigin::Group { .. } => {
                    history.taken(Generation::new(generation, fingerprint, after.sources.clone()));
                    Vec::new()
                }
                ConfigOrigin::Kept(kept) => {
                    let since = jiff::Timestamp::now();
                    history.rolled_back(Generation { number: generation, since, ..*kept })
                }
            };
            history.current().cloned().map(|current| (current, forgotten))
        };
        if let Some((current, forgotten)) = kept {
            self.generations.keep(&self.parts.history, &self.parts.lifetime, current, forgotten);
        }
        self.parts.callbacks.announce(self.parts.workers.count());
        log::reloaded(generation, &fingerprint.short(), self.load.conf_name());
        orphans::release(&self.parts, &after);
        let changes = self.changes(before.clone(), after, tree).await;
        retire(before);
        for change in &changes {
            match change.effect {
                ChangeEffect::Restart => log::reload_needs_restart(&change.directive, &change.place),
                _ => log::change(change),
            }
        }
        ReloadOutcome { generation, fingerprint, unchanged, changes, warnings }
    }

    /// Differences between two configurations; `tree` has the statements of the new one.
    async fn changes(&self, before: Arc<Config>, after: Arc<Config>, tree: Tree) -> Vec<Change> {
        let (load, sessions) = (self.load.clone(), self.parts.sessions.snapshot());
        let compare = move || {
            let sessions: Vec<RunningSession> =
                sessions.iter().map(|session| running_session(session)).collect();
            diff::changes(&load, &before, &after, &tree, &sessions)
        };
        self.parts.loader.run(compare).await.unwrap_or_default()
    }

    async fn roll_back(&mut self, style: Style) -> ControlAnswer {
        let Some(target) = self.parts.history.lock().previous().cloned() else {
            return refused("there is no earlier configuration to roll back to");
        };
        let number = target.number;
        let outcome = self.apply(ConfigOrigin::Kept(Box::new(target)), style).await;
        answer_for(outcome, &format!("the configuration of generation {number}"), false)
    }

    fn ask_to_confirm(&self, confirm_ms: Option<u64>, answer: ControlAnswer) -> ControlAnswer {
        let (Some(time), ControlAnswer::Done { mut text, warnings }) = (confirm_ms, answer.clone()) else {
            return answer;
        };
        let mut history = self.parts.history.lock();
        if history.previous().is_none() {
            return answer;
        }
        let time = Duration::from_millis(time);
        history.confirm_within(Some(time));
        text.push_str(&format!(
            "rolling back in {}s unless confirmed with \"pingosd confirm\"\n",
            time.as_secs_f64()
        ));
        ControlAnswer::Done { text, warnings }
    }

    /// Rolls back, because the reload was not confirmed in time.
    pub(super) async fn not_confirmed(&mut self) {
        self.parts.history.lock().confirm_within(None);
        log::not_confirmed();
        // The result is in the log.
        drop(self.roll_back(Style { colour: false, brief: false }).await);
    }

    /// Time of the automatic rollback.
    pub(super) fn confirm_by(&self) -> Option<Instant> {
        self.parts.history.lock().confirm_by()
    }
}

/// Drops a configuration on a blocking thread: a large one takes milliseconds, which would delay frames. Other readers
/// hold it only for moments; the last holder frees it, so this waits to be the last one.
fn retire(config: Arc<Config>) {
    drop(tokio::task::spawn_blocking(move || {
        let end = Instant::now() + limits::RETIRED_CONFIG_WAIT;
        while Arc::strong_count(&config) > 1 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }));
}

/// Identity of a session towards the configuration.
fn running_session(session: &Session) -> RunningSession {
    let is_client = session.protocol == Protocol::Rtmp;
    RunningSession {
        serverid: session.identity.serverid.to_vec(),
        app: session.identity.app.to_vec(),
        port: if is_client { session.peer.local_port } else { 0 },
    }
}

/// Human-readable result.
fn answer_for(outcome: Result<ReloadOutcome, ReloadRefusal>, what: &str, planned: bool) -> ControlAnswer {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(refused) => {
            let verdict = "nothing has changed; the configuration in force is kept";
            return ControlAnswer::Refused { text: format!("{}{verdict}", refused.text) };
        }
    };
    let ReloadOutcome { generation, fingerprint, unchanged, changes, warnings } = outcome;
    /// What a reload does even so.
    const AGAIN: &str = "the files that it names, such as certificates, are read again";
    let hash = fingerprint.short();
    let mut text = match (unchanged, planned) {
        (true, true) => format!("{what} is in force already: a reload would change no directive, {AGAIN}\n"),
        (true, false) => {
            format!(
                "{what} is in force already, generation {generation}: no directive has changed, {AGAIN}\n"
            )
        }
        (false, true) => format!("a reload would change, to {hash}:\n"),
        (false, false) => format!("{what} is in force, generation {generation}, {hash}:\n"),
    };
    for change in &changes {
        text.push_str(&format!("  {change}\n"));
    }
    if !unchanged && changes.is_empty() {
        text.push_str("  no directive differs\n");
    }
    ControlAnswer::Done { text, warnings }
}
