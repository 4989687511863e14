// Beside the picture: what each person shows at the playhead, in words, and the affect plane.

import { fill, h, svg } from "./dom.js";
import { printable } from "./format.js";
import { scoreAt, windowAt } from "./pack.js";
import { leadingTrack } from "./people.js";
import { position } from "./strips.js";
import { swatch } from "./swatches.js";

const TOP = 3;

/** The three highest scores of everybody in view at the playhead. */
export class Now {
  constructor({ packed, view, names, cast }) {
    Object.assign(this, { packed, view, names, cast });
    this.people = cast.filter((one) => leadingTrack(one.tracks)).map((one) => this.#person(one));
    this.element = h(
      "section",
      { class: "now", "aria-label": "At the playhead" },
      this.people.map((entry) => entry.element),
    );
    view.addEventListener("playhead", () => this.draw());
    names.addEventListener("change", () => this.draw());
    this.draw();
  }

  #person(one) {
    const name = h("bdi"),
      note = h("span", { class: "tag" });
    const bars = Array.from({ length: TOP }, () => {
      const mark = h("span", { class: "now-mark" }),
        word = h("span", { class: "now-word" }),
        number = h("span", { class: "now-number" });
      const filled = h("span", { class: "now-fill" });
      return {
        row: h("li", {}, mark, word, h("span", { class: "now-bar" }, filled), number),
        mark,
        word,
        number,
        filled,
        label: -1,
      };
    });
    const list = h(
      "ul",
      {},
      bars.map((bar) => bar.row),
    );
    const absent = h("p", { class: "hint" }, "no score here");
    return {
      one,
      name,
      note,
      bars,
      list,
      absent,
      element: h("div", { class: "now-person" }, h("p", { class: "now-name" }, name, note), list, absent),
    };
  }

  draw() {
    const { labels } = this.packed;
    for (const { one, name, note, bars, list, absent } of this.people) {
      const said = this.names.of(one.person);
      if (name.textContent !== said) name.textContent = said;
      const track = leadingTrack(one.tracks),
        index = windowAt(track, this.view.playhead);
      list.hidden = index < 0;
      absent.hidden = index >= 0;
      note.textContent = index >= 0 && track.weak[index] ? "weak evidence" : "";
      if (index < 0) continue;
      const order = labels
        .map((_, i) => i)
        .sort((a, b) => scoreAt(track, b, index) - scoreAt(track, a, index));
      bars.forEach((bar, i) => {
        bar.row.hidden = i >= order.length;
        if (bar.row.hidden) return;
        const label = order[i],
          score = scoreAt(track, label, index);
        if (bar.label !== label) {
          bar.label = label;
          fill(bar.mark, swatch(label));
          bar.word.textContent = printable(labels[label]);
          bar.filled.dataset.label = String(label);
          bar.filled.style.background = `var(--c${label})`;
        }
        bar.number.textContent = score.toFixed(2);
        bar.filled.style.width = `${(100 * score).toFixed(1)}%`;
      });
    }
  }
}

const SIDE = 200;
const MOST_DOTS = 600;

/** The plane of valence and arousal, a dot a segment; where there is none it says so. */
export class AffectPlane {
  constructor({ packed, view }) {
    this.segments = packed.affect.filter((segment) => segment.arousal && segment.valence);
    this.view = view;
    this.element = h(
      "section",
      { class: "affect-card", "aria-label": "Arousal and valence" },
      h("h3", {}, "Arousal and valence"),
    );
    if (!this.segments.length) {
      const one = packed.affect.length
        ? "This result holds only one of the two, drawn as a lane."
        : "This result holds none. They need a model of your own: start the server with one (setting affect).";
      this.element.append(h("p", { class: "hint" }, one));
      return;
    }
    const place = (segment) => [
      SIDE / 2 + position(segment.valence) * 1.5 * (SIDE / 2),
      SIDE / 2 - position(segment.arousal) * 1.5 * (SIDE / 2),
    ];
    this.places = this.segments.map(place);
    const step = Math.ceil(this.places.length / MOST_DOTS);
    const dots = this.places
      .filter((_, i) => i % step === 0)
      .map(([x, y]) => svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 2.6, class: "dot" }));
    this.trail = svg("polyline", { class: "trail" });
    this.point = svg("circle", { r: 6, class: "point" });
    const text = (x, y, anchor, words) => svg("text", { x, y, "text-anchor": anchor }, words);
    this.said = h("p", { class: "hint" });
    this.element.append(
      svg(
        "svg",
        {
          viewBox: `-14 -14 ${SIDE + 28} ${SIDE + 32}`,
          class: "plane",
          role: "img",
          "aria-label": "Plane of valence, left to right, and arousal, bottom to top",
        },
        svg("rect", { width: SIDE, height: SIDE, class: "ground" }),
        ...[1, 2].flatMap((k) => [
          svg("path", { d: `M${(k * SIDE) / 3} 0V${SIDE}`, class: "third" }),
          svg("path", { d: `M0 ${(k * SIDE) / 3}H${SIDE}`, class: "third" }),
        ]),
        ...dots,
        this.trail,
        this.point,
        text(0, SIDE + 13, "start", "low valence"),
        text(SIDE, SIDE + 13, "end", "high valence"),
        text(2, -4, "start", "high arousal"),
        text(2, SIDE - 5, "start", "low arousal"),
      ),
      this.said,
      h("p", { class: "hint" }, "Of the recording itself, by your own model; not of any person in it."),
    );
    view.addEventListener("playhead", () => this.draw());
    this.draw();
  }

  draw() {
    const time = this.view.playhead;
    const index = this.segments.findIndex((segment) => segment.start <= time && time < segment.end);
    this.point.setAttribute("visibility", index < 0 ? "hidden" : "visible");
    this.trail.setAttribute(
      "points",
      index < 0
        ? ""
        : this.places
            .slice(Math.max(0, index - 11), index + 1)
            .map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`)
            .join(" "),
    );
    if (index < 0) {
      this.said.textContent = "No level at the playhead.";
      return;
    }
    const [x, y] = this.places[index];
    this.point.setAttribute("cx", x.toFixed(1));
    this.point.setAttribute("cy", y.toFixed(1));
    const { valence, arousal } = this.segments[index];
    this.said.textContent = `valence ${position(valence).toFixed(2)}, arousal ${position(arousal).toFixed(2)}`;
  }
}
