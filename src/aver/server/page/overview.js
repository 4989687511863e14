// The whole recording at a glance, with a frame around the part in view that can be dragged.

import { h } from "./dom.js";
import { clock } from "./format.js";
import { leadingTrack } from "./people.js";
import { strongest } from "./strips.js";

const NEAR = 8; // pixels from an edge of the frame that take hold of it
const MOVED = 3; // pixels that make a drag of a click

export class Overview {
  /** @param context of the timeline; `addStrip(canvas, draw)` has a canvas drawn over the whole time. */
  constructor({ view, cast, names, labels, paint, label, seek, decimals }, addStrip) {
    Object.assign(this, { view, names, seek, decimals });
    const rows = cast.filter((one) => leadingTrack(one.tracks));
    this.entries = rows.map((one) => ({
      one,
      element: h("div", { class: "overview-name" }, names.of(one.person)),
    }));
    const canvases = rows.map((one) => {
      const canvas = h("canvas", { "aria-hidden": "true" });
      addStrip(canvas, strongest(leadingTrack(one.tracks), labels, paint, false));
      return canvas;
    });
    this.brush = h("div", {
      class: "brush",
      role: "slider",
      tabindex: "0",
      "aria-label": `Part of ${label} in view`,
      "aria-valuemin": "0",
      "aria-valuemax": view.total.toFixed(1),
    });
    this.head = h("div", { class: "overview-head", "aria-hidden": "true" });
    this.area = h("div", { class: "plot overview" }, canvases, this.brush, this.head);
    this.element = h(
      "div",
      { class: `lane whole${rows.length > 6 ? " many" : ""}` },
      h(
        "div",
        { class: "gutter" },
        this.entries.map((entry) => entry.element),
      ),
      this.area,
      h("div", { class: "values" }),
    );
    this.#drag();
    this.#keys();
  }

  onRange() {
    const { start, end, total, isWhole } = this.view;
    this.brush.style.left = `${(100 * start) / total}%`;
    this.brush.style.width = `${(100 * (end - start)) / total}%`;
    this.brush.classList.toggle("all", isWhole);
    this.brush.setAttribute("aria-valuenow", start.toFixed(1));
    this.brush.setAttribute(
      "aria-valuetext",
      `${clock(start, this.decimals)} to ${clock(end, this.decimals)}`,
    );
  }

  onPlayhead() {
    this.head.style.left = `${(100 * this.view.playhead) / this.view.total}%`;
  }

  onNames() {
    for (const { one, element } of this.entries) element.textContent = this.names.of(one.person);
  }

  #drag() {
    const { area, view } = this;
    let drag = null;
    const timeAt = (event) => {
      const box = area.getBoundingClientRect();
      return ((event.clientX - box.left) / box.width) * view.total;
    };
    area.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      area.setPointerCapture(event.pointerId);
      const time = timeAt(event),
        edge = (NEAR / area.clientWidth) * view.total;
      const isNear = (other) => !view.isWhole && Math.abs(time - other) < edge;
      if (isNear(view.start)) drag = { from: view.end };
      else if (isNear(view.end)) drag = { from: view.start };
      else if (!view.isWhole && view.isInside(time)) drag = { offset: time - view.start };
      else drag = { from: time };
      drag.at = event.clientX;
    });
    area.addEventListener("pointermove", (event) => {
      if (!drag || (!drag.moved && Math.abs(event.clientX - drag.at) < MOVED)) return;
      drag.moved = true;
      view.following = false;
      const time = timeAt(event);
      if (drag.from === undefined) view.pan(time - drag.offset - view.start);
      else view.look(Math.min(time, drag.from), Math.max(time, drag.from));
    });
    const release = (event) => {
      if (drag && !drag.moved && event.type === "pointerup") this.seek(timeAt(event), false);
      drag = null;
    };
    area.addEventListener("pointerup", release);
    area.addEventListener("pointercancel", release);
  }

  #keys() {
    const steps = { ArrowLeft: -0.1, ArrowRight: 0.1, PageUp: -0.9, PageDown: 0.9 };
    this.brush.addEventListener("keydown", (event) => {
      if (!(event.key in steps)) return;
      event.preventDefault();
      event.stopPropagation();
      this.view.following = false;
      this.view.pan(steps[event.key] * this.view.length);
    });
  }
}
