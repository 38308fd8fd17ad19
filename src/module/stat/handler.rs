//! `rtmp_stat`: streams and sessions as XML, in PingOS's element order.
//!
//! The document is built from a snapshot, on a blocking thread, in one pass over the sessions. During an upgrade it shows both processes.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use bstr::ByteSlice;
use http::StatusCode;

use super::conf::{Document, ServedDocument, StatParts};

use crate::config::history::SharedHistory;
use crate::config::on_disk::{self, ConfFiles};
use crate::config::store::Store;
use crate::config::watch::Fingerprint;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Answer, Handler, Methods};
use crate::http::response::Response;
use crate::limits;
use crate::media::counterpart::Counterpart;
use crate::media::counterpart::message::CounterpartRequest;
use crate::media::listing::CarriedCounts;
use crate::media::session::Traffic;
use crate::media::statistics::{ClientStatistics, Statistics, StatisticsSource, StreamStatistics};

/// Handler of `rtmp_stat`.
#[derive(Clone)]
pub struct StatHandler {
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
    async fn respond(&self, document: &Document) -> Response {
        let found = self.conf_files.glance(self.store.generation()).await;
        let there =
            self.counterpart.answer(&CounterpartRequest::Statistics, limits::COUNTERPART_PATIENCE).await;
        let (service, document) = (self.clone(), document.clone());
        let work = tokio::task::spawn_blocking(move || {
            let there = there.and_then(|answer| serde_json::from_slice::<Statistics>(&answer).ok());
            // It may have passed on its counters in the meantime; then they are in those of this process.
            let counts = service.counterpart.counts();
            let mut statistics = service.source.whole();
            if let Some(mut there) = there {
                if !counts {
                    there.counts = CarriedCounts::default();
                }
                statistics.add(there);
            }
            write(&service, &statistics, found, &document)
        });
        let Ok(text) = work.await else { return Response::page(StatusCode::INTERNAL_SERVER_ERROR) };
        Response::ok("text/xml", text)
    }
}

fn write(
    service: &StatHandler,
    statistics: &Statistics,
    found: Option<Fingerprint>,
    document: &Document,
) -> String {
    let mut xml = Xml::default();
    xml.raw("<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n");
    if !document.stylesheet.is_empty() {
        xml.raw("<?xml-stylesheet type=\"text/xsl\" href=\"");
        xml.escaped(&document.stylesheet);
        xml.raw("\" ?>\r\n");
    }
    write_root(&mut xml, service, found);
    xml.element("nginx_version", crate::NGINX_VERSION);
    xml.element("nginx_rtmp_version", env!("CARGO_PKG_VERSION"));
    xml.element("compiler", "rustc");
    xml.element("built", env!("CARGO_PKG_VERSION"));
    xml.element("pid", std::process::id());
    xml.element("uptime", service.started.elapsed().as_secs());
    xml.element("naccepted", statistics.counts.accepted);
    write_traffic(&mut xml, statistics.counts.traffic);
    if document.parts.contains(StatParts::LIVE) || document.parts.contains(StatParts::CLIENTS) {
        write_servers(&mut xml, &statistics.streams);
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

fn write_servers(xml: &mut Xml, streams: &[StreamStatistics]) {
    for server in streams.chunk_by(|a, b| a.serverid == b.serverid) {
        xml.open("server");
        xml.element("serverid", server[0].serverid.as_bstr());
        xml.open("live");
        for stream in server {
            write_stream(xml, stream);
        }
        xml.element("nclients", server.iter().map(|stream| stream.clients.len()).sum::<usize>());
        xml.close("live");
        xml.close("server");
    }
}

fn write_stream(xml: &mut Xml, stream: &StreamStatistics) {
    xml.open("stream");
    xml.element("name", stream.name.as_bstr());
    xml.element("app", stream.app.as_bstr());
    xml.element("time", stream.time);
    write_traffic(xml, stream.traffic);
    for client in &stream.clients {
        write_client(xml, client);
    }
    if let Some(media) = &stream.media {
        xml.open("meta");
        xml.open("video");
        xml.element("width", media.width);
        xml.element("height", media.height);
        xml.element("frame_rate", format!("{:.3}", media.frame_rate));
        xml.element("codec", &media.video_codec);
        xml.element("profile", &media.video_profile);
        xml.element("compat", media.video_compat);
        xml.element("level", &media.video_level);
        xml.close("video");
        xml.open("audio");
        xml.element("codec", &media.audio_codec);
        xml.element("profile", &media.audio_profile);
        xml.element("channels", media.channels);
        xml.element("sample_rate", media.sample_rate);
        xml.close("audio");
        xml.close("meta");
    }
    xml.element("nclients", stream.clients.len());
    if stream.media.is_some() {
        xml.element("publishing", "");
        xml.element("active", "");
    }
    xml.close("stream");
}

fn write_client(xml: &mut Xml, client: &ClientStatistics) {
    xml.open("client");
    xml.element("id", client.id);
    xml.element("address", &client.addr);
    xml.element("remote_address", format!("{}:{}", client.addr, client.port));
    xml.element("time", client.time);
    xml.element("flashver", &client.flash_ver);
    if !client.page_url.is_empty() {
        xml.element("pageurl", &client.page_url);
    }
    if !client.swf_url.is_empty() {
        xml.element("swfurl", &client.swf_url);
    }
    xml.element("dropped", client.dropped);
    if let Some(why) = &client.dropped_reason {
        // Not in PingOS, which does not give the reason; present only if packets were skipped.
        xml.element("dropped_reason", why);
    }
    if client.publishes {
        xml.element("publishing", "");
    }
    if client.is_active {
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
        xml.element("name", bstr::BStr::new(b"<a>&\"'\x01\xff\xef\xbf\xbe\xef\xbf\xbf\xf0\x9f\xbf\xbf"));
        assert_eq!(xml.text, "<name>&lt;a&gt;&amp;&quot;&apos;?\u{fffd}??\u{1ffff}</name>");
        let mut xml = Xml::default();
        xml.element("active", "");
        assert_eq!(xml.text, "<active/>");
    }
}
