"""Arousal and valence of a recording's sound, every five seconds, by a user's own network.

The network is an ONNX file as the task ``films`` leaves it (``OUT/<name>_affect.onnx``). Its
metadata say what goes in: segment length, segments of a sequence, and the extractor of each stream
with its settings. Nothing is shipped: films with ratings cannot be handed on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import AverError, MediaError, ModelError
from aver.features.extractor import Clip, Extractor, Features, make_extractor
from aver.inference.networks import Floats, softmax
from aver.pretrained.session import open_session
from aver.timeline import AFFECT_DIMENSIONS, AFFECT_LEVELS, Affect

METADATA = "affect"
FORMAT = 1
Progress = Callable[[int, int], None]


class AffectNetwork:
    """A network that labels five-second segments with levels of arousal, valence or both.

    Args:
        path: the ONNX file.
        threads: of one run.

    Raises:
        ModelError: if the file is missing or damaged, is no such network, or needs a package that
            is not installed.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        self.path = Path(path)
        if not self.path.is_file():
            raise ModelError(path, "there is no such file", "Give the .onnx file of your network")
        self._session = open_session(path, threads)
        self.facts = _facts(self._session.get_modelmeta().custom_metadata_map, self.path)
        outputs = {entry.name for entry in self._session.get_outputs()}
        self.dimensions = tuple(d for d in AFFECT_DIMENSIONS if f"{d}_logits" in outputs)
        inputs = {entry.name: entry.shape for entry in self._session.get_inputs()}
        expected = {x for name in self.facts["streams"] for x in (name, f"{name}_mask")}
        if not self.dimensions or set(inputs) != expected:
            raise ModelError(
                path, "its inputs and outputs are not those it names in its metadata", _ADVICE
            )
        self.time = int(self.facts["time"])
        self.seconds = float(self.facts["segment_seconds"])
        self.extractors: dict[str, Extractor] = {}
        for name, about in self.facts["streams"].items():
            extractor = _extractor(about, self.seconds, self.path)
            width = inputs[name][2]
            if extractor.shape != (width,):
                raise ModelError(
                    path,
                    f"takes {width} numbers of '{name}', and '{extractor.name}' gives "
                    f"{extractor.shape} here",
                    "Train and export it again with this version",
                )
            self.extractors[name] = extractor
        self.version = hashlib.sha256(self.path.read_bytes()).hexdigest()[:12]

    def __call__(self, path: str | Path, *, progress: Progress | None = None) -> list[Affect]:
        """Levels of the sound of a recording, segment by segment.

        A last segment of less than half the length is left out.

        Raises:
            MediaError: if it has no sound, or cannot be read.
        """
        features: dict[str, Features] = {}
        for number, (name, extractor) in enumerate(self.extractors.items()):
            if progress is not None:
                progress(number, len(self.extractors))
            try:
                features[name] = extractor.extract(Clip(Path(path)))
            except MediaError:
                raise
            except AverError as error:
                told = f"'{extractor.name}' cannot be measured ({error.problem})"
                raise MediaError(path, told, error.advice) from error
        count = min(len(part) for part in features.values())
        spans = next(iter(features.values())).times[:count].astype(np.float64)
        there = np.ones(count, np.bool_)
        for part in features.values():
            there &= part.present[:count]
        there &= spans[:, 1] - spans[:, 0] >= self.seconds / 2
        found = self.levels(
            {n: part.values[:count] for n, part in features.items()},
            {n: part.present[:count] for n, part in features.items()},
        )
        return [
            Affect(
                float(spans[row, 0]),
                float(spans[row, 1]),
                **{d: _triple(scores[row]) for d, scores in found.items()},
            )
            for row in np.flatnonzero(there)
        ]

    def levels(
        self, streams: dict[str, Floats], present: dict[str, NDArray[np.bool_]]
    ) -> dict[str, Floats]:
        """Probabilities (segments, levels) by dimension.

        Args:
            streams: (segments, dimension) by stream, as the extractors give them.
            present: (segments,) by stream.
        """
        count = len(next(iter(streams.values())))
        sequences = -(-count // self.time)
        fed: dict[str, Any] = {}
        for name, values in streams.items():
            padded = np.zeros((sequences * self.time, values.shape[1]), np.float32)
            mask = np.zeros(sequences * self.time, np.bool_)
            padded[:count], mask[:count] = values, present[name]
            fed[name] = padded.reshape(sequences, self.time, -1)
            fed[f"{name}_mask"] = mask.reshape(sequences, self.time)
        wanted = [f"{dimension}_logits" for dimension in self.dimensions]
        found = self._session.run(wanted, fed)
        return {
            dimension: softmax(logits.reshape(-1, len(AFFECT_LEVELS))[:count])
            for dimension, logits in zip(self.dimensions, found, strict=True)
        }

    def describe(self) -> dict[str, Any]:
        """What the timeline's ``model`` says of it."""
        kept = ("data", "protocol", "recipe", "constructed")
        return {
            "name": self.path.name,
            "version": self.version,
            "dimensions": list(self.dimensions),
            "segment_seconds": self.seconds,
            **{key: self.facts[key] for key in kept if self.facts.get(key)},
        }


_ADVICE = "Give a network that a recipe of the task 'films' left (keep = \"...\")"


def _facts(metadata: dict[str, str], path: Path) -> dict[str, Any]:
    try:
        facts = dict(json.loads(metadata[METADATA]))
        version = int(facts["format"])
        levels = tuple(facts["levels"])
        complete = bool(facts["streams"]) and int(facts["time"]) > 0
        complete &= float(facts["segment_seconds"]) > 0
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(
            path, f"is no network of arousal and valence (metadata: {error})", _ADVICE
        ) from error
    if version > FORMAT:
        raise ModelError(path, "was written by a newer version", "Update aver")
    if levels != AFFECT_LEVELS or not complete:
        raise ModelError(path, f"has the levels {', '.join(map(str, levels))}", _ADVICE)
    return facts


def _extractor(about: dict[str, Any], seconds: float, path: Path) -> Extractor:
    try:
        settings = {"window_seconds": seconds, **about.get("settings", {})}
        extractor = make_extractor(about["extractor"], **settings)
    except KeyError as error:
        raise ModelError(path, f"does not say what it reads ({error})", _ADVICE) from error
    if extractor.modality == "table":
        raise ModelError(
            path,
            f"reads '{extractor.name}', which comes from a table and not from a recording",
            "Train one on features of sound",
        )
    return extractor


def _triple(scores: Floats) -> tuple[float, float, float]:
    low, mid, high = (float(v) for v in scores)
    return low, mid, high
