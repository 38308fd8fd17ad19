//! `pingosd ctl cluster`: what this server knows of the cluster.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::claims::Cluster;
use crate::log::shown::Shown;
use crate::media::control::{
    ControlOrder, ControlOutcome, ControlRefusal, ControlResult, ControlSection, ControlVerb,
};

/// Description of `cluster`.
pub const CLUSTER: ControlVerb = ControlVerb {
    name: "cluster",
    takes: "status|streams|nodes",
    text: "show the cluster as this server knows it: its own part, all streams, or all servers",
    done: "shown",
};

/// A method names nothing that is shown.
#[derive(Debug, thiserror::Error)]
#[error("one of status, streams and nodes is missing")]
struct UnknownView;

/// The verb.
pub struct ClusterVerb(pub Arc<Cluster>);

impl ControlSection for ClusterVerb {
    fn verb(&self) -> &'static ControlVerb {
        &CLUSTER
    }

    fn carry_out(&self, order: &ControlOrder<'_>) -> ControlResult {
        match order.method {
            b"status" => Ok(self.status()),
            b"streams" => Ok(self.streams()),
            b"nodes" => Ok(self.nodes()),
            _ => Err(ControlRefusal::section(UnknownView)),
        }
    }
}

impl ClusterVerb {
    fn status(&self) -> ControlOutcome {
        let cluster = &self.0;
        let link = cluster.link.lock();
        let state = link.standing.word();
        let name = link.conf.as_ref().map(|conf| Shown::new(&conf.name).to_string());
        let node = link.conf.as_ref().map(|conf| conf.node.0.clone());
        let etcd = link.etcd.as_ref().map(|etcd| etcd.address().to_owned());
        let lease = link.lease;
        let seconds = link.conf.as_ref().map_or(0, |conf| conf.lease);
        drop(link);
        let (nodes, streams) = {
            let map = cluster.map.read();
            (map.nodes.len(), map.streams.len())
        };
        let (held, totals) = (cluster.held(), &cluster.totals);
        let [granted, refused, lost, taken_over, leases] =
            [&totals.granted, &totals.refused, &totals.lost, &totals.taken_over, &totals.leases]
                .map(|total| total.load(Ordering::Relaxed));
        let failures = totals.failures();
        let text = match (&name, &node) {
            (Some(name), Some(node)) => format!(
                "cluster {name}, node {node}, etcd {state} ({}), lease of {seconds} s\nservers: {nodes}, streams: {streams}, of this server: {held}\n\
                 claims granted: {granted}, refused: {refused}, lost: {lost}, taken over: {taken_over}; leases: {leases}, failed requests: {failures}\n",
                etcd.as_deref().unwrap_or("not opened"),
            ),
            _ => "no cluster\n".to_owned(),
        };
        let value = serde_json::json!({
            "cluster": name, "node": node, "etcd": state, "address": etcd,
            "lease": lease.map(|lease| lease.to_string()), "nodes": nodes, "streams": streams, "own_streams": held,
            "granted": granted, "refused": refused, "lost": lost, "taken_over": taken_over, "leases": leases, "failures": failures,
        });
        let (text, value) = cluster.shared.shown(text, value);
        ControlOutcome::Listed(text, value)
    }

    fn streams(&self) -> ControlOutcome {
        let (mut text, mut list) = (String::new(), Vec::new());
        let map = self.0.map.read();
        let mut streams: Vec<_> = map.streams.iter().collect();
        streams.sort_by(|(a, _), (b, _)| (&a.serverid, &a.app, &a.name).cmp(&(&b.serverid, &b.app, &b.name)));
        for (key, known) in streams {
            let [serverid, app, name] =
                [&key.serverid, &key.app, &key.name].map(|part| Shown::new(part).to_string());
            let node = Shown::new(known.entry.node.as_bytes()).to_string();
            let carriers: Vec<_> =
                map.carriers(key).map(|(node, _)| Shown::new(node.as_bytes()).to_string()).collect();
            let carried = match carriers.is_empty() {
                true => String::new(),
                false => format!(", carried by {}", carriers.join(" ")),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{serverid}/{app}/{name} {node} epoch {}{carried}", known.epoch);
            list.push(serde_json::json!({
                "serverid": serverid, "app": app, "name": name, "node": node, "epoch": known.epoch,
                "session": known.entry.session, "since": known.entry.since, "carriers": carriers,
            }));
        }
        ControlOutcome::Listed(text, serde_json::json!({ "streams": list }))
    }

    fn nodes(&self) -> ControlOutcome {
        let (mut text, mut list) = (String::new(), Vec::new());
        let map = self.0.map.read();
        let mut nodes: Vec<_> = map.nodes.iter().collect();
        nodes.sort_by_key(|(node, _)| *node);
        for (node, entry) in nodes {
            let addresses: Vec<_> = entry.advertise.iter().flat_map(|line| &line.addresses).collect();
            let shown: Vec<_> =
                addresses.iter().map(|text| Shown::new(text.as_bytes()).to_string()).collect();
            let node = Shown::new(node.as_bytes()).to_string();
            let version = Shown::new(entry.version.as_bytes()).to_string();
            let zone = entry.zone.as_ref().map(|zone| Shown::new(zone.as_bytes()).to_string());
            let _ = writeln!(
                text,
                "{node} {} {version}{}, configuration {}, connections: {}, streams: {}",
                shown.join(" "),
                zone.as_ref().map(|zone| format!(", zone {zone}")).unwrap_or_default(),
                entry.generation,
                entry.connections,
                entry.streams,
            );
            list.push(serde_json::json!({
                "node": node, "addresses": shown, "zone": zone, "version": version,
                "generation": entry.generation, "connections": entry.connections, "streams": entry.streams,
            }));
        }
        ControlOutcome::Listed(text, serde_json::json!({ "nodes": list }))
    }
}
