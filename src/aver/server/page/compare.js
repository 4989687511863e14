// Two recordings under each other, on one time axis or each on its own.

import * as api from "./api.js";
import { scaleOf } from "./curves.js";
import { fill, h } from "./dom.js";
import { printable } from "./format.js";
import { Paint } from "./palette.js";
import { leadingTrack, means } from "./people.js";
import { factsOf, meaning, Opened } from "./opened.js";
import { timelineKeys } from "./recording.js";
import { defineLabels, swatch } from "./swatches.js";
import { Choice } from "./timeline.js";
import { toolbar } from "./toolbar.js";
import { View } from "./view.js";

const MOST_COLUMNS = 4;

/** Choose two recordings; what was chosen already stands first. */
function picker(jobs, chosen) {
  const select = (id, words, value) =>
    h(
      "label",
      { for: id },
      `${words} `,
      h(
        "select",
        { id },
        h("option", { value: "" }, "choose a recording"),
        jobs.map((job) =>
          h("option", { value: job.id, props: { selected: job.id === value } }, printable(job.name)),
        ),
      ),
    );
  const above = select("compare-above", "Above", chosen[0]),
    below = select("compare-below", "Below", chosen[1]);
  const go = () => {
    const ids = [above, below].map((label) => label.querySelector("select").value);
    if (ids[0] && ids[1]) location.hash = `#/compare/${ids.join("/")}`;
  };
  for (const label of [above, below]) label.addEventListener("change", go);
  return h("div", { class: "row picker" }, above, below);
}

async function doneJobs(ids) {
  const { jobs } = await api.list(`v1/analyses?limit=100&state=done`);
  for (const id of ids) if (!jobs.some((job) => job.id === id)) jobs.push(await api.get(id));
  return jobs;
}

/** The page. Returns { element, keys, repaint, destroy }. */
export async function comparePage(ids) {
  const chosen = ids.filter(Boolean);
  const jobs = await doneJobs(chosen);
  const head = h("header", { class: "head" }, h("h1", {}, "Compare two recordings"));
  if (chosen.length < 2) {
    const hint =
      jobs.length < 2
        ? "Two analysed recordings are needed."
        : "Choose two recordings to see them under each other.";
    return {
      element: h(
        "div",
        { class: "compare" },
        head,
        h("div", { class: "card" }, picker(jobs, chosen), h("p", { class: "hint" }, hint)),
      ),
      title: "Compare",
      opened: [],
      keys: () => false,
      repaint() {},
      destroy() {},
    };
  }
  const opened = await Promise.all(chosen.slice(0, 2).map((id) => Opened.load(id)));
  const [first, second] = opened;
  if (first.packed.labels.join("\n") !== second.packed.labels.join("\n")) {
    throw new api.Problem({
      title: "These cannot be compared",
      detail: "The two results were made by models that score different emotions.",
    });
  }
  defineLabels(first.packed.labels);
  const paint = new Paint(first.packed.labels),
    choice = new Choice();
  const page = { shared: true, active: first };
  const body = h("div");
  const mode = (words, shared) => {
    const button = h(
      "button",
      {
        type: "button",
        class: "toggle",
        "aria-pressed": String(page.shared === shared),
        onclick: () => {
          page.shared = shared;
          for (const other of modes) other.setAttribute("aria-pressed", String(other === button));
          draw();
        },
      },
      words,
    );
    return button;
  };
  const modes = [mode("One time axis", true), mode("Each its own", false)];

  function draw() {
    const times = opened.map((one) => one.stage?.clock.time ?? 0);
    for (const one of opened) one.destroy();
    const total = Math.max(...opened.map((one) => one.packed.duration));
    const shared = page.shared ? new View(total, Math.min(total, 2)) : null;
    const scale = scaleOf(opened.flatMap((one) => one.packed.tracks));
    const longest = first.packed.duration >= second.packed.duration ? first : second;
    for (const one of opened) {
      one.build({ choice, paint, scale, view: shared, leads: !shared || one === longest });
      one.onSeek = shared
        ? (time) => {
            for (const each of opened) each.seek(time);
          }
        : null;
    }
    opened.forEach((one, i) => {
      if (times[i] > 0) one.seek(times[i]);
    });
    second.stage.player.muted = true;
    page.active = shared ? longest : first;
    page.others = shared ? opened.filter((one) => one !== longest) : [];
    const part = (one, i) =>
      h(
        "section",
        {
          class: "card compared",
          "aria-label": one.name,
          onpointerdown: () => {
            if (!page.shared) page.active = one;
          },
          onfocusin: () => {
            if (!page.shared) page.active = one;
          },
        },
        h(
          "div",
          { class: "compared-head" },
          h("h2", {}, h("a", { href: `#/recording/${one.job.id}` }, h("bdi", {}, one.name))),
          h(
            "ul",
            { class: "facts" },
            factsOf(one.packed, one.job).map((fact) => h("li", {}, fact)),
          ),
        ),
        !shared || i === 0 ? toolbar({ packed: one.packed, choice, view: one.view }) : null,
        h("div", { class: "side-by-side small" }, one.stage.element, one.timeline.element),
      );
    fill(body, opened.map(part), meansTable(opened));
  }

  draw();
  const element = h(
    "div",
    { class: "compare" },
    head,
    meaning(),
    h(
      "div",
      { class: "row between" },
      picker(jobs, chosen),
      h("div", { class: "group", role: "group", "aria-label": "Time axis" }, modes),
    ),
    body,
  );
  return {
    element,
    title: "Compare",
    opened,
    keys: (event) => timelineKeys(event, page.active, page.others),
    repaint: () => {
      paint.read();
      for (const one of opened) {
        one.timeline.repaint();
        one.stage.drawBoxes();
      }
    },
    destroy: () => {
      for (const one of opened) one.destroy();
    },
  };
}

/** Mean score of each label and person; weak windows count half. */
function meansTable(opened) {
  const labels = opened[0].packed.labels;
  const columns = opened.flatMap((one) =>
    one.cast
      .filter((each) => leadingTrack(each.tracks))
      .slice(0, MOST_COLUMNS)
      .map((each) => ({
        file: one.name,
        who: one.names.of(each.person),
        values: means(leadingTrack(each.tracks), labels.length),
      })),
  );
  const isPair = columns.length === 2 && columns[0].file !== columns[1].file;
  const sign = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "Mean scores"),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Mean scores, table" },
      h(
        "table",
        { class: "means" },
        h("caption", {}, "Mean score of what is expressed, from 0 to 1; weak windows count half"),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "Emotion"),
            columns.map((column) =>
              h(
                "th",
                { scope: "col", class: "number" },
                h("bdi", {}, column.file),
                h("br"),
                h("span", { class: "hint" }, column.who),
              ),
            ),
            isPair ? h("th", { scope: "col", class: "number" }, "Difference") : null,
          ),
        ),
        h(
          "tbody",
          {},
          labels.map((label, i) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, swatch(i), " ", printable(label)),
              columns.map((column) => h("td", { class: "number" }, column.values[i].toFixed(2))),
              isPair ? h("td", { class: "number" }, sign(columns[1].values[i] - columns[0].values[i])) : null,
            ),
          ),
        ),
      ),
    ),
  );
}
