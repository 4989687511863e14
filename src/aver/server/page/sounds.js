// Human sounds: a lane a label, whoever made them, as in the report (aver.report.sounds).

import { h } from "./dom.js";
import { printable } from "./format.js";

const MOST_LANES = 12;
export const OTHERS = "other sounds";

export const soundName = (label) => printable(String(label).replaceAll("_", " "));
const seconds = (events) => events.reduce((sum, event) => sum + event.end - event.start, 0);

/** [{ name, events }] in the detector's own order of labels; of very many, the shortest share one. */
export function soundLanes(packed) {
  const lanes = new Map();
  for (const label of packed.model.events?.labels ?? []) lanes.set(String(label), []);
  const ordered = [...packed.events].sort((a, b) => a.start - b.start || a.end - b.end);
  for (const event of ordered) {
    if (!(event.end > event.start)) continue;
    if (!lanes.has(event.label)) lanes.set(event.label, []);
    lanes.get(event.label).push(event);
  }
  const heard = [...lanes].filter(([, events]) => events.length);
  const named = ([label, events]) => ({ name: soundName(label), events });
  if (heard.length <= MOST_LANES) return heard.map(named);
  const longest = new Set(
    [...heard]
      .sort((a, b) => seconds(b[1]) - seconds(a[1]))
      .slice(0, MOST_LANES - 1)
      .map(([label]) => label),
  );
  const rest = ordered.filter((event) => event.end > event.start && !longest.has(event.label));
  return [...heard.filter(([label]) => longest.has(label)).map(named), { name: OTHERS, events: rest }];
}

/** Where the first event that ends after *time* stands; ends need not be in order, so none is missed. */
function firstToDraw(lane, time) {
  lane.latest ??= Float64Array.from(
    lane.events,
    (
      (last) => (event) =>
        (last = Math.max(last, event.end))
    )(-Infinity),
  );
  let low = 0,
    high = lane.latest.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lane.latest[middle] > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The event of a lane that is heard at *time*: the likeliest where there are several. */
export function heardAt(lane, time) {
  let found = null;
  for (let i = firstToDraw(lane, time); i < lane.events.length && lane.events[i].start <= time; i += 1) {
    const event = lane.events[i];
    if (time < event.end && (!found || event.score > found.score)) found = event;
  }
  return found;
}

function draw(lane, paint) {
  return (context, { width, height, start, end, x }) => {
    context.fillStyle = paint.present;
    context.fillRect(0, 0, width, height);
    context.fillStyle = paint.soft;
    for (let i = firstToDraw(lane, start); i < lane.events.length && lane.events[i].start < end; i += 1) {
      const event = lane.events[i],
        left = Math.max(0, x(event.start));
      context.globalAlpha = 0.25 + 0.6 * Math.min(1, event.score);
      context.fillRect(left, 2, Math.max(1.2, Math.min(width, x(event.end)) - left), height - 4);
    }
    context.globalAlpha = 1;
  };
}

/** Lanes for the timeline: { element, show(time) }; `addStrip(canvas, draw)` has a canvas kept drawn. */
export function soundsSection(packed, paint, addStrip) {
  const lanes = soundLanes(packed);
  if (!lanes.length) {
    const none = packed.model.events
      ? "Human sounds: none heard."
      : "Human sounds: this result was made without listening for them.";
    return { element: h("p", { class: "lane-note" }, none), show() {} };
  }
  const shown = lanes.map((lane) => {
    const canvas = h("canvas", { "aria-hidden": "true" }),
      value = h("div", { class: "values" });
    addStrip(canvas, draw(lane, paint));
    return {
      lane,
      value,
      row: h(
        "div",
        { class: "lane events" },
        h("div", { class: "gutter", title: lane.name }, lane.name),
        h("div", { class: "plot" }, canvas),
        value,
      ),
    };
  });
  const element = h(
    "section",
    { class: "person", "aria-label": "Human sounds" },
    h(
      "div",
      { class: "person-head" },
      h(
        "div",
        { class: "who" },
        h("h3", {}, "Human sounds"),
        h(
          "p",
          { class: "sentence" },
          "What a network heard, whoever made it; it may mistake one for another, and miss some.",
        ),
      ),
    ),
    shown.map((one) => one.row),
  );
  return {
    element,
    show(time) {
      for (const { lane, value } of shown) {
        const event = heardAt(lane, time),
          text = event ? event.score.toFixed(2) : "–";
        if (value.textContent !== text) value.textContent = text;
      }
    },
  };
}
