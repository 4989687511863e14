// The stacked timeline of one recording: scale, overview, a block for each person, sounds, affect.

import { CurveChart, scaleOf } from "./curves.js";
import { fill, h } from "./dom.js";
import { clock, printable, spoken } from "./format.js";
import { scoreAt, windowAt } from "./pack.js";
import { castOf, chosenTracks, leadingTrack } from "./people.js";
import { Overview } from "./overview.js";
import { personHead } from "./person_head.js";
import { soundsSection } from "./sounds.js";
import { affectLane, position, Strip, strongest, timeScale } from "./strips.js";
import { swatch } from "./swatches.js";
import { attachGestures } from "./view.js";

let made = 0;

export const rowHeightFor = (labels) => (labels <= 12 ? 28 : 18);

/** What is shown of the curves; several timelines can share one. */
export class Choice extends EventTarget {
  modalities = new Set(["fused"]);
  rows = true;
  hidden = new Set();
  change(edit) {
    edit(this);
    this.dispatchEvent(new Event("change"));
  }
}

export class Timeline {
  /**
   * @param context { packed, view, paint, names, choice, seek, onRename, thumbnails, label }.
   */
  constructor(context) {
    Object.assign(this, context);
    this.id = `timeline-${(made += 1)}`;
    this.labels = this.packed.labels;
    this.cast = castOf(this.packed);
    this.strips = [];
    this.wholeStrips = [];
    this.blocks = [];
    this.named = [];
    this.decimals = this.packed.duration < 60 ? 1 : 0;
    this.scale ??= scaleOf(this.packed.tracks);
    this.element = this.#build();
    this.view.addEventListener("range", () => this.#onRange());
    this.view.addEventListener("playhead", () => this.#onPlayhead());
    this.view.addEventListener("hover", () => this.#onHover());
    this.choice.addEventListener("change", () => this.#onChoice());
    this.names.addEventListener("change", () => this.#onNames());
    attachGestures(this.element, this.view, () => this.place, this.seek);
    this.observer = new ResizeObserver(() => this.#measure());
    this.observer.observe(this.scaleCell);
  }

  get shown() {
    return this.labels.map((_, i) => i).filter((i) => !this.choice.hidden.has(i));
  }

  destroy() {
    this.observer.disconnect();
    for (const block of this.blocks) block.chart.destroy();
  }

  repaint() {
    for (const strip of [...this.strips, ...this.wholeStrips]) strip.draw();
    for (const block of this.blocks) block.chart.redraw();
  }

  /* ---- building ---- */

  #build() {
    const { paint } = this;
    this.overview = new Overview(this, (canvas, draw) => this.#strip(canvas, draw, true));
    this.sounds = soundsSection(this.packed, paint, (canvas, draw) => this.#strip(canvas, draw, false));
    this.playheadLine = h("div", { class: "playhead", "aria-hidden": "true" });
    this.hoverLine = h("div", { class: "hover-line", "aria-hidden": "true", hidden: true });
    this.hoverChip = h("div", { class: "hover-chip", "aria-hidden": "true", hidden: true });
    this.handle = h("div", { class: "handle", "aria-hidden": "true" });
    this.scaleCell = h("canvas", { "aria-hidden": "true" });
    this.slider = h(
      "div",
      {
        class: "plot time-scale",
        role: "slider",
        tabindex: "0",
        "aria-label": `Position in ${this.label}`,
        "aria-valuemin": "0",
        "aria-valuemax": this.view.total.toFixed(1),
        "aria-orientation": "horizontal",
      },
      this.scaleCell,
      this.handle,
      this.hoverChip,
    );
    this.#strip(this.scaleCell, timeScale(paint), false);
    this.valueHead = h("div", { class: "values head" }, "now");
    const overlay = h("div", { class: "overlay", "aria-hidden": "true" }, this.hoverLine, this.playheadLine);
    const scaleRow = h(
      "div",
      { class: "lane sticky" },
      h("div", { class: "gutter head" }, `rows: 0 to ${this.scale}`),
      this.slider,
      this.valueHead,
    );
    const people = this.cast.map((one) => this.#person(one));
    const zoomed = [scaleRow, people, this.sounds.element, this.#affect(), overlay];
    return h(
      "div",
      { class: "lanes", id: this.id },
      this.overview.element,
      h("div", { class: "zoomed" }, zoomed),
    );
  }

  #strip(canvas, draw, isWhole) {
    const strip = new Strip(
      canvas,
      isWhole ? () => [0, this.view.total] : () => [this.view.start, this.view.end],
      draw,
    );
    (isWhole ? this.wholeStrips : this.strips).push(strip);
    return strip;
  }

  #person(one) {
    const lead = leadingTrack(one.tracks);
    const { head, name } = personHead(one, this);
    const block = { one, name, head, values: [] };
    block.section = h("section", { class: "person", "aria-label": this.names.of(one.person) }, head);
    this.named.push(block);
    if (!lead) return block.section;
    const band = h("canvas", { "aria-hidden": "true" });
    block.strip = this.#strip(
      band,
      (context, frame) => strongest(block.tracks[0], this.labels, this.paint)(context, frame),
      false,
    );
    block.what = h("div", { class: "gutter soft" });
    block.top = h("div", { class: "values soft" });
    block.host = h("div", { class: "plot curves", "aria-hidden": "true" });
    block.gutter = h("ul", { class: "gutter labels" });
    block.numbers = h("ul", { class: "values numbers" });
    block.chart = new CurveChart(block.host, {
      view: this.view,
      labels: this.labels,
      paint: this.paint,
      options: { rows: this.choice.rows, scale: this.scale, rowHeight: rowHeightFor(this.labels.length) },
    });
    block.section.append(
      h("div", { class: "lane band" }, block.what, h("div", { class: "plot" }, band), block.top),
      h("div", { class: "lane rows" }, block.gutter, block.host, block.numbers),
    );
    this.blocks.push(block);
    this.#show(block);
    return block.section;
  }

  #show(block) {
    block.tracks = chosenTracks(block.one.tracks, this.choice.modalities);
    const shown = this.shown;
    block.chart.options.rows = this.choice.rows;
    block.what.textContent = "strongest";
    fill(
      block.gutter,
      shown.map((label) => h("li", {}, swatch(label), h("span", {}, printable(this.labels[label])))),
    );
    fill(block.numbers, (block.values = shown.map(() => h("li", {}))));
    block.host.style.height = `${Math.max(1, shown.length) * block.chart.options.rowHeight}px`;
    for (const list of [block.gutter, block.numbers])
      list.style.setProperty("--row", `${block.chart.options.rowHeight}px`);
    block.chart.show(block.tracks, shown);
  }

  #affect() {
    const { affect } = this.packed;
    this.affectValues = [];
    const lanes = ["arousal", "valence"].filter((dimension) => affect.some((s) => s[dimension]));
    return lanes.length
      ? [
          h(
            "section",
            { class: "person", "aria-label": "Arousal and valence" },
            lanes.map((dimension) => {
              const canvas = h("canvas", { "aria-hidden": "true" });
              this.#strip(canvas, affectLane(affect, dimension, this.paint), false);
              const value = h("div", { class: "values" });
              this.affectValues.push({ dimension, value });
              return h(
                "div",
                { class: "lane affect" },
                h("div", { class: "gutter" }, dimension),
                h("div", { class: "plot" }, canvas),
                value,
              );
            }),
          ),
        ]
      : [];
  }

  /* ---- reacting ---- */

  get place() {
    const box = this.slider.getBoundingClientRect();
    return { left: box.left, width: box.width };
  }

  #measure() {
    const width = this.slider.clientWidth;
    if (!(width > 0)) return;
    this.width = width;
    for (const strip of [...this.strips, ...this.wholeStrips]) strip.resize(width);
    for (const block of this.blocks) block.chart.resize(width);
    this.#onRange();
    this.#onHover();
  }

  #onRange() {
    for (const strip of this.strips) strip.draw();
    for (const block of this.blocks) block.chart.range();
    this.overview.onRange();
    this.#onPlayhead();
  }

  #x(time) {
    return ((time - this.view.start) / this.view.length) * (this.width ?? 0);
  }

  #onPlayhead() {
    const { view } = this;
    for (const mark of [this.playheadLine, this.handle]) {
      mark.hidden = !view.isInside(view.playhead);
      mark.style.transform = `translateX(${this.#x(view.playhead)}px)`;
    }
    this.overview.onPlayhead();
    this.slider.setAttribute("aria-valuenow", view.playhead.toFixed(2));
    this.slider.setAttribute("aria-valuetext", `${spoken(view.playhead)}${this.#said()}`);
    if (view.hover === null) this.#numbers(view.playhead);
  }

  #said() {
    const said = this.blocks.map((block) => {
      const index = block.tracks[0] ? windowAt(block.tracks[0], this.view.playhead) : -1;
      if (index < 0) return "";
      const label = block.tracks[0].best[index];
      return `; ${this.names.of(block.one.person)}: ${printable(this.labels[label])} ${scoreAt(block.tracks[0], label, index).toFixed(2)}`;
    });
    return said.join("");
  }

  #onHover() {
    const { hover } = this.view;
    this.hoverLine.hidden = this.hoverChip.hidden = hover === null || !this.view.isInside(hover);
    this.valueHead.textContent = hover === null ? "now" : "here";
    if (hover === null) {
      this.#numbers(this.view.playhead);
      return;
    }
    const x = this.#x(hover);
    this.hoverLine.style.transform = `translateX(${x}px)`;
    this.hoverChip.textContent = clock(hover, this.decimals || (this.view.length < 120 ? 1 : 0));
    this.hoverChip.style.transform = `translateX(${Math.min(this.width - 24, Math.max(24, x))}px)`;
    this.#numbers(hover);
  }

  #numbers(time) {
    for (const block of this.blocks) {
      const track = block.tracks[0];
      const index = track ? windowAt(track, time) : -1;
      const shown = this.shown;
      block.values.forEach((element, row) => {
        const text = index < 0 ? "–" : scoreAt(track, shown[row], index).toFixed(2);
        if (element.textContent !== text) element.textContent = text;
        element.classList.toggle("top", index >= 0 && track.best[index] === shown[row]);
      });
      const weak = index >= 0 && track.weak[index] ? "weak" : "";
      if (block.top.textContent !== weak) block.top.textContent = weak;
    }
    this.sounds.show(time);
    for (const { dimension, value } of this.affectValues) {
      const segment = this.packed.affect.find((s) => s.start <= time && time < s.end);
      value.textContent = segment?.[dimension] ? position(segment[dimension]).toFixed(2) : "–";
    }
  }

  #onChoice() {
    for (const block of this.blocks) {
      this.#show(block);
      block.strip.draw();
    }
    this.#onHover();
  }

  #onNames() {
    this.overview.onNames();
    for (const { one, name, section } of this.named) {
      fill(name, h("bdi", {}, this.names.of(one.person)));
      section.setAttribute("aria-label", this.names.of(one.person));
    }
    this.#onPlayhead();
  }
}
