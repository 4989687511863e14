// A timeline's JSON as typed arrays: one track a person and modality, its windows in order.

const MODALITIES = ["face", "voice", "fused"];

/**
 * Pack the JSON form of a timeline (aver.timeline/1).
 *
 * A track holds `start`, `end` (seconds), `weak` (0 or 1), `best` (index of the strongest label),
 * `scores` (label by label, each `count` long) and, for faces, `box` (x, y, width, height in pixels
 * of the picture as shown, NaN where unknown). Windows never overlap: each is cut where the one
 * before it still runs.
 */
export function pack(data) {
  if (data?.schema !== "aver.timeline/1")
    throw new Error(`This is not a timeline that this page reads (${data?.schema ?? "no schema"}).`);
  const labels = data.labels.map(String);
  const groups = new Map();
  for (const segment of data.segments) {
    if (!(segment.end > segment.start) || !MODALITIES.includes(segment.modality)) continue;
    const key = `${segment.person ?? "nobody"} ${segment.modality}`;
    let group = groups.get(key);
    if (!group)
      groups.set(key, (group = { person: segment.person, modality: segment.modality, segments: [] }));
    group.segments.push(segment);
  }
  const tracks = [...groups.values()].map((group) => track(group, labels.length));
  const ends = tracks.map((t) => t.end[t.count - 1] ?? 0);
  for (const event of data.events ?? []) ends.push(event.end);
  const stated = Number(data.media?.duration);
  return {
    media: data.media ?? {},
    labels,
    model: data.model ?? {},
    tracks,
    people: data.people ?? [],
    events: data.events ?? [],
    warnings: data.warnings ?? [],
    affect: data.affect ?? [],
    duration: Math.max(stated > 0 ? stated : 0, ...ends, 0),
  };
}

function track({ person, modality, segments }, labels) {
  const ordered = segments.every((s, i) => i === 0 || segments[i - 1].start <= s.start)
    ? segments
    : [...segments].sort((a, b) => a.start - b.start || a.end - b.end);
  const room = ordered.length;
  const start = new Float64Array(room),
    end = new Float64Array(room);
  const weak = new Uint8Array(room),
    best = new Uint8Array(room);
  const scores = new Float32Array(room * labels);
  const box = modality === "face" ? new Float32Array(room * 4).fill(NaN) : null;
  let count = 0,
    last = -Infinity;
  for (const segment of ordered) {
    const from = Math.max(segment.start, last);
    if (!(segment.end > from)) continue;
    start[count] = from;
    end[count] = last = segment.end;
    weak[count] = segment.weak ? 1 : 0;
    let top = 0;
    for (let label = 0; label < labels; label += 1) {
      scores[label * room + count] = segment.scores[label];
      if (segment.scores[label] > segment.scores[top]) top = label;
    }
    best[count] = top;
    if (box && segment.box) box.set(segment.box, count * 4);
    count += 1;
  }
  return { person: person ?? null, modality, count, room, start, end, weak, best, scores, box };
}

/** The buffers of a packed timeline, to be handed over rather than copied. */
export function buffers(packed) {
  return packed.tracks.flatMap((t) =>
    [t.start, t.end, t.weak, t.best, t.scores, t.box].filter(Boolean).map((a) => a.buffer),
  );
}

/** Index of the first window that ends after *time*. */
export function firstAfter(track, time) {
  let low = 0,
    high = track.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (track.end[middle] > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The window that holds *time*, or -1. */
export function windowAt(track, time) {
  const index = firstAfter(track, time);
  if (index < track.count && track.start[index] <= time) return index;
  // The very end of a recording belongs to its last window.
  return index === track.count && index > 0 && Math.abs(track.end[index - 1] - time) < 1e-3 ? index - 1 : -1;
}

export const scoreAt = (track, label, index) => track.scores[label * track.room + index];
