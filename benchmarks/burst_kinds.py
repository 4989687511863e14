"""What YAMNet hears in EmoGator's bursts: whether a prompted category stands for a kind of sound.

Run: python benchmarks/burst_kinds.py EMOGATOR ESC10 YAMNET [--record]

EMOGATOR and ESC10 are the corpora's folders, YAMNET the network with a spectrogram as input
(.tflite); the package ai-edge-litert runs it. Of every category 80 bursts, by name at even
distances, are heard in windows of 0.96 s, half of it apart. A burst counts for the kind of human
sound without words that YAMNet gives the highest score in any window, if that is above 0.1; its
scores for speech, which it gives to most bursts, are left aside. ESC-10's crying babies and
sneezes tell how well it hears.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from aver.corpora import load_corpus
from aver.evaluation.results import Result, hash_files, record
from aver.features.extractor import Clip
from aver.features.log_mel import mel_magnitudes
from aver.features.windows import read_sound

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "burst_kinds.csv"
COMMAND = "python benchmarks/burst_kinds.py EMOGATOR ESC10 YAMNET --record"
KINDS = {
    "shouting": range(6, 12),
    "laughter": range(13, 19),
    "crying": range(19, 23),
    "sighing": range(23, 24),
    "singing": range(24, 33),
    "groaning": range(33, 35),
    "breathing": (36, 37, 39, 40),
    "snoring": (38, 41),
    "coughing": (42, 43),
    "sneezing": (44, 45),
}
"""Classes of AudioSet in YAMNet's order."""
_FRAMES, _STEP, _OFFSET, _EACH, _LEAST = 96, 48, 0.001, 80, 0.1


class Yamnet:
    """Scores (521,) of a sound: the highest of its windows."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._net = Interpreter(str(path), num_threads=1)
        self._net.allocate_tensors()
        self._input = self._net.get_input_details()[0]["index"]
        self._output = self._net.get_output_details()[0]["index"]

    def scores(self, sound: np.ndarray) -> np.ndarray:
        """The 521 scores of (samples,) at 16 kHz."""
        sound = 0.7 * sound / max(float(np.abs(sound).max()), 1e-4)
        sound = np.pad(sound, (0, max(0, 15600 - len(sound))))
        log_mel = np.log(mel_magnitudes(sound) + _OFFSET).astype(np.float32)
        found = []
        for start in range(0, max(1, len(log_mel) - _FRAMES + 1), _STEP):
            self._net.set_tensor(self._input, log_mel[None, start : start + _FRAMES])
            self._net.invoke()
            found.append(self._net.get_tensor(self._output)[0])
        return np.max(found, axis=0)


def kind_of(scores: np.ndarray) -> str:
    best = {kind: max(float(scores[n]) for n in numbers) for kind, numbers in KINDS.items()}
    kind = max(best, key=best.__getitem__)
    return kind if best[kind] > _LEAST else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("emogator", type=Path)
    parser.add_argument("esc10", type=Path)
    parser.add_argument("yamnet", type=Path)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    root = arguments.emogator.resolve()
    network = Yamnet(arguments.yamnet)
    frame = load_corpus("emogator", root).sort_values("file")
    shares: dict[str, Counter[str]] = {}
    heard: list[Path] = []
    for category, part in frame.groupby("label"):
        files = [Path(file) for file in part["file"]]
        some = files[:: max(1, len(files) // _EACH)][:_EACH]
        heard += some
        kinds = Counter(kind_of(network.scores(read_sound(Clip(f)).samples)) for f in some)
        shares[str(category)] = kinds
        told = ", ".join(f"{kind} {n / len(some):.2f}" for kind, n in kinds.most_common(4))
        print(f"{category}: {told}", flush=True)
    sounds = load_corpus("esc10", arguments.esc10)
    controls = {}
    for label, kind in (("baby cry", "crying"), ("person sneeze", "sneezing")):
        files = [Path(file) for file in sounds[sounds["label"] == label]["file"]]
        kinds = Counter(kind_of(network.scores(read_sound(Clip(f)).samples)) for f in files)
        controls[label, kind] = kinds[kind] / len(files)
        print(f"{label}: {kind} {controls[label, kind]:.2f} of {len(files)}", flush=True)
    if arguments.record:
        told = {
            "data": f"EmoGator, {_EACH} bursts of each category",
            "protocol": "YAMNet's highest score among human sounds without words, above 0.1",
            "command": COMMAND,
            "data_sha256": hash_files(heard, root),
        }
        rows = []
        for category, kind in (
            ("amusement", "laughter"),
            ("sadness", "crying"),
            ("relief", "sighing"),
        ):
            others = {c: k[kind] / k.total() for c, k in shares.items() if c != category}
            most = max(others, key=others.__getitem__)
            share = shares[category][kind] / shares[category].total()
            rows += [
                Result(category, f"share heard as {kind}", round(share, 4), **told),
                Result(
                    f"{most}, the next", f"share heard as {kind}", round(others[most], 4), **told
                ),
            ]
        control = told | {"data": "ESC-10, 40 sounds of each", "data_sha256": ""}
        rows += [
            Result(label, f"share heard as {kind}", round(share, 4), **control)
            for (label, kind), share in controls.items()
        ]
        record(TABLE, rows, packages=("numpy", "ai-edge-litert"))


if __name__ == "__main__":
    main()
