// A result that is open: its data, player and timeline. Two of them make a comparison.

import * as api from "./api.js";
import { announce, h } from "./dom.js";
import { bytes, clock, printable } from "./format.js";
import { castOf, Names } from "./people.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";

const NAMES_WAIT = 150; // milliseconds

export class Opened {
  static async load(id) {
    await api.openSession();
    // Both are asked for at once; where the job is not done, only that is told.
    const result = api.loadTimeline(api.resultUrl(id, "json"));
    result.catch(() => {});
    const job = await api.get(id);
    if (job.state !== "done")
      throw new api.Problem({
        title: `This recording is ${job.state}`,
        detail: `${printable(job.name)} has no result: it is ${job.state}. ${job.problem?.detail ?? ""}`,
      });
    const packed = await result;
    // Of a long recording names come late, because the server reads all of it for them: it is shown
    // without them first.
    const people = api.people(id);
    const given = await Promise.race([
      people.catch(() => new Map()),
      new Promise((resolve) => {
        setTimeout(resolve, NAMES_WAIT);
      }),
    ]);
    const opened = new Opened(job, packed, given ?? new Map());
    if (!given)
      people.then(
        (late) => opened.names.add(late),
        () => {},
      );
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
    const window =
      packed.tracks.length && packed.tracks[0].count
        ? packed.tracks[0].end[0] - packed.tracks[0].start[0]
        : 0.5;
    this.view = view ?? new View(packed.duration, Math.max(1, 4 * window));
    const faces = (one, i) => {
      const jpeg = one.seen?.thumbnails?.[i]?.jpeg;
      return jpeg ? `data:image/jpeg;base64,${jpeg}` : null;
    };
    this.stage = new Stage({
      packed,
      names,
      paint,
      cast,
      faces,
      label: this.name,
      source: this.job.links.recording ? api.recordingUrl(this.job.id) : null,
    });
    this.timeline = new Timeline({
      packed,
      view: this.view,
      paint,
      names,
      choice,
      scale,
      thumbnails: faces,
      label: this.name,
      seek: (time) => (this.onSeek ?? ((t) => this.seek(t)))(time),
      onRename: (one, head) => this.#rename(one, head),
    });
    if (leads)
      this.stage.addEventListener("time", () =>
        this.view.arrive(this.stage.clock.time, this.stage.clock.isPlaying),
      );
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
    const input = h("input", {
      type: "text",
      maxlength: 100,
      autocomplete: "off",
      "aria-label": `Name of person ${one.person}`,
      props: { value: this.names.given.get(one.person) ?? "" },
      placeholder: `Person ${one.person}`,
    });
    const wrong = h("span", { class: "why", role: "alert" });
    const close = () => {
      form.remove();
      row.hidden = false;
      row.querySelector("button")?.focus();
    };
    const form = h(
      "form",
      {
        class: "rename-form",
        onsubmit: async (event) => {
          event.preventDefault();
          try {
            await api.namePerson(this.job.id, one.person, input.value.trim());
            this.names.set(one.person, input.value.trim());
            announce(`Person ${one.person} is called ${this.names.of(one.person)}`);
            close();
          } catch (error) {
            wrong.textContent = error.message;
          }
        },
        onkeydown: (event) => {
          if (event.key === "Escape") {
            event.stopPropagation();
            close();
          }
        },
      },
      input,
      h("button", { class: "primary" }, "Save"),
      h("button", { type: "button", onclick: close }, "Cancel"),
      wrong,
    );
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
  if (media.has_video)
    facts.push(
      [
        media.is_image ? "picture" : "video",
        media.width ? `${media.width} × ${media.height}` : "",
        media.video_codec,
      ]
        .filter(Boolean)
        .map(printable)
        .join(" "),
    );
  else if (media.has_video === false) facts.push("no picture");
  if (media.has_audio)
    facts.push(
      ["sound", media.sample_rate ? `${media.sample_rate / 1000} kHz` : "", codecName(media.audio_codec)]
        .filter(Boolean)
        .map(printable)
        .join(" "),
    );
  else if (media.has_audio === false && !media.is_image) facts.push("no sound");
  if (job?.size) facts.push(bytes(job.size));
  return facts;
}

/** One line above every result. */
export const meaning = () =>
  h(
    "p",
    { class: "meaning" },
    "Scores of what faces and voices express, as an observer might name it, with their uncertainty; not of what anybody feels. ",
    h("a", { href: "#/guide" }, "How to read this, and what it must not be used for"),
  );
