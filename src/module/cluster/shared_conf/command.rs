//! What `pingosd cluster apply`, `rollback` and `status --group` do with etcd.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use super::super::conf::{ClusterConf, JoinedCluster};
use super::super::etcd::{Etcd, EtcdError, KeyValue, SetupError};
use super::super::tenure::{Lease, Revision};
use super::offer::{Answer, BadOffer, Keys, Offer, Outcome, first};
use super::store::{Offered, Write, transact};
use crate::config::Config;
use crate::config::group_copy::hash_of;
use crate::limits;

/// How a configuration reaches the servers of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The group.
    pub group: String,
    /// Servers that take it at the same time; all, without a number.
    pub canary: Option<usize>,
    /// Time that the servers have to answer.
    pub timeout: Duration,
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
    #[error("{0}")]
    Etcd(String),
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

impl From<EtcdError> for GroupError {
    fn from(error: EtcdError) -> GroupError {
        GroupError::Etcd(error.to_string())
    }
}

impl From<SetupError> for GroupError {
    fn from(error: SetupError) -> GroupError {
        GroupError::Setup(error.to_string())
    }
}

/// Receives lines of a result.
pub type Say<'a> = &'a mut dyn FnMut(&str) -> io::Result<()>;

/// Writes a group's configuration, and waits for its servers. Returns whether all of them have applied it.
///
/// # Errors
///
/// Nothing was written, or etcd has failed meanwhile.
pub fn apply(config: &Config, rollout: &Rollout, text: &[u8], say: Say<'_>) -> Result<bool, GroupError> {
    with_etcd(config, &rollout.group, async |group| group.roll_out(rollout, text, say).await)
}

/// Returns a group to the configuration before the current one, as [`apply`] would.
///
/// # Errors
///
/// As for [`apply`]; or there is no earlier one.
pub fn roll_back(config: &Config, rollout: &Rollout, say: Say<'_>) -> Result<bool, GroupError> {
    with_etcd(config, &rollout.group, async |group| {
        let none = || GroupError::NoEarlier(rollout.group.clone());
        let previous = group.etcd.read(&group.keys.previous()).await?.ok_or_else(none)?;
        let offer = Offer::parse(&group.keys, &previous).map_err(bad)?;
        group.roll_out(rollout, &offer.text, say).await
    })
}

/// Shows a group's configuration, and what its servers say of it. Returns whether all of them have applied it.
///
/// # Errors
///
/// etcd has no answer.
pub fn status(config: &Config, group: &str, say: Say<'_>) -> Result<bool, GroupError> {
    with_etcd(config, group, async |group| group.status(say).await)
}

fn with_etcd<T>(
    config: &Config,
    group: &str,
    work: impl AsyncFnOnce(Group) -> Result<T, GroupError>,
) -> Result<T, GroupError> {
    let conf: &ClusterConf = config.get::<JoinedCluster>().0.as_deref().ok_or(GroupError::NoCluster)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let etcd = Etcd::open(conf).await?;
        work(Group { etcd, keys: Keys::new(&conf.name, group) }).await
    })
}

fn bad(why: BadOffer) -> GroupError {
    GroupError::Bad(why.to_string())
}

/// A group in etcd.
struct Group {
    etcd: Etcd,
    keys: Keys,
}

/// A configuration on its way.
struct Wave<'a> {
    hash: &'a str,
    /// Answers about earlier revisions do not count.
    since: Revision,
    deadline: Instant,
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

impl Wave<'_> {
    /// Whether a server has applied the configuration, and a line about it; `None` while it has not answered. `answer` is
    /// what it says: nothing if the server is gone, and an inner nothing if that is not understood.
    fn verdict(&self, answer: Option<&Option<Answer>>, is_late: bool) -> Option<(bool, String)> {
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
    /// Answers of all servers.
    async fn answers(&self) -> Result<BTreeMap<String, Option<Answer>>, GroupError> {
        let prefix = self.keys.nodes();
        let range = self.etcd.range(&prefix).await?;
        let name = |pair: &KeyValue| {
            let name = std::str::from_utf8(&pair.key).ok()?.strip_prefix(&prefix)?;
            crate::config::group_copy::is_name(name.as_bytes()).then(|| name.to_owned())
        };
        Ok(range.pairs.iter().filter_map(|pair| Some((name(pair)?, Answer::parse(&pair.value)))).collect())
    }

    async fn roll_out(&self, rollout: &Rollout, text: &[u8], say: Say<'_>) -> Result<bool, GroupError> {
        if text.len() > limits::CLUSTER_CONF_BYTES {
            return Err(GroupError::TooLarge(text.len()));
        }
        let hash = hash_of(text);
        let before = Offered::read(&self.etcd, &self.keys).await?;
        if let Some(trial) = &before.trial {
            let since = Offer::parse(&self.keys, trial).map(|offer| offer.at);
            return Err(GroupError::OnTrial(since.unwrap_or_else(|_| "an unknown time".into())));
        }
        let nodes: Vec<String> = self.answers().await?.into_keys().collect();
        let deadline = Instant::now() + rollout.timeout;
        let mut wave =
            Wave { hash: &hash, since: before.revision + 1, deadline, is_last: false, lease: None };
        let mut trial = Trial { text, current: revision_of(&before.current), revision: 0, told: Vec::new() };
        if let Some(canary) = rollout.canary {
            let lease = self.etcd.grant(limits::CLUSTER_CONF_TRIAL.as_secs()).await?;
            wave.lease = Some(lease);
            let tried = self.try_out(&mut trial, nodes.chunks(canary.max(1)), &wave, say).await;
            if !matches!(tried, Ok(true)) {
                // The trial ends with its lease.
                let _ = self.etcd.revoke(lease).await;
                tried?;
                return self.stopped(&before, &nodes, &trial.told, deadline, say).await;
            }
        }
        let committed = self.commit(&before, &trial).await;
        if let Some(lease) = wave.lease.take() {
            let _ = self.etcd.revoke(lease).await;
        }
        let committed = committed?.ok_or(GroupError::Overtaken)?;
        let out = GroupError::Output;
        say(&format!("group {} has revision {committed}, {}", self.keys.group, first(&hash))).map_err(out)?;
        if nodes.is_empty() {
            let line = format!("no server takes the configuration of group {} now", self.keys.group);
            say(&line).map_err(out)?;
        }
        (wave.since, wave.is_last) = (committed, true);
        // Those that have tried it were shown.
        let rest: Vec<String> = nodes.into_iter().filter(|node| !trial.told.contains(node)).collect();
        self.wait(&rest, &wave, say).await
    }

    /// Lets servers try a configuration, some at a time. Returns whether all of them have applied it; the first that has not
    /// is the last that tries it.
    async fn try_out(
        &self,
        trial: &mut Trial<'_>,
        nodes: impl Iterator<Item = &[String]>,
        wave: &Wave<'_>,
        say: Say<'_>,
    ) -> Result<bool, GroupError> {
        let (at, key) = (self.keys.current(), self.keys.trial());
        for some in nodes {
            trial.told.extend_from_slice(some);
            let value = Offer::value(&self.keys, trial.text, &trial.told);
            let put = Write::Put(&key, &value, wave.lease.unwrap_or_default());
            let conditions = [(&*at, trial.current), (&*key, trial.revision)];
            let written = transact(&self.etcd, &conditions, &[put]).await?;
            trial.revision = written.ok_or(GroupError::Overtaken)?;
            if !self.wait(some, wave, say).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes a configuration the group's, if the current one and the trial are what they were.
    async fn commit(&self, before: &Offered, trial: &Trial<'_>) -> Result<Option<Revision>, GroupError> {
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
        Ok(transact(&self.etcd, &conditions, &writes).await?)
    }

    /// A server has refused a configuration on trial: those that took it return to the group's.
    async fn stopped(
        &self,
        before: &Offered,
        nodes: &[String],
        tried: &[String],
        deadline: Instant,
        say: Say<'_>,
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
        let wave =
            Wave { hash: &current.hash, since: current.revision, deadline, is_last: false, lease: None };
        self.wait(tried, &wave, say).await?;
        Ok(false)
    }

    /// Waits for answers of these servers, and shows each. Returns whether all of them have applied the configuration.
    async fn wait(&self, nodes: &[String], wave: &Wave<'_>, say: Say<'_>) -> Result<bool, GroupError> {
        let mut waiting: Vec<&String> = nodes.iter().collect();
        let mut is_applied = true;
        let mut renewed = Instant::now();
        while !waiting.is_empty() {
            let is_late = Instant::now() >= wave.deadline;
            match self.answers().await {
                Ok(answers) => {
                    let mut still = Vec::new();
                    for node in waiting {
                        match wave.verdict(answers.get(node), is_late) {
                            Some((is_fine, line)) => {
                                is_applied &= is_fine;
                                say(&format!("{node}: {line}")).map_err(GroupError::Output)?;
                            }
                            None => still.push(node),
                        }
                    }
                    waiting = still;
                }
                Err(error) if is_late => return Err(error),
                // Another address of etcd may answer.
                Err(_) => {}
            }
            if let Some(lease) = wave.lease
                && renewed.elapsed() > limits::CLUSTER_CONF_TRIAL / 3
            {
                match self.etcd.renew(lease).await {
                    Ok(true) => renewed = Instant::now(),
                    Ok(false) => return Err(GroupError::Overtaken),
                    // It is renewed at the next turn.
                    Err(_) => {}
                }
            }
            if !waiting.is_empty() {
                tokio::time::sleep(limits::CLUSTER_CONF_LOOK).await;
            }
        }
        Ok(is_applied)
    }

    async fn status(&self, say: Say<'_>) -> Result<bool, GroupError> {
        let out = GroupError::Output;
        let offered = Offered::read(&self.etcd, &self.keys).await?;
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
            say(&shown("tries", trial)).map_err(out)?;
        }
        let revision = revision_of(&offered.current);
        let mut is_same = offered.current.is_none_or(|pair| Offer::parse(&self.keys, &pair).is_ok());
        for (node, answer) in self.answers().await? {
            let is_applied = |answer: &Answer| match revision {
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
