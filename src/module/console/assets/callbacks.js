// Callbacks: why sessions were refused and ended.

import { h, reconcile, text } from "./dom.js";
import * as format from "./format.js";

const LINES = ["Event", "Line", "Server", "Answered", "Refused", "Failed", "Timed out", "Mean"];
const CALLS = ["Time", "Event", "Answer", "Consequence", "Took", "Client", "Server"];
const BAD = new Set(["refuse", "end", "give-up"]);
const GOOD = new Set(["allow", "relay", "allow-unanswered"]);

const cells = (count, from) => () => h("tr", {}, Array.from({ length: count }, (_, at) => h("td", { class: from(at) ? "number" : null })));
const head = (names, from) => h("thead", {}, h("tr", {}, names.map((name, at) => h("th", { scope: "col", class: from(at) ? "number" : null }, name))));
const isCount = (at) => at > 2;
const isCallNumber = (at) => at === 4 || at === 5;

export class CallbacksView {
  constructor() {
    [this.lines, this.calls, this.reasons] = [h("tbody"), h("tbody"), h("ul", { class: "reasons" })];
    this.only = h("input", { type: "checkbox", id: "refusals", onchange: () => this.last && this.update(this.last) });
    this.summary = h("p", { class: "muted" });
    this.noLines = h("p", { class: "empty" }, "No callback was sent so far. The configuration may have no callbacks.");
    this.noReasons = h("p", { class: "muted" }, "None so far.");
    this.noCalls = h("p", { class: "muted" }, "None so far.");
    this.lineCard = h("div", { class: "card" }, h("table", { class: "plain" }, head(LINES, isCount), this.lines));
    this.callCard = h("div", { class: "card" }, h("table", { class: "plain" }, head(CALLS, isCallNumber), this.calls));
    this.node = h("section", { class: "view" },
      h("div", { class: "head" }, h("h1", {}, "Callbacks"), this.summary),
      h("h2", {}, "Ended sessions"), this.reasons, this.noReasons,
      h("div", { class: "head" }, h("h2", {}, "Last calls"), h("label", { class: "check", for: "refusals" }, this.only, "refusals and failures only")),
      this.callCard, this.noCalls,
      h("h2", {}, "Lines"), this.lineCard, this.noLines);
  }

  update(model) {
    this.last = model;
    const { callbacks, ended } = model.now;
    const parts = [];
    if (callbacks.waiting > 0) parts.push(`${callbacks.waiting} ends wait to be told`);
    if (callbacks.lost > 0) parts.push(`${callbacks.lost} ends were given up`);
    text(this.summary, parts.join(" · "));
    this.noReasons.hidden = ended.length > 0;
    reconcile(this.reasons, ended, (one) => one.reason,
      (one) => h("li", {}, h("b"), h("span", {}, one.reason)), (node, one) => text(node.firstChild, format.count(one.count)));
    const calls = callbacks.calls.map((call, at) => ({ ...call, at_number: at }))
      .filter((call) => !this.only.checked || BAD.has(call.decision) || call.status === null || call.status >= 400);
    reconcile(this.calls, calls, (call) => `${call.at} ${call.event} ${call.act} ${call.client} ${call.took}`, () => {
      const row = cells(CALLS.length, isCallNumber)();
      row.children[3].append(h("span", { class: "badge" }));
      return row;
    }, (row, call) => {
      const badge = row.children[3].firstChild;
      const values = [format.clock(call.at), `${call.event} ${call.act}`, call.status ?? call.failure ?? "no answer", null, `${call.took.toFixed(1)}\u202fms`, call.client ?? "–", call.server];
      values.forEach((value, at) => value !== null && text(row.children[at], value));
      text(badge, call.decision);
      badge.className = `badge ${BAD.has(call.decision) ? "bad" : GOOD.has(call.decision) ? "good" : ""}`;
    });
    this.noCalls.hidden = calls.length > 0;
    this.callCard.hidden = calls.length === 0;
    this.noLines.hidden = callbacks.lines.length > 0;
    this.lineCard.hidden = callbacks.lines.length === 0;
    reconcile(this.lines, callbacks.lines, (line) => `${line.event} ${line.place}`, cells(LINES.length, isCount), (row, line) => {
      const values = [line.event, line.place, line.server, ...[line.answered, line.refused, line.failed, line.timed_out].map(format.count), `${line.mean_ms.toFixed(1)}\u202fms`];
      values.forEach((value, at) => text(row.children[at], value));
      [4, 5, 6].forEach((at) => row.children[at].classList.toggle("bad", row.children[at].textContent !== "0"));
    });
  }
}
