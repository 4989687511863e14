// Rows of the list: { element, update(value) }.

import * as api from "./api.js";
import { fill, h } from "./dom.js";
import { bytes, clock, left, printable, when } from "./format.js";

export const STATE_WORDS = {
  uploading: "being sent",
  queued: "waiting",
  running: "being analysed",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
};

/** How fast analyses go, as far as this page has seen. */
export class Pace {
  #seen = new Map();

  /** Seconds that are left, by how fast it went since this page first looked; NaN while unknown. */
  left(job) {
    const now = performance.now() / 1000,
      done = job.progress ?? 0;
    const seen = this.#seen.get(job.id);
    if (!seen || done < seen.done) {
      this.#seen.set(job.id, { at: now, done, time: now, last: done });
      return NaN;
    }
    if (done > seen.last) Object.assign(seen, { last: done, time: now });
    const gone = seen.time - seen.at,
      made = seen.last - seen.done;
    return gone > 1 && made > 0.01 ? Math.max(0, ((1 - seen.last) * gone) / made - (now - seen.time)) : NaN;
  }
}

/** A file that is being sent, waits to be, or was refused. */
export function uploadRow(one, library) {
  const name = printable(one.file.name);
  const { bar, note, set } = progress(`Sending ${name}`);
  const stop = h(
    "button",
    {
      type: "button",
      onclick: () => {
        if (one.state === "sending") one.sending.abort();
        else {
          library.uploads = library.uploads.filter((other) => other !== one);
          library.draw();
        }
      },
      "aria-label": `Do not send ${name}`,
    },
    one.state === "refused" ? "Dismiss" : "Cancel",
  );
  const again =
    one.state === "refused"
      ? h(
          "button",
          {
            type: "button",
            onclick: () => {
              one.state = "waiting";
              one.share = 0;
              library.send();
              library.draw();
            },
            "aria-label": `Send ${name} again`,
          },
          "Try again",
        )
      : null;
  const why = one.state === "refused" ? h("p", { class: "why" }, one.problem.message) : null;
  return {
    element: h(
      "li",
      { class: one.state === "refused" ? "job failed" : "job" },
      h("div", { class: "job-name" }, h("bdi", {}, name), h("span", { class: "hint" }, bytes(one.file.size))),
      why ? null : bar,
      why ?? note,
      h("div", { class: "job-actions" }, again, stop),
    ),
    update: () =>
      set(
        one.share,
        one.state === "waiting" ? "waiting to be sent" : `sending, ${Math.floor(100 * one.share)} %`,
        left(one.left),
      ),
  };
}

/** An analysis that waits or runs. */
export function openRow(job, library) {
  const name = printable(job.name);
  const { bar, note, set } = progress(`Analysis of ${name}`);
  const stop = h(
    "button",
    {
      type: "button",
      "aria-label": `Cancel the analysis of ${name}`,
      onclick: () => library.attempt(() => api.cancel(job.id)),
    },
    "Cancel",
  );
  return {
    element: h(
      "li",
      { class: "job", dataset: { id: job.id, state: job.state } },
      h("div", { class: "job-name" }, h("bdi", {}, name), h("span", { class: "hint" }, bytes(job.size))),
      bar,
      note,
      h("div", { class: "job-actions" }, stop),
    ),
    update: (now) => {
      const share = now.progress ?? 0;
      const part = now.state === "running" ? `${Math.floor(100 * share)} %` : STATE_WORDS[now.state];
      const of =
        now.state === "running" && now.seconds_total
          ? `${clock(now.seconds_done)} of ${clock(now.seconds_total)}`
          : "";
      set(
        share,
        [part, of].filter(Boolean).join(" · "),
        now.state === "running" ? left(library.pace.left(now)) : "",
      );
    },
  };
}

/** An analysis that is done, has failed or was cancelled. */
export function endedRow(job, library) {
  const name = printable(job.name);
  const isDone = job.state === "done";
  const facts = [
    isDone && job.seconds_total ? clock(job.seconds_total) : "",
    bytes(job.size),
    when(job.finished ?? job.created),
  ]
    .filter(Boolean)
    .join(" · ");
  const box = isDone
    ? h("input", {
        type: "checkbox",
        "aria-label": `Choose ${name} to compare`,
        title: "Choose to compare",
        onchange: (event) => {
          if (event.target.checked) library.chosen.add(job.id);
          else library.chosen.delete(job.id);
          library.draw();
        },
      })
    : h("span", { class: "no-box" });
  const why =
    job.state === "failed"
      ? h(
          "p",
          { class: "why" },
          h("strong", {}, job.problem?.title || "It failed"),
          job.problem?.detail ? ` – ${job.problem.detail}` : "",
        )
      : null;
  return {
    element: h(
      "li",
      { class: `job ended ${job.state}`, dataset: { id: job.id, state: job.state } },
      box,
      h(
        "div",
        { class: "job-name" },
        isDone ? h("a", { href: `#/recording/${job.id}` }, h("bdi", {}, name)) : h("bdi", {}, name),
        h("span", { class: "hint" }, isDone ? facts : `${STATE_WORDS[job.state]} · ${facts}`),
      ),
      why,
      h(
        "div",
        { class: "job-actions" },
        h(
          "button",
          { type: "button", "aria-label": `Delete ${name}`, onclick: () => library.askToDelete(job) },
          "Delete",
        ),
      ),
    ),
  };
}

function progress(label) {
  const filled = h("div", { class: "bar-fill" });
  const bar = h(
    "div",
    { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100" },
    filled,
  );
  const state = h("span"),
    rest = h("span");
  const set = (share, text, leftText) => {
    filled.style.width = `${(100 * share).toFixed(1)}%`;
    bar.setAttribute("aria-valuenow", String(Math.floor(100 * share)));
    if (state.textContent !== text) fill(state, text);
    if (rest.textContent !== leftText) fill(rest, leftText);
  };
  return { bar, note: h("p", { class: "note" }, state, rest), set };
}
