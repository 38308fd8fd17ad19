// Sparklines.

import { attribute, s } from "./dom.js";

const SHOWN = 60;

/** A sparkline; `update` draws values, the newest at the right. */
export function sparkline(width = 88, height = 22) {
  const area = s("path", { class: "area" });
  const line = s("path", { class: "line" });
  const node = s("svg", {
    class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, preserveAspectRatio: "none", "aria-hidden": "true",
  }, area, line);
  const update = (values) => {
    const shown = values.slice(-SHOWN);
    const top = Math.max(...shown, 0);
    if (shown.length < 2 || top === 0) {
      attribute(line, "d", `M0 ${height - 1}H${width}`);
      attribute(area, "d", "");
      return;
    }
    const step = width / (SHOWN - 1);
    const left = width - step * (shown.length - 1);
    const y = (value) => (height - 1.5 - (value / (top * 1.1)) * (height - 3)).toFixed(1);
    const points = shown.map((value, at) => `${(left + step * at).toFixed(1)} ${y(value)}`);
    attribute(line, "d", `M${points.join("L")}`);
    attribute(area, "d", `M${left.toFixed(1)} ${height}L${points.join("L")}V${height}Z`);
  };
  return { node, update };
}
