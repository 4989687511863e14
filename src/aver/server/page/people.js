// Who is on a timeline, how they are called, and one sentence about each (as aver.report.words).

import { clock, printable } from "./format.js";

const ORDER = ["fused", "face", "voice"];
const CLEAR = 1.6;

export const MODALITY_WORDS = { fused: "Face and voice", face: "Face", voice: "Voice" };

/** Everybody on the timeline: { key, person, tracks: { face, voice, fused }, seen }. Nobody comes last. */
export function castOf(packed) {
  const cast = new Map(
    packed.people.map((seen) => [seen.id, { key: `person-${seen.id}`, person: seen.id, tracks: {}, seen }]),
  );
  for (const track of packed.tracks) {
    if (!track.count) continue;
    if (!cast.has(track.person)) {
      const key = track.person === null ? "nobody" : `person-${track.person}`;
      cast.set(track.person, { key, person: track.person, tracks: {}, seen: null });
    }
    cast.get(track.person).tracks[track.modality] = track;
  }
  const all = [...cast.values()];
  return [...all.filter((one) => one.person !== null), ...all.filter((one) => one.person === null)];
}

export const leadingTrack = (tracks) => ORDER.map((m) => tracks[m]).find(Boolean) ?? null;

/** The tracks to draw of those chosen, or what there is where none of the chosen is. */
export function chosenTracks(tracks, chosen) {
  const found = ORDER.filter((m) => chosen.has(m) && tracks[m]).map((m) => tracks[m]);
  const lead = leadingTrack(tracks);
  return found.length || !lead ? found : [lead];
}

const isSoundAlone = (packed) => packed.media.has_video === false && !packed.people.length;

export function defaultName(person, packed) {
  if (person !== null) return `Person ${person}`;
  return isSoundAlone(packed) ? "Voice" : "Voice, nobody in view";
}

/** Names given by people, else the usual ones. */
export class Names extends EventTarget {
  constructor(packed, given = new Map()) {
    super();
    this.packed = packed;
    this.given = given;
  }

  of(person) {
    return printable(this.given.get(person) ?? "") || defaultName(person, this.packed);
  }

  add(given) {
    for (const [person, name] of given) this.given.set(person, name);
    this.dispatchEvent(new Event("change"));
  }

  set(person, name) {
    if (name) this.given.set(person, name);
    else this.given.delete(person);
    this.dispatchEvent(new Event("change"));
  }
}

/** Mean of each label over a track, windows weighted by length, weak ones by half. */
export function means(track, labels) {
  const sums = new Float64Array(labels);
  let total = 0;
  for (let i = 0; i < track.count; i += 1) {
    const weight = (track.end[i] - track.start[i]) * (track.weak[i] ? 0.5 : 1);
    total += weight;
    for (let label = 0; label < labels; label += 1)
      sums[label] += weight * track.scores[label * track.room + i];
  }
  return sums.map((sum) => (total ? sum / total : 0));
}

/** "mostly shows happy (mean 0.62), strongest at 0:07": what stands after the name. */
export function sentence(one, packed) {
  const track = leadingTrack(one.tracks);
  if (!track) return "was seen too briefly for a score.";
  const average = means(track, packed.labels.length);
  const label = average.indexOf(Math.max(...average)),
    mean = average[label].toFixed(2);
  const word = printable(packed.labels[label]);
  let held = 0,
    weak = 0,
    total = 0,
    best = -1,
    bestFirm = -1;
  const score = (i) => track.scores[label * track.room + i];
  for (let i = 0; i < track.count; i += 1) {
    const length = track.end[i] - track.start[i];
    total += length;
    if (track.best[i] === label) held += length;
    if (track.weak[i]) weak += length;
    if (best < 0 || score(i) > score(best)) best = i;
    if (!track.weak[i] && (bestFirm < 0 || score(i) > score(bestFirm))) bestFirm = i;
  }
  const at = track.start[bestFirm < 0 ? best : bestFirm];
  const where = `, strongest at ${clock(at, packed.duration < 10 ? 1 : 0)}`;
  const sounds = one.person === null || track.modality === "voice";
  const verb = sounds ? "sounds" : "shows";
  const clear = average[label] >= CLEAR / packed.labels.length;
  let core;
  if (!clear) core = `${sounds ? "carries" : "shows"} no clear expression; ${word} leads (mean ${mean})`;
  else if (track.count === 1) core = `${verb} ${word} (${mean})`;
  else if (held / total >= 0.5) core = `mostly ${verb} ${word} (mean ${mean})${where}`;
  else core = `${verb} ${word} more than anything else (mean ${mean})${where}`;
  return `${core}${weak / total > 0.5 ? "; the evidence is mostly weak" : ""}.`;
}
