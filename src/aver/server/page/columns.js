// Means and highest scores over equal stretches of time, worked out once for each zoom, and the paths
// that draw them. Moving along then only shifts paths that are there already.

const KEPT = 4; // zooms for each label of a track
const TILE = 256; // columns in one path

export class Columns {
  #kept = new Map();

  /** Of a track's one label: { first, mean, high, seconds }; column i covers (first + i) * seconds on. */
  of(track, label, wanted) {
    // Lengths go up in steps, so that dragging and small zooms meet the same stretches again. They are
    // never shorter than asked for: no column may fall between two windows.
    const seconds = 2 ** (Math.ceil(Math.log2(wanted) * 4 - 1e-9) / 4);
    const key = `${track.person} ${track.modality} ${label}`;
    const kept = this.#kept.get(key) ?? [];
    let found = kept.find((entry) => entry.seconds === seconds);
    if (!found) {
      found = { ...average(track, label, seconds), tiles: new Map() };
      kept.unshift(found);
      kept.length = Math.min(kept.length, KEPT);
      this.#kept.set(key, kept);
    }
    return found;
  }

  /**
   * Add to *stroke* and *fill* (may be null) what lies between two times: the mean as a line, shade up
   * to the highest. Time t lies at x = left + (t - start) * per, score s at y = foot - s * height.
   */
  draw(columns, { start, end, left, per, foot, height }, stroke, fill) {
    const { first, mean, seconds, tiles } = columns;
    const from = Math.max(0, Math.floor((start / seconds - first - 1) / TILE));
    const to = Math.floor(Math.min(mean.length - 1, end / seconds - first + 1) / TILE);
    for (let tile = from; tile <= to; tile += 1) {
      if (!tiles.has(tile)) tiles.set(tile, paths(columns, tile * TILE));
      const made = tiles.get(tile);
      const origin = left + ((first + tile * TILE) * seconds - start) * per;
      const place = { a: seconds * per, d: height, e: origin, f: foot };
      stroke.addPath(made.stroke, place);
      fill?.addPath(made.fill, place);
    }
  }
}

/** Columns from *from* on, x in columns, y minus the score; it begins where the tile before it ended. */
function paths({ mean, high }, from) {
  const stroke = new Path2D(),
    fill = new Path2D();
  const to = Math.min(mean.length, from + TILE);
  let open = false;
  const finish = (x, i) => {
    if (x > i - from - 0.5) {
      stroke.lineTo(x, -mean[i - 1]);
      fill.lineTo(x, -high[i - 1]);
    }
    fill.lineTo(x, 0);
    fill.closePath();
    open = false;
  };
  for (let i = from; i < to; i += 1) {
    if (Number.isNaN(mean[i])) {
      if (open) finish(i - from, i);
      continue;
    }
    if (!open) {
      const isJoined = i === from && i > 0 && !Number.isNaN(mean[i - 1]);
      const [x, k] = isJoined ? [-0.5, i - 1] : [i - from, i];
      stroke.moveTo(x, -mean[k]);
      fill.moveTo(x, 0);
      fill.lineTo(x, -high[k]);
      open = true;
    }
    stroke.lineTo(i - from + 0.5, -mean[i]);
    fill.lineTo(i - from + 0.5, -high[i]);
  }
  const goesOn = to < mean.length && !Number.isNaN(mean[to]);
  if (open) finish(to - from - (goesOn ? 0.5 : 0), to);
  return { stroke, fill };
}

function average(track, label, seconds) {
  const column = (i) => Math.floor((track.start[i] + track.end[i]) / 2 / seconds);
  const first = column(0),
    size = column(track.count - 1) - first + 1;
  const mean = new Float32Array(size).fill(NaN),
    high = new Float32Array(size).fill(NaN);
  const at = label * track.room;
  for (let i = 0; i < track.count;) {
    const here = column(i);
    let sum = 0,
      weight = 0,
      top = 0;
    for (; i < track.count && column(i) === here; i += 1) {
      const value = track.scores[at + i],
        length = track.end[i] - track.start[i];
      sum += value * length;
      weight += length;
      if (value > top) top = value;
    }
    mean[here - first] = sum / weight;
    high[here - first] = top;
  }
  return { first, mean, high, seconds };
}
