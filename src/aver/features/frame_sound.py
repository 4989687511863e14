"""emobase2010 at frames: functionals of 400 ms of sound every 40 ms (Fea-TF SCMA, section II.B).

openSMILE measures its low-level descriptors once along the film and takes the functionals over a
window that slides: over ten times the speed of cutting 400 ms out and measuring them alone
(``method = "cut"``), where most descriptors of the same sound are measured ten times over. The two
differ at the edges of a window: a cut piece is smoothed and differentiated against nothing, and a
window of descriptors that begin within 400 ms reaches 15 to 50 ms further, by their own length.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aver.errors import MediaError, ModelError
from aver.features.extractor import Clip, ExtractorSettings, Features, register_extractor
from aver.features.frame_clock import FRAMES_PER_SECOND, frame_count
from aver.features.frame_rows import Warn
from aver.features.opensmile import Emobase2010, load_package
from aver.features.sound_parts import sound_parts
from aver.features.windows import read_sound
from aver.media import SAMPLE_RATE, starts

Floats = NDArray[np.float32]

HOP = SAMPLE_RATE // FRAMES_PER_SECOND
"""Samples from one frame to the next: 640."""

PIECE_FRAMES = 60 * FRAMES_PER_SECOND
"""Frames that are measured in one go: a minute, wherever one begins."""

# Context: with two seconds nothing of what a minute gives differs from what the whole film gives,
# but the envelope of pitch, which remembers the last voiced sound however long ago it was.
_BEFORE = 4 * FRAMES_PER_SECOND
# Beyond the last window: the longest low-level frame, smoothing and derivatives.
_AFTER = SAMPLE_RATE // 4
_DESCRIPTORS_PER_SECOND = 100

_WHOLE = re.compile(
    r"frameMode\s*=\s*full\s*\n\s*frameSize\s*=\s*0\s*\n\s*frameStep\s*=\s*0\s*\n", re.IGNORECASE
)


class Emobase2010FramesSettings(ExtractorSettings):
    """Settings of the extractor ``emobase2010_frames``.

    Attributes:
        window_seconds: length of a window; it begins at its frame.
        method: ``sliding`` functionals over descriptors that are measured once, or ``cut``:
            each window cut out and measured alone, as a file of its own would be.
        config: the user's own ``emobase2010.conf``, for ``cut``; see ``emobase2010``.
    """

    window_seconds: float = Field(0.4, ge=0.2, le=10)
    method: Literal["sliding", "cut"] = "sliding"
    config: str = ""

    @model_validator(mode="after")
    def _own_configurations_are_cut(self) -> Emobase2010FramesSettings:
        if self.config and self.method != "cut":
            raise ValueError("config needs method = cut")
        return self


@register_extractor("emobase2010_frames")
class Emobase2010Frames(Emobase2010):
    """The 1,582 functionals of emobase2010, 25 times a second.

    A window begins at its frame, as the ten fields of flow do; beyond the sound's end is silence.
    Names, scaling and what is :attr:`inexact` are those of ``emobase2010``. openSMILE comes under
    audEERING's research licence: no commercial use.
    """

    version = 1
    Settings = Emobase2010FramesSettings  # type: ignore[assignment]

    def extract(self, clip: Clip) -> Features:
        """Values (frames, 1582) of one clip; times are the windows'.

        Raises:
            MediaError: if it cannot be read or has no sound.
        """
        samples = read_sound(clip).samples
        seconds = len(samples) / SAMPLE_RATE
        frames = frame_count(seconds)
        if not frames:
            raise MediaError(clip.file, f"its sound lasts {seconds:.4f} s, too short for a frame")
        values = np.concatenate(list(self._pieces(iter([samples]), 0)))[:frames]
        begin = np.arange(frames) / FRAMES_PER_SECOND
        end = np.minimum(begin + self.settings.window_seconds, seconds)
        times = np.stack([begin, end], axis=1).astype(np.float32)
        return Features(values, times, np.ones(frames, np.bool_))

    def frame_rows(self, file: Path, first: int, warn: Warn) -> Iterator[Floats]:
        """Rows (n, 1582) of the frames of *file* from *first* on, a minute at a time.

        Raises:
            MediaError: if it cannot be read or has no sound.
        """
        begins = starts(file)[1]
        if begins is None:
            raise MediaError(file, "holds no sound", "Leave out this stream, or name another file")
        silence = np.zeros(round(begins * SAMPLE_RATE), np.float32)

        def parts() -> Iterator[Floats]:
            yield silence
            yield from sound_parts(Clip(file))

        yield from self._pieces(parts(), first)

    def _pieces(self, parts: Iterator[Floats], first: int) -> Iterator[Floats]:
        """Rows of the frames from *first* on, of sound that comes in *parts* from its beginning."""
        held, start, at = np.zeros(0, np.float32), 0, first - first % PIECE_FRAMES
        reach = round(self.settings.window_seconds * SAMPLE_RATE) + _AFTER
        more = True
        while True:
            lower = max(0, at - _BEFORE) * HOP
            upper = (at + PIECE_FRAMES) * HOP + reach
            gathered = [held]
            while more and start + sum(map(len, gathered)) < upper:
                part = next(parts, None)
                more = part is not None
                if part is not None:
                    gathered.append(part)
                if sum(map(len, gathered)) > 10 * SAMPLE_RATE:
                    gathered = [np.concatenate(gathered)]
                    dropped = min(max(0, lower - start), len(gathered[0]))
                    gathered, start = [gathered[0][dropped:]], start + dropped
            held = np.concatenate(gathered)
            dropped = min(max(0, lower - start), len(held))
            held, start = held[dropped:], start + dropped
            ended = frame_count((start + len(held)) / SAMPLE_RATE)
            count = min(PIECE_FRAMES, ended - at)
            if count <= 0:
                return
            sound = held[: upper - start]
            sound = np.pad(sound, (0, upper - start - len(sound)))
            rows = self._measure(sound, at - start // HOP, count)
            yield rows[max(0, first - at) :]
            at += PIECE_FRAMES

    def _measure(self, sound: Floats, skip: int, count: int) -> Floats:
        """Rows of *count* frames of *sound*, of which the first *skip* are there for context."""
        if self.settings.method == "cut":
            length = round(self.settings.window_seconds * SAMPLE_RATE)
            cut = [self.measure(sound[k * HOP :][:length]) for k in range(skip, skip + count)]
            nothing = np.zeros(self.shape, np.float32)
            return np.stack([nothing if row is None else row for row in cut])
        needed = (skip + count) * HOP + round(self.settings.window_seconds * SAMPLE_RATE) + _AFTER
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self._sliding.process_signal(
                np.clip(sound[:needed], -1.0, 32767 / 32768), SAMPLE_RATE
            ).to_numpy(np.float32)
        rows = np.ascontiguousarray(found[skip : skip + count])
        # Positions come in frames of descriptors, and leave as a share of the window's.
        rows[:, self._positions] /= round(self.settings.window_seconds * _DESCRIPTORS_PER_SECOND)
        return rows

    @cached_property
    def _positions(self) -> list[int]:
        return [n for n, name in enumerate(self.names) if name.endswith(("_maxPos", "_minPos"))]

    @cached_property
    def _sliding(self) -> Any:
        """The package's own IS10, its functionals over a window that slides."""
        package = load_package()
        own = Path(self._smile.config_path)
        text, places = _WHOLE.subn(
            f"frameMode = fixed\nframeSize = {self.settings.window_seconds}\n"
            f"frameStep = {1 / FRAMES_PER_SECOND}\n",
            own.read_text("utf-8"),
        )
        if places != 3:
            raise ModelError(
                own,
                f"has {places} places that take functionals over everything, 3 were known",
                "Install the version of opensmile that pyproject.toml names, or set method = cut",
            )
        self._folder = tempfile.TemporaryDirectory(prefix="aver-opensmile-")
        config = Path(self._folder.name, "sliding.conf")
        config.write_text(text, "utf-8")
        return package.Smile(str(config), "func")
