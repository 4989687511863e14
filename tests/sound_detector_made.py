"""A sound event detector whose every number is known: low tones are verbal, high ones are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from aver.features.sound_events import (
    NON_VERBAL,
    VERBAL,
    Decoding,
    DetectorSettings,
    LogMelSettings,
)

LABELS = ("low", "high")
REACH = 10
"""Frames on either side that a score is the mean over, zeros beyond the sound's ends."""


def settings(**changes) -> DetectorSettings:
    """Labels and decoding: gaps below 0.2 s are closed, events below 0.1 s left out."""
    plain = Decoding(threshold=0.5, median=5, minimum=0.1, gap=0.2)
    known = {
        "labels": LABELS,
        "verbal": ("low",),
        "non_verbal": ("high",),
        "log_mel": LogMelSettings(),
        "decoding": dict.fromkeys((VERBAL, NON_VERBAL, *LABELS), plain),
        "seen_subjects": ("ravdess/*",),
    }
    return DetectorSettings(**{**known, **changes})


def make_detector(
    path: Path, *, level: float = -8.0, leave_out: str = "", stated: DetectorSettings | None = None
) -> Path:
    """Write the network.

    ``scores``: mean over 2 * REACH + 1 frames of sigmoid(4 * (loudest band - level)), of the lower
    32 bands and of the upper 32; ``semantics_verbal`` the first three bands,
    ``semantics_non_verbal`` the last two.
    """
    constants = {
        "level": np.float32(level),
        "steep": np.float32(4.0),
    }
    initial = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]

    def whole(name: str, *values: int) -> str:
        initial.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def cut(source: str, target: str, first: int, last: int) -> list:
        names = [source, whole(f"{target}_a", first), whole(f"{target}_b", last)]
        return [helper.make_node("Slice", [*names, whole(f"{target}_x", 2)], [target])]

    def loudest(source: str, target: str) -> list:
        return [helper.make_node("ReduceMax", [source], [target], axes=[2], keepdims=1)]

    size = 2 * REACH + 1
    nodes = [
        *cut("log_mel", "lower", 0, 32),
        *cut("log_mel", "upper", 32, 64),
        *loudest("lower", "low"),
        *loudest("upper", "high"),
        helper.make_node("Concat", ["low", "high"], ["both"], axis=2),
        helper.make_node("Sub", ["both", "level"], ["above"]),
        helper.make_node("Mul", ["above", "steep"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["sharp"]),
        helper.make_node("Transpose", ["sharp"], ["turned"], perm=[0, 2, 1]),
        helper.make_node(
            "AveragePool",
            ["turned"],
            ["pooled"],
            kernel_shape=[size],
            pads=[REACH, REACH],
            count_include_pad=1,
        ),
        helper.make_node("Transpose", ["pooled"], ["scores"], perm=[0, 2, 1]),
        *cut("scores", "first", 0, 1),
        *cut("scores", "second", 1, 2),
        helper.make_node("Squeeze", ["first", whole("axis", 2)], ["verbal"]),
        helper.make_node("Squeeze", ["second", "axis"], ["non_verbal"]),
        *cut("log_mel", "semantics_verbal", 0, 3),
        *cut("log_mel", "semantics_non_verbal", 62, 64),
    ]
    shapes = {
        "scores": [1, "frames", 2],
        "verbal": [1, "frames"],
        "non_verbal": [1, "frames"],
        "semantics_verbal": [1, "frames", 3],
        "semantics_non_verbal": [1, "frames", 2],
    }
    graph = helper.make_graph(
        nodes,
        "sound_events",
        [helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, [1, "frames", 64])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
            if name != leave_out
        ],
        initial,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, (stated or settings()).to_metadata())
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def tones(seconds: float, *spans: tuple[float, float, float], rate: int = 16_000) -> np.ndarray:
    """Silence of so many seconds with tones in it: (start, end, hertz) each."""
    time = np.arange(round(seconds * rate)) / rate
    sound = np.zeros(len(time))
    for start, end, hertz in spans:
        inside = (time >= start) & (time < end)
        sound[inside] += 0.3 * np.sin(2 * np.pi * hertz * time[inside])
    return sound.astype(np.float32)
