//! The task that orders and renews certificates.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::answers::Answers;
use super::book::Book;
use super::client::{AcmeClient, now};
use super::error::AcmeError;
use super::files;
use super::jose::SigningKey;
use super::order::{self, Means, Ordered};
use super::plan::{AcmePlan, Issuer, Order};
use super::setting::AccountKey;
use super::state::{self, Turn};
use super::{log, schedule};
use crate::config::store::Store;
use crate::limits;
use crate::net::dns::Dns;
use crate::net::tls::issued::IssuedCertificates;
use crate::task;
use crate::task::disk;
use crate::task::lifetime::Lifetime;

/// What orders certificates.
pub struct Acme {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// Host names.
    pub dns: Dns,
    /// Where certificates go.
    pub issued: Arc<IssuedCertificates>,
    /// Where answers to challenges go.
    pub answers: Arc<Answers>,
    /// Shutdown of the process.
    pub lifetime: Lifetime,
    /// Keys of accounts that were made (PEM), by issuer: without `state_path` they are nowhere else.
    pub keys: Mutex<Vec<(Arc<str>, Vec<u8>)>>,
}

/// Runs until the process ends or hands over to another one.
pub async fn run(acme: Arc<Acme>) {
    let mut changed = acme.store.watch();
    let mut book = Book::default();
    loop {
        changed.mark_unchanged();
        let plan = acme.store.load().get::<AcmePlan>().clone();
        acme.issued.retain(&state::ids(&plan));
        book.follow(&plan, &acme.issued, task::random());
        loop {
            let pause = {
                let mut work = pin!(acme.pass(&plan, &mut book));
                tokio::select! {
                    pause = &mut work => pause,
                    // What is under way is not begun twice, unless it is not wanted any more.
                    () = unwanted(&acme, &plan) => Duration::ZERO,
                    () = acme.ends() => return,
                }
            };
            tokio::select! {
                more = changed.changed() => match more {
                    Ok(()) => break,
                    Err(_) => return,
                },
                () = tokio::time::sleep(pause) => {}
                () = acme.ends() => return,
            }
        }
    }
}

/// Returns once the configuration orders something else.
async fn unwanted(acme: &Acme, plan: &AcmePlan) {
    let mut changed = acme.store.watch();
    while acme.store.load().get::<AcmePlan>() == plan {
        if changed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Acme {
    /// A process that is about to end, or that another one replaces, orders nothing.
    async fn ends(&self) {
        tokio::select! {
            () = self.lifetime.shutdown.cancelled() => {}
            () = self.lifetime.draining.cancelled() => {}
        }
    }

    /// Tries what is due. Returns the pause until something is due again.
    async fn pass(&self, plan: &AcmePlan, book: &mut Book) -> Duration {
        for issuer in &plan.issuers {
            let is_due = |book: &Book, order: &&Arc<Order>| {
                order.issuer.name == issuer.name && book.is_due(order, now())
            };
            if plan.orders.iter().any(|order| is_due(book, &order)) {
                let _turn = self.turn(issuer).await;
                self.take_what_others_have(plan, issuer, book).await;
                let due: Vec<_> = plan.orders.iter().filter(|order| is_due(book, order)).cloned().collect();
                self.orders(issuer, &due, book).await;
            }
        }
        let longest = limits::ACME_LONGEST_PAUSE;
        match book.next(plan) {
            Some(next) => {
                let pause = u64::try_from(next.saturating_sub(now())).unwrap_or(0).max(1);
                Duration::from_secs(pause).min(longest)
            }
            None => longest,
        }
    }

    /// Waits until no other process orders from an issuer.
    async fn turn(&self, issuer: &Arc<Issuer>) -> Option<Turn> {
        loop {
            let wanted = issuer.clone();
            match disk::spawn(disk::DiskWork::Served, move || Turn::take(&wanted)).await {
                Ok(Ok(Some(turn))) => return Some(turn),
                Ok(Ok(None)) => tokio::time::sleep(limits::ACME_LOCK).await,
                // It is told where something is to be kept.
                Ok(Err(_)) | Err(_) => return None,
            }
        }
    }

    /// Uses certificates that another process of this server has ordered meanwhile.
    async fn take_what_others_have(&self, plan: &AcmePlan, issuer: &Arc<Issuer>, book: &mut Book) {
        let orders = plan.orders.iter().filter(|order| order.issuer.name == issuer.name);
        for order in orders.filter(|order| book.is_due(order, now())).cloned().collect::<Vec<_>>() {
            let before = self.issued.validity(&order.id);
            let (issued, wanted) = (self.issued.clone(), order.clone());
            let loaded = disk::spawn(disk::DiskWork::Served, move || state::load(&wanted, &issued)).await;
            let after = self.issued.validity(&order.id);
            if let (Ok(true), Some(validity)) = (loaded, after)
                && before.is_none_or(|before| before.end < validity.end)
                && schedule::renewal(validity, 0) > now()
            {
                log::taken(&order.id);
                book.done(&order, validity, now(), task::random());
            }
        }
    }

    /// Orders certificates from an issuer.
    async fn orders(&self, issuer: &Arc<Issuer>, due: &[Arc<Order>], book: &mut Book) {
        if due.is_empty() {
            return;
        }
        let opened = async { AcmeClient::open(issuer, &self.dns, self.account_key(issuer).await?).await };
        let mut client = match opened.await {
            Ok(client) => client,
            Err(error) => {
                let then = book.issuer_failed(issuer, &error, now(), task::random());
                if then.is_new {
                    log::no_account(&issuer.name, &error, then.pause);
                }
                return;
            }
        };
        let means = Means { answers: self.answers.clone(), issued: self.issued.clone() };
        for order in due {
            // An issuer that wants fewer requests, or that is gone, is not asked for the others.
            if !book.is_due(order, now()) {
                continue;
            }
            let ordered = order::order(&mut client, order, &means).await;
            let used = match ordered {
                Ok(Ordered { chain, key }) => self
                    .issued
                    .put(&order.id, &order.names(), &chain, key.as_bytes())
                    .map(|validity| (validity, chain, key))
                    .map_err(AcmeError::from),
                Err(error) => Err(error),
            };
            match used {
                Ok((validity, chain, key)) => {
                    if !(validity.begin..=validity.end).contains(&now()) {
                        log::wrong_time(&order.id);
                    }
                    let next = book.done(order, validity, now(), task::random());
                    log::issued(&order.id, next);
                    let kept = order.clone();
                    self.keep(issuer, move || state::keep(&kept, &chain, key.as_bytes())).await;
                }
                Err(error) => {
                    let then = book.failed(order, &error, now(), task::random());
                    if then.is_new {
                        let has_one = self.issued.validity(&order.id).is_some();
                        log::not_issued(&order.id, &error, then.pause, has_one);
                    }
                }
            }
        }
    }

    /// The key of the account at an issuer: the configured one, the kept one, or a new one.
    async fn account_key(&self, issuer: &Arc<Issuer>) -> Result<SigningKey, AcmeError> {
        let kind = match &issuer.account_key {
            AccountKey::Made(kind) => *kind,
            AccountKey::File(path) => {
                let path = path.clone();
                let read = disk::spawn(disk::DiskWork::Served, move || files::account_key(&path)).await;
                return read.unwrap_or_else(|error| Err(error.to_string())).map_err(AcmeError::File);
            }
        };
        let name: Arc<str> = issuer.name.to_string().into();
        let known = self.keys.lock().iter().find(|(known, _)| *known == name).map(|(_, key)| key.clone());
        let kept = match known {
            Some(key) => Some(key),
            None => {
                let wanted = issuer.clone();
                let read = disk::spawn(disk::DiskWork::Served, move || state::account_key(&wanted)).await;
                read.map_err(|error| AcmeError::Internal(error.to_string()))?.map_err(|error| {
                    AcmeError::File(format!(
                        "the account key cannot be read ({})",
                        crate::log::os_text(&error)
                    ))
                })?
            }
        };
        if let Some(pem) = kept {
            match SigningKey::read(&pem) {
                Ok(key) => return Ok(key),
                Err(error) => log::key_unusable(&issuer.name, &error),
            }
        }
        let pem = order::make_key(kind).await?.serialize_pem().into_bytes();
        let key = SigningKey::read(&pem).map_err(|error| AcmeError::Internal(error.to_string()))?;
        {
            let mut keys = self.keys.lock();
            keys.retain(|(known, _)| *known != name);
            keys.push((name, pem.clone()));
        }
        let kept = issuer.clone();
        self.keep(issuer, move || state::keep_account_key(&kept, &pem)).await;
        Ok(key)
    }

    /// Writes something to `state_path`.
    async fn keep(&self, issuer: &Issuer, write: impl FnOnce() -> std::io::Result<()> + Send + 'static) {
        let Some(directory) = &issuer.state else { return };
        match disk::spawn(disk::DiskWork::Served, write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::not_kept(directory, &error),
            Err(error) => log::not_kept(directory, &std::io::Error::other(error)),
        }
    }
}
