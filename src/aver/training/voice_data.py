"""Voices for training: clips of several corpora as mel magnitudes, and windows drawn from them.

Sound is decoded, disturbed and transformed once, for several versions of each clip, and kept in a
cache folder; while training only mel magnitudes are touched.
"""

from __future__ import annotations

from collections.abc import Sequence as Several
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aver.corpora import load_corpus
from aver.corpora.esc10 import HUMAN
from aver.errors import CorpusError
from aver.features.log_mel import BANDS, LOG_OFFSET, mel_magnitudes
from aver.features.voice_embedding import EMBEDDING, FRAMES, VoiceEmbedder
from aver.features.voice_level import RunningLevel, follow, window_power
from aver.labels import EMOGATOR, EMOGATOR_TO_RAVDESS, RAVDESS, SETS
from aver.training.sequences import Sequences
from aver.training.sound_augment import disturb_magnitudes, disturb_sound, hide_parts

HOP_FRAMES = 50
"""Frames from one half-second window to the next."""

# Magnitudes are kept as float16 logarithms; this offset is far below the 0.01 of the front end.
_STORED_OFFSET = 1e-3


@dataclass(frozen=True)
class VoiceClips:
    """What is known of the clips.

    Attributes:
        table: the corpora's rows, one below the other, with the column ``corpus``.
        target: (clips,) index into :data:`aver.labels.RAVDESS`, -1 where no class of it fits.
        category: (clips,) index into :data:`aver.labels.EMOGATOR`, -1 for other corpora.
        allowed: (clips, 8) the RAVDESS classes that the clip's corpus knows.
    """

    table: pd.DataFrame
    target: NDArray[np.int64]
    category: NDArray[np.int64]
    allowed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.target)

    def rows(self, *corpora: str) -> NDArray[np.intp]:
        """Rows of the named corpora."""
        return np.flatnonzero(self.table["corpus"].isin(corpora))

    @property
    def subjects(self) -> NDArray[np.str_]:
        """``corpus/subject`` of each clip."""
        return np.asarray(self.table["corpus"] + "/" + self.table["subject"], dtype=np.str_)


def list_clips(root: Path, corpora: Several[str]) -> VoiceClips:
    """List the clips of *corpora*, each in the folder of its name below *root*.

    Raises:
        CorpusError: if one is missing, or has no map to RAVDESS's classes.
    """
    frames = []
    for name in corpora:
        if name not in SETS:
            raise CorpusError(name, "has no voices with emotion labels", "Leave it out")
        frames.append(load_corpus(name, root / name).assign(corpus=name))
    table = pd.concat(frames, ignore_index=True)
    maps = {
        name: EMOGATOR_TO_RAVDESS if name == "emogator" else {label: label for label in SETS[name]}
        for name in corpora
    }
    places = {label: index for index, label in enumerate(RAVDESS)}
    pairs = list(zip(table["corpus"], table["label"], strict=True))
    target = [places.get(maps[corpus].get(label, ""), -1) for corpus, label in pairs]
    category = [EMOGATOR.index(label) if corpus == "emogator" else -1 for corpus, label in pairs]
    known = {name: np.isin(RAVDESS, list(maps[name].values())) for name in corpora}
    allowed = np.stack([known[corpus] for corpus, _ in pairs])
    return VoiceClips(table, np.array(target), np.array(category), allowed)


def read_sound(path: str | Path) -> NDArray[np.float32]:
    """A whole short clip as (n,) mono sound at 16 kHz, through the analysis's own reader."""
    from aver.media import read_windows

    parts = [w.samples for w in read_windows(path, picture=False) if w.samples is not None]
    if not parts:
        raise CorpusError(path, "holds no sound")
    return np.concatenate(parts)


@dataclass
class Version:
    """One version of each clip of a corpus.

    Attributes:
        logs: (frames of all clips, 64) float16, ``log(magnitude + 0.001)``.
        ends: (clips,) where each clip's frames end.
        speeds: (clips,) how much faster than recorded.
    """

    logs: NDArray[np.float16]
    ends: NDArray[np.int64]
    speeds: NDArray[np.float64]

    def magnitudes(self, clip: int) -> NDArray[np.float32]:
        """(frames, 64) mel magnitudes of one clip."""
        start = int(self.ends[clip - 1]) if clip else 0
        logs = self.logs[start : int(self.ends[clip])].astype(np.float32)
        return np.maximum(np.exp(logs) - np.float32(_STORED_OFFSET), np.float32(0))


def make_version(
    files: Several[str], number: int, seed: int, cache: Path | None, name: str
) -> Version:
    """Version *number* of *files*: 0 as recorded, others disturbed; kept below *cache*."""
    kept = None if cache is None else cache / f"{name}-{number}-{seed}.npz"
    if kept is not None and kept.is_file():
        with np.load(kept) as stored:
            if len(stored["ends"]) == len(files):
                return Version(stored["logs"], stored["ends"], stored["speeds"])
    logs, lengths, speeds = [], [], []
    for row, file in enumerate(files):
        sound, speed = read_sound(file), 1.0
        if number:
            sound, speed = disturb_sound(sound, np.random.default_rng([seed, number, row]))
        magnitudes = mel_magnitudes(np.pad(sound, (0, 320)))
        logs.append(np.log(magnitudes + np.float32(_STORED_OFFSET)).astype(np.float16))
        lengths.append(len(magnitudes))
        speeds.append(speed)
    version = Version(np.concatenate(logs), np.cumsum(lengths), np.array(speeds))
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        beside = kept.with_name(f".{kept.name}")
        np.savez(beside, logs=version.logs, ends=version.ends, speeds=version.speeds)
        beside.with_name(beside.name).replace(kept)
    return version


@dataclass(frozen=True)
class Drawn:
    """Windows of a batch of clips.

    Attributes:
        log_mel: (batch, windows, 48, 64).
        present: (batch, windows) whether there is a voice; at least one a clip.
        starts: (batch,) first frame of the first window in the clip's version.
        speeds: (batch,) how much faster than recorded.
    """

    log_mel: NDArray[np.float32]
    present: NDArray[np.bool_]
    starts: NDArray[np.int64]
    speeds: NDArray[np.float64]


class SoundBank:
    """All versions of all clips in memory, and the backgrounds.

    Args:
        root: folder of the corpora.
        clips: the clips.
        versions: how many versions of each clip, the recorded one included.
        noise: corpus of backgrounds below *root*; empty for none but synthetic ones.
        cache: where versions are kept; None to keep none.
        seed: of the disturbances.
    """

    def __init__(
        self,
        root: Path,
        clips: VoiceClips,
        versions: int = 1,
        noise: str = "",
        cache: Path | None = None,
        seed: int = 0,
    ):
        self.clips = clips
        self._place = np.zeros(len(clips), np.int64)
        self._versions: dict[str, list[Version]] = {}
        self._corpus = clips.table["corpus"].tolist()
        for corpus in dict.fromkeys(self._corpus):
            rows = clips.rows(corpus)
            files = clips.table["file"].iloc[rows].tolist()
            self._place[rows] = np.arange(len(rows))
            self._versions[corpus] = [
                make_version(files, number, seed, cache, corpus) for number in range(versions)
            ]
        self.noises: list[NDArray[np.float32]] = []
        if noise:
            table = load_corpus(noise, root / noise)
            table = table[~table["label"].isin(HUMAN)]
            version = make_version(table["file"].tolist(), 0, seed, cache, noise)
            self.noises = [version.magnitudes(row) for row in range(len(table))]
        self.levels = np.array([_voice_level(self.magnitudes(r)) for r in range(len(clips))])
        power = pd.Series(np.exp(2 * self.levels)).groupby(clips.subjects).transform("mean")
        self.speaker_levels = 0.5 * np.log(power.to_numpy())

    def version(self, row: int, number: int) -> Version:
        """The version that holds a clip."""
        return self._versions[self._corpus[row]][number]

    def count(self, row: int) -> int:
        """Number of versions of a clip."""
        return len(self._versions[self._corpus[row]])

    def magnitudes(self, row: int, number: int = 0) -> NDArray[np.float32]:
        """(frames, 64) mel magnitudes of version *number* of clip *row*."""
        return self.version(row, number).magnitudes(int(self._place[row]))

    def speed(self, row: int, number: int) -> float:
        """How much faster than recorded version *number* of clip *row* is."""
        return float(self.version(row, number).speeds[self._place[row]])

    def draw(
        self,
        rows: NDArray[np.intp],
        windows: int,
        generator: np.random.Generator,
        strength: float = 1.0,
    ) -> Drawn:
        """Windows of clips as they might be met: any version, start, background, level.

        *strength*, 0 to 1, scales how often a clip is disturbed, and so how hard it is.
        """
        spans = np.zeros((len(rows), windows * HOP_FRAMES, BANDS), np.float32)
        starts, speeds = np.zeros(len(rows), np.int64), np.ones(len(rows))
        for i, row in enumerate(rows):
            number = int(generator.integers(self.count(row)))
            number = number if generator.random() < 0.8 * strength else 0
            magnitudes = self.magnitudes(row, number)
            length, room = len(magnitudes), spans.shape[1]
            if length <= room:
                start = int(generator.integers(-50, min(50, max(1, length // 4))))
            else:
                start = int(generator.integers(-25, length - room + 25))
            _lay(spans[i], magnitudes, start)
            starts[i], speeds[i] = start, self.speed(row, number)
        gain = disturb_magnitudes(
            spans, self.levels[rows], self.noises, generator, strength=strength
        )
        # A third of the clips come late in a recording of the same speaker.
        level = RunningLevel.start(len(rows))
        late = generator.random(len(rows)) < 1 / 3
        known = self.speaker_levels[rows] + gain + generator.normal(size=len(rows)) * 0.3
        level.total = np.where(late, np.exp(2 * known) * 16, level.total)
        level.count = np.where(late, 16.0, level.count)
        log_mel, present = even_out(spans, level)
        for clip in np.flatnonzero(generator.random(len(rows)) < 0.15 * strength):
            if present[clip].sum() > 2:
                present[clip, generator.integers(windows)] = False
        hide_parts(log_mel, generator, strength)
        return Drawn(log_mel, present, starts, speeds)

    def plain(self, rows: NDArray[np.intp], windows: int, number: int = 0) -> Drawn:
        """The first windows of clips as the analysis meets them."""
        spans = np.zeros((len(rows), windows * HOP_FRAMES, BANDS), np.float32)
        for i, row in enumerate(rows):
            _lay(spans[i], self.magnitudes(row, number), 0)
        log_mel, present = even_out(spans, RunningLevel.start(len(rows)))
        speeds = np.array([self.speed(row, number) for row in rows])
        return Drawn(log_mel, present, np.zeros(len(rows), np.int64), speeds)


def even_out(
    spans: NDArray[np.float32], level: RunningLevel
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Cut (batch, windows * 50, 64) magnitudes into windows of even level.

    Returns:
        (batch, windows, 48, 64) log-mel and (batch, windows) whether there is a voice; the
        loudest window counts as one where none does.
    """
    batch = len(spans)
    windows = spans.reshape(batch, -1, HOP_FRAMES, BANDS)[:, :, :FRAMES]
    power = window_power(windows)
    gain, present = follow(power, level)
    nothing = np.flatnonzero(~present.any(axis=1))
    present[nothing, power[nothing].argmax(axis=1)] = True
    scaled = windows * gain[:, :, None, None].astype(np.float32)
    return np.log(scaled + np.float32(LOG_OFFSET)), present


def _lay(span: NDArray[np.float32], magnitudes: NDArray[np.float32], start: int) -> None:
    """Put the frames from *start* on (before 0: silence) into *span*."""
    first, last = max(0, start), min(len(magnitudes), start + len(span))
    if last > first:
        span[first - start : last - start] = magnitudes[first:last]


def _voice_level(magnitudes: NDArray[np.float32]) -> float:
    """Log root mean square of a clip's half seconds that are within 30 dB of its loudest."""
    parts = np.array_split(magnitudes, max(1, len(magnitudes) // HOP_FRAMES))
    power = np.array([float(np.mean(part.astype(np.float64) ** 2)) for part in parts])
    voiced = power[power > 1e-3 * power.max()]
    return 0.5 * float(np.log(voiced.mean() + 1e-10)) if len(voiced) else -10.0


def embed_corpora(
    root: Path,
    corpora: Several[str],
    network: Path,
    windows: int = 8,
    *,
    views: int = 1,
    noise: str = "",
    cache: Path | None = None,
    seed: int = 0,
) -> Sequences:
    """Embed the clips of *corpora* that bear a RAVDESS class, as the analysis would.

    Args:
        root: folder of the corpora.
        corpora: their names.
        network: the voice network's ONNX file.
        windows: windows a clip, from its start.
        views: views of each clip; the first as recorded, others drawn as in training (the views
            of one clip share its label and subject).
        noise: corpus of backgrounds for the other views.
        cache: folder that keeps transformed sound.
        seed: of the draws.

    Returns:
        (clips * views, windows, 512) embeddings; rows of view 0 first, in the corpora's order.
    """
    clips = list_clips(root, corpora)
    rows = np.flatnonzero(clips.target >= 0)
    bank = SoundBank(root, clips, min(views, 4), noise if views > 1 else "", cache, seed)
    embedder = VoiceEmbedder(network)
    generator = np.random.default_rng([seed, 77])
    voice = np.zeros((views, len(rows), windows, EMBEDDING), np.float32)
    mask = np.zeros((views, len(rows), windows), bool)
    for view in range(views):
        for at in range(0, len(rows), 64):
            some = rows[at : at + 64]
            drawn = bank.draw(some, windows, generator) if view else bank.plain(some, windows)
            found = np.zeros((*drawn.present.shape, EMBEDDING), np.float32)
            found[drawn.present] = embedder.run(drawn.log_mel[drawn.present])
            voice[view, at : at + 64], mask[view, at : at + 64] = found, drawn.present
    return Sequences(
        voice.reshape(-1, windows, EMBEDDING),
        mask.reshape(-1, windows),
        np.tile(clips.target[rows], views),
        np.tile(clips.subjects[rows], views),
    )
