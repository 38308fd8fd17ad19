//! `rtmp_stat`: streams and sessions as XML, in PingOS's element order.
//!
//! The document is built from a snapshot, on a blocking thread, in one pass over the sessions.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, atomic};
use std::time::Instant;

use bstr::{BStr, ByteSlice};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::conf::{Document, ServedDocument, StatParts};
use crate::config::history::SharedHistory;
use crate::config::on_disk::{self, ConfFiles};
use crate::config::store::Store;
use crate::config::watch::Fingerprint;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Answer, Handler, Methods};
use crate::http::reply::{Body, full, plain};
use crate::hub::registry::{StreamKey, StreamRegistry};
use crate::media::listing::Snapshot;
use crate::media::session::{Role, Session, Sessions, Traffic};

/// Handler of `rtmp_stat`.
#[derive(Clone)]
pub struct StatHandler {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// All streams.
    pub registry: Arc<StreamRegistry>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
    /// Files of the configuration.
    pub conf_files: Arc<ConfFiles>,
    /// History of configurations.
    pub history: Arc<SharedHistory>,
    /// Start time of the process.
    pub started: Instant,
}

impl Handler for StatHandler {
    fn methods(&self) -> Methods {
        Methods::Any
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<Answer<'a>> {
        let document = exchange.chosen_by::<ServedDocument>().0.as_ref()?;
        Some(Box::pin(self.respond(document)))
    }
}

impl StatHandler {
    /// Renders the current statistics.
    async fn respond(&self, document: &Document) -> Response<Body> {
        let found = self.conf_files.glance(self.store.generation()).await;
        let (service, document) = (self.clone(), document.clone());
        let work = tokio::task::spawn_blocking(move || write(&service, found, &document));
        let Ok(text) = work.await else { return plain(StatusCode::INTERNAL_SERVER_ERROR) };
        let mut response = Response::new(full(Bytes::from(text)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        response
    }
}

fn write(service: &StatHandler, found: Option<Fingerprint>, document: &Document) -> String {
    let Snapshot { sessions, ended: mut traffic, of_streams } = service.sessions.at_once();
    let mut xml = Xml::default();
    xml.raw("<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n");
    if !document.stylesheet.is_empty() {
        xml.raw("<?xml-stylesheet type=\"text/xsl\" href=\"");
        xml.escaped(&document.stylesheet);
        xml.raw("\" ?>\r\n");
    }
    write_root(&mut xml, service, found);
    sessions.iter().for_each(|session| traffic += session.traffic());
    xml.element("nginx_version", crate::NGINX_VERSION);
    xml.element("nginx_rtmp_version", env!("CARGO_PKG_VERSION"));
    xml.element("compiler", "rustc");
    xml.element("built", env!("CARGO_PKG_VERSION"));
    xml.element("pid", std::process::id());
    xml.element("uptime", service.started.elapsed().as_secs());
    xml.element("naccepted", service.sessions.accepted_total());
    write_traffic(&mut xml, traffic);
    if document.parts.contains(StatParts::LIVE) || document.parts.contains(StatParts::CLIENTS) {
        write_servers(&mut xml, sessions, &of_streams, &service.registry);
    }
    xml.close("rtmp");
    xml.text
}

/// Writes the root element. The state of the configuration is in its attributes, because the elements are PingOS's.
fn write_root(xml: &mut Xml, service: &StatHandler, found: Option<Fingerprint>) {
    let history = service.history.lock();
    xml.raw("<rtmp");
    xml.attribute("generation", service.store.generation());
    if let Some(current) = history.current() {
        xml.attribute("conf_hash", current.fingerprint);
        xml.attribute("conf_since", current.since);
    }
    xml.attribute("conf_on_disk", on_disk::verdict(&history, found).word());
    if let Some(refusal) = history.refusal() {
        xml.attribute("conf_refused", refusal.at);
    }
    xml.raw(">");
}

fn write_traffic(xml: &mut Xml, traffic: Traffic) {
    xml.element("bytes_in", traffic.received);
    xml.element("bytes_out", traffic.sent);
}

fn write_servers(
    xml: &mut Xml,
    mut sessions: Vec<Arc<Session>>,
    ended: &HashMap<u64, Traffic>,
    registry: &StreamRegistry,
) {
    // The sort is stable, so sessions of a stream keep their order.
    sessions.sort_by(|a, b| by_name(&a.key, &b.key));
    for server in sessions.chunk_by(|a, b| a.key.serverid == b.key.serverid) {
        xml.open("server");
        xml.element("serverid", BStr::new(&server[0].key.serverid));
        xml.open("live");
        for clients in server.chunk_by(|a, b| a.key == b.key) {
            write_stream(xml, clients, ended, registry);
        }
        xml.element("nclients", server.len());
        xml.close("live");
        xml.close("server");
    }
}

fn by_name(a: &StreamKey, b: &StreamKey) -> Ordering {
    (&a.serverid, &a.app, &a.name).cmp(&(&b.serverid, &b.app, &b.name))
}

/// Writes the stream of these sessions.
fn write_stream(
    xml: &mut Xml,
    clients: &[Arc<Session>],
    ended: &HashMap<u64, Traffic>,
    registry: &StreamRegistry,
) {
    let key = &clients[0].key;
    let stream = registry.find(key);
    let publisher = stream.as_ref().and_then(|s| s.publisher());
    xml.open("stream");
    xml.element("name", BStr::new(&key.name));
    xml.element("app", BStr::new(&key.app));
    let started = clients.iter().map(|s| s.started).min().unwrap_or_else(Instant::now);
    xml.element("time", started.elapsed().as_millis());
    let mut traffic = clients[0].stream_id().and_then(|id| ended.get(&id)).copied().unwrap_or_default();
    clients.iter().for_each(|client| traffic += client.traffic());
    write_traffic(xml, traffic);
    for client in clients {
        write_client(xml, client, publisher);
    }
    if let Some(stream) = stream.filter(|_| publisher.is_some()) {
        let info = stream.info();
        xml.open("meta");
        xml.open("video");
        xml.element("width", info.width);
        xml.element("height", info.height);
        xml.element("frame_rate", format!("{:.3}", info.frame_rate));
        xml.element("codec", info.video_codec);
        xml.element("profile", info.profile_name());
        xml.element("compat", info.video_compat);
        xml.element("level", info.level_text());
        xml.close("video");
        xml.open("audio");
        xml.element("codec", info.audio_codec);
        xml.element("profile", info.audio_profile_name());
        xml.element("channels", info.channels);
        xml.element("sample_rate", info.sample_rate);
        xml.close("audio");
        xml.close("meta");
    }
    xml.element("nclients", clients.len());
    if publisher.is_some() {
        xml.element("publishing", "");
        xml.element("active", "");
    }
    xml.close("stream");
}

fn write_client(xml: &mut Xml, client: &Session, publisher: Option<u64>) {
    xml.open("client");
    xml.element("id", client.id);
    xml.element("address", &client.peer.addr);
    xml.element("remote_address", format!("{}:{}", client.peer.addr, client.peer.port));
    xml.element("time", client.started.elapsed().as_millis());
    xml.element("flashver", BStr::new(&client.identity.flash_ver));
    if !client.identity.page_url.is_empty() {
        xml.element("pageurl", BStr::new(&client.identity.page_url));
    }
    if !client.identity.swf_url.is_empty() {
        xml.element("swfurl", BStr::new(&client.identity.swf_url));
    }
    xml.element("dropped", client.link.dropped_total.load(atomic::Ordering::Relaxed));
    if let Some(why) = client.link.skip_reason() {
        // Not in PingOS, which does not give the reason; present only if packets were skipped.
        xml.element("dropped_reason", why.name());
    }
    if client.role == Role::Publisher {
        xml.element("publishing", "");
    }
    if client.role == Role::Player || publisher == Some(client.id) {
        xml.element("active", "");
    }
    xml.close("client");
}

/// An XML document being written. Values are escaped, and characters that XML cannot contain are replaced.
#[derive(Default)]
struct Xml {
    text: String,
}

impl Xml {
    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn open(&mut self, name: &str) {
        self.raw(&format!("<{name}>"));
    }

    fn close(&mut self, name: &str) {
        self.raw(&format!("</{name}>\r\n"));
    }

    fn element(&mut self, name: &str, value: impl Display) {
        let value = value.to_string();
        if value.is_empty() {
            self.raw(&format!("<{name}/>"));
            return;
        }
        self.open(name);
        self.escaped(value.as_bytes());
        self.raw(&format!("</{name}>"));
    }

    fn attribute(&mut self, name: &str, value: impl Display) {
        self.raw(&format!(" {name}=\""));
        self.escaped(value.to_string().as_bytes());
        self.raw("\"");
    }

    fn escaped(&mut self, value: &[u8]) {
        let text = value.to_str_lossy();
        // Characters below 0x20 and the last two of the plane are invalid in XML 1.0, even when escaped.
        let clean: String = text
            .chars()
            .map(|c| if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') { '?' } else { c })
            .collect();
        self.text.push_str(&quick_xml::escape::escape(clean.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_cannot_write_markup() {
        let mut xml = Xml::default();
        xml.element("name", BStr::new(b"<a>&\"'\x01\xff\xef\xbf\xbe\xef\xbf\xbf\xf0\x9f\xbf\xbf"));
        assert_eq!(xml.text, "<name>&lt;a&gt;&amp;&quot;&apos;?\u{fffd}??\u{1ffff}</name>");
        let mut xml = Xml::default();
        xml.element("active", "");
        assert_eq!(xml.text, "<active/>");
    }
}
