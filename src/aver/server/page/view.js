// What part of a recording is looked at, and where the playhead and the pointer are.

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * Events: "range" (start, end), "playhead", "hover", "options". Times are seconds. Everything that
 * draws listens; changes within one frame are told once.
 */
export class View extends EventTarget {
  #pending = new Set();

  constructor(total, shortest = 2) {
    super();
    this.total = Math.max(total, 1e-3);
    this.shortest = Math.min(this.total, shortest);
    this.start = 0;
    this.end = this.total;
    this.playhead = 0;
    this.hover = null;
    this.following = true;
  }

  get length() {
    return this.end - this.start;
  }
  get isWhole() {
    return this.length >= this.total - 1e-9;
  }

  /** Look at start to end, as near as the recording's own ends allow. */
  look(start, end) {
    const length = clamp(end - start, this.shortest, this.total);
    const from = clamp(start + (end - start - length) / 2, 0, this.total - length);
    if (from === this.start && from + length === this.end) return;
    this.start = from;
    this.end = from + length;
    this.tell("range");
  }

  /** Zoom by *factor* (below 1: closer), keeping *time* where it is. */
  zoom(factor, time = this.isInside(this.playhead) ? this.playhead : (this.start + this.end) / 2) {
    const length = clamp(this.length * factor, this.shortest, this.total);
    const share = clamp((time - this.start) / this.length, 0, 1);
    this.look(time - share * length, time + (1 - share) * length);
  }

  pan(seconds) {
    const from = clamp(this.start + seconds, 0, this.total - this.length);
    this.look(from, from + this.length);
  }

  whole() {
    this.look(0, this.total);
  }

  isInside(time) {
    return time >= this.start && time <= this.end;
  }

  /** The playhead has come to *time*; where it plays out of sight, the view turns the page. */
  arrive(time, isPlaying = false) {
    this.playhead = clamp(time, 0, this.total);
    if (isPlaying && this.following && !this.isInside(this.playhead)) {
      this.look(this.playhead - 0.04 * this.length, this.playhead + 0.96 * this.length);
    }
    this.tell("playhead");
  }

  point(time) {
    this.hover = time === null ? null : clamp(time, 0, this.total);
    this.tell("hover");
  }

  /** Tell listeners of *kind* before the next picture is drawn. */
  tell(kind) {
    if (!this.#pending.size) {
      requestAnimationFrame(() => {
        const kinds = [...this.#pending];
        this.#pending.clear();
        for (const each of kinds) this.dispatchEvent(new Event(each));
      });
    }
    this.#pending.add(kind);
  }
}

/**
 * Pointer, wheel and touch on a lane area. `place()` gives the plot column as { left, width } in
 * pixels of the window; `seek(time, isDragging)` moves the playhead.
 */
export function attachGestures(area, view, place, seek) {
  const pointers = new Map();
  let dragging = false,
    pinch = null;
  const timeAt = (x) => {
    const { left, width } = place();
    return view.start + ((x - left) / width) * view.length;
  };
  const isPlot = (event) => {
    const { left, width } = place();
    const control = event.target.closest?.("button, a, input, select, summary, label, .brush, .overview");
    return !control && event.clientX >= left - 1 && event.clientX <= left + width + 1;
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { middle: (a + b) / 2, apart: Math.max(20, Math.abs(a - b)) };
  };

  area.addEventListener("pointerdown", (event) => {
    if (!isPlot(event) || event.button > 0) return;
    pointers.set(event.pointerId, event.clientX);
    area.setPointerCapture(event.pointerId);
    if (pointers.size === 2) {
      const { middle, apart } = spread();
      pinch = { time: timeAt(middle), apart, length: view.length };
      dragging = false;
    } else if (pointers.size === 1) {
      dragging = true;
      view.following = true;
      seek(timeAt(event.clientX), true);
    }
  });
  area.addEventListener("pointermove", (event) => {
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, event.clientX);
    if (pinch && pointers.size === 2) {
      const { middle, apart } = spread();
      const { left, width } = place();
      const length = clamp((pinch.length * pinch.apart) / apart, view.shortest, view.total);
      const start = pinch.time - ((middle - left) / width) * length;
      view.look(start, start + length);
    } else if (dragging) {
      const { left, width } = place();
      const time = timeAt(clamp(event.clientX, left, left + width));
      view.point(time);
      seek(time, true);
    } else if (event.pointerType !== "touch") {
      view.point(isPlot(event) ? timeAt(event.clientX) : null);
    }
  });
  const release = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (dragging && event.type === "pointerup")
      seek(clamp(timeAt(event.clientX), view.start, view.end), false);
    dragging = false;
    if (pointers.size < 2) pinch = null;
    if (event.pointerType === "touch") view.point(null);
  };
  area.addEventListener("pointerup", release);
  area.addEventListener("pointercancel", release);
  area.addEventListener("pointerleave", () => {
    if (!dragging) view.point(null);
  });

  area.addEventListener(
    "wheel",
    (event) => {
      const { left, width } = place();
      if (event.clientX < left || event.clientX > left + width) return;
      const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 300 : 1;
      const along = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
      const onScale = event.target.closest?.(".time-scale, .overview");
      if (event.ctrlKey || event.metaKey || event.altKey || (onScale && !event.shiftKey && event.deltaY)) {
        event.preventDefault();
        const at = event.target.closest?.(".overview") ? undefined : timeAt(event.clientX);
        view.zoom(Math.exp(clamp(event.deltaY * unit, -240, 240) * 0.0022), at);
      } else if (Math.abs(along) > (event.shiftKey ? 0 : Math.abs(event.deltaY)) && !view.isWhole) {
        event.preventDefault();
        view.following = false;
        view.pan(((along * unit) / width) * view.length);
      }
    },
    { passive: false },
  );
}
