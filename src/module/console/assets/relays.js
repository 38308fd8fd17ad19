// Relays as a picture: where streams come from, and where they go.

import { h, reconcile, s, text } from "./dom.js";
import * as format from "./format.js";

const WIDTH = 960;
const COLUMNS = [24, 360, 696];
const BOX = { width: 240, height: 44 };
const GAP = 14;

const cut = (value, most) => (value.length > most ? `${value.slice(0, most - 1)}…` : value);

export class RelaysView {
  constructor() {
    this.picture = h("div", { class: "picture" });
    this.summary = h("p", { class: "muted" });
    this.rows = h("tbody");
    this.table = h("table", { class: "plain" },
      h("thead", {}, h("tr", {}, ["Direction", "Stream", "Other server", "Rate", "Since"].map((name, at) =>
        h("th", { scope: "col", class: at > 2 ? "number" : null }, name)))),
      this.rows);
    this.empty = h("p", { class: "empty" }, "No stream is pulled from another server or pushed to one.");
    this.node = h("section", { class: "view" }, h("div", { class: "head" }, h("h1", {}, "Relays"), this.summary),
      this.empty, this.picture, h("div", { class: "card" }, this.table));
  }

  update(model) {
    const streams = model.now.streams.filter((stream) => stream.clients.some((client) => client.relay));
    const relays = streams.flatMap((stream) => stream.clients.filter((client) => client.relay).map((client) => ({ stream, client })));
    const pulls = relays.filter(({ client }) => client.publishes).length;
    text(this.summary, relays.length === 0 ? "" : `${pulls} pulled, ${relays.length - pulls} pushed`);
    this.empty.hidden = relays.length > 0;
    this.table.parentNode.hidden = relays.length === 0;
    this.picture.replaceChildren(...(relays.length > 0 ? [draw(streams)] : []));
    reconcile(this.rows, relays, ({ client }) => client.id, () => h("tr", {}, Array.from({ length: 5 }, (_, at) => h("td", { class: at > 2 ? "number" : null }))),
      (row, { stream, client }) => {
        const values = [client.publishes ? "pull" : "push", `${stream.app}/${stream.name}`, client.addr, format.rate(client.bw), format.duration(client.time)];
        values.forEach((value, at) => text(row.children[at], value));
      });
  }
}

/** Each stream with its source at the left and its destinations at the right. */
function draw(streams) {
  const [edges, boxes] = [[], []];
  let top = 16;
  for (const stream of streams.slice(0, 40)) {
    const source = stream.clients.find((client) => client.publishes);
    const pushes = stream.clients.filter((client) => client.relay && !client.publishes).slice(0, 12);
    const players = stream.nclients - stream.clients.filter((client) => client.relay || client.publishes).length;
    const targets = pushes.map((client) => ({ title: client.addr, detail: `push · ${format.rate(client.bw)}`, kind: "relay", bw: client.bw }));
    if (players > 0) targets.push({ title: `${format.count(players)} ${players === 1 ? "player" : "players"}`, detail: format.rate(Math.max(stream.bw_out - pushes.reduce((sum, client) => sum + client.bw, 0), 0)), kind: "", bw: stream.bw_out });
    const rows = Math.max(targets.length, 1);
    const height = rows * (BOX.height + GAP);
    const middle = top + (height - GAP - BOX.height) / 2;
    if (source) {
      boxes.push(box(COLUMNS[0], middle, source.addr, source.relay ? "pull" : `publisher · ${source.protocol}`, source.relay ? "relay" : ""));
      edges.push(edge(COLUMNS[0] + BOX.width, middle, COLUMNS[1], middle, source.bw));
    }
    boxes.push(box(COLUMNS[1], middle, `${stream.app}/${stream.name}`, format.rate(stream.bw_in), "own"));
    targets.forEach((target, at) => {
      const y = top + at * (BOX.height + GAP) + (rows - targets.length) * (BOX.height + GAP) / 2;
      boxes.push(box(COLUMNS[2], y, target.title, target.detail, target.kind));
      edges.push(edge(COLUMNS[1] + BOX.width, middle, COLUMNS[2], y, target.bw));
    });
    top += height + GAP;
  }
  return s("svg", { viewBox: `0 0 ${WIDTH} ${top}`, role: "img", "aria-label": "Relays; the table below has the same contents" }, edges, boxes);
}

function box(x, y, title, detail, kind) {
  return s("g", { class: `box ${kind}`, transform: `translate(${x} ${y})` },
    s("title", {}, title),
    s("rect", { width: BOX.width, height: BOX.height, rx: 8 }),
    s("text", { x: 14, y: 19, class: "title" }, cut(title, 28)),
    s("text", { x: 14, y: 35, class: "detail" }, cut(detail, 34)));
}

function edge(x1, y1, x2, y2, bits) {
  const [from, to, bend] = [y1 + BOX.height / 2, y2 + BOX.height / 2, (x2 - x1) / 2];
  // One to six pixels, by the order of magnitude.
  const width = Math.min(6, Math.max(1, Math.log10(Math.max(bits, 1)) - 3));
  return s("path", { class: bits > 0 ? "edge flows" : "edge", d: `M${x1} ${from}C${x1 + bend} ${from} ${x2 - bend} ${to} ${x2} ${to}`, "stroke-width": width.toFixed(1) });
}

