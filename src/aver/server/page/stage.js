// The picture with its boxes, and the controls below it. Where the browser cannot play a recording,
// a plate says so, shows the faces, and a silent clock moves the playhead instead.

import { drawBoxes } from "./boxes.js";
import { MediaClock, SilentClock } from "./clock.js";
import { fill, h, icon } from "./dom.js";
import { clock as told, printable } from "./format.js";

const SPEEDS = [0.25, 0.5, 1, 1.5, 2];
const SLOW_TO_ANSWER = 8000;

export class Stage extends EventTarget {
  /** @param context { packed, names, paint, cast, source, faces, label }; `source` is null where the recording was deleted. */
  constructor(context) {
    super();
    Object.assign(this, context);
    this.media = this.packed.media;
    this.isPicture = this.media.has_video !== false && this.media.width > 0;
    this.decimals = this.packed.duration < 3600 ? 1 : 0;
    this.showBoxes = true;
    this.clock = new SilentClock(this.packed.duration);
    this.element = this.#build();
    this.#listen(this.clock);
    this.#open();
    this.observer = new ResizeObserver(() => this.drawBoxes());
    this.observer.observe(this.frame);
  }

  #build() {
    this.player = h("video", {
      playsinline: true,
      preload: "auto",
      tabindex: "-1",
      "aria-label": `Picture of ${this.label}`,
    });
    this.canvas = h("canvas", { class: "boxes", "aria-hidden": "true" });
    this.plate = h("div", { class: "plate", hidden: true });
    this.frame = h(
      "div",
      { class: this.isPicture ? "frame" : "frame sound-only" },
      this.player,
      this.plate,
      this.canvas,
    );
    if (this.isPicture) this.frame.style.aspectRatio = `${this.media.width} / ${this.media.height}`;
    this.playButton = h(
      "button",
      { type: "button", class: "play", "aria-label": "Play", onclick: () => this.toggle() },
      icon("play"),
    );
    this.time = h("output", { class: "time", "aria-label": "Time" });
    this.speed = h(
      "select",
      {
        "aria-label": "Speed",
        onchange: () => {
          this.clock.rate = Number(this.speed.value);
        },
      },
      SPEEDS.map((value) => h("option", { value, props: { selected: value === 1 } }, `${value} ×`)),
    );
    this.mute = h(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": "Sound off",
        "aria-pressed": "false",
        onclick: () => {
          this.player.muted = !this.player.muted;
        },
      },
      icon("sound"),
    );
    this.player.addEventListener("volumechange", () => {
      fill(this.mute, icon(this.player.muted ? "muted" : "sound"));
      this.mute.setAttribute("aria-pressed", String(this.player.muted));
    });
    this.boxesButton = h(
      "button",
      {
        type: "button",
        class: "toggle",
        "aria-pressed": "true",
        onclick: () => {
          this.showBoxes = !this.showBoxes;
          this.boxesButton.setAttribute("aria-pressed", String(this.showBoxes));
          this.drawBoxes();
        },
      },
      "Boxes",
    );
    this.full = h(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": "Whole screen",
        onclick: () => {
          if (document.fullscreenElement) document.exitFullscreen();
          else this.frame.requestFullscreen?.();
        },
      },
      icon("whole"),
    );
    const hasBoxes = this.cast.some((one) => one.tracks.face?.box);
    this.boxesButton.hidden = !hasBoxes;
    this.full.hidden = !this.isPicture;
    return h(
      "div",
      { class: "stage" },
      this.frame,
      h(
        "div",
        { class: "transport", role: "group", "aria-label": `Player of ${this.label}` },
        this.playButton,
        this.time,
        h("span", { class: "spring" }),
        this.boxesButton,
        this.speed,
        this.mute,
        this.full,
      ),
    );
  }

  #open() {
    this.player.hidden = true;
    this.#tick();
    if (!this.source) {
      this.#cannot("The recording itself was deleted from the server; its results were kept.");
      return;
    }
    if (this.media.is_image) {
      this.#still();
      return;
    }
    const container = printable(this.media.container || "").split(",")[0];
    const refuse = () =>
      this.#cannot(
        `This browser cannot play this kind of recording${
          container
            ? ` (${container}, ${[this.media.video_codec, this.media.audio_codec]
                .filter(Boolean)
                .map((name) => printable(name).replace(/float$/u, ""))
                .join(" and ")})`
            : ""
        }. Everything that was found in it is here; the playhead moves without picture and sound.`,
      );
    const late = setTimeout(() => {
      if (!this.player.readyState) this.#note("Still waiting for the recording.");
    }, SLOW_TO_ANSWER);
    this.player.addEventListener("error", () => {
      clearTimeout(late);
      refuse();
    });
    this.player.addEventListener(
      "loadedmetadata",
      () => {
        clearTimeout(late);
        if (this.isPicture && !this.player.videoWidth) {
          refuse();
          return;
        }
        const { time } = this.clock;
        this.plate.hidden = true;
        this.player.hidden = false;
        this.clock = new MediaClock(this.player, this.packed.duration);
        this.#listen(this.clock);
        if (time > 0) this.clock.seek(time);
        if (this.player.requestVideoFrameCallback) {
          const frame = () => {
            this.drawBoxes();
            this.player.requestVideoFrameCallback(frame);
          };
          this.player.requestVideoFrameCallback(frame);
        }
        this.#tick();
      },
      { once: true },
    );
    this.player.src = this.source;
  }

  #still() {
    const picture = h("img", { src: this.source, alt: `The picture ${this.label}` });
    this.player.replaceWith(picture);
    this.playButton.disabled = this.speed.disabled = this.mute.disabled = true;
    this.#tick();
  }

  #note(text) {
    this.plate.hidden = false;
    fill(this.plate, h("p", {}, text));
  }

  /** Say why there is no picture, and offer the faces that were kept. */
  #cannot(why) {
    this.player.removeAttribute("src");
    this.player.hidden = true;
    this.mute.hidden = this.full.hidden = true;
    this.frame.classList.add("unplayable");
    const faces = this.cast.flatMap((one) =>
      (one.seen?.thumbnails ?? []).slice(0, 4).map((face, i) => ({ one, face, src: this.faces(one, i) })),
    );
    this.plate.hidden = false;
    fill(
      this.plate,
      h("p", {}, why),
      faces.length
        ? h(
            "ul",
            { class: "faces" },
            faces.slice(0, 8).map(({ one, face, src }) =>
              h(
                "li",
                {},
                h(
                  "button",
                  {
                    type: "button",
                    class: "face",
                    onclick: () => this.dispatchEvent(new CustomEvent("seek", { detail: face.time })),
                    "aria-label": `${this.names.of(one.person)}, ${printable(face.label)} ${face.score.toFixed(2)}: go to ${told(face.time, this.decimals)}`,
                  },
                  src ? h("img", { src, alt: "" }) : "",
                  h("span", {}, `${printable(face.label)} ${face.score.toFixed(2)}`),
                ),
              ),
            ),
          )
        : null,
    );
    this.canvas.hidden = true;
    this.boxesButton.hidden = true;
  }

  #listen(clock) {
    clock.addEventListener("time", () => this.#tick());
    clock.addEventListener("state", () => {
      this.playButton.setAttribute("aria-label", clock.isPlaying ? "Pause" : "Play");
      fill(this.playButton, icon(clock.isPlaying ? "pause" : "play"));
    });
  }

  #tick() {
    const text = `${told(this.clock.time, this.decimals)} / ${told(this.packed.duration, this.decimals)}`;
    if (this.time.textContent !== text) this.time.textContent = text;
    this.drawBoxes();
    this.dispatchEvent(new Event("time"));
  }

  toggle() {
    if (this.clock.isPlaying) this.clock.pause();
    else this.clock.play();
  }

  seek(time) {
    this.clock.seek(time);
  }

  destroy() {
    this.observer.disconnect();
    this.clock.pause();
    this.player.removeAttribute("src");
    this.player.load();
  }

  /** Where the picture lies in its frame: players keep its shape and leave bars. */
  #picture() {
    const { clientWidth: width, clientHeight: height } = this.frame;
    const scale = Math.min(width / this.media.width, height / this.media.height);
    const [w, tall] = [this.media.width * scale, this.media.height * scale];
    return { left: (width - w) / 2, top: (height - tall) / 2, width: w, height: tall };
  }

  drawBoxes() {
    if (!this.isPicture || this.canvas.hidden || !this.canvas.clientWidth) return;
    const cast = this.showBoxes ? this.cast : [];
    const {
      names,
      paint,
      media,
      packed: { labels },
    } = this;
    this.drawn = drawBoxes(this.canvas, {
      cast,
      names,
      labels,
      paint,
      media,
      time: this.clock.time,
      picture: this.#picture(),
    });
    // What is drawn, for tests and for the curious.
    this.canvas.dataset.boxes = String(this.drawn.length);
    this.canvas.dataset.words = this.drawn.map((box) => box.words).join("\n");
  }
}
