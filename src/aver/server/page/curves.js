// The curves of one person: a row a label, or all in one, drawn by uPlot.
//
// uPlot keeps the canvas, its pixel ratio, scales and grid. The points come from a path builder of
// our own that reads typed arrays: a point a window, or, zoomed out, a point for every 1.5 pixels
// with the mean and the highest of its windows, worked out once for each zoom and kept. The canvas is
// wider than what is seen of it: moving along mostly shifts it, and draws nothing.

import uPlot from "./vendor/uplot/uPlot.esm.js";
import { Columns } from "./columns.js";
import { firstAfter } from "./pack.js";
import { ticks } from "./format.js";

const COLUMN = 1.5; // CSS pixels a point stands for, where windows are narrower
const DASHES = { fused: [], face: [6, 3], voice: [1.5, 3] };
const TOUCHING = 1e-3;
const MARGIN = 0.5; // of the width in view, on either side of it
const WHOLE = 1 + 2 * MARGIN;

export class CurveChart {
  /**
   * @param host element that the chart fills in width.
   * @param context { view, labels, paint, options }: options are { rows, scale, rowHeight }.
   */
  constructor(host, context) {
    Object.assign(this, context);
    this.host = host;
    this.tracks = [];
    this.columns = new Columns();
    this.chart = null;
    this.part = { start: 0, length: 0, from: 0, to: 0 };
  }

  /** Show these tracks (the first is filled) and labels (indices, from the top). */
  show(tracks, shown) {
    const same =
      this.chart &&
      tracks.length === this.tracks.length &&
      tracks.every((t, i) => t === this.tracks[i]) &&
      shown.join() === this.shown.join() &&
      this.drawnRows === this.options.rows;
    this.tracks = tracks;
    this.shown = shown;
    if (same) {
      this.redraw();
      return;
    }
    this.drawnRows = this.options.rows;
    this.chart?.destroy();
    this.chart = null;
    if (!this.width) this.width = Math.floor(this.host.clientWidth);
    if (this.width > 0) this.#make();
  }

  get height() {
    return Math.max(1, this.shown.length) * this.options.rowHeight;
  }

  resize(width) {
    if (width === this.width && this.chart) return;
    this.width = width;
    if (width <= 0 || !this.shown) return;
    if (this.chart) this.chart.setSize({ width: Math.round(WHOLE * width), height: this.height });
    else this.#make();
  }

  redraw() {
    this.chart?.redraw(true, false);
  }

  range() {
    if (!this.chart) return;
    const { start, end, length } = this.view;
    const { part } = this;
    const isMove = Math.abs(length - part.length) < 1e-9 * length;
    if (!isMove || start < part.from || end > part.to) {
      // Zooming draws what is seen; moving along draws ahead.
      const ahead = isMove ? MARGIN * length : 0;
      this.part = { start, length, from: start - ahead, to: end + ahead };
      this.chart.setScale("x", { min: start - MARGIN * length, max: end + MARGIN * length });
    }
    const shift = MARGIN + (start - this.part.start) / length;
    this.chart.root.style.transform = `translateX(${-shift * this.width}px)`;
  }

  destroy() {
    this.chart?.destroy();
    this.chart = null;
  }

  #make() {
    const { view, paint, options } = this;
    this.part = { start: 0, length: 0, from: 0, to: 0 };
    const series = [{}];
    const data = [[0, view.total]];
    [...this.tracks].reverse().forEach((track) => {
      const isFirst = track === this.tracks[0];
      this.shown.forEach((label, row) => {
        series.push({
          label: this.labels[label],
          auto: false,
          points: { show: false },
          dash: DASHES[track.modality],
          width: isFirst ? 1.6 : 1.1,
          stroke: () => paint.labels[label],
          fill: () => paint.shades[label],
          paths: (u) => this.#paths(u, track, label, row, isFirst && options.rows),
        });
        data.push([0, 0]);
      });
    });
    this.chart = new uPlot(
      {
        width: Math.round(WHOLE * this.width),
        height: this.height,
        padding: [0, 0, 0, 0],
        series,
        legend: { show: false },
        cursor: { show: false },
        select: { show: false },
        scales: {
          x: { time: false, auto: false, range: (u, low, high) => [low ?? 0, high ?? view.total] },
          y: { auto: false, range: [0, 1] },
        },
        axes: [
          {
            show: true,
            size: 0,
            gap: 0,
            font: "1px sans-serif",
            values: (u, splits) => splits.map(() => ""),
            splits: () => this.#grid(),
            grid: { stroke: () => paint.rule, width: 1 },
            ticks: { show: false },
            border: { show: false },
          },
          { show: false },
        ],
        hooks: { drawClear: [(u) => this.#ground(u)], draw: [(u) => this.#above(u)] },
      },
      data,
      this.host,
    );
    this.range();
  }

  /** The same steps as on the scale of times, on all that is drawn. */
  #grid() {
    const { start, length, from, to } = this.part;
    const { step } = ticks(start, start + length, Math.max(2, this.width / 90));
    return ticks(from, to, (to - from) / step + 1e-6).times;
  }

  #geometry(u) {
    const { left, top, width, height } = u.bbox;
    const per = width / (WHOLE * this.part.length);
    const origin = this.part.start - MARGIN * this.part.length;
    const x = (time) => left + (time - origin) * per;
    return { left, top, width, height, per, x, ratio: devicePixelRatio || 1 };
  }

  /** Evidence lies on a ground of its own; where there is none, the paper shows. */
  #ground(u) {
    const track = this.tracks[0];
    if (!track) return;
    const { top, height, x, ratio } = this.#geometry(u);
    const { ctx } = u;
    ctx.save();
    ctx.fillStyle = this.paint.present;
    for (const [from, to] of this.#spans(track, "present")) {
      if (to < this.part.from || from > this.part.to) continue;
      const left = Math.max(u.bbox.left, x(from));
      ctx.fillRect(left, top, Math.max(ratio, Math.min(u.bbox.left + u.bbox.width, x(to)) - left), height);
    }
    ctx.restore();
  }

  #above(u) {
    const { left, top, width, height, x, ratio } = this.#geometry(u);
    const { ctx } = u;
    ctx.save();
    const track = this.tracks[0];
    if (track) {
      ctx.fillStyle = this.paint.tile(ctx, "weak");
      let drawn = -1;
      for (const [from, to] of this.#spans(track, "weak")) {
        if (to < this.part.from || from > this.part.to) continue;
        const start = Math.max(left, x(from), drawn);
        const end = Math.min(left + width, Math.max(x(to), start + ratio));
        if (end - start > 0.3 * ratio) ctx.fillRect(start, top, end - start, height);
        drawn = end;
      }
    }
    ctx.fillStyle = this.paint.rule;
    const feet = this.options.rows ? this.shown.length : 1;
    for (let row = 1; row <= feet; row += 1) {
      ctx.fillRect(
        left,
        Math.round(top + (row * height) / feet - ratio),
        width,
        Math.max(1, Math.round(ratio)),
      );
    }
    ctx.restore();
  }

  /** Joined stretches of a track that are present, or weak. */
  #spans(track, kind) {
    track.spans ??= {};
    if (!track.spans[kind]) {
      const spans = [];
      for (let i = 0; i < track.count; i += 1) {
        if (kind === "weak" && !track.weak[i]) continue;
        const last = spans[spans.length - 1];
        if (last && track.start[i] - last[1] <= TOUCHING) last[1] = track.end[i];
        else spans.push([track.start[i], track.end[i]]);
      }
      track.spans[kind] = spans;
    }
    return track.spans[kind];
  }

  #paths(u, track, label, row, isFilled) {
    const { top, height, x, per, ratio } = this.#geometry(u);
    const { part, options } = this;
    const rowHeight = options.rows ? height / this.shown.length : height;
    const foot = top + (options.rows ? (row + 1) * rowHeight : height) - ratio;
    const y = (value) => foot - (Math.min(value, options.scale) / options.scale) * (rowHeight - 4 * ratio);
    const stroke = new Path2D();
    const fill = isFilled ? new Path2D() : null;
    const scores = track.scores,
      at = label * track.room;
    const first = Math.max(0, firstAfter(track, part.from) - 1);
    let last = firstAfter(track, part.to);
    last = Math.min(track.count - 1, last + 1);
    if (track.count && last >= first) {
      const pixels = ((track.end[last] - track.start[first]) * per) / (last - first + 1);
      if (pixels < COLUMN * ratio) {
        const columns = this.columns.of(track, label, (COLUMN * ratio) / per);
        const head = (rowHeight - 4 * ratio) / options.scale;
        const place = { start: part.from, end: part.to, left: x(part.from), per, foot, height: head };
        this.columns.draw(columns, place, stroke, fill);
      } else {
        let previous = -Infinity,
          edge = 0;
        for (let i = first; i <= last; i += 1) {
          const value = y(scores[at + i]);
          if (track.start[i] - previous > TOUCHING) {
            if (previous > -Infinity) close(stroke, fill, x(previous), edge, foot);
            stroke.moveTo(x(track.start[i]), value);
            if (fill) {
              fill.moveTo(x(track.start[i]), foot);
              fill.lineTo(x(track.start[i]), value);
            }
          }
          const middle = x((track.start[i] + track.end[i]) / 2);
          stroke.lineTo(middle, value);
          fill?.lineTo(middle, value);
          previous = track.end[i];
          edge = value;
        }
        close(stroke, fill, x(previous), edge, foot);
      }
    }
    return { stroke, fill, clip: null, band: null, gaps: null, flags: 3 };
  }
}

function close(stroke, fill, x, y, foot) {
  stroke?.lineTo(x, y);
  if (fill) {
    fill.lineTo(x, y);
    fill.lineTo(x, foot);
    fill.closePath();
  }
}

/** What the head of a row stands for: 0.5, 0.75 or 1, whatever the scores need. */
export function scaleOf(tracks) {
  let highest = 0;
  for (const track of tracks) for (const value of track.scores) if (value > highest) highest = value;
  return [0.5, 0.75].find((scale) => highest <= scale) ?? 1;
}
