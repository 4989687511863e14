// A label's colour and pattern beside its name.

import { svg } from "./dom.js";
import { looks, PATTERNS } from "./palette.js";

/** See defineLabels. */
export function swatch(label) {
  return svg(
    "svg",
    { class: "swatch", viewBox: "0 0 22 14", "aria-hidden": "true" },
    svg("rect", { width: 22, height: 14, rx: 3, fill: `url(#p${label})` }),
  );
}

/** Colours --c0, --c1, ... and patterns p0, p1, ... of these labels, for the whole page. */
export function defineLabels(labels) {
  const found = looks(labels);
  const root = document.documentElement;
  found.forEach((look, i) => root.style.setProperty(`--c${i}`, `light-dark(${look.light}, ${look.dark})`));
  const tiles = found.map((look, i) => {
    const ground = svg("rect", { width: 8, height: 8 });
    ground.style.fill = `var(--c${i})`;
    const tile = svg("pattern", { id: `p${i}`, width: 8, height: 8, patternUnits: "userSpaceOnUse" }, ground);
    if (look.pattern !== "plain") tile.append(svg("path", { class: "mark", d: PATTERNS[look.pattern] }));
    return tile;
  });
  document.getElementById("label-patterns")?.remove();
  const definitions = svg(
    "svg",
    { id: "label-patterns", class: "definitions", width: 0, height: 0, "aria-hidden": "true" },
    svg("defs", {}, tiles),
  );
  document.body.append(definitions);
}
