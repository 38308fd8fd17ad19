//! What `pingosd cluster apply`, `rollback` and `status --group` do with etcd.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::super::conf::{ClusterConf, JoinedCluster};
use super::super::etcd::{Etcd, EtcdError, KeyValue, SetupError};
use super::super::tenure::{Lease, Revision};
use super::offer::{BadOffer, Keys, Offer, Outcome, ServerAnswer, first};
use super::store::{Offered, Write, transact};
use crate::config::Config;
use crate::config::group_copy::{hash_of, is_name};
use crate::limits;
use crate::syntax::suggest;

/// How a configuration reaches the servers of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The group.
    pub group: String,
    /// Servers that take it at the same time; all, without a number.
    pub canary: Option<usize>,
    /// Time that the servers have to answer.
    pub timeout: Duration,
    /// Whether there may be neither servers nor a configuration of the group yet.
    pub is_new: bool,
}

/// Reason why a command about a group fails.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The configuration joins no cluster.
    #[error("the configuration has no \"cluster\" block, which names the etcd")]
    NoCluster,
    /// A system call failed.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The `cluster` block cannot be used.
    #[error("{0}")]
    Setup(String),
    /// etcd has no answer, or refuses.
    #[error("etcd ({0}): {1}")]
    Etcd(String, String),
    /// There is no such group.
    #[error("there is no group \"{0}\": no server takes it, and it has no configuration{hint}. A new one needs --new", hint = did_you_mean(.1))]
    Unknown(String, Option<String>),
    /// etcd has not said whether the configuration was written.
    #[error(
        "etcd ({0}) has not answered in time, so it is not known whether the configuration was written: \"pingosd cluster status --group {1}\" shows it"
    )]
    Unsure(String, String),
    /// The text is too long.
    #[error("the configuration has {0} bytes with its included files, and at most {max} are allowed", max = limits::CLUSTER_CONF_BYTES)]
    TooLarge(usize),
    /// Another command is at work.
    #[error("another configuration is on trial since {0}; it ends with its command, or {wait} s later", wait = limits::CLUSTER_CONF_TRIAL.as_secs())]
    OnTrial(String),
    /// Another command was faster.
    #[error(
        "another configuration was applied meanwhile, this one is not: see \"pingosd cluster status\", and apply it again if it is still wanted"
    )]
    Overtaken,
    /// The value in etcd is no configuration.
    #[error("what etcd has is no configuration of this group: {0}")]
    Bad(String),
    /// There is nothing before the current one.
    #[error("there is no earlier configuration of group \"{0}\" to roll back to")]
    NoEarlier(String),
    /// Output failed.
    #[error("the output cannot be written: {0}")]
    Output(io::Error),
}

impl From<SetupError> for GroupError {
    fn from(error: SetupError) -> GroupError {
        GroupError::Setup(error.to_string())
    }
}

/// Receives lines of a result.
pub type LineOutput<'a> = &'a mut dyn FnMut(&str) -> io::Result<()>;

/// Writes a group's configuration, and waits for its servers. Returns whether all of them have applied it.
///
/// # Errors
///
/// Nothing was written, or etcd has failed meanwhile.
pub fn apply(
    config: &Config,
    rollout: &Rollout,
    text: &[u8],
    say: LineOutput<'_>,
) -> Result<bool, GroupError> {
    with_etcd(config, &rollout.group, rollout.timeout, async |group| group.roll_out(rollout, text, say).await)
}

/// Returns a group to the configuration before the current one, as [`apply`] would.
///
/// # Errors
///
/// As for [`apply`]; or there is no earlier one.
pub fn roll_back(config: &Config, rollout: &Rollout, say: LineOutput<'_>) -> Result<bool, GroupError> {
    with_etcd(config, &rollout.group, rollout.timeout, async |group| {
        let none = || GroupError::NoEarlier(rollout.group.clone());
        let key = group.keys.previous();
        let previous = group.ask(async || group.etcd.read(&key).await).await?.ok_or_else(none)?;
        let offer = Offer::parse(&group.keys, &previous).map_err(bad)?;
        group.roll_out(rollout, &offer.text, say).await
    })
}

/// Shows a group's configuration, and what its servers say of it. Returns whether all of them have applied it.
///
/// # Errors
///
/// etcd has no answer.
pub fn status(config: &Config, group: &str, say: LineOutput<'_>) -> Result<bool, GroupError> {
    with_etcd(config, group, limits::CLUSTER_CONF_WAIT, async |group| group.status(say).await)
}

fn with_etcd<T>(
    config: &Config,
    group: &str,
    time: Duration,
    work: impl AsyncFnOnce(Group) -> Result<T, GroupError>,
) -> Result<T, GroupError> {
    let conf: &ClusterConf = config.get::<JoinedCluster>().0.as_deref().ok_or(GroupError::NoCluster)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let etcd = Etcd::open(conf).await?;
        // A time without end is longer than any command, and must not overflow.
        let deadline = Instant::now() + time.min(FAR);
        work(Group { etcd, keys: Keys::new(&conf.name, group), deadline }).await
    })
}

fn bad(why: BadOffer) -> GroupError {
    GroupError::Bad(why.to_string())
}

fn did_you_mean(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!(", did you mean \"{near}\"?")).unwrap_or_default()
}

/// A time that no command takes.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A group in etcd.
struct Group {
    etcd: Etcd,
    keys: Keys,
    /// End of the time that the command has.
    deadline: Instant,
}

/// Answers by server; an inner nothing is one that is not understood.
type Answers = BTreeMap<String, Option<ServerAnswer>>;

/// A configuration on its way.
struct PendingConf<'a> {
    hash: &'a str,
    /// Answers about earlier revisions do not count.
    since: Revision,
    /// Whether an answer about a later one means that this one was replaced.
    is_last: bool,
    /// Lease of the trial.
    lease: Option<Lease>,
}

/// A configuration that servers try before the group has it.
struct Trial<'a> {
    text: &'a [u8],
    /// Revision of the group's configuration; 0 if it has none.
    current: Revision,
    /// Revision of the trial; 0 if there is none.
    revision: Revision,
    /// Servers that try it.
    told: Vec<String>,
}

impl PendingConf<'_> {
    /// Whether a server has applied the configuration, and a line about it; `None` while it has not answered. `answer` is
    /// what it says: nothing if the server is gone, and an inner nothing if that is not understood.
    fn verdict(&self, answer: Option<&Option<ServerAnswer>>, is_late: bool) -> Option<(bool, String)> {
        let late = |last: String| is_late.then(|| (false, format!("no answer in time{last}")));
        let Some(answer) = answer else { return Some((false, "gone".into())) };
        let Some(answer) = answer else { return late(String::new()) };
        if answer.revision >= self.since && answer.hash == self.hash {
            return Some((answer.outcome == Outcome::Applied, answer.to_string()));
        }
        if answer.revision > self.since && self.is_last {
            return Some((false, format!("another configuration was applied meanwhile: {answer}")));
        }
        late(format!(" ({answer})"))
    }
}

fn revision_of(pair: &Option<KeyValue>) -> Revision {
    pair.as_ref().map_or(0, |pair| pair.revision)
}

impl Group {
    fn failed(&self, why: &EtcdError) -> GroupError {
        GroupError::Etcd(self.etcd.addresses(), why.to_string())
    }

    /// Asks for something that may be asked for again, so each address of etcd has its turn.
    async fn ask<T>(&self, request: impl AsyncFn() -> Result<T, EtcdError>) -> Result<T, GroupError> {
        let mut failure = EtcdError::Timeout;
        for _ in 0..self.etcd.count() {
            match timeout_at(self.deadline, request()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => failure = error,
                Err(_) => break,
            }
        }
        Err(self.failed(&failure))
    }

    /// Ends the lease of a trial. If that fails, the lease expires.
    async fn end(&self, lease: Lease) {
        let _ = timeout(limits::CLUSTER_CONF_OVERRUN, self.etcd.revoke(lease)).await;
    }

    /// Answers of all servers.
    async fn answers(&self) -> Result<Answers, EtcdError> {
        let prefix = self.keys.nodes();
        let range = self.etcd.range(&prefix).await?;
        let name = |pair: &KeyValue| {
            let name = std::str::from_utf8(&pair.key).ok()?.strip_prefix(&prefix)?;
            is_name(name.as_bytes()).then(|| name.to_owned())
        };
        Ok(range
            .pairs
            .iter()
            .filter_map(|pair| Some((name(pair)?, ServerAnswer::parse(&pair.value))))
            .collect())
    }

    /// Says that there is no such group, with the most similar name.
    async fn unknown(&self) -> GroupError {
        let prefix = self.keys.groups();
        let keys = self.ask(async || self.etcd.names(&prefix).await).await.unwrap_or_default();
        let names: BTreeSet<&str> = keys
            .iter()
            .filter_map(|key| std::str::from_utf8(key).ok()?.strip_prefix(&prefix)?.split('/').next())
            .filter(|name| is_name(name.as_bytes()))
            .collect();
        let near = suggest::nearest(self.keys.group.as_bytes(), names.into_iter()).map(str::to_owned);
        GroupError::Unknown(self.keys.group.clone(), near)
    }

    async fn roll_out(
        &self,
        rollout: &Rollout,
        text: &[u8],
        say: LineOutput<'_>,
    ) -> Result<bool, GroupError> {
        if text.len() > limits::CLUSTER_CONF_BYTES {
            return Err(GroupError::TooLarge(text.len()));
        }
        let hash = hash_of(text);
        let before = self.ask(async || Offered::read(&self.etcd, &self.keys).await).await?;
        // A trial without a lease is of no command, and servers ignore it: this one takes its place.
        if let Some(trial) = before.trial.as_ref().filter(|trial| trial.lease != 0) {
            let since = Offer::parse(&self.keys, trial).map(|offer| offer.at);
            return Err(GroupError::OnTrial(since.unwrap_or_else(|_| "an unknown time".into())));
        }
        let nodes: Vec<String> = self.ask(async || self.answers().await).await?.into_keys().collect();
        if nodes.is_empty() && before.current.is_none() && !rollout.is_new {
            return Err(self.unknown().await);
        }
        let mut wave = PendingConf { hash: &hash, since: before.revision + 1, is_last: false, lease: None };
        let (current, revision) = (revision_of(&before.current), revision_of(&before.trial));
        let mut trial = Trial { text, current, revision, told: Vec::new() };
        if let Some(canary) = rollout.canary {
            let lease =
                self.ask(async || self.etcd.grant(limits::CLUSTER_CONF_TRIAL.as_secs()).await).await?;
            wave.lease = Some(lease);
            let tried = self.try_out(&mut trial, nodes.chunks(canary.max(1)), &wave, say).await;
            if !matches!(tried, Ok(true)) {
                // The trial ends with its lease.
                self.end(lease).await;
                tried?;
                return self.stopped(&before, &nodes, &trial.told, say).await;
            }
        }
        let committed = self.written(self.commit(&before, &trial)).await;
        if let Some(lease) = wave.lease.take() {
            self.end(lease).await;
        }
        let committed = committed?.ok_or(GroupError::Overtaken)?;
        let out = GroupError::Output;
        say(&format!("group {} has revision {committed}, {}", self.keys.group, first(&hash))).map_err(out)?;
        if nodes.is_empty() {
            let line = format!("no server takes the configuration of group {} now", self.keys.group);
            say(&line).map_err(out)?;
        }
        (wave.since, wave.is_last) = (committed, true);
        // Servers that have tried it were shown.
        let rest: Vec<String> = nodes.into_iter().filter(|node| !trial.told.contains(node)).collect();
        self.wait(&rest, &wave, say).await
    }

    /// The result of a change that must not be asked for twice.
    async fn written<T>(&self, change: impl Future<Output = Result<T, EtcdError>>) -> Result<T, GroupError> {
        match timeout_at(self.deadline, change).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(EtcdError::Network(_) | EtcdError::Timeout)) | Err(_) => {
                Err(GroupError::Unsure(self.etcd.addresses(), self.keys.group.clone()))
            }
            Ok(Err(error)) => Err(self.failed(&error)),
        }
    }

    /// Lets servers try a configuration, some at a time. Returns whether all of them have applied it; the first that has not
    /// is the last that tries it.
    async fn try_out(
        &self,
        trial: &mut Trial<'_>,
        nodes: impl Iterator<Item = &[String]>,
        wave: &PendingConf<'_>,
        say: LineOutput<'_>,
    ) -> Result<bool, GroupError> {
        let (at, key) = (self.keys.current(), self.keys.trial());
        for some in nodes {
            trial.told.extend_from_slice(some);
            let value = Offer::value(&self.keys, trial.text, &trial.told);
            let put = Write::Put(&key, &value, wave.lease.unwrap_or_default());
            let conditions = [(&*at, trial.current), (&*key, trial.revision)];
            let written = self.written(transact(&self.etcd, &conditions, &[put])).await?;
            trial.revision = written.ok_or(GroupError::Overtaken)?;
            if !self.wait(some, wave, say).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes a configuration the group's, if the current one and the trial are what they were.
    async fn commit(&self, before: &Offered, trial: &Trial<'_>) -> Result<Option<Revision>, EtcdError> {
        let (current, previous) = (self.keys.current(), self.keys.previous());
        let trial_key = self.keys.trial();
        let value = Offer::value(&self.keys, trial.text, &[]);
        let mut writes = vec![Write::Put(&current, &value, 0)];
        // Something else than a configuration is nothing to go back to, nor is the same one.
        let is_other = |offer: Offer| offer.hash != hash_of(trial.text);
        let kept = before.current.as_ref();
        if let Some(kept) = kept.filter(|pair| Offer::parse(&self.keys, pair).is_ok_and(is_other)) {
            writes.push(Write::Put(&previous, &kept.value, 0));
        }
        if trial.revision > 0 {
            writes.push(Write::Delete(&trial_key));
        }
        let conditions = [(&*current, trial.current), (&*trial_key, trial.revision)];
        transact(&self.etcd, &conditions, &writes).await
    }

    /// A server has refused a configuration on trial: those that took it return to the group's.
    async fn stopped(
        &self,
        before: &Offered,
        nodes: &[String],
        tried: &[String],
        say: LineOutput<'_>,
    ) -> Result<bool, GroupError> {
        let out = GroupError::Output;
        let untried = nodes.iter().filter(|node| !tried.contains(node));
        for node in untried {
            say(&format!("{node}: not tried")).map_err(out)?;
        }
        let current = before.current.as_ref().map(|pair| Offer::parse(&self.keys, pair));
        let Some(Ok(current)) = current else {
            say(&format!("stopped: group {} has no configuration as before", self.keys.group))
                .map_err(out)?;
            return Ok(false);
        };
        let line = format!(
            "stopped: group {} keeps revision {}, {}",
            self.keys.group,
            current.revision,
            first(&current.hash)
        );
        say(&line).map_err(out)?;
        if Instant::now() >= self.deadline {
            for node in tried {
                say(&format!("{node}: returns to it, which is not waited for")).map_err(out)?;
            }
            return Ok(false);
        }
        let wave = PendingConf { hash: &current.hash, since: current.revision, is_last: false, lease: None };
        self.wait(tried, &wave, say).await?;
        Ok(false)
    }

    /// Waits for answers of these servers, and shows each. Returns whether all of them have applied the configuration.
    async fn wait(
        &self,
        nodes: &[String],
        wave: &PendingConf<'_>,
        say: LineOutput<'_>,
    ) -> Result<bool, GroupError> {
        let mut waiting: Vec<&String> = nodes.iter().collect();
        let (mut is_applied, mut renewed, mut known) = (true, Instant::now(), None);
        while !waiting.is_empty() {
            let last = self.deadline + limits::CLUSTER_CONF_OVERRUN;
            // Another address of etcd may answer the next time.
            let failure = match timeout_at(last, self.answers()).await {
                Ok(Ok(answers)) => {
                    known = Some(answers);
                    None
                }
                Ok(Err(error)) => Some(error),
                Err(_) => Some(EtcdError::Timeout),
            };
            let is_late = Instant::now() >= self.deadline;
            let mut still = Vec::new();
            for node in waiting {
                let verdict = match &known {
                    Some(answers) => wave.verdict(answers.get(node), is_late),
                    None => wave.verdict(Some(&None), is_late),
                };
                match verdict {
                    Some((is_fine, line)) => {
                        is_applied &= is_fine;
                        say(&format!("{node}: {line}")).map_err(GroupError::Output)?;
                    }
                    None => still.push(node),
                }
            }
            waiting = still;
            if let Some(failure) = failure.filter(|_| is_late) {
                return Err(self.failed(&failure));
            }
            if let Some(lease) = wave.lease
                && renewed.elapsed() > limits::CLUSTER_CONF_TRIAL / 3
            {
                match timeout_at(last, self.etcd.renew(lease)).await {
                    Ok(Ok(true)) => renewed = Instant::now(),
                    Ok(Ok(false)) => return Err(GroupError::Overtaken),
                    // It is renewed at the next turn.
                    Ok(Err(_)) | Err(_) => {}
                }
            }
            if !waiting.is_empty() {
                sleep_until(self.deadline.min(Instant::now() + limits::CLUSTER_CONF_LOOK)).await;
            }
        }
        Ok(is_applied)
    }

    async fn status(&self, say: LineOutput<'_>) -> Result<bool, GroupError> {
        let out = GroupError::Output;
        let offered = self.ask(async || Offered::read(&self.etcd, &self.keys).await).await?;
        let answers = self.ask(async || self.answers().await).await?;
        if offered.current.is_none() && offered.trial.is_none() && answers.is_empty() {
            return Err(self.unknown().await);
        }
        let group = &self.keys.group;
        let shown = |what: &str, pair: &KeyValue| match Offer::parse(&self.keys, pair) {
            Ok(offer) => format!(
                "group {group} {what} revision {}, {}, of {}",
                offer.revision,
                first(&offer.hash),
                offer.at
            ),
            Err(why) => {
                format!("group {group} {what} revision {}, which is not usable: {why}", pair.revision)
            }
        };
        match &offered.current {
            Some(current) => say(&shown("has", current)).map_err(out)?,
            None => say(&format!("group {group} has no configuration")).map_err(out)?,
        }
        if let Some(trial) = &offered.trial {
            let line = match Offer::parse_trial(&self.keys, trial) {
                Err(BadOffer::NoLease) => {
                    format!("group {group} has a trial that no command keeps, it is ignored")
                }
                _ => shown("tries", trial),
            };
            say(&line).map_err(out)?;
        }
        let revision = revision_of(&offered.current);
        let mut is_same = offered.current.is_none_or(|pair| Offer::parse(&self.keys, &pair).is_ok());
        for (node, answer) in answers {
            let is_applied = |answer: &ServerAnswer| match revision {
                0 => answer.outcome == Outcome::Waiting,
                revision => answer.outcome == Outcome::Applied && answer.revision >= revision,
            };
            is_same &= answer.as_ref().is_some_and(is_applied);
            let line = answer.map_or("unreadable answer".to_owned(), |answer| answer.to_string());
            say(&format!("{node}: {line}")).map_err(out)?;
        }
        Ok(is_same)
    }
}
