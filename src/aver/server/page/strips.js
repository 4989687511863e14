// Canvas lanes: the strongest label over time, sounds, levels of affect, and the scale of times.

import { firstAfter } from "./pack.js";
import { clock, printable, ticks } from "./format.js";

const TOUCHING = 1e-3;

/** A canvas as wide as its element, redrawn at the screen's own pixel ratio. */
export class Strip {
  /** @param draw (context, { width, height, x, start, end }) with x(time) in CSS pixels. */
  constructor(canvas, range, draw) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.range = range;
    this.paintOn = draw;
    this.width = 0;
  }

  resize(width, height = this.canvas.clientHeight) {
    const ratio = devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.draw();
  }

  draw() {
    if (!(this.width > 0)) return;
    const ratio = devicePixelRatio || 1;
    const [start, end] = this.range();
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    const per = this.width / Math.max(1e-9, end - start);
    this.paintOn(this.context, {
      width: this.width,
      height: this.height,
      start,
      end,
      x: (time) => (time - start) * per,
    });
  }
}

/** Runs of windows that share their strongest label: { start, end, label, weak }. */
export function runsOf(track) {
  if (track.runs) return track.runs;
  const runs = [];
  let weak = 0,
    total = 0;
  const finish = () => {
    if (runs.length) runs[runs.length - 1].weak = 2 * weak >= total;
  };
  for (let i = 0; i < track.count; i += 1) {
    const length = track.end[i] - track.start[i];
    const last = runs[runs.length - 1];
    if (last && last.label === track.best[i] && track.start[i] - last.end <= TOUCHING)
      last.end = track.end[i];
    else {
      finish();
      weak = total = 0;
      runs.push({ start: track.start[i], end: track.end[i], label: track.best[i], weak: false });
    }
    total += length;
    if (track.weak[i]) weak += length;
  }
  finish();
  track.runs = runs;
  return runs;
}

/** At most one run for every two pixels: each column takes the label that holds most of it. */
function condensed(track, labels, { start, end, width }) {
  const runs = runsOf(track);
  let low = 0,
    high = runs.length;
  while (low < high) {
    const m = (low + high) >> 1;
    if (runs[m].end > start) high = m;
    else low = m + 1;
  }
  let stop = low;
  while (stop < runs.length && runs[stop].start < end) stop += 1;
  if (stop - low <= width / 3) return runs.slice(low, stop);
  const columns = Math.ceil(width / 2),
    seconds = (end - start) / columns;
  const share = new Float32Array(columns * labels),
    faint = new Float32Array(columns);
  for (let i = firstAfter(track, start); i < track.count && track.start[i] < end; i += 1) {
    const middle = (track.start[i] + track.end[i]) / 2;
    const column = Math.min(columns - 1, Math.max(0, Math.floor((middle - start) / seconds)));
    const length = track.end[i] - track.start[i];
    share[column * labels + track.best[i]] += length;
    if (track.weak[i]) faint[column] += length;
  }
  const found = [];
  for (let column = 0; column < columns; column += 1) {
    let best = 0,
      total = 0;
    for (let label = 0; label < labels; label += 1) {
      const value = share[column * labels + label];
      total += value;
      if (value > share[column * labels + best]) best = label;
    }
    if (!total) continue;
    const weak = 2 * faint[column] >= total,
      from = start + column * seconds;
    const last = found[found.length - 1];
    if (last && last.label === best && last.weak === weak && from - last.end < seconds * 0.1)
      last.end = from + seconds;
    else found.push({ start: from, end: from + seconds, label: best, weak });
  }
  return found;
}

/** Draws a track's strongest label; weak runs are half as high and fainter. */
export function strongest(track, labels, paint, withWords = true) {
  return (context, frame) => {
    const { width, height, x } = frame;
    const shown = condensed(track, labels.length, frame);
    context.fillStyle = paint.present;
    context.fillRect(0, 0, width, height);
    for (const run of shown) {
      const left = Math.max(0, x(run.start));
      const room = Math.max(0.6, Math.min(width, x(run.end)) - left);
      context.globalAlpha = run.weak ? 0.6 : 1;
      context.fillStyle = room < 6 ? paint.labels[run.label] : paint.tile(context, run.label);
      const top = run.weak ? Math.round(height / 2) : 0;
      context.fillRect(left, top, room, height - top);
    }
    context.globalAlpha = 1;
    if (!withWords) return;
    context.font = `600 11.5px ${paint.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    for (const run of shown) {
      if (run.weak) continue;
      const left = Math.max(0, x(run.start)),
        room = Math.min(width, x(run.end)) - left;
      if (room < 34) continue;
      const word = printable(labels[run.label]);
      if (context.measureText(word).width + 10 > room) continue;
      context.strokeStyle = paint.card;
      context.lineWidth = 3.5;
      context.strokeText(word, left + room / 2, height / 2 + 0.5);
      context.fillStyle = paint.ink;
      context.fillText(word, left + room / 2, height / 2 + 0.5);
    }
  };
}

/** Expected place on the scale from -1 to 1, the levels at the middle of their thirds. */
export const position = (scores) => ((2 / 3) * (scores[2] - scores[0])) / (scores[0] + scores[1] + scores[2]);

export function affectLane(segments, dimension, paint) {
  return (context, { width, height, start, end, x }) => {
    context.fillStyle = paint.present;
    context.fillRect(0, 0, width, height);
    context.fillStyle = paint.rule;
    context.fillRect(0, Math.round(height / 2), width, 1);
    context.strokeStyle = paint.accent;
    context.lineWidth = 1.8;
    context.lineJoin = "round";
    context.beginPath();
    let previous = -Infinity;
    for (const segment of segments) {
      if (!segment[dimension] || segment.end < start - 60 || segment.start > end + 60) continue;
      const y = height / 2 - position(segment[dimension]) * (height / 2 - 3) * 1.5;
      const middle = x((segment.start + segment.end) / 2);
      if (segment.start - previous > TOUCHING) context.moveTo(x(segment.start), y);
      context.lineTo(middle, y);
      previous = segment.end;
    }
    context.stroke();
  };
}

export function timeScale(paint) {
  return (context, { width, height, start, end, x }) => {
    const { step, times } = ticks(start, end, Math.max(2, width / 90));
    const decimals = step < 1 ? 1 : 0;
    context.font = `11.5px ${paint.font}`;
    context.textBaseline = "alphabetic";
    for (const time of times) {
      const word = clock(time, decimals),
        room = context.measureText(word).width / 2;
      const middle = Math.min(width - room, Math.max(room, x(time)));
      context.fillStyle = paint.soft;
      context.textAlign = "center";
      context.fillText(word, middle, height - 8);
      context.fillRect(Math.round(x(time)) - 0.5, height - 4, 1, 4);
    }
  };
}
