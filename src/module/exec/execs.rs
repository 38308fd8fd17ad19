//! Commands as child processes: at events of streams, or as long as a stream is published or played, or the server
//! runs.
//!
//! No shell is involved unless the configuration names one. Every child leads its own process group and is waited for;
//! a command that is kept running is ended together with its group.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bstr::BStr;
use parking_lot::Mutex;

use super::Commands;
use super::Process;
use super::command::{ExecCommand, ExecLaunch};
use super::conf::Current;
use super::keeper::{CommandPrerequisites, Respawner};
use super::values::SessionValues;
use crate::directive::Values;
use crate::directive::context::RECORDER;
use crate::limits;
use crate::media::extension::{OnStream, Output, Running, SessionObserver};
use crate::media::session::Session;
use crate::media::view::AppView;
use crate::module::exec::log;

/// Runs commands. Cheap to clone.
#[derive(Clone)]
pub struct Execs(Arc<ExecsInner>);

struct ExecsInner {
    means: CommandPrerequisites,
    /// Number of running commands of single events.
    single: AtomicUsize,
    /// Commands of streams with players, by stream number.
    pulls: Mutex<HashMap<u64, Pull>>,
    /// Commands that run as long as the server.
    statics: Mutex<Option<Respawner>>,
}

struct Pull {
    players: usize,
    _keeper: Respawner,
}

/// Commands of a publisher: run at its start, kept running until it is dropped, run then.
struct PublisherCommands {
    execs: Execs,
    view: AppView,
    session: Arc<Session>,
    _keeper: Respawner,
}

/// Commands of a player, as with [`PublisherCommands`].
struct PlayerCommands {
    execs: Execs,
    view: AppView,
    session: Arc<Session>,
    stream: u64,
}

impl Execs {
    /// `runtime` waits for children; `unfinished` tracks those being ended.
    pub fn new(means: CommandPrerequisites) -> Self {
        Execs(Arc::new(ExecsInner {
            means,
            single: AtomicUsize::new(0),
            pulls: Mutex::default(),
            statics: Mutex::default(),
        }))
    }

    /// Starts the commands of `exec_static` and follows reloads, until [`Execs::stop`].
    pub fn start(&self) {
        let (store, counterpart) = (self.0.means.store.clone(), self.0.means.counterpart.clone());
        let keeper = Respawner::start(&self.0.means, move || {
            if !counterpart.is_in_charge() {
                return (Vec::new(), false);
            }
            let config = store.load();
            let rtmp = config.rtmp.as_ref();
            (rtmp.map(|rtmp| rtmp.get::<Process>().statics.clone()).unwrap_or_default(), true)
        });
        *self.0.statics.lock() = Some(keeper);
    }

    /// Ends the commands of `exec_static`.
    pub fn stop(&self) {
        *self.0.statics.lock() = None;
    }

    /// Runs the commands of a publisher.
    fn publish(&self, view: &AppView, session: &Arc<Session>) -> PublisherCommands {
        self.fire(view, session, |commands| &commands.publish);
        let (lines, values) = (view.clone(), SessionValues::new(session.clone()));
        let keeper = Respawner::start(&self.0.means, move || {
            let application = lines.current();
            let respawn = application.get::<Current>().respawn;
            (values.launches(&application.get::<Commands>().push), respawn)
        });
        PublisherCommands {
            execs: self.clone(),
            view: view.clone(),
            session: session.clone(),
            _keeper: keeper,
        }
    }

    /// Runs the commands of a player of the stream with this number.
    fn play(&self, view: &AppView, session: &Arc<Session>, stream: u64) -> PlayerCommands {
        self.fire(view, session, |commands| &commands.play);
        let mut pulls = self.0.pulls.lock();
        let pull = pulls.entry(stream).or_insert_with(|| {
            let (lines, values) = (view.clone(), SessionValues::of_stream(session.clone()));
            let (counterpart, key) = (self.0.means.counterpart.clone(), session.key.clone());
            let keeper = Respawner::start(&self.0.means, move || {
                // The stream has its publisher in the other process.
                if counterpart.holds(&key) {
                    return (Vec::new(), false);
                }
                let application = lines.current();
                let respawn = application.get::<Current>().respawn;
                (values.launches(&application.get::<Commands>().pull), respawn)
            });
            Pull { players: 0, _keeper: keeper }
        });
        pull.players += 1;
        PlayerCommands { execs: self.clone(), view: view.clone(), session: session.clone(), stream }
    }

    /// Runs the commands for a completed recording of `session`; `conf` are the recorder's values.
    pub fn record_done(&self, conf: &Values<RECORDER>, session: &Arc<Session>, recorder: &BStr, file: &Path) {
        let values = SessionValues::of_recording(session.clone(), recorder, file);
        values.launches(&conf.get::<Commands>().record_done).into_iter().for_each(|launch| self.run(launch));
    }

    fn fire(&self, view: &AppView, session: &Arc<Session>, which: fn(&Commands) -> &Vec<ExecCommand>) {
        let application = view.current();
        let commands = which(application.get());
        if commands.is_empty() {
            return;
        }
        let values = SessionValues::new(session.clone());
        values.launches(commands).into_iter().for_each(|launch| self.run(launch));
    }

    /// Runs a command once.
    fn run(&self, launch: ExecLaunch) {
        let single = RunningChild(self.clone());
        if self.0.single.fetch_add(1, Ordering::AcqRel) >= limits::EXEC_CHILDREN {
            return log::too_many(&launch, limits::EXEC_CHILDREN);
        }
        // A stop waits for the start of the command, not for its end.
        let unfinished = self.0.means.unfinished.token();
        let environment = self.0.means.environment();
        self.0.means.runtime.spawn(async move {
            let _single = single;
            let child = super::child::spawn(&launch, environment).await;
            drop(unfinished);
            match child {
                Ok(mut child) => drop(child.wait().await),
                Err(error) => log::failed(&launch, &error),
            }
        });
    }
}

impl Output for Execs {
    fn begin(self: Arc<Self>, publisher: OnStream<'_>) -> Option<Running> {
        Some(Box::new(self.publish(publisher.view, publisher.session)))
    }
}

impl SessionObserver for Execs {
    fn playing(&self, player: OnStream<'_>) -> Option<Running> {
        Some(Box::new(self.play(player.view, player.session, player.stream.id())))
    }
}

/// Counts a running command of a single event.
struct RunningChild(Execs);

impl Drop for RunningChild {
    fn drop(&mut self) {
        self.0.0.single.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for PublisherCommands {
    fn drop(&mut self) {
        self.execs.fire(&self.view, &self.session, |commands| &commands.publish_done);
    }
}

impl Drop for PlayerCommands {
    fn drop(&mut self) {
        let mut pulls = self.execs.0.pulls.lock();
        if let Some(pull) = pulls.get_mut(&self.stream) {
            pull.players -= 1;
            if pull.players == 0 {
                pulls.remove(&self.stream);
            }
        }
        drop(pulls);
        self.execs.fire(&self.view, &self.session, |commands| &commands.play_done);
    }
}
