// Starts the page: the player alone, or everything.

import { CallbacksView } from "./callbacks.js";
import { sparkline } from "./chart.js";
import { ClusterView } from "./cluster.js";
import { ConfigurationView } from "./configuration.js";
import { h, text } from "./dom.js";
import * as format from "./format.js";
import { Model } from "./model.js";
import { Player } from "./player.js";
import { RelaysView } from "./relays.js";
import { StreamsView } from "./streams.js";

const content = document.getElementById("content");
const state = document.getElementById("state");

const KEYS = [["1 – 5", "views"], ["j k ↓ ↑", "next and previous stream"], ["Enter", "show a stream"], ["Esc", "close it"], ["/", "filter"], ["p", "play"], ["t", "light, dark, as the system"], ["?", "these keys"]];

const THEMES = ["system", "light", "dark"];
const theme = {
  now: THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "system",
  apply() {
    document.documentElement.dataset.theme = this.now;
    text(document.getElementById("theme"), { system: "◐", light: "☼", dark: "☾" }[this.now]);
  },
  next() {
    this.now = THEMES[(THEMES.indexOf(this.now) + 1) % THEMES.length];
    localStorage.setItem("theme", this.now);
    this.apply();
  },
};
theme.apply();
document.getElementById("theme").onclick = () => theme.next();
document.getElementById("help").onclick = showKeys;

function showKeys() {
  const dialog = document.getElementById("dialog");
  dialog.onclose = null;
  dialog.replaceChildren(h("h2", {}, "Keys"), h("dl", { class: "keys" }, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))),
    h("div", { class: "buttons" }, h("a", { href: "assets/mpegts.LICENSE.txt", class: "muted small" }, "mpegts.js"), h("a", { href: "assets/hls.LICENSE.txt", class: "muted small" }, "hls.js"), h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, "Close")));
  dialog.showModal();
}

function say(word, kind) {
  text(state, word);
  state.className = `state ${kind}`;
}

async function start() {
  let settings;
  try {
    settings = await (await fetch("settings.json")).json();
  } catch {
    say("no answer", "bad");
    setTimeout(start, 3000);
    return;
  }
  const asked = new URLSearchParams(location.search);
  if (!settings.everything || asked.has("name")) playerPage(settings, asked);
  else openConsole(settings);
}

/** The player alone. */
function playerPage(settings, asked) {
  const [app, name] = [h("input", { name: "app", value: asked.get("app") ?? "live", required: true, autocomplete: "off", spellcheck: "false" }), h("input", { name: "name", value: asked.get("name") ?? "", required: true, autocomplete: "off", spellcheck: "false", placeholder: "stream" })];
  const place = h("div", { class: "stage" });
  let player = null;
  const open = (plays) => {
    player?.close();
    player = new Player(settings, encodeURIComponent(app.value), encodeURIComponent(name.value));
    place.replaceChildren(player.node);
    document.title = `${name.value} – pingosd`;
    if (plays) player.play();
  };
  const form = h("form", {
    class: "ask",
    onsubmit: (event) => {
      event.preventDefault();
      history.replaceState(null, "", `?app=${encodeURIComponent(app.value)}&name=${encodeURIComponent(name.value)}`);
      open(true);
    },
  }, h("label", {}, h("span", {}, "Application"), app), h("label", {}, h("span", {}, "Stream"), name), h("button", { class: "primary" }, "Play"));
  content.replaceChildren(h("section", { class: "view narrow" }, form, place));
  if (name.value) open(true);
  else name.focus();
  document.addEventListener("keydown", (event) => isFree(event) && event.key === "t" && theme.next());
}

/** Whether a key is meant for the page. */
const isFree = (event) => !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest?.("input, textarea, dialog, video");

function openConsole(settings) {
  const model = new Model();
  const views = { streams: new StreamsView(settings), relays: new RelaysView(), callbacks: new CallbacksView(), cluster: new ClusterView(), configuration: new ConfigurationView(settings) };
  const totals = totalsNode();
  const place = h("div");
  content.replaceChildren(totals.node, place);
  const tabs = document.getElementById("tabs");
  tabs.hidden = false;
  for (const name of Object.keys(views)) tabs.append(h("a", { href: `#${name}` }, name[0].toUpperCase() + name.slice(1)));
  let shown = null;
  const show = () => {
    const name = Object.hasOwn(views, location.hash.slice(1)) ? location.hash.slice(1) : "streams";
    if (shown && shown !== views[name]) shown.leave?.();
    shown = views[name];
    for (const tab of tabs.children) tab.hash.slice(1) === name ? tab.setAttribute("aria-current", "page") : tab.removeAttribute("aria-current");
    place.replaceChildren(shown.node);
    if (model.now) shown.update(model);
  };
  window.addEventListener("hashchange", show);
  show();
  listen((document) => {
    model.take(document);
    totals.update(model);
    shown.update(model);
  });
  document.addEventListener("keydown", (event) => {
    if (!isFree(event)) {
      if (event.key === "Escape" && event.target === views.streams.filter) views.streams.filter.blur();
      return;
    }
    const names = Object.keys(views);
    if (names[Number(event.key) - 1]) location.hash = names[Number(event.key) - 1];
    else if (event.key === "t") theme.next();
    else if (event.key === "?") showKeys();
    else if (shown !== views.streams) return;
    else if (event.key === "j" || event.key === "ArrowDown") views.streams.step(1);
    else if (event.key === "k" || event.key === "ArrowUp") views.streams.step(-1);
    else if (event.key === "Escape") views.streams.choose(null);
    else if (event.key === "p") views.streams.detail?.player?.play();
    else if (event.key === "/") views.streams.filter.focus();
    else return;
    event.preventDefault();
  });
}

/** Receives events; connects again when the connection ends. */
function listen(take) {
  let wait = 500;
  const connect = () => {
    const source = new EventSource("events");
    source.onmessage = (event) => {
      wait = 500;
      say("live", "good");
      take(JSON.parse(event.data));
    };
    source.onerror = () => {
      source.close();
      say("connecting…", "warn");
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 10000);
    };
  };
  connect();
}

function totalsNode() {
  const figures = new Map();
  const node = h("div", { class: "totals" });
  const add = (name, chart) => {
    const value = h("dd", {}, "–");
    figures.set(name, { value, chart });
    node.append(h("dl", {}, h("dt", {}, name), value, chart ? chart.node : null));
  };
  ["Streams", "Publishers", "Players"].forEach((name) => add(name));
  add("In", sparkline(96, 26));
  add("Out", sparkline(96, 26));
  ["Received", "Sent", "Up"].forEach((name) => add(name));
  const set = (name, value, values) => {
    const { value: target, chart } = figures.get(name);
    text(target, value);
    chart?.update(values);
  };
  const update = (model) => {
    const { totals, uptime } = model.now;
    set("Streams", format.count(totals.streams));
    set("Publishers", format.count(totals.publishers));
    set("Players", format.count(totals.players));
    set("In", format.rate(totals.bw_in), model.in);
    set("Out", format.rate(totals.bw_out), model.out);
    set("Received", format.size(totals.bytes_in));
    set("Sent", format.size(totals.bytes_out));
    set("Up", format.duration(uptime * 1000));
  };
  return { node, update };
}

start();
