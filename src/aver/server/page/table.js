// The same data as a table, a page of windows at a time.

import { fill, h } from "./dom.js";
import { clock, printable } from "./format.js";
import { firstAfter, scoreAt } from "./pack.js";
import { chosenTracks, MODALITY_WORDS } from "./people.js";

const ROWS = 100;

export class ScoreTable {
  /** @param context { packed, cast, names, choice, view, seek }. */
  constructor(context) {
    Object.assign(this, context);
    this.page = 0;
    this.person = 0;
    this.element = h("details", { class: "card table-card", ontoggle: () => this.draw() },
      h("summary", {}, h("h2", {}, "The same as a table")), (this.body = h("div")));
    this.choice.addEventListener("change", () => this.draw());
    this.names.addEventListener("change", () => this.draw());
  }

  get track() {
    const one = this.people[this.person];
    return one ? chosenTracks(one.tracks, this.choice.modalities)[0] : null;
  }

  get people() { return this.cast.filter((one) => Object.keys(one.tracks).length); }

  turn(page) {
    this.page = Math.min(Math.max(0, page), Math.max(0, Math.ceil(this.track.count / ROWS) - 1));
    this.draw();
  }

  draw() {
    if (!this.element.open) return;
    const { track } = this;
    if (!track) { fill(this.body, h("p", { class: "hint" }, "There are no scores.")); return; }
    const focused = document.activeElement?.dataset.control;
    const { labels, duration } = this.packed;
    const decimals = duration < 3600 ? 1 : 0;
    const pages = Math.ceil(track.count / ROWS), from = Math.min(this.page, pages - 1) * ROWS, to = Math.min(track.count, from + ROWS);
    const who = h("select", { id: "table-person", dataset: { control: "person" }, onchange: (event) => { this.person = Number(event.target.value); this.page = 0; this.draw(); } },
      this.people.map((one, i) => h("option", { value: i, props: { selected: i === this.person } }, this.names.of(one.person))));
    const button = (words, control, page, disabled) => h("button", { type: "button", dataset: { control }, disabled, onclick: () => this.turn(page) }, words);
    const rows = [];
    for (let i = from; i < to; i += 1) {
      rows.push(h("tr", {},
        h("th", { scope: "row", class: "number" }, h("button", { type: "button", class: "link", "aria-label": `Go to ${clock(track.start[i], decimals)}`, onclick: () => this.seek(track.start[i], false) }, clock(track.start[i], decimals))),
        h("td", { class: "number" }, clock(track.end[i], decimals)),
        h("td", {}, printable(labels[track.best[i]])), h("td", {}, track.weak[i] ? "weak" : ""),
        labels.map((_, label) => h("td", { class: track.best[i] === label ? "number top" : "number" }, scoreAt(track, label, i).toFixed(2)))));
    }
    fill(this.body,
      h("div", { class: "row table-tools" }, h("label", { for: "table-person" }, "Person "), who,
        button("Back", "back", this.page - 1, from === 0), h("span", { class: "hint", role: "status" }, `windows ${from + 1} to ${to} of ${track.count}`),
        button("Further", "further", this.page + 1, to === track.count),
        h("button", { type: "button", dataset: { control: "here" }, onclick: () => this.turn(Math.floor(firstAfter(track, this.view.playhead) / ROWS)) }, "At the playhead")),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores, table" }, h("table", {},
        h("caption", {}, `${MODALITY_WORDS[track.modality]}: scores from 0 to 1 of what is expressed; those of one window add up to 1`),
        h("thead", {}, h("tr", {}, ["From", "To"].map((word) => h("th", { scope: "col", class: "number" }, word)), ["Strongest", "Evidence"].map((word) => h("th", { scope: "col" }, word)),
          labels.map((label) => h("th", { scope: "col", class: "number" }, printable(label))))),
        h("tbody", {}, rows))));
    if (focused) this.body.querySelector(`[data-control="${focused}"]`)?.focus();
  }
}
