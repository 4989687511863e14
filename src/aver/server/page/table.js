// The same data as a table, a page of windows at a time.

import { fill, h } from "./dom.js";
import { clock, printable } from "./format.js";
import { firstAfter, scoreAt } from "./pack.js";
import { chosenTracks, MODALITY_WORDS } from "./people.js";
import { soundName } from "./sounds.js";

const ROWS = 100;

export class ScoreTable {
  /** @param context { packed, cast, names, choice, view, seek }. */
  constructor(context) {
    Object.assign(this, context);
    this.page = 0;
    this.chosen = 0;
    this.decimals = this.packed.duration < 3600 ? 1 : 0;
    this.people = this.cast.filter((one) => Object.keys(one.tracks).length);
    this.element = h(
      "details",
      { class: "card table-card", ontoggle: () => this.draw() },
      h("summary", {}, h("h2", {}, "The same as a table")),
      (this.body = h("div")),
    );
    this.choice.addEventListener("change", () => this.draw());
    this.names.addEventListener("change", () => this.draw());
  }

  /** What is listed: { caption, heads, count, cells(i), start(i), indexAt(time) }. */
  get source() {
    const one = this.people[this.chosen];
    if (one) return this.#scores(chosenTracks(one.tracks, this.choice.modalities)[0]);
    return this.packed.events.length ? this.#sounds() : null;
  }

  #scores(track) {
    const { labels } = this.packed;
    return {
      caption: `${MODALITY_WORDS[track.modality]}: scores from 0 to 1 of what is expressed; those of one window add up to 1`,
      heads: ["Strongest", "Evidence", ...labels.map((label) => [printable(label)])],
      count: track.count,
      start: (i) => track.start[i],
      end: (i) => track.end[i],
      cells: (i) => [
        h("td", {}, printable(labels[track.best[i]])),
        h("td", {}, track.weak[i] ? "weak" : ""),
        labels.map((_, label) =>
          h(
            "td",
            { class: track.best[i] === label ? "number top" : "number" },
            scoreAt(track, label, i).toFixed(2),
          ),
        ),
      ],
      indexAt: (time) => firstAfter(track, time),
    };
  }

  #sounds() {
    const { events } = this.packed;
    return {
      caption: "Human sounds, with scores from 0 to 1",
      heads: ["Sound", ["Score"]],
      count: events.length,
      start: (i) => events[i].start,
      end: (i) => events[i].end,
      cells: (i) => [
        h("td", {}, soundName(events[i].label)),
        h("td", { class: "number" }, events[i].score.toFixed(2)),
      ],
      indexAt: (time) =>
        Math.max(
          0,
          events.findIndex((event) => event.end > time),
        ),
    };
  }

  turn(page) {
    this.page = page;
    this.draw();
  }

  draw() {
    if (!this.element.open) return;
    const { source } = this;
    if (!source) {
      fill(this.body, h("p", { class: "hint" }, "There is nothing to list."));
      return;
    }
    const focused = document.activeElement?.dataset.control;
    this.page = Math.min(Math.max(0, this.page), Math.max(0, Math.ceil(source.count / ROWS) - 1));
    const from = this.page * ROWS,
      to = Math.min(source.count, from + ROWS);
    fill(this.body, this.#tools(source, from, to), this.#table(source, from, to));
    if (focused) this.body.querySelector(`[data-control="${focused}"]`)?.focus();
  }

  #tools(source, from, to) {
    const whose = [
      ...this.people.map((one) => this.names.of(one.person)),
      ...(this.packed.events.length ? ["Human sounds"] : []),
    ];
    const choose = h(
      "select",
      {
        id: "table-of",
        dataset: { control: "of" },
        onchange: (event) => {
          this.chosen = Number(event.target.value);
          this.turn(0);
        },
      },
      whose.map((words, i) => h("option", { value: i, props: { selected: i === this.chosen } }, words)),
    );
    const button = (words, control, page, disabled = false) =>
      h(
        "button",
        { type: "button", dataset: { control }, disabled, onclick: () => this.turn(page()) },
        words,
      );
    return h(
      "div",
      { class: "row table-tools" },
      h("label", { for: "table-of" }, "Of "),
      choose,
      button("Back", "back", () => this.page - 1, from === 0),
      h("span", { class: "hint", role: "status" }, `${from + 1} to ${to} of ${source.count}`),
      button("Further", "further", () => this.page + 1, to === source.count),
      button("At the playhead", "here", () => Math.floor(source.indexAt(this.view.playhead) / ROWS)),
    );
  }

  #table(source, from, to) {
    const time = (seconds) => clock(seconds, this.decimals);
    const head = (word) =>
      Array.isArray(word)
        ? h("th", { scope: "col", class: "number" }, word)
        : h("th", { scope: "col" }, word);
    const rows = [];
    for (let i = from; i < to; i += 1) {
      const start = source.start(i);
      rows.push(
        h(
          "tr",
          {},
          h(
            "th",
            { scope: "row", class: "number" },
            h(
              "button",
              {
                type: "button",
                class: "link",
                "aria-label": `Go to ${time(start)}`,
                onclick: () => this.seek(start),
              },
              time(start),
            ),
          ),
          h("td", { class: "number" }, time(source.end(i))),
          source.cells(i),
        ),
      );
    }
    return h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores, table" },
      h(
        "table",
        {},
        h("caption", {}, source.caption),
        h("thead", {}, h("tr", {}, [["From"], ["To"], ...source.heads].map(head))),
        h("tbody", {}, rows),
      ),
    );
  }
}
