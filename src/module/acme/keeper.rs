//! Starts and ends the tasks that order and renew certificates: one for each issuer, so that a slow one delays no other.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::plan::AcmePlan;
use super::shared::Acme;
use super::{state, tender};
use crate::task::lifetime::Lifetime;

/// Runs until the process ends or hands over to another one.
pub async fn run(acme: Arc<Acme>) {
    let mut changed = acme.store.watch();
    let mut tasks = JoinSet::new();
    let mut parts: HashMap<String, watch::Sender<Arc<AcmePlan>>> = HashMap::new();
    loop {
        changed.mark_unchanged();
        let plan = acme.store.load().get::<AcmePlan>().clone();
        acme.issued.retain(&state::ids(&plan));
        acme.overview.follow(&plan);
        // The task of an issuer that is gone ends with its sender.
        parts.retain(|name, _| plan.issuers.iter().any(|issuer| issuer.name == name.as_bytes()));
        for issuer in &plan.issuers {
            let part = Arc::new(plan.part(issuer));
            match parts.get(&issuer.name.to_string()) {
                Some(known) => drop(known.send_replace(part)),
                None => {
                    let (sender, receiver) = watch::channel(part);
                    parts.insert(issuer.name.to_string(), sender);
                    tasks.spawn(tender::run(acme.clone(), receiver));
                }
            }
        }
        loop {
            tokio::select! {
                more = changed.changed() => match more {
                    Ok(()) => break,
                    Err(_) => return,
                },
                Some(ended) = tasks.join_next() => {
                    // A panic ends all of them, and they begin anew.
                    if let Err(error) = ended
                        && error.is_panic()
                    {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                () = ends(&acme.lifetime) => return,
            }
        }
    }
}

/// A process that is about to end, or that another one replaces, orders nothing.
async fn ends(lifetime: &Lifetime) {
    tokio::select! {
        () = lifetime.shutdown.cancelled() => {}
        () = lifetime.draining.cancelled() => {}
    }
}
