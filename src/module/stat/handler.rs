//! `rtmp_stat` and `sys_stat`.
//!
//! A document is built from a snapshot, on a blocking thread, in one pass over the sessions. During an upgrade it shows
//! both processes.

use std::sync::Arc;
use std::time::Instant;

use bstr::ByteSlice;
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;

use super::conf::{ServedDocument, StatDocument, StatFormat, StatParts};
use super::overview::Overview;
use super::shared::SharedDocuments;
use super::{json, sys, xml};
use crate::config::history::SharedHistory;
use crate::config::on_disk::{self, ConfFiles};
use crate::config::store::Store;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Handler, Methods, ResponseFuture};
use crate::http::response::Response;
use crate::http::routes::Location;
use crate::limits;
use crate::media::cluster_view::ClusterView;
use crate::media::counterpart::Counterpart;
use crate::media::statistics::StatisticsSource;

/// Handler of `rtmp_stat` and `sys_stat`.
pub struct StatHandler(pub Arc<StatService>);

/// What statistics are made from.
pub struct StatService {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// Statistics of this process.
    pub source: Arc<StatisticsSource>,
    /// The other process of an upgrade, whose statistics are added.
    pub counterpart: Arc<Counterpart>,
    /// Files of the configuration.
    pub conf_files: Arc<ConfFiles>,
    /// History of configurations.
    pub history: Arc<SharedHistory>,
    /// The cluster.
    pub cluster: Arc<dyn ClusterView>,
    /// Start time of the process.
    pub started: Instant,
    /// Documents for requests that come at the same time.
    pub shared: SharedDocuments,
}

impl Handler for StatHandler {
    fn applies_to(&self, location: &Location) -> bool {
        matches!(location.handler, Some("rtmp_stat" | "sys_stat"))
    }

    fn methods(&self) -> Methods {
        Methods::Any
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        let document = exchange.chosen_by::<ServedDocument>().0.as_ref()?;
        Some(Box::pin(self.respond(document)))
    }
}

impl StatHandler {
    async fn respond(&self, document: &StatDocument) -> Response {
        let Some(text) = self.0.document(document).await else {
            return Response::page(StatusCode::INTERNAL_SERVER_ERROR);
        };
        match document {
            StatDocument::Statistics { format: StatFormat::Xml | StatFormat::NginxRtmp, .. } => {
                Response::ok("text/xml", text)
            }
            StatDocument::Statistics { format: StatFormat::Json, .. } => {
                Response::ok("application/json", text)
            }
            // PingOS gives no type.
            StatDocument::System => Response::new(StatusCode::OK, text),
        }
    }
}

impl StatService {
    /// The document with the present statistics; `None` if that fails.
    async fn document(self: &Arc<Self>, document: &StatDocument) -> Option<Bytes> {
        let render = async |overview: Arc<Overview>| {
            let document = document.clone();
            tokio::task::spawn_blocking(move || write(&overview, &document)).await.ok()
        };
        self.shared.get(document, async || self.overview().await, render).await
    }

    /// The present statistics as `rtmp_stat_format json` gives them; `None` if that fails.
    pub async fn value(self: &Arc<Self>) -> Option<serde_json::Value> {
        let overview = self.overview().await?;
        tokio::task::spawn_blocking(move || json::value(&overview, StatParts::ALL)).await.ok()
    }

    /// The present state; `None` if reading it fails.
    async fn overview(self: &Arc<Self>) -> Option<Overview> {
        let generation = self.store.generation();
        let found = self.conf_files.glance(generation).await;
        let there = self.counterpart.statistics().await;
        let service = self.clone();
        let read = move || {
            let statistics = service.counterpart.whole_statistics(&service.source, there);
            (statistics, service.cluster.listing(limits::CLUSTER_LISTED))
        };
        let (statistics, cluster) = tokio::task::spawn_blocking(read).await.ok()?;
        let history = self.history.lock();
        Some(Overview {
            uptime: self.started.elapsed().as_secs(),
            at: Timestamp::now().as_second(),
            generation: self.store.generation(),
            current: history.current().map(|current| (current.fingerprint, current.since)),
            on_disk: on_disk::verdict(&history, found),
            refused: history.refusal().map(|refusal| refusal.at),
            statistics,
            cluster,
        })
    }
}

fn write(overview: &Overview, document: &StatDocument) -> String {
    match document {
        StatDocument::Statistics { parts, format: StatFormat::Json, .. } => json::write(overview, *parts),
        StatDocument::Statistics { parts, format, stylesheet, cluster } => {
            let cluster = overview.cluster.as_ref().filter(|_| *cluster);
            xml::write(overview, *parts, *format, stylesheet.as_bstr(), cluster)
        }
        StatDocument::System => sys::write(overview),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::on_disk::OnDisk;
    use crate::hub::registry::StreamRegistry;
    use crate::media::session::{Identity, Protocol, Role, Session, SessionMoments, Sessions};
    use crate::net::socket::Peer;

    /// `cargo test --release --lib stat::handler -- --ignored --nocapture`
    #[test]
    #[ignore = "measures times, which it prints"]
    fn time_of_documents_of_2000_streams_and_12000_clients() {
        let (registry, sessions) = (Arc::<StreamRegistry>::default(), Arc::new(Sessions::default()));
        let mut alive = Vec::new();
        for n in 0..12_000_u64 {
            let identity = Identity {
                app: "live".into(),
                name: format!("stream-{:05}", n % 2000).into(),
                serverid: "default".into(),
                flash_ver: "LNX 9,0,124,2".into(),
                page_url: "https://example.test/watch?v=1".into(),
                ..Identity::default()
            };
            let peer = Peer {
                addr: "192.0.2.1".into(),
                ip: None,
                port: 1,
                local_addr: String::new(),
                local_port: 0,
                declared: None,
            };
            let role = if n < 2000 { Role::Publisher } else { Role::Player };
            let moments = SessionMoments::default();
            let session = Session::new(n, peer, Protocol::Rtmp, role, identity, Instant::now(), moments);
            let entered = registry.enter(&session.key, 4096);
            session.set_stream(entered.stream().clone());
            alive.push((sessions.list(Arc::new(session)), entered));
        }
        let source = StatisticsSource::new(registry, sessions.clone());
        let mut best = [Duration::MAX; 6];
        let mut measure = |n: usize, began: Instant| best[n] = best[n].min(began.elapsed());
        for _ in 0..20 {
            let began = Instant::now();
            source.note();
            measure(0, began);
            let began = Instant::now();
            let all = sessions.at_once();
            measure(1, began);
            drop(all);
            let began = Instant::now();
            let statistics = source.whole();
            measure(2, began);
            let overview = Overview {
                uptime: 0,
                at: 0,
                generation: 1,
                current: None,
                on_disk: OnDisk::Same,
                refused: None,
                statistics,
                cluster: None,
            };
            let formats = [StatFormat::Xml, StatFormat::Json];
            for (n, format) in formats.into_iter().enumerate() {
                let document = StatDocument::Statistics {
                    parts: StatParts::ALL,
                    format,
                    stylesheet: "".into(),
                    cluster: false,
                };
                let began = Instant::now();
                assert!(write(&overview, &document).len() > 1_000_000);
                measure(3 + n, began);
            }
            let began = Instant::now();
            assert!(write(&overview, &StatDocument::System).len() > 1_000_000);
            measure(5, began);
        }
        let [noted, locked, read, xml, json, sys] = best;
        eprintln!("noting counters {noted:?}, of which under the lock {locked:?}");
        eprintln!("reading {read:?}, then XML {xml:?}, JSON {json:?}, sys_stat {sys:?}");
    }
}
