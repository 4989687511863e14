// One recording: its player beside its timeline, names, downloads, the table.

import * as api from "./api.js";
import { announce, confirmed, h } from "./dom.js";
import { bytes, clock, printable } from "./format.js";
import { Now, AffectPlane } from "./now.js";
import { Paint } from "./palette.js";
import { castOf, Names } from "./people.js";
import { Stage } from "./stage.js";
import { defineLabels } from "./swatches.js";
import { ScoreTable } from "./table.js";
import { Choice, Timeline } from "./timeline.js";
import { toolbar } from "./toolbar.js";
import { View } from "./view.js";

const FORMATS = [
  ["html", "Report", "one page that opens anywhere"], ["json", "JSON", "everything"], ["csv", "CSV", "a row a window"],
  ["parquet", "Parquet", "the same, for programs"], ["vtt", "WebVTT", "subtitles"], ["eaf", "ELAN", "annotation tiers"],
  ["textgrid", "Praat TextGrid", "annotation tiers"],
];

const NAMES_WAIT = 150; // milliseconds

/** Everything about one result: data, view, player, timeline. Two of them make a comparison. */
export class Opened {
  static async load(id) {
    await api.openSession();
    // All are asked for at once; where the job is not done, only that is told.
    const result = api.loadTimeline(api.resultUrl(id, "json")), people = api.people(id);
    for (const asked of [result, people]) asked.catch(() => {});
    const job = await api.get(id);
    if (job.state !== "done") throw new api.Problem({ title: `This recording is ${job.state}`, detail: `${printable(job.name)} has no result: it is ${job.state}. ${job.problem?.detail ?? ""}` });
    const packed = await result;
    // Of a long recording names come late: it is shown without them first.
    const given = await Promise.race([people.catch(() => new Map()), new Promise((resolve) => { setTimeout(resolve, NAMES_WAIT); })]);
    const opened = new Opened(job, packed, given ?? new Map());
    if (!given) people.then((late) => opened.names.add(late), () => {});
    return opened;
  }

  constructor(job, packed, given) {
    Object.assign(this, { job, packed });
    this.name = printable(job.name);
    this.names = new Names(packed, given);
    this.cast = castOf(packed);
  }

  /** Make player and timeline. Views and choices may be shared; then one of them leads the playhead. */
  build({ choice, paint, view = null, leads = true, scale }) {
    const { packed, names, cast } = this;
    const window = packed.tracks.length && packed.tracks[0].count ? packed.tracks[0].end[0] - packed.tracks[0].start[0] : 0.5;
    this.view = view ?? new View(packed.duration, Math.max(1, 4 * window));
    const faces = (one, i) => {
      const jpeg = one.seen?.thumbnails?.[i]?.jpeg;
      return jpeg ? `data:image/jpeg;base64,${jpeg}` : null;
    };
    this.stage = new Stage({ packed, names, paint, cast, faces, label: this.name, source: this.job.links.recording ? api.recordingUrl(this.job.id) : null });
    this.timeline = new Timeline({
      packed, view: this.view, paint, names, choice, scale, thumbnails: faces, label: this.name,
      seek: (time) => (this.onSeek ?? ((t) => this.seek(t)))(time), onRename: (one, head) => this.#rename(one, head),
    });
    if (leads) this.stage.addEventListener("time", () => this.view.arrive(this.stage.clock.time, this.stage.clock.isPlaying));
    this.stage.addEventListener("seek", (event) => (this.onSeek ?? ((t) => this.seek(t)))(event.detail));
    names.addEventListener("change", () => this.stage.drawBoxes());
    return this;
  }

  seek(time) {
    this.stage.seek(Math.min(this.packed.duration, Math.max(0, time)));
    if (!this.view.isInside(this.view.playhead)) {
      const half = this.view.length / 2;
      this.view.look(this.view.playhead - half, this.view.playhead + half);
    }
  }

  #rename(one, head) {
    if (head.querySelector("form")) return;
    const row = head.querySelector(".name-row");
    const input = h("input", { type: "text", maxlength: 100, autocomplete: "off", "aria-label": `Name of person ${one.person}`, props: { value: this.names.given.get(one.person) ?? "" }, placeholder: `Person ${one.person}` });
    const wrong = h("span", { class: "why", role: "alert" });
    const close = () => { form.remove(); row.hidden = false; row.querySelector("button")?.focus(); };
    const form = h("form", { class: "rename-form", onsubmit: async (event) => {
      event.preventDefault();
      try {
        await api.namePerson(this.job.id, one.person, input.value.trim());
        this.names.set(one.person, input.value.trim());
        announce(`Person ${one.person} is called ${this.names.of(one.person)}`);
        close();
      } catch (error) { wrong.textContent = error.message; }
    }, onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } } },
    input, h("button", { class: "primary" }, "Save"), h("button", { type: "button", onclick: close }, "Cancel"), wrong);
    row.hidden = true;
    row.after(form);
    input.focus();
    input.select();
  }

  destroy() {
    this.stage?.destroy();
    this.timeline?.destroy();
  }
}

const codecName = (name) => printable(String(name ?? "").replace(/float$/u, ""));

/** What stands in the head of a recording: length, picture, sound. */
export function factsOf(packed, job) {
  const { media, duration } = packed;
  const facts = media.is_image ? [] : [clock(duration, duration < 60 ? 1 : 0)];
  if (media.has_video) facts.push([media.is_image ? "picture" : "video", media.width ? `${media.width} × ${media.height}` : "", media.video_codec].filter(Boolean).map(printable).join(" "));
  else if (media.has_video === false) facts.push("no picture");
  if (media.has_audio) facts.push(["sound", media.sample_rate ? `${media.sample_rate / 1000} kHz` : "", codecName(media.audio_codec)].filter(Boolean).map(printable).join(" "));
  else if (media.has_audio === false && !media.is_image) facts.push("no sound");
  if (job?.size) facts.push(bytes(job.size));
  return facts;
}

/** One line above every result. */
export const meaning = () => h("p", { class: "meaning" },
  "Scores of what faces and voices express, as an observer might name it, with their uncertainty; not of what anybody feels. ",
  h("a", { href: "#/guide" }, "How to read this, and what it must not be used for"));

/** What stands below a timeline: how sure the scores are, and how to move. */
function below(packed) {
  const error = packed.model.expected_calibration_error;
  const off = typeof error === "number" ? error : error?.fused;
  return [
    h("p", { class: "hint" }, "Hatched and half-height parts rest on weak evidence. ", typeof off === "number"
      ? `On held-out recordings, stated and actual rates of being right differ by ${(100 * off).toFixed(1)} percentage points on average; on others, expect more.`
      : "How often a label of a given score is right was not measured for this model: compare scores with one another rather than take them for chances."),
    h("p", { class: "hint mouse-only" }, "Click or drag to move the playhead. Zoom with + and −, the wheel over the scale, or Ctrl and the wheel; Shift and the wheel moves along. Space plays; arrows move a second, with Shift ten."),
    h("p", { class: "hint touch-only" }, "Tap or drag sideways to move the playhead; pinch to zoom."),
  ];
}

export function downloads(job) {
  const stem = printable(job.name).replace(/\.[^.]*$/u, "") || "recording";
  const menu = h("details", { class: "menu" }, h("summary", { class: "button" }, "Download"), h("ul", {}, FORMATS.map(([format, words, hint]) => h("li", {},
    h("a", { href: api.resultUrl(job.id, format), download: `${stem}.${format === "textgrid" ? "TextGrid" : format}`, dataset: { format } }, words, h("span", { class: "hint" }, hint))))));
  menu.addEventListener("focusout", (event) => { if (!menu.contains(event.relatedTarget)) menu.open = false; });
  menu.addEventListener("keydown", (event) => { if (event.key === "Escape" && menu.open) { event.stopPropagation(); menu.open = false; menu.firstChild.focus(); } });
  return menu;
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
  const remove = h("button", { type: "button", onclick: async () => {
    if (!(await confirmed(`Delete ${name}?`, "The recording, its results and the names given in it are erased from the server. This cannot be undone.", "Delete"))) return;
    try { await api.remove(id); location.hash = "#/"; } catch (error) { announce(error.message); }
  } }, "Delete");
  const element = h("div", { class: "recording" },
    h("header", { class: "head" }, h("div", {}, h("h1", {}, h("bdi", {}, name)), h("ul", { class: "facts" }, factsOf(packed, job).map((fact) => h("li", {}, fact)))),
      h("div", { class: "row" }, downloads(job), h("a", { class: "button", href: `#/compare/${id}` }, "Compare"), remove)),
    meaning(),
    packed.warnings.length ? h("details", { class: "warnings" }, h("summary", {}, packed.warnings.length === 1 ? "1 thing to note" : `${packed.warnings.length} things to note`), h("ul", {}, packed.warnings.map((text) => h("li", {}, printable(text))))) : null,
    h("div", { class: "side-by-side" },
      h("div", { class: "left" }, h("div", { class: "stage-card" }, opened.stage.element), h("div", { class: "card now-card" }, h("h2", {}, "At the playhead"), now.element), h("div", { class: "card" }, affect.element)),
      h("div", { class: "card timeline-card" }, bar(), packed.tracks.length ? null : h("p", { class: "hint" }, "No face and no voice was found, so there is nothing to score."), opened.timeline.element,
        below(packed))),
    table.element);
  return {
    element, title: name, opened: [opened],
    keys: (event) => timelineKeys(event, opened),
    repaint: () => { paint.read(); opened.timeline.repaint(); opened.stage.drawBoxes(); },
    destroy: () => opened.destroy(),
  };
}

/** Space, arrows, plus and minus, 0, Home and End. True where the key was one of them. */
export function timelineKeys(event, opened, others = []) {
  const { view, stage, packed } = opened;
  const step = event.shiftKey ? 10 : 1;
  const seek = (time) => { opened.seek(time); for (const other of others) other.seek(time); };
  const actions = {
    " ": () => { stage.toggle(); for (const other of others) { if (stage.clock.isPlaying) other.stage.clock.play(); else other.stage.clock.pause(); } },
    ArrowLeft: () => seek(stage.clock.time - step), ArrowRight: () => seek(stage.clock.time + step),
    Home: () => seek(0), End: () => seek(packed.duration),
    "+": () => view.zoom(0.5), "=": () => view.zoom(0.5), "-": () => view.zoom(2), "−": () => view.zoom(2), 0: () => view.whole(),
  };
  if (!Object.hasOwn(actions, event.key)) return false;
  actions[event.key]();
  return true;
}
