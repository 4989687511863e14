// Where the faces are at a moment, and their boxes with names over the picture.

import { scoreAt, windowAt } from "./pack.js";
import { printable } from "./format.js";
import { leadingTrack } from "./people.js";

const TOUCHING = 0.02;

/** Box of a face track at *time*, between the middles of neighbouring windows; null where none is. */
export function boxAt(track, time) {
  const index = windowAt(track, time);
  if (index < 0 || Number.isNaN(track.box[index * 4])) return null;
  const middle = (i) => (track.start[i] + track.end[i]) / 2;
  const other = time < middle(index) ? index - 1 : index + 1;
  const isJoined =
    other >= 0 &&
    other < track.count &&
    !Number.isNaN(track.box[other * 4]) &&
    (other > index ? track.start[other] - track.end[index] : track.start[index] - track.end[other]) <
      TOUCHING;
  const share = isJoined ? (time - middle(index)) / (middle(other) - middle(index)) : 0;
  return [0, 1, 2, 3].map(
    (k) => track.box[index * 4 + k] * (1 - share) + (isJoined ? track.box[other * 4 + k] * share : 0),
  );
}

/** Draw the boxes of everybody in *cast* into a canvas that lies over the picture. */
export function drawBoxes(canvas, { cast, names, labels, paint, media, time, picture }) {
  const ratio = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const drawn = [],
    plates = [];
  for (const one of cast) {
    const box = one.tracks.face?.box ? boxAt(one.tracks.face, time) : null;
    if (!box) continue;
    const scale = [picture.width / media.width, picture.height / media.height];
    const x = picture.left + box[0] * scale[0],
      y = picture.top + box[1] * scale[1];
    const w = box[2] * scale[0],
      tall = box[3] * scale[1];
    const lead = leadingTrack(one.tracks),
      index = windowAt(lead, time);
    const label = index < 0 ? -1 : lead.best[index];
    context.lineJoin = "round";
    for (const [stroke, line] of [
      ["rgba(0, 0, 0, 0.65)", 4],
      ["#fff", 2],
    ]) {
      context.strokeStyle = stroke;
      context.lineWidth = line;
      context.setLineDash(index >= 0 && lead.weak[index] ? [6, 4] : []);
      context.strokeRect(x, y, w, tall);
    }
    context.setLineDash([]);
    const words =
      label < 0
        ? names.of(one.person)
        : `${names.of(one.person)} · ${printable(labels[label])} ${scoreAt(lead, label, index).toFixed(2)}`;
    plate(
      context,
      words,
      label < 0 ? null : paint.labels[label],
      { x, y, w, tall },
      { width, height },
      plates,
    );
    drawn.push({ person: one.person, x, y, width: w, height: tall, words });
  }
  return drawn;
}

/** A name on a dark plate, where it hides no other: above its face, below it, or further up. */
function plate(context, words, colour, { x, y, tall }, { width, height }, taken) {
  context.font = "600 12.5px system-ui, sans-serif";
  context.textBaseline = "middle";
  const mark = colour ? 12 : 0;
  const room = Math.min(width - 4, context.measureText(words).width + 14 + mark),
    high = 20;
  const left = Math.min(Math.max(2, x - 1), width - room - 2);
  const isFree = (at) =>
    at >= 2 &&
    at <= height - high - 2 &&
    taken.every(
      (other) =>
        at + high <= other.top ||
        at >= other.top + high ||
        left + room <= other.left ||
        left >= other.left + other.room,
    );
  const places = [y - high - 3, y + tall + 3, y - 2 * high - 5, y + tall + high + 5];
  const top = places.find(isFree) ?? Math.min(height - high - 2, Math.max(2, places[0]));
  taken.push({ left, room, top });
  context.fillStyle = "rgba(12, 14, 18, 0.82)";
  context.beginPath();
  context.roundRect(left, top, room, high, 4);
  context.fill();
  if (colour) {
    context.fillStyle = colour;
    context.fillRect(left + 6, top + 5.5, 8, 9);
  }
  context.fillStyle = "#fff";
  context.fillText(words, left + 7 + mark, top + high / 2 + 0.5, room - 12 - mark);
}
