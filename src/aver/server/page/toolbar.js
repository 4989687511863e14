// What of the curves is shown, and how near.

import { h, icon } from "./dom.js";
import { clock, printable } from "./format.js";
import { MODALITY_WORDS } from "./people.js";
import { swatch } from "./swatches.js";

const WORDS = { fused: "Fused", face: "Face", voice: "Voice" };

/** Buttons for a Choice and a View; `packed` says which modalities and labels there are. */
export function toolbar({ packed, choice, view }) {
  const there = ["fused", "face", "voice"].filter((m) => packed.tracks.some((track) => track.modality === m));
  if (there.length && !there.includes("fused")) choice.modalities = new Set([there[0]]);
  const toggle = (words, isOn, press, extra = {}) => {
    const button = h("button", { type: "button", class: "toggle", onclick: press, ...extra }, words);
    const show = () => button.setAttribute("aria-pressed", String(isOn()));
    choice.addEventListener("change", show);
    show();
    return button;
  };
  const sources = there.map((modality) =>
    toggle(
      [WORDS[modality], h("i", { class: `dash ${modality}`, "aria-hidden": "true" })],
      () => choice.modalities.has(modality),
      () =>
        choice.change((c) => {
          if (c.modalities.has(modality)) {
            if (c.modalities.size > 1) c.modalities.delete(modality);
          } else c.modalities.add(modality);
        }),
      { dataset: { modality }, title: MODALITY_WORDS[modality] },
    ),
  );
  const forms = [
    ["Rows", true],
    ["Together", false],
  ].map(([words, rows]) =>
    toggle(
      words,
      () => choice.rows === rows,
      () =>
        choice.change((c) => {
          c.rows = rows;
        }),
    ),
  );
  const labels = packed.labels.map((label, i) =>
    toggle(
      [swatch(i), printable(label)],
      () => !choice.hidden.has(i),
      () =>
        choice.change((c) => {
          if (c.hidden.has(i)) c.hidden.delete(i);
          else if (c.hidden.size < packed.labels.length - 1) c.hidden.add(i);
        }),
      { class: "toggle label", dataset: { label: i } },
    ),
  );
  const span = h("output", { class: "span", "aria-label": "Part in view" });
  const decimals = packed.duration < 60 ? 1 : 0;
  const closer = h(
    "button",
    { type: "button", "aria-label": "Closer", title: "Closer (+)", onclick: () => view.zoom(0.5) },
    icon("plus"),
  );
  const wider = h(
    "button",
    { type: "button", "aria-label": "Wider", title: "Wider (−)", onclick: () => view.zoom(2) },
    icon("minus"),
  );
  const whole = h(
    "button",
    { type: "button", title: "Whole recording (0)", onclick: () => view.whole() },
    "Whole",
  );
  const range = () => {
    span.textContent = `${clock(view.start, decimals)} – ${clock(view.end, decimals)}`;
    wider.disabled = whole.disabled = view.isWhole;
    closer.disabled = view.length <= view.shortest + 1e-9;
  };
  view.addEventListener("range", range);
  range();
  const group = (label, ...children) =>
    h("div", { class: "group", role: "group", "aria-label": label }, children);
  return h(
    "div",
    { class: "toolbar" },
    there.length > 1 ? group("Scores from", sources) : null,
    group("Curves", forms),
    group("Zoom", wider, closer, whole),
    span,
    group("Emotions shown", labels),
  );
}
