//! A name that a publisher of this server wants or has, as a state machine without I/O.
//!
//! ```text
//!          want            Create: put if absent          held by another server
//!   idle ---------> claiming ----------------> held       claiming ----------------> lost
//!                     ^  | ours, or takeover    | lease lost, key deleted: claim anew, never overwrite
//!                     |  +--> Replace(revision)-+
//!                     +-------------------------+
//!   release: Delete(revision) of what is ours; Read first if a request has had no answer
//! ```
//!
//! [`Tenure::begin`] gives the next request, of which one at a time is under way, and [`Tenure::answered`] or
//! [`Tenure::failed`] takes its result. A request without an answer may have been carried out, or may be later: what etcd holds
//! for a publisher that has left is found by [`Tenure::watched`], and deleted.
//!
//! The revision of a claim is its epoch. etcd's revisions only grow, so a later claim has a higher epoch.

/// etcd's revision of a key.
pub(super) type Revision = i64;
/// etcd's number of a lease.
pub(super) type Lease = i64;

/// A key as etcd has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeyState {
    /// Whose it is.
    pub(super) holder: Holder,
    /// Its lease.
    pub(super) lease: Lease,
    /// Revision of its last change.
    pub(super) revision: Revision,
}

/// Owner of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    /// A session of this process.
    Session(u64),
    /// This server in an earlier or other process.
    Sibling,
    /// Another server.
    Other,
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Put the key if it is absent, else read it.
    Create,
    /// Put the key if it still has this revision, else read it.
    Replace(Revision),
    /// Read the key.
    Read,
    /// Delete the key if it still has this revision.
    Delete(Revision),
}

impl Step {
    /// Revision of the key that it replaces.
    pub(super) fn replaces(self) -> Option<Revision> {
        match self {
            Step::Replace(revision) => Some(revision),
            Step::Create | Step::Read | Step::Delete(_) => None,
        }
    }
}

/// Answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum EtcdAnswer {
    /// The key was put at this revision.
    Put(Revision),
    /// The key is as it was read; `None` if it is absent.
    Found(Option<KeyState>),
    /// The key was deleted, or was no longer what was to be deleted.
    Deleted,
}

/// What becomes of the publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ClaimVerdict {
    /// It has the name, in this epoch.
    Granted(Revision),
    /// Another server has the name.
    Lost,
}

/// What is known to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HeldName {
    pub(super) session: u64,
    pub(super) lease: Lease,
    pub(super) epoch: Revision,
}

/// State of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Tenure {
    wanted: Option<u64>,
    held: Option<HeldName>,
    next: Option<Step>,
    /// Revision of the last change that the watch has shown: it may come before the answer to an earlier request.
    seen: Revision,
}

impl Tenure {
    /// A session publishes the stream.
    pub(super) fn want(&mut self, session: u64) {
        self.wanted = Some(session);
        self.next = Some(Step::Create);
    }

    /// The session has left; without effect if another one has come.
    pub(super) fn release(&mut self, session: u64) {
        if self.wanted != Some(session) {
            return;
        }
        self.wanted = None;
        self.next = Some(self.held.take().map_or(Step::Read, |held| Step::Delete(held.epoch)));
    }

    /// Session that wants the name.
    pub(super) fn wanted(&self) -> Option<u64> {
        self.wanted
    }

    /// What is held.
    pub(super) fn held(&self) -> Option<HeldName> {
        self.held
    }

    /// Whether nothing is wanted and nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        self.wanted.is_none() && self.next.is_none()
    }

    /// Whether there is a request to send.
    pub(super) fn has_work(&self) -> bool {
        self.next.is_some()
    }

    /// The server has this lease from now on: what was held on another one is claimed anew.
    pub(super) fn leased(&mut self, lease: Lease) {
        let is_held = self.held.is_some_and(|held| held.lease == lease);
        if self.wanted.is_some() && !is_held {
            self.held = None;
            self.next = Some(Step::Create);
        }
    }

    /// The next request.
    pub(super) fn begin(&mut self) -> Option<Step> {
        self.next.take()
    }

    /// There is no answer to a request.
    pub(super) fn failed(&mut self, step: Step) {
        self.next.get_or_insert(match step {
            Step::Create | Step::Replace(_) if self.wanted.is_some() => Step::Create,
            Step::Create | Step::Replace(_) | Step::Read => Step::Read,
            Step::Delete(revision) => Step::Delete(revision),
        });
    }

    /// Takes the answer to a request that was sent for `session` on `lease`. `current` is the server's lease now; `takes_over`
    /// tells whether the name may be taken from another server.
    pub(super) fn answered(
        &mut self,
        answer: &EtcdAnswer,
        (session, lease): (Option<u64>, Lease),
        current: Option<Lease>,
        takes_over: bool,
    ) -> Option<ClaimVerdict> {
        match answer {
            EtcdAnswer::Deleted => None,
            EtcdAnswer::Put(revision) => match self.wanted {
                None => {
                    self.delete(*revision);
                    None
                }
                Some(wanted) if Some(wanted) == session && Some(lease) == current => {
                    // Also if the watch has asked for another claim meanwhile, which was about an older state.
                    self.hold(wanted, lease, *revision)
                }
                // For another session, or on a lease that is gone.
                Some(_) => {
                    self.next = Some(Step::Replace(*revision));
                    None
                }
            },
            EtcdAnswer::Found(None) => {
                if self.wanted.is_some() {
                    self.next = Some(Step::Create);
                }
                None
            }
            // An older state than the watch has shown.
            EtcdAnswer::Found(Some(found)) if found.revision < self.seen => {
                self.next.get_or_insert(if self.wanted.is_some() { Step::Create } else { Step::Read });
                None
            }
            EtcdAnswer::Found(Some(found)) => self.found(found, current, takes_over),
        }
    }

    /// The watch shows the key as it is now, or `None` with the revision of its deletion.
    pub(super) fn watched(
        &mut self,
        found: Option<&KeyState>,
        revision: Revision,
        current: Option<Lease>,
    ) -> Option<ClaimVerdict> {
        self.seen = self.seen.max(revision);
        if self.held.is_some_and(|held| held.epoch >= revision) {
            return None;
        }
        match found {
            Some(found) if found.holder == Holder::Other && self.held.is_some() => {
                self.held = None;
                self.wanted = None;
                // A request may still be under way.
                self.next = Some(Step::Read);
                Some(ClaimVerdict::Lost)
            }
            Some(found) if matches!(found.holder, Holder::Session(_)) => match self.wanted {
                Some(wanted) if found.holder == Holder::Session(wanted) && Some(found.lease) == current => {
                    None
                }
                // A claim of a publisher that has left, or on an old lease.
                Some(_) => {
                    self.next.get_or_insert(Step::Replace(revision));
                    None
                }
                None => {
                    self.delete(revision);
                    None
                }
            },
            None if self.held.is_some() => {
                self.held = None;
                self.next = Some(Step::Create);
                None
            }
            _ => None,
        }
    }

    fn found(&mut self, found: &KeyState, current: Option<Lease>, takes_over: bool) -> Option<ClaimVerdict> {
        let Some(wanted) = self.wanted else {
            match found.holder {
                Holder::Session(_) => self.delete(found.revision),
                Holder::Sibling | Holder::Other => {}
            }
            return None;
        };
        match found.holder {
            Holder::Session(session) if session == wanted && Some(found.lease) == current => {
                self.hold(wanted, found.lease, found.revision)
            }
            Holder::Session(_) | Holder::Sibling => {
                self.next = Some(Step::Replace(found.revision));
                None
            }
            Holder::Other if takes_over => {
                self.next = Some(Step::Replace(found.revision));
                None
            }
            Holder::Other => {
                self.wanted = None;
                self.held = None;
                self.next = None;
                Some(ClaimVerdict::Lost)
            }
        }
    }

    /// Deletes what is left of a publisher at this revision, or at a later one that is known.
    fn delete(&mut self, revision: Revision) {
        let later = match self.next {
            Some(Step::Delete(known)) => known.max(revision),
            _ => revision,
        };
        self.next = Some(Step::Delete(later));
    }

    fn hold(&mut self, session: u64, lease: Lease, epoch: Revision) -> Option<ClaimVerdict> {
        if epoch < self.seen {
            self.next = Some(Step::Create);
            return None;
        }
        self.next = None;
        self.held = Some(HeldName { session, lease, epoch });
        Some(ClaimVerdict::Granted(epoch))
    }
}

/// The highest epoch of a stream that was seen; media of lower ones is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Fence(Revision);

impl Fence {
    /// The highest epoch that was seen.
    pub(super) fn highest(self) -> Revision {
        self.0
    }

    /// Whether this epoch is not below one that was seen.
    pub(super) fn accepts(&mut self, epoch: Revision) -> bool {
        let is_accepted = epoch >= self.0;
        self.0 = self.0.max(epoch);
        is_accepted
    }
}
