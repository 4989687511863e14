// The first page: a place to drop recordings, what is being worked on, and what is done.

import * as api from "./api.js";
import { announce, confirmed, h, icon } from "./dom.js";
import { printable } from "./format.js";
import { dropAnywhere } from "./drop.js";
import { endedRow, openRow, Pace, STATE_WORDS, uploadRow } from "./job_rows.js";

const FOLLOWED = 2; // streams at a time; browsers allow six connections to one server
const SENT_AT_ONCE = 2;

export class Library {
  constructor() {
    this.jobs = new Map();
    this.uploads = [];
    this.followed = new Map();
    this.pace = new Pace();
    this.rows = new Map();
    this.said = new Map();
    this.next = null;
    this.chosen = new Set();
    this.element = this.#build();
    addEventListener("beforeunload", (event) => {
      if (this.uploads.some((one) => one.state === "sending" || one.state === "waiting"))
        event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.refresh();
    });
    dropAnywhere((files) => {
      if (this.add(files)) location.hash = "#/";
    });
    this.refresh();
  }

  #build() {
    this.input = h("input", {
      type: "file",
      multiple: true,
      id: "files",
      class: "visually-hidden",
      accept: "video/*,audio/*,image/*,.mkv,.flv,.avi,.mov,.ts,.mxf,.opus",
      onchange: () => {
        this.add(this.input.files);
        this.input.value = "";
      },
    });
    this.drop = h(
      "div",
      { class: "drop card" },
      icon("drop"),
      h(
        "div",
        {},
        h(
          "p",
          { class: "drop-title" },
          h("span", { class: "wide-only" }, "Drop recordings here, or "),
          this.input,
          h("label", { for: "files", class: "button primary" }, "Choose files"),
        ),
        h(
          "p",
          { class: "hint" },
          "Video or sound, several at once. They go to the server that runs this page and nowhere else.",
        ),
      ),
    );
    this.trouble = h("p", { class: "trouble", role: "alert", hidden: true });
    this.queue = h("ul", { class: "jobs" });
    this.done = h("ul", { class: "jobs" });
    this.queueCard = h(
      "section",
      { class: "card", "aria-labelledby": "queue-title", hidden: true },
      h("h2", { id: "queue-title" }, "In work"),
      this.queue,
    );
    this.more = h("button", { type: "button", hidden: true, onclick: () => this.#more() }, "Show older ones");
    this.compare = h("a", { class: "button", hidden: true }, "Compare the two chosen");
    this.empty = h(
      "p",
      { class: "hint", hidden: true },
      "Nothing here yet. Recordings appear once they are analysed.",
    );
    this.doneCard = h(
      "section",
      { class: "card", "aria-labelledby": "done-title" },
      h("div", { class: "row between" }, h("h2", { id: "done-title" }, "Recordings"), this.compare),
      this.empty,
      this.done,
      this.more,
    );
    return h(
      "div",
      { class: "library" },
      h("h1", { class: "visually-hidden" }, "Recordings"),
      this.drop,
      this.trouble,
      this.queueCard,
      this.doneCard,
    );
  }

  /** Queue files for sending. */
  add(files) {
    for (const file of files) this.uploads.push({ file, state: "waiting", share: 0, key: Symbol(file.name) });
    this.send();
    this.draw();
    return files.length;
  }

  send() {
    while (this.uploads.filter((one) => one.state === "sending").length < SENT_AT_ONCE) {
      const next = this.uploads.find((one) => one.state === "waiting");
      if (!next) return;
      this.#sendOne(next);
    }
  }

  async #sendOne(one) {
    one.state = "sending";
    const began = performance.now();
    one.sending = api.upload(
      one.file,
      (share) => {
        one.share = share;
        const seconds = (performance.now() - began) / 1000;
        one.left = seconds > 1.5 && share > 0.02 ? (seconds * (1 - share)) / share : NaN;
        this.draw();
      },
      one.token,
    );
    one.token = one.sending.token;
    try {
      const job = await one.sending.done;
      this.uploads = this.uploads.filter((other) => other !== one);
      this.#take(job);
    } catch (error) {
      if (
        error.status === 401 &&
        (await api.list().then(
          () => true,
          () => false,
        ))
      )
        one.state = "waiting";
      else if (error.name === "AbortError") this.uploads = this.uploads.filter((other) => other !== one);
      else {
        one.state = "refused";
        one.problem = error;
        announce(`${printable(one.file.name)} was not taken: ${error.message}`);
      }
    }
    this.send();
    this.draw();
    this.#plan();
  }

  async refresh() {
    clearTimeout(this.timer);
    try {
      const { jobs, next } = await api.list();
      const known = new Set(jobs.map((job) => job.id));
      const oldest = jobs.at(-1)?.created;
      for (const [id, job] of this.jobs)
        if (!known.has(id) && (!next || job.created > oldest)) this.jobs.delete(id);
      if (this.next === null || !this.paged) this.next = next;
      for (const job of jobs) this.#take(job, false);
      this.trouble.hidden = true;
    } catch (error) {
      this.trouble.hidden = false;
      this.trouble.textContent = error.message;
    }
    this.loaded = true;
    this.draw();
    this.#plan();
  }

  async #more() {
    const { jobs, next } = await api.list(this.next);
    this.paged = true;
    this.next = next;
    for (const job of jobs) this.#take(job, false);
    this.draw();
  }

  #plan() {
    clearTimeout(this.timer);
    const isBusy = [...this.jobs.values()].some((job) => !api.ENDED.has(job.state));
    this.timer = setTimeout(
      () => {
        if (document.hidden && !isBusy) this.#plan();
        else this.refresh();
      },
      isBusy ? 3000 : 20000,
    );
  }

  #take(job, isDrawn = true) {
    const before = this.jobs.get(job.id);
    if (before && api.ENDED.has(before.state) && !api.ENDED.has(job.state)) return;
    this.jobs.set(job.id, job);
    this.#tell(job, before);
    if (job.state === "running" && !this.followed.has(job.id) && this.followed.size < FOLLOWED)
      this.#follow(job.id);
    if (isDrawn) this.draw();
  }

  #tell(job, before) {
    const quarter = Math.floor((job.progress ?? 0) * 4) * 25;
    const now = job.state === "running" ? `running ${quarter}` : job.state;
    const last = this.said.get(job.id);
    this.said.set(job.id, now);
    if (!before || last === now) return;
    const name = printable(job.name);
    if (job.state === "running") announce(`${name}: ${quarter} per cent`);
    else if (job.state === "failed")
      announce(`${name} failed: ${job.problem?.detail || job.problem?.title || ""}`);
    else announce(`${name}: ${STATE_WORDS[job.state] ?? job.state}`);
  }

  async #follow(id) {
    const stop = new AbortController();
    this.followed.set(id, stop);
    await api.follow(
      id,
      (job) => {
        if (job) this.#take(job);
        else {
          this.jobs.delete(id);
          this.draw();
        }
      },
      stop.signal,
    );
    this.followed.delete(id);
    const next = [...this.jobs.values()].find((job) => job.state === "running" && !this.followed.has(job.id));
    if (next) this.#follow(next.id);
    else this.#plan();
  }

  /* ---- drawing ---- */

  draw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.#draw();
    });
  }

  #draw() {
    const jobs = [...this.jobs.values()].sort((a, b) =>
      a.created < b.created ? 1 : a.created > b.created ? -1 : 0,
    );
    const open = jobs.filter((job) => !api.ENDED.has(job.state)).reverse();
    const ended = jobs.filter((job) => api.ENDED.has(job.state));
    this.#place(this.queue, [
      ...this.uploads.map((one) => [one.key, one, uploadRow]),
      ...open.map((job) => [job.id, job, openRow]),
    ]);
    this.#place(
      this.done,
      ended.map((job) => [job.id, job, endedRow]),
    );
    this.queueCard.hidden = !open.length && !this.uploads.length;
    this.empty.hidden = !this.loaded || ended.length > 0;
    this.more.hidden = !this.next;
    for (const id of this.chosen) if (this.jobs.get(id)?.state !== "done") this.chosen.delete(id);
    this.compare.hidden = this.chosen.size !== 2;
    this.compare.href = `#/compare/${[...this.chosen].join("/")}`;
  }

  /** Rows are kept while what they show is the same, so that focus and clicks are not lost. */
  #place(listElement, entries) {
    const wanted = entries.map(([key, value, make]) => {
      const kept = this.rows.get(key);
      const print = `${make.name} ${value.state} ${value.name ?? ""}`;
      if (kept && kept.print === print) {
        kept.update?.(value);
        return kept.element;
      }
      const row = make(value, this);
      this.rows.set(key, { ...row, print });
      row.update?.(value);
      return row.element;
    });
    wanted.forEach((element, i) => {
      if (listElement.children[i] !== element)
        listElement.insertBefore(element, listElement.children[i] ?? null);
    });
    while (listElement.children.length > wanted.length) listElement.lastChild.remove();
  }

  async askToDelete(job) {
    const name = printable(job.name);
    if (
      !(await confirmed(
        `Delete ${name}?`,
        "The recording, its results and the names given in it are erased from the server. This cannot be undone.",
        "Delete",
      ))
    )
      return;
    if (await this.attempt(() => api.remove(job.id))) {
      this.jobs.delete(job.id);
      announce(`${name} is deleted`);
      this.draw();
    }
  }

  async attempt(action) {
    try {
      await action();
      this.refresh();
      return true;
    } catch (error) {
      this.trouble.hidden = false;
      this.trouble.textContent = error.message;
      return false;
    }
  }
}
