//! `rtmp_stat` as XML, in the element order of PingOS and nginx-rtmp.

use std::fmt::{Display, Write};

use bstr::{BStr, ByteSlice};

use super::conf::{StatFormat, StatParts};
use super::overview::{COMPILER, Group, Overview, VERSION};
use crate::media::cluster_view::ClusterListing;
use crate::media::session::Traffic;
use crate::media::statistics::{Bandwidth, ClientStatistics, MediaStatistics, StreamStatistics};

/// What is written of the streams.
#[derive(Clone, Copy)]
struct Style {
    /// Whether streams stand in their applications.
    by_application: bool,
    /// Whether each session is written.
    clients: bool,
}

/// Writes a document.
pub(super) fn write(
    overview: &Overview,
    parts: StatParts,
    format: StatFormat,
    stylesheet: &BStr,
    cluster: Option<&ClusterListing>,
) -> String {
    let mut xml = Xml::default();
    xml.raw("<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n");
    if !stylesheet.is_empty() {
        xml.raw("<?xml-stylesheet type=\"text/xsl\" href=\"");
        xml.escaped(stylesheet);
        xml.raw("\" ?>\r\n");
    }
    write_root(&mut xml, overview);
    xml.element("nginx_version", crate::NGINX_VERSION);
    xml.element("nginx_rtmp_version", VERSION);
    xml.element("compiler", COMPILER);
    xml.element("built", VERSION);
    xml.element("pid", std::process::id());
    xml.element("uptime", overview.uptime);
    xml.element("naccepted", overview.statistics.counts.accepted);
    write_traffic(&mut xml, overview.statistics.counts.traffic, overview.statistics.bandwidth);
    if parts.intersects(StatParts::LIVE | StatParts::CLIENTS) {
        let style = Style {
            by_application: format == StatFormat::NginxRtmp,
            clients: parts.contains(StatParts::CLIENTS),
        };
        overview.servers().for_each(|server| write_server(&mut xml, &server, style));
    }
    if let Some(cluster) = cluster {
        write_cluster(&mut xml, cluster);
    }
    xml.close("rtmp");
    xml.text
}

/// Writes the root element. The state of the configuration is in its attributes, because the elements are PingOS's.
fn write_root(xml: &mut Xml, overview: &Overview) {
    xml.raw("<rtmp");
    xml.attribute("generation", overview.generation);
    if let Some((fingerprint, since)) = &overview.current {
        xml.attribute("conf_hash", fingerprint);
        xml.attribute("conf_since", since);
    }
    xml.attribute("conf_on_disk", overview.on_disk.word());
    if let Some(at) = overview.refused {
        xml.attribute("conf_refused", at);
    }
    xml.raw(">");
}

/// Writes the cluster's servers and streams, which PingOS does not have.
fn write_cluster(xml: &mut Xml, cluster: &ClusterListing) {
    xml.open("cluster");
    xml.text_element("name", cluster.name.as_bytes());
    xml.text_element("node", cluster.node.as_bytes());
    xml.element("etcd", cluster.etcd);
    for node in &cluster.nodes {
        xml.open("node_entry");
        xml.text_element("name", node.name.as_bytes());
        node.addresses.iter().for_each(|address| xml.text_element("address", address.as_bytes()));
        if let Some(zone) = &node.zone {
            xml.text_element("zone", zone.as_bytes());
        }
        xml.text_element("version", node.version.as_bytes());
        xml.element("generation", node.generation);
        xml.element("connections", node.connections);
        xml.element("streams", node.streams);
        xml.close("node_entry");
    }
    xml.element("nodes_left_out", cluster.nodes_left_out);
    for stream in &cluster.streams {
        xml.open("stream_entry");
        xml.text_element("serverid", stream.serverid.as_bytes());
        xml.text_element("app", stream.app.as_bytes());
        xml.text_element("name", stream.name.as_bytes());
        xml.text_element("node", stream.node.as_bytes());
        xml.element("epoch", stream.epoch);
        xml.element("session", stream.session);
        xml.element("since", stream.since);
        stream.carriers.iter().for_each(|carrier| xml.text_element("carrier", carrier.as_bytes()));
        xml.close("stream_entry");
    }
    xml.element("streams_left_out", cluster.streams_left_out);
    xml.close("cluster");
}

fn write_traffic(xml: &mut Xml, traffic: Traffic, bandwidth: Bandwidth) {
    xml.element("bw_in", bandwidth.received);
    xml.element("bytes_in", traffic.received);
    xml.element("bw_out", bandwidth.sent);
    xml.element("bytes_out", traffic.sent);
}

fn write_server(xml: &mut Xml, server: &Group<'_>, style: Style) {
    xml.open("server");
    xml.text_element("serverid", &server.streams[0].serverid);
    if style.by_application {
        for application in server.applications() {
            xml.open("application");
            xml.text_element("name", &application.streams[0].app);
            write_live(xml, &application, style);
            xml.close("application");
        }
    } else {
        write_live(xml, server, style);
    }
    xml.close("server");
}

fn write_live(xml: &mut Xml, group: &Group<'_>, style: Style) {
    xml.open("live");
    group.streams.iter().for_each(|stream| write_stream(xml, stream, style));
    xml.element("nclients", group.clients());
    xml.close("live");
}

fn write_stream(xml: &mut Xml, stream: &StreamStatistics, style: Style) {
    xml.open("stream");
    xml.text_element("name", &stream.name);
    xml.element("time", stream.time);
    write_traffic(xml, stream.traffic, stream.bandwidth);
    xml.element("bw_audio", stream.input.audio_bandwidth);
    xml.element("bw_video", stream.input.video_bandwidth);
    if style.clients {
        stream.clients.iter().for_each(|client| write_client(xml, client));
    }
    if let Some(media) = &stream.media {
        write_media(xml, media, style);
    }
    xml.element("nclients", stream.clients.len());
    if stream.media.is_some() {
        xml.empty("publishing");
        xml.empty("active");
    }
    xml.close("stream");
}

fn write_media(xml: &mut Xml, media: &MediaStatistics, style: Style) {
    xml.open("meta");
    xml.open("video");
    xml.element("width", media.width);
    xml.element("height", media.height);
    match style.by_application {
        // A whole number in nginx-rtmp, and exporters read it as one.
        true => xml.element("frame_rate", format_args!("{:.0}", media.frame_rate)),
        false => xml.element("frame_rate", format_args!("{:.3}", media.frame_rate)),
    }
    xml.text_element("codec", media.video_codec.as_bytes());
    xml.text_element("profile", media.video_profile.as_bytes());
    xml.element("compat", media.video_compat);
    xml.text_element("level", media.video_level.as_bytes());
    xml.close("video");
    xml.open("audio");
    xml.text_element("codec", media.audio_codec.as_bytes());
    xml.text_element("profile", media.audio_profile.as_bytes());
    xml.element("channels", media.channels);
    xml.element("sample_rate", media.sample_rate);
    xml.close("audio");
    xml.close("meta");
}

fn write_client(xml: &mut Xml, client: &ClientStatistics) {
    xml.open("client");
    xml.element("id", client.id);
    xml.text_element("address", client.addr.as_bytes());
    xml.raw("<remote_address>");
    xml.escaped(client.addr.as_bytes());
    xml.value(format_args!(":{}", client.port));
    xml.raw("</remote_address>");
    xml.element("time", client.time);
    xml.text_element("flashver", client.flash_ver.as_bytes());
    if !client.page_url.is_empty() {
        xml.text_element("pageurl", client.page_url.as_bytes());
    }
    if !client.swf_url.is_empty() {
        xml.text_element("swfurl", client.swf_url.as_bytes());
    }
    xml.raw("<dropped");
    if let Some(why) = &client.dropped_reason {
        // PingOS does not give the reason.
        xml.attribute("reason", why);
    }
    xml.raw(">");
    xml.value(client.dropped);
    xml.raw("</dropped>");
    xml.element("avsync", client.avsync);
    xml.element("timestamp", client.timestamp);
    if client.publishes {
        xml.empty("publishing");
    }
    if client.is_active {
        xml.empty("active");
    }
    xml.close("client");
}

/// An XML document being written.
#[derive(Default)]
struct Xml {
    text: String,
}

impl Xml {
    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn open(&mut self, name: &str) {
        self.value(format_args!("<{name}>"));
    }

    fn close(&mut self, name: &str) {
        self.value(format_args!("</{name}>\r\n"));
    }

    /// An element without content.
    fn empty(&mut self, name: &str) {
        self.value(format_args!("<{name}/>"));
    }

    /// An element whose value contains no markup: a number, or a word of this server.
    fn element(&mut self, name: &str, value: impl Display) {
        self.value(format_args!("<{name}>{value}</{name}>"));
    }

    /// An element whose value comes from elsewhere.
    fn text_element(&mut self, name: &str, value: &[u8]) {
        if value.is_empty() {
            return self.empty(name);
        }
        self.value(format_args!("<{name}>"));
        self.escaped(value);
        self.value(format_args!("</{name}>"));
    }

    fn attribute(&mut self, name: &str, value: impl Display) {
        self.value(format_args!(" {name}=\""));
        self.escaped(value.to_string().as_bytes());
        self.raw("\"");
    }

    fn value(&mut self, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{value}");
    }

    /// Escapes markup, and replaces characters that XML cannot contain.
    fn escaped(&mut self, value: &[u8]) {
        let text = value.to_str_lossy();
        // Characters below 0x20 and the last two of the plane are invalid in XML 1.0, even when escaped.
        let is_invalid = |c: char| c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}');
        if text.contains(is_invalid) {
            let clean: String = text.chars().map(|c| if is_invalid(c) { '?' } else { c }).collect();
            self.text.push_str(&quick_xml::escape::escape(clean.as_str()));
        } else {
            self.text.push_str(&quick_xml::escape::escape(&*text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_cannot_write_markup() {
        let mut xml = Xml::default();
        xml.text_element("name", b"<a>&\"'\x01\xff\xef\xbf\xbe\xef\xbf\xbf\xf0\x9f\xbf\xbf");
        assert_eq!(xml.text, "<name>&lt;a&gt;&amp;&quot;&apos;?\u{fffd}??\u{1ffff}</name>");
        let mut xml = Xml::default();
        xml.text_element("active", b"");
        xml.attribute("app", BStr::new("\"\n<"));
        assert_eq!(xml.text, "<active/> app=\"&quot;?&lt;\"");
    }
}
