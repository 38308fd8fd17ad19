// The configuration in force, its difference to the files, reload and rollback.

import { act, confirmed, h, text } from "./dom.js";
import * as format from "./format.js";

const STATES = {
  same: ["The files are the same.", "good"],
  newer: ["The files have changed.", "warn"],
  rejected: ["The files were refused.", "bad"],
  unknown: ["The files cannot be read.", "bad"],
};

export class ConfigurationView {
  constructor(settings) {
    this.settings = settings;
    this.generation = null;
    this.state = h("span", { class: "badge" });
    this.facts = h("p", { class: "muted" });
    this.refusal = h("pre", { class: "code bad", hidden: true });
    this.plan = h("pre", { class: "code" });
    this.files = h("div", { class: "files" });
    this.kept = h("ol", { class: "kept" });
    const button = (label, action, title, kind = "") => h("button", { type: "button", class: kind, title, onclick: action }, label);
    this.buttons = h("div", { class: "buttons" },
      button("Compare", () => this.compare(), "What a reload would do"),
      button("Roll back", () => this.rollBack(), "Return to the preceding configuration"),
      button("Reload", () => this.reload(), "Read the files again and apply them", "primary"));
    this.node = h("section", { class: "view" },
      h("div", { class: "head" }, h("h1", {}, "Configuration"), this.state, settings.control ? this.buttons : null),
      this.facts, this.refusal,
      ...(settings.control
        ? [h("h2", {}, "Difference to the files"), h("div", { class: "card" }, this.plan), h("h2", {}, "In force"), this.files, h("h2", {}, "Kept for a rollback"), h("div", { class: "card" }, this.kept)]
        : [h("p", { class: "empty" }, "The texts, reload and rollback are shown where the location says “control”.")]));
  }

  update(model) {
    const { generation, since, on_disk, refused } = model.now;
    const [words, kind] = STATES[on_disk] ?? [on_disk, ""];
    text(this.state, words);
    this.state.className = `badge ${kind}`;
    text(this.facts, `Generation ${generation}, in force since ${format.moment(since)}`);
    this.refusal.hidden = refused.length === 0;
    text(this.refusal, refused.join("\n"));
    const seen = `${generation} ${on_disk}`;
    if (this.settings.control && this.seen !== seen) {
      this.seen = seen;
      this.load();
      this.compare();
    }
  }

  async compare() {
    text(this.plan, "…");
    try {
      const plan = await (await fetch("plan.json")).json();
      text(this.plan, plan.text || "No difference.");
      this.plan.classList.toggle("bad", !plan.ok);
    } catch (error) {
      text(this.plan, `The comparison failed: ${error.message}`);
    }
  }

  async load() {
    try {
      const conf = await (await fetch("conf.json")).json();
      this.files.replaceChildren(...conf.files.map((file, at) => fileNode(file, at === 0)));
      this.kept.replaceChildren(...conf.kept.map((one) =>
        h("li", {}, h("b", {}, `Generation ${one.number}`), h("span", { class: "muted" }, format.moment(one.since)),
          one.number === conf.generation ? h("span", { class: "badge good" }, "in force") : null)));
    } catch (error) {
      this.files.replaceChildren(h("p", { class: "empty" }, `The configuration could not be read: ${error.message}`));
    }
  }

  async reload() {
    await act("control/reload");
    this.compare();
  }

  async rollBack() {
    if (await confirmed("Roll back?", "The preceding configuration comes into force. The files stay as they are.", "Roll back")) {
      await act("control/rollback");
      this.compare();
    }
  }
}

function fileNode(file, isOpen) {
  const lines = file.text === null ? [h("li", { class: "muted" }, "too long to be shown")] : file.text.replace(/\n$/, "").split("\n").map(lineNode);
  return h("details", { class: "card", open: isOpen }, h("summary", {}, h("span", {}, file.name), h("span", { class: "muted" }, `${lines.length} lines`)), h("ol", { class: "code lines" }, lines));
}

/** A line: its first word is the directive, what follows # is a comment. */
function lineNode(line) {
  const found = /^(\s*)([^\s#;{}]+)?([^#]*)(#.*)?$/.exec(line);
  if (!found) return h("li", {}, line);
  const [, indent, word = "", rest, comment] = found;
  return h("li", {}, indent, word ? h("b", {}, word) : null, rest, comment ? h("i", {}, comment) : null);
}
