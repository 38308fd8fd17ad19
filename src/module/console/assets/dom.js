// Elements. Texts are set as textContent only: what peers choose never becomes markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** An HTML element with attributes, listeners (`onclick`) and children. */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** An SVG element. */
export function s(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

/** Sets a text if it has changed. */
export function text(node, value) {
  const wanted = String(value);
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Sets an attribute if it has changed; `null` removes it. */
export function attribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/** Makes the children of `parent` those of `items`, in their order. A node with the same key stays and is updated. */
export function reconcile(parent, items, keyOf, make, update) {
  const known = parent.known ?? (parent.known = new Map());
  const wanted = new Set();
  let at = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    wanted.add(key);
    let node = known.get(key);
    if (!node) known.set(key, (node = make(item)));
    update(node, item);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
  for (const [key, node] of known) {
    if (wanted.has(key)) continue;
    node.remove();
    known.delete(key);
  }
}

/** Asks a question; resolves to whether it was confirmed. */
export function confirmed(question, detail, verb) {
  const dialog = document.getElementById("dialog");
  return new Promise((resolve) => {
    const close = (value) => dialog.close(value);
    dialog.replaceChildren(
      h("h2", {}, question),
      h("p", { class: "muted" }, detail),
      h("div", { class: "buttons" },
        h("button", { type: "button", onclick: () => close("") }, "Cancel"),
        h("button", { type: "button", class: "danger", autofocus: true, onclick: () => close("yes") }, verb)),
    );
    dialog.returnValue = "";
    // The event of a question before this one may come after it was opened.
    dialog.onclose = () => dialog.open || resolve(dialog.returnValue === "yes");
    dialog.showModal();
  });
}

/** Shows a message for some seconds. */
export function toast(message, isError = false) {
  const node = document.getElementById("toast");
  node.textContent = message;
  node.className = isError ? "toast shown bad" : "toast shown";
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => (node.className = "toast"), isError ? 9000 : 4000);
}

/** Sends a request of this page; resolves to its text. */
export async function act(path) {
  try {
    const response = await fetch(path, { method: "POST" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    toast(answer.text || "done", !answer.ok);
    return answer;
  } catch (error) {
    toast(`The request failed: ${error.message}`, true);
    return { ok: false, text: error.message };
  }
}
