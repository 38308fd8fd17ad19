//! The task that orders and renews the certificates of one issuer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::advice;
use super::book::{OrderBook, Step};
use super::client::{self, AcmeClient, now};
use super::error::AcmeError;
use super::file_fault::FileFault;
use super::files;
use super::jose::SigningKey;
use super::log::Failure;
use super::order::{self, ChallengeAnswers, NewCertificate};
use super::plan::{AcmePlan, Issuer, Order};
use super::setting::AccountKey;
use super::shared::Acme;
use super::state::{self, OrderLock};
use super::{log, schedule};
use crate::limits;
use crate::task;
use crate::task::disk;

/// The turn to order from the issuer, with the account there once it was opened.
struct IssuerSession {
    client: Option<AcmeClient>,
    _turn: Option<OrderLock>,
}

/// Runs until the issuer is in no configuration any more.
pub(super) async fn run(acme: Arc<Acme>, mut parts: watch::Receiver<Arc<AcmePlan>>) {
    let mut book = OrderBook::default();
    let mut session = None;
    let mut part = parts.borrow_and_update().clone();
    book.follow(&part, &acme.issued, task::random());
    loop {
        acme.overview.note(&part, &book);
        match parts.has_changed() {
            Ok(false) => {}
            Ok(true) => {
                let other = parts.borrow_and_update().clone();
                if other.issuers != part.issuers {
                    session = None;
                }
                part = other;
                book.follow(&part, &acme.issued, task::random());
                continue;
            }
            Err(_) => return,
        }
        let Some(step) = book.step(&part, &acme.issued, now()) else {
            session = None;
            tokio::select! {
                more = parts.changed() => if more.is_err() {
                    return;
                } else {
                    parts.mark_changed();
                },
                () = tokio::time::sleep(pause(&book, &part, &acme)) => {}
            }
            continue;
        };
        tokio::select! {
            () = acme.take(&part, &step, &mut session, &mut book) => {}
            // What a reload leaves in force is not begun twice.
            () = unwanted(parts.clone(), step.order()) => session = None,
        }
    }
}

/// The pause until something is to be done.
fn pause(book: &OrderBook, part: &AcmePlan, acme: &Acme) -> Duration {
    let longest = limits::ACME_LONGEST_PAUSE;
    book.next(part, &acme.issued).map_or(longest, |next| {
        let pause = u64::try_from(next.saturating_sub(now())).unwrap_or(0).max(1);
        Duration::from_secs(pause).min(longest)
    })
}

/// Returns once the configuration does not have this order any more, or has another account or address of its issuer.
async fn unwanted(mut parts: watch::Receiver<Arc<AcmePlan>>, order: &Arc<Order>) {
    while parts.borrow_and_update().orders.contains(order) {
        if parts.changed().await.is_err() {
            return;
        }
    }
}

impl Acme {
    /// Takes a step.
    async fn take(
        &self,
        part: &AcmePlan,
        step: &Step,
        session: &mut Option<IssuerSession>,
        book: &mut OrderBook,
    ) {
        let order = step.order();
        let opened = match (step, session) {
            (Step::Ask(_), _) => return self.ask(order, book).await,
            (Step::Order(_), Some(opened)) => opened,
            (Step::Order(_), none) => {
                // What is due may be another after that.
                let turn = self.turn(&order.issuer).await;
                self.take_what_others_have(part, book).await;
                *none = Some(IssuerSession { client: None, _turn: turn });
                return;
            }
        };
        let client = match &mut opened.client {
            Some(client) => client,
            none => match self.open(&order.issuer).await {
                Ok(client) => none.insert(client),
                Err(error) => {
                    // All that is due waits for the account.
                    for order in part.orders.iter().filter(|order| book.is_due(order, now())) {
                        self.overview.failed(&order.id, &error.to_string());
                    }
                    let then = book.issuer_failed(&order.issuer, &error, now(), task::random());
                    if let Some(repeated) = then.told {
                        let why =
                            Failure { error: &error, challenge: order.issuer.challenge.name(), repeated };
                        log::no_account(&order.issuer.name, &why, then.pause);
                    }
                    return;
                }
            },
        };
        self.order(client, order, book).await;
    }

    /// The account at an issuer.
    async fn open(&self, issuer: &Arc<Issuer>) -> Result<AcmeClient, AcmeError> {
        AcmeClient::open(issuer, &self.dns, self.account_key(issuer).await?).await
    }

    /// Asks an issuer when a certificate should be renewed.
    async fn ask(&self, order: &Arc<Order>, book: &mut OrderBook) {
        let leaf = self.issued.leaf(&order.id);
        let certificate = leaf.and_then(|leaf| advice::certificate_id(&leaf));
        let said = match &certificate {
            Some(certificate) => client::renewal_info(&order.issuer, &self.dns, certificate).await,
            None => Ok(None),
        };
        let (window, again) = match said {
            Ok(Some((window, again))) => (Some(window), schedule::advice(again)),
            Ok(None) => (None, schedule::advice(Some(Duration::MAX))),
            Err(error) => {
                log::not_advised(&order.id, &error);
                (None, schedule::advice(None))
            }
        };
        let validity = self.issued.validity(&order.id);
        let renewal = window
            .zip(validity)
            .map(|(window, validity)| schedule::advised(validity, window, task::random()));
        let before = book.next_of(order);
        let ask = now().saturating_add_unsigned(again.as_secs().max(1));
        let next = book.advised(order, renewal, ask, now());
        if let Some(next) = next.filter(|_| next != before && renewal.is_some()) {
            log::advised(&order.id, next);
        }
    }

    /// Waits until no other process orders from an issuer.
    async fn turn(&self, issuer: &Arc<Issuer>) -> Option<OrderLock> {
        loop {
            let wanted = issuer.clone();
            match disk::spawn(disk::DiskWork::Served, move || OrderLock::take(&wanted)).await {
                Ok(Ok(Some(turn))) => return Some(turn),
                Ok(Ok(None)) => tokio::time::sleep(limits::ACME_LOCK).await,
                // It is told where something is to be kept.
                Ok(Err(_)) | Err(_) => return None,
            }
        }
    }

    /// Uses certificates that another process of this server has ordered meanwhile.
    async fn take_what_others_have(&self, part: &AcmePlan, book: &mut OrderBook) {
        for order in part.orders.iter().filter(|order| book.is_due(order, now())).cloned().collect::<Vec<_>>()
        {
            let before = self.issued.validity(&order.id);
            let (issued, wanted) = (self.issued.clone(), order.clone());
            let loaded = disk::spawn(disk::DiskWork::Served, move || state::load(&wanted, &issued)).await;
            let after = self.issued.validity(&order.id);
            if let (Ok(true), Some(validity)) = (loaded, after)
                && before.is_none_or(|before| before.end < validity.end)
                && schedule::renewal(validity, 0) > now()
            {
                log::taken(&order.id);
                self.overview.succeeded(&order.id);
                book.done(&order, validity, now(), task::random());
            }
        }
    }

    /// Orders a certificate.
    async fn order(&self, client: &mut AcmeClient, order: &Arc<Order>, book: &mut OrderBook) {
        let means = ChallengeAnswers { answers: self.answers.clone(), issued: self.issued.clone() };
        let replaced = self.issued.leaf(&order.id).and_then(|leaf| advice::certificate_id(&leaf));
        let used = match order::order(client, order, replaced, &means).await {
            Ok(NewCertificate { chain, key }) => self
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
                let done = book.done(order, validity, now(), task::random());
                log::issued(&order.id, done.next, done.repeated);
                self.overview.succeeded(&order.id);
                let kept = order.clone();
                self.keep(&order.issuer, move || state::keep(&kept, &chain, key.as_bytes())).await;
            }
            Err(error) => {
                let then = book.failed(order, &error, now(), task::random());
                self.overview.failed(&order.id, &error.to_string());
                if let Some(repeated) = then.told {
                    let has_one = self.issued.validity(&order.id).is_some();
                    let why = Failure { error: &error, challenge: order.issuer.challenge.name(), repeated };
                    log::not_issued(&order.id, &why, then.pause, has_one);
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
                return Ok(read.map_err(|error| AcmeError::Internal(error.to_string()))??);
            }
        };
        let name: Arc<str> = issuer.name.to_string().into();
        let known = self.keys.lock().iter().find(|(known, _)| *known == name).map(|(_, key)| key.clone());
        let kept = match known {
            Some(key) => Some(key),
            None => {
                let wanted = issuer.clone();
                let read = disk::spawn(disk::DiskWork::Served, move || state::account_key(&wanted)).await;
                read.map_err(|error| AcmeError::Internal(error.to_string()))?.map_err(FileFault::KeptKey)?
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
