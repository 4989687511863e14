// One recording: its player beside its timeline, names, downloads, the table.

import * as api from "./api.js";
import { announce, confirmed, h } from "./dom.js";
import { downloads } from "./downloads.js";
import { printable } from "./format.js";
import { AffectPlane, Now } from "./now.js";
import { factsOf, meaning, Opened } from "./opened.js";
import { Paint } from "./palette.js";
import { defineLabels } from "./swatches.js";
import { ScoreTable } from "./table.js";
import { Choice } from "./timeline.js";
import { toolbar } from "./toolbar.js";

/** What stands below a timeline: how sure the scores are, and how to move. */
function below(packed) {
  const error = packed.model.expected_calibration_error;
  const off = typeof error === "number" ? error : error?.fused;
  return [
    h(
      "p",
      { class: "hint" },
      "Hatched and half-height parts rest on weak evidence. ",
      typeof off === "number"
        ? `On held-out recordings, stated and actual rates of being right differ by ${(100 * off).toFixed(1)} percentage points on average; on others, expect more.`
        : "How often a label of a given score is right was not measured for this model: compare scores with one another rather than take them for chances.",
    ),
    h(
      "p",
      { class: "hint mouse-only" },
      "Click or drag to move the playhead. Zoom with + and −, the wheel over the scale, or Ctrl and the wheel; Shift and the wheel moves along. Space plays; arrows move a second, with Shift ten.",
    ),
    h("p", { class: "hint touch-only" }, "Tap or drag sideways to move the playhead; pinch to zoom."),
  ];
}

/** The page of one recording. Returns { element, keys, repaint, destroy }. */
export async function recordingPage(id) {
  const opened = await Opened.load(id);
  const { packed, job, name } = opened;
  defineLabels(packed.labels);
  const paint = new Paint(packed.labels);
  const choice = new Choice();
  const bar = () => toolbar({ packed, choice, view: opened.view });
  opened.build({ choice, paint });
  const { cast, names, view } = opened;
  const now = new Now({ packed, view, names, cast });
  const affect = new AffectPlane({ packed, view });
  const table = new ScoreTable({ packed, cast, names, choice, view, seek: (time) => opened.seek(time) });
  const remove = h(
    "button",
    {
      type: "button",
      onclick: async () => {
        if (
          !(await confirmed(
            `Delete ${name}?`,
            "The recording, its results and the names given in it are erased from the server. This cannot be undone.",
            "Delete",
          ))
        )
          return;
        try {
          await api.remove(id);
          location.hash = "#/";
        } catch (error) {
          announce(error.message);
        }
      },
    },
    "Delete",
  );
  const element = h(
    "div",
    { class: "recording" },
    h(
      "header",
      { class: "head" },
      h(
        "div",
        {},
        h("h1", {}, h("bdi", {}, name)),
        h(
          "ul",
          { class: "facts" },
          factsOf(packed, job).map((fact) => h("li", {}, fact)),
        ),
      ),
      h(
        "div",
        { class: "row" },
        downloads(job),
        h("a", { class: "button", href: `#/compare/${id}` }, "Compare"),
        remove,
      ),
    ),
    meaning(),
    packed.warnings.length
      ? h(
          "details",
          { class: "warnings" },
          h(
            "summary",
            {},
            packed.warnings.length === 1 ? "1 thing to note" : `${packed.warnings.length} things to note`,
          ),
          h(
            "ul",
            {},
            packed.warnings.map((text) => h("li", {}, printable(text))),
          ),
        )
      : null,
    h(
      "div",
      { class: "side-by-side" },
      h(
        "div",
        { class: "left" },
        h("div", { class: "stage-card" }, opened.stage.element),
        h("div", { class: "card now-card" }, h("h2", {}, "At the playhead"), now.element),
        h("div", { class: "card" }, affect.element),
      ),
      h(
        "div",
        { class: "card timeline-card" },
        bar(),
        packed.tracks.length
          ? null
          : h("p", { class: "hint" }, "No face and no voice was found, so there is nothing to score."),
        opened.timeline.element,
        below(packed),
      ),
    ),
    table.element,
  );
  return {
    element,
    title: name,
    opened: [opened],
    keys: (event) => timelineKeys(event, opened),
    repaint: () => {
      paint.read();
      opened.timeline.repaint();
      opened.stage.drawBoxes();
    },
    destroy: () => opened.destroy(),
  };
}

/** Space, arrows, plus and minus, 0, Home and End. True where the key was one of them. */
export function timelineKeys(event, opened, others = []) {
  const { view, stage, packed } = opened;
  const step = event.shiftKey ? 10 : 1;
  const seek = (time) => {
    opened.seek(time);
    for (const other of others) other.seek(time);
  };
  const actions = {
    " ": () => {
      stage.toggle();
      for (const other of others) {
        if (stage.clock.isPlaying) other.stage.clock.play();
        else other.stage.clock.pause();
      }
    },
    ArrowLeft: () => seek(stage.clock.time - step),
    ArrowRight: () => seek(stage.clock.time + step),
    Home: () => seek(0),
    End: () => seek(packed.duration),
    "+": () => view.zoom(0.5),
    "=": () => view.zoom(0.5),
    "-": () => view.zoom(2),
    "−": () => view.zoom(2),
    0: () => view.whole(),
  };
  if (!Object.hasOwn(actions, event.key)) return false;
  actions[event.key]();
  return true;
}
