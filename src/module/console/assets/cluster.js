// The cluster as this server knows it: its servers and its streams.

import { h, reconcile, text } from "./dom.js";
import * as format from "./format.js";

const NODES = ["Server", "Zone", "Addresses", "Version", "Configuration", "Connections", "Streams"];
const STREAMS = ["Stream", "Server block", "Server", "Carried by", "Epoch", "Since"];

function table(names, numbers) {
  const rows = h("tbody");
  const node = h("table", { class: "plain" },
    h("thead", {}, h("tr", {}, names.map((name, at) => h("th", { scope: "col", class: numbers.includes(at) ? "number" : null }, name)))),
    rows);
  const make = () => h("tr", {}, names.map((_, at) => h("td", { class: numbers.includes(at) ? "number" : null })));
  return { node, rows, make };
}

const show = (row, values) => values.forEach((value, at) => text(row.children[at], value));

export class ClusterView {
  constructor() {
    this.summary = h("p", { class: "muted" });
    this.empty = h("p", { class: "empty" }, "This server is in no cluster.");
    this.nodes = table(NODES, [4, 5, 6]);
    this.streams = table(STREAMS, [4, 5]);
    this.more = h("p", { class: "muted" });
    this.tables = h("div", {}, h("div", { class: "card" }, this.nodes.node), h("div", { class: "card" }, this.streams.node), this.more);
    this.node = h("section", { class: "view" }, h("div", { class: "head" }, h("h1", {}, "Cluster"), this.summary), this.empty, this.tables);
  }

  update(model) {
    const { cluster, at } = model.now;
    this.empty.hidden = Boolean(cluster);
    this.tables.hidden = !cluster;
    text(this.summary, cluster ? `${cluster.name}, this server is ${cluster.node}, etcd: ${cluster.etcd}` : "");
    if (!cluster) return;
    reconcile(this.nodes.rows, cluster.nodes, (node) => node.name, this.nodes.make, (row, node) =>
      show(row, [node.name, node.zone ?? "", node.addresses.join(" "), node.version, node.generation, format.count(node.connections), format.count(node.streams)]));
    reconcile(this.streams.rows, cluster.streams, (stream) => JSON.stringify([stream.serverid, stream.app, stream.name]), this.streams.make, (row, stream) =>
      show(row, [`${stream.app}/${stream.name}`, stream.serverid, stream.node, stream.carriers.join(" "), stream.epoch, format.duration(Math.max(at - stream.since * 1000, 0))]));
    const left = cluster.nodes_left_out + cluster.streams_left_out;
    text(this.more, left > 0 ? `${format.count(left)} more are not shown.` : "");
  }
}
