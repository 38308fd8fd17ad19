// Streams: the list, and one of them with its clients, picture and player.

import { sparkline } from "./chart.js";
import { act, attribute, confirmed, h, reconcile, text } from "./dom.js";
import * as format from "./format.js";
import { keyOf } from "./model.js";
import { Player } from "./player.js";

/** Events between two pictures of a stream. */
const PICTURE_EVENTS = 8;
/** Streams of the list that show pictures. */
const PICTURES = 24;

const HEADS = [["Stream", ""], ["Frames/s", "number"], ["In", "number"], ["Key frames", "number"], ["Clients", "number"], ["Out", "number"], ["Time", "number"]];
const CLIENT_HEADS = ["Client", "Rate", "Delay", "Dropped", "Time"];

export class StreamsView {
  constructor(settings) {
    this.settings = settings;
    this.filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter streams (/)", spellcheck: "false", oninput: () => this.model && this.update(this.model) });
    this.rows = h("tbody");
    this.empty = h("p", { class: "empty" });
    this.leftOut = h("p", { class: "muted small" });
    this.table = h("table", { class: "streams" }, h("thead", {}, h("tr", {}, HEADS.map(([name, kind]) => h("th", { scope: "col", class: kind || null }, name)))), this.rows);
    this.list = h("div", { class: "list" }, h("div", { class: "head" }, h("h1", {}, "Streams"), this.filter), h("div", { class: "card" }, this.table, this.empty), this.leftOut);
    this.side = h("aside", { class: "detail", "aria-label": "Stream", hidden: true });
    this.node = h("section", { class: "view split" }, this.list, this.side);
    this.chosen = null;
    this.detail = null;
    this.events = 0;
  }

  update(model) {
    this.model = model;
    this.events += 1;
    const wanted = this.filter.value.trim().toLowerCase();
    const streams = model.now.streams.filter((stream) => `${stream.app}/${stream.name}`.toLowerCase().includes(wanted));
    this.shown = streams;
    streams.forEach((stream, at) => (stream.hasPicture = at < PICTURES));
    reconcile(this.rows, streams, keyOf, (stream) => this.makeRow(stream), (row, stream) => row.update(stream));
    this.table.hidden = streams.length === 0;
    this.empty.hidden = streams.length > 0;
    text(this.empty, wanted ? "No stream fits." : "No streams. Publish to rtmp://HOST/live/NAME, and it appears here.");
    const { streams_left_out: leftOut } = model.now;
    text(this.leftOut, leftOut > 0 ? `${format.count(leftOut)} more streams are not shown; rtmp_stat lists all.` : "");
    if (this.chosen) {
      const stream = model.now.streams.find((stream) => keyOf(stream) === this.chosen);
      if (stream) this.detail.update(stream, model);
      else this.choose(null);
    }
  }

  makeRow(first) {
    const { settings } = this;
    const key = keyOf(first);
    const picture = h("img", { class: "thumb", alt: "", loading: "lazy", width: 64, height: 36, onerror: () => (picture.className = "thumb none"), onload: () => (picture.className = "thumb") });
    const [name, app, media] = [h("b"), h("span", { class: "muted" }), h("span", { class: "muted media" })];
    const [frames, bits] = [sparkline(), sparkline()];
    const figure = () => h("span", { class: "figure" });
    const [fps, rate, keys, clients, out, time] = Array.from({ length: 6 }, figure);
    const cell = (label, ...children) => h("td", { class: "number", "data-label": label }, ...children);
    const row = h("tr", {
      tabindex: "0", "aria-selected": "false",
      onclick: () => this.choose(key),
      onkeydown: (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          this.choose(key, true);
        }
      },
    },
    h("th", { scope: "row" }, h("div", { class: "name" }, settings.snapshot ? picture : h("span", { class: "dot" }), h("div", {}, h("div", { class: "title" }, app, name), media))),
    cell("Frames/s", frames.node, fps), cell("In", bits.node, rate), cell("Key frames", keys), cell("Clients", clients), cell("Out", out), cell("Time", time));
    row.key = key;
    row.update = (stream) => {
      const past = this.model.past(stream);
      text(app, `${stream.app}/`);
      text(name, stream.name);
      attribute(name, "title", stream.name);
      text(media, stream.published ? mediaOf(stream) : "no publisher");
      row.classList.toggle("idle", !stream.published);
      frames.update(past.frames);
      bits.update(past.rate);
      text(fps, format.frames(stream.frame_rate));
      text(rate, format.rate(stream.bw_in));
      text(keys, distance(this.model, stream));
      text(clients, format.count(stream.nclients - stream.clients.filter((client) => client.publishes).length));
      text(out, format.rate(stream.bw_out));
      text(time, format.duration(stream.time));
      attribute(row, "aria-selected", String(this.chosen === key));
      if (settings.snapshot && stream.hasPicture && (row.pictureAt === undefined || this.events - row.pictureAt >= PICTURE_EVENTS)) {
        row.pictureAt = this.events;
        if (stream.published && stream.video && stream.name_part) picture.src = pictureOf(settings, stream);
      }
    };
    return row;
  }

  /** Shows a stream, or none. */
  choose(key, isFocused = false) {
    if (key === this.chosen && key !== null) {
      if (isFocused) this.detail?.focus();
      return;
    }
    const before = this.chosen;
    this.detail?.close();
    this.detail = null;
    this.chosen = key;
    const stream = key && this.model.now.streams.find((stream) => keyOf(stream) === key);
    this.side.hidden = !stream;
    this.node.classList.toggle("open", Boolean(stream));
    this.side.replaceChildren();
    if (stream) {
      this.detail = new Detail(this.settings, stream, () => this.choose(null));
      this.side.append(this.detail.node);
      this.detail.update(stream, this.model);
      if (isFocused) this.detail.focus();
    } else if (before) {
      [...this.rows.children].find((row) => row.key === before)?.focus({ preventScroll: true });
    }
    for (const row of this.rows.children) attribute(row, "aria-selected", String(row.key === key));
  }

  /** Moves the focus by one row. */
  step(by) {
    const rows = [...this.rows.children];
    const at = rows.indexOf(document.activeElement?.closest?.("tr"));
    rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
  }

  leave() {
    this.choose(null);
  }
}

class Detail {
  constructor(settings, stream, close) {
    this.settings = settings;
    const poster = settings.snapshot && stream.video && stream.name_part ? pictureOf(settings, stream) : null;
    this.player = stream.name_part ? new Player(settings, stream.app_part, stream.name_part, poster) : null;
    this.title = h("h2", { tabindex: "-1" }, `${stream.app}/${stream.name}`);
    this.properties = h("dl", { class: "properties" });
    this.values = new Map();
    this.rows = h("tbody");
    this.clientTitle = h("h3", {}, "Clients");
    this.note = h("p", { class: "muted small" });
    const own = stream.name_part ? h("a", { href: `?app=${stream.app_part}&name=${stream.name_part}`, target: "_blank", rel: "noopener", class: "button" }, "Own page") : null;
    const drop = settings.control && stream.query
      ? h("button", { type: "button", class: "danger", onclick: () => this.drop(stream.query, `End all sessions of ${stream.app}/${stream.name}?`) }, "Drop all") : null;
    this.node = h("div", { class: "card" },
      h("div", { class: "head" }, this.title, h("button", { type: "button", class: "quiet close", "aria-label": "Close (Esc)", title: "Close (Esc)", onclick: close }, "✕")),
      this.player?.node ?? null, this.properties,
      h("div", { class: "head" }, this.clientTitle, h("div", { class: "buttons" }, own, drop)),
      h("div", { class: "scroll" }, h("table", { class: "plain clients" }, h("thead", {}, h("tr", {}, [...CLIENT_HEADS, ""].map((name, at) => h("th", { scope: "col", class: at > 0 ? "number" : null }, name)))), this.rows)),
      this.note);
  }

  focus() {
    this.title.focus();
  }

  async drop(query, question) {
    if (await confirmed(question, "A client may connect again.", "Drop")) act(`control/drop?${query}`);
  }

  update(stream, model) {
    const { video } = stream;
    this.set("Video", format.video(video) || "–");
    this.set("Picture", video?.width > 0 ? `${video.width} × ${video.height}` : "–");
    this.set("Audio", format.audio(stream.audio) || "–");
    this.set("Frames/s", format.frames(stream.frame_rate));
    this.set("Key frames", distance(model, stream));
    this.set("In", `${format.rate(stream.bw_in)}`);
    this.set("of video", format.rate(stream.bw_video));
    this.set("of audio", format.rate(stream.bw_audio));
    this.set("Out", format.rate(stream.bw_out));
    text(this.clientTitle, `Clients ${format.count(stream.nclients)}`);
    const { control } = this.settings;
    reconcile(this.rows, stream.clients, (client) => client.id, (client) => {
      const button = control && stream.query && !client.relay
        ? h("button", { type: "button", class: "quiet drop", title: "Drop", "aria-label": `Drop client ${client.id}`, onclick: () => this.drop(`${stream.query}&clientid=${client.id}`, `End the session of ${client.addr}?`) }, "✕") : null;
      const figures = CLIENT_HEADS.slice(1).map((label) => h("td", { class: "number", "data-label": label }));
      return h("tr", {}, h("td", {}, h("span", { class: "addr" }), h("div", { class: "title" }, h("span", { class: "badge" }), h("span", { class: "muted agent" }))), figures, h("td", { class: "number" }, button));
    }, (row, client) => {
      const [who, rate, delay, dropped, time] = row.children;
      const [addr, { firstChild: role, lastChild: agent }] = who.children;
      text(addr, client.addr);
      text(role, client.relay ? (client.publishes ? "pull" : "push") : client.publishes ? "publisher" : client.protocol);
      role.className = `badge ${client.publishes ? "good" : client.relay ? "info" : ""}`;
      text(agent, client.agent);
      attribute(agent, "title", client.agent);
      text(rate, format.rate(client.bw));
      text(delay, client.publishes ? "–" : format.delay(client.delay));
      text(dropped, client.dropped > 0 ? format.count(client.dropped) : "–");
      dropped.classList.toggle("bad", client.dropped > 0);
      attribute(dropped, "title", client.dropped_reason);
      text(time, format.duration(client.time));
    });
    const hidden = stream.nclients - stream.clients.length;
    text(this.note, hidden > 0 ? `${format.count(hidden)} more clients are not shown.` : "");
  }

  set(name, value) {
    let node = this.values.get(name);
    if (!node) {
      this.values.set(name, (node = h("dd")));
      this.properties.append(h("div", {}, h("dt", {}, name), node));
    }
    text(node, value);
  }

  close() {
    this.player?.close();
  }
}

function mediaOf(stream) {
  const { video, audio } = stream;
  const picture = video?.width > 0 ? `${video.width}×${video.height}` : "";
  return [video ? `${video.codec} ${picture}`.trim() : "", audio?.codec ?? ""].filter(Boolean).join(" · ") || "no media yet";
}

function distance(model, stream) {
  const seconds = model.keyDistance(stream);
  return seconds === null ? "–" : `${seconds.toFixed(1)}\u202fs`;
}

// The number makes the browser ask again; the server makes one picture per key frame.
const pictureOf = (settings, stream) => `${settings.snapshot}/${stream.app_part}/${stream.name_part}.jpg?${Date.now()}`;
