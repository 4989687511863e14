// Means and highest scores over equal stretches of time, worked out once for each zoom.

const KEPT = 4; // zooms for each label of a track

export class Columns {
  #kept = new Map();

  /** Of a track's one label: { first, mean, high, seconds }; column i covers (first + i) * seconds on. */
  of(track, label, wanted) {
    // Lengths go up in steps, so that dragging and small zooms meet the same stretches again.
    const seconds = 2 ** (Math.round(Math.log2(wanted) * 4) / 4);
    const key = `${track.person} ${track.modality} ${label}`;
    const kept = this.#kept.get(key) ?? [];
    let found = kept.find((entry) => entry.seconds === seconds);
    if (!found) {
      found = average(track, label, seconds);
      kept.unshift(found);
      kept.length = Math.min(kept.length, KEPT);
      this.#kept.set(key, kept);
    }
    return found;
  }
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
