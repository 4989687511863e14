"""The sound event detector against YAMNet: the same soundscapes, and what a second of sound costs.

    python benchmarks/sound_events.py OUT [--record]

OUT is the folder of ``aver reproduce recipes/sound_events.toml --data DATA --out OUT``. YAMNet
(Google, AudioSet's 521 classes) was trained on none of these recordings; its classes are put
together by the map below, its patch of 0.96 s is moved on by 0.12 s and speaks for its middle, and
its thresholds are chosen on the validation soundscapes, by the same search. It needs the package
ai-edge-litert and the network (``aver models fetch yamnet``, or ``AVER_MODELS``).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from aver import pretrained
from aver.corpora.soundscapes import LABELS, NON_VERBAL, VERBAL
from aver.evaluation.results import Result, hash_files, record
from aver.features.extractor import Clip
from aver.features.log_mel import mel_magnitudes
from aver.features.sound_events import DetectorSettings, LogMelSettings, log_mel
from aver.features.windows import read_sound
from aver.pretrained.session import open_session
from aver.training.sound_event_data import Names, Scapes, list_part
from aver.training.sound_event_decode import Judge, choose_decoding
from aver.training.sound_event_table import RULES_SAID, detect_all, rows_of, told

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "sound_events.csv"
NAMES = Names(LABELS, VERBAL, NON_VERBAL)
PATCH, PATCH_HOP, LOG_OFFSET = 96, 12, 0.001
FRAMES = LogMelSettings(window=0.96, hop=0.12)
SECONDS = 60

# Numbers of YAMNet's class map (tensorflow/models, research/audioset/yamnet).
CLASSES = {
    "verbal": (*range(6), 12, *range(61, 67)),  # speech, whispering; cheering to children playing
    "non_verbal": (*range(6, 12), *range(13, 24), *range(32, 35), *range(36, 46)),
    "laughter": (*range(13, 19),),
    "crying": (*range(19, 23),),
    "sneeze": (44,),
}


class Yamnet:
    """YAMNet on ai-edge-litert: (frames, 64) log-mel of 10 ms to scores every 0.12 s."""

    def __init__(self) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._network = Interpreter(str(pretrained.path_of("yamnet")), num_threads=1)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]

    def patch(self, frames: np.ndarray) -> np.ndarray:
        """Scores (521,) of one patch (96, 64)."""
        self._network.set_tensor(self._input, frames[None])
        self._network.invoke()
        return self._network.get_tensor(self._output)[0]

    def scores(self, samples: np.ndarray) -> np.ndarray:
        """(frames of 0.12 s, 521) of a sound; silence is assumed around it."""
        count = -(-len(samples) // (160 * PATCH_HOP))
        left = (PATCH - PATCH_HOP) // 2
        frames = np.log(mel_magnitudes(np.pad(samples, (0, 400))) + LOG_OFFSET)
        right = max(0, left + count * PATCH_HOP - len(frames) + PATCH)
        padded = np.pad(frames, ((left, right), (0, 0)), constant_values=np.log(LOG_OFFSET)).astype(
            np.float32
        )
        return np.stack(
            [self.patch(padded[n : n + PATCH]) for n in range(0, count * PATCH_HOP, 12)]
        )


def yamnet_scores(network: Yamnet, root: Path, part: str) -> tuple[Scapes, dict[str, np.ndarray]]:
    """A part of the soundscapes and YAMNet's scores by name, (scapes, frames of 0.12 s) each."""
    files, events = list_part(root, part)
    found: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES}
    seconds = []
    for number, file in enumerate(files):
        sound = read_sound(Clip(file))
        seconds.append(sound.seconds)
        scores = network.scores(sound.samples)
        for name, classes in CLASSES.items():
            found[name].append(scores[:, list(classes)].max(axis=1))
        if number % 50 == 0:
            print(f"YAMNet, {part}: {number} of {len(files)}", flush=True)
    empty = np.zeros((len(files), 1, 1), np.float16)
    scapes = Scapes(files, events, np.array(seconds), empty)
    return scapes, {name: np.stack(rows) for name, rows in found.items()}


def measure_yamnet(out: Path) -> list[Result]:
    """YAMNet's rows, and those of its three labels that have a class of their own.

    ``yamnet`` is decoded for the highest F1 under the rule of 200 ms, ``yamnet_overlap`` for the
    highest under the rule that any overlap will do: its patches are too long for the first.
    """
    network, root = Yamnet(), out / "soundscapes"
    validation, heard = yamnet_scores(network, root, "validation")
    test, scores = yamnet_scores(network, root, "test")
    chooser, judge = Judge(validation, NAMES, FRAMES), Judge(test, NAMES, FRAMES)
    facts: dict[str, Any] = {
        "data": f"{len(test.files)} test soundscapes of {test.seconds.mean():.0f} s",
        "command": "python benchmarks/sound_events.py OUT --record",
        "data_sha256": hash_files(root.glob("*.tsv"), root),
    }
    rows: list[Result] = []
    for experiment, rule in (("yamnet", "collar"), ("yamnet_overlap", "overlap")):
        facts["protocol"] = (
            f"YAMNet by a map of its classes, a patch every 0.12 s, decoding chosen by the rule "
            f"{rule}; {RULES_SAID}"
        )
        decoding = {n: choose_decoding(chooser, n, heard[n], rule) for n in CLASSES}
        detected = detect_all(judge, scores, decoding)
        found = rows_of(experiment, judge, detected, facts, labels=False)
        for line in told(experiment, found):
            print(line)
        rows += found
        for name in ("laughter", "crying", "sneeze"):
            f1 = judge.figures(name, scores[name], decoding[name], rule).f1
            metric = "event_f1" if rule == "collar" else "event_overlap_f1"
            print(f"{experiment}/labels: {metric} {name} {f1:.4f}")
            rows.append(Result(f"{experiment}/labels", f"{metric}_{name}", round(f1, 4), **facts))
    return rows


def measure_speed() -> list[Result]:
    """Processor time a second of sound: the shipped detector, its log-mel, and YAMNet."""
    path = pretrained.path_of("sound_events")
    session = open_session(path)
    settings = DetectorSettings.from_metadata(dict(session.get_modelmeta().custom_metadata_map))
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000 * SECONDS).astype(np.float32)
    network = Yamnet()
    best = dict.fromkeys(("whole", "log_mel", "yamnet"), np.inf)
    for _ in range(5):
        begin = time.process_time()
        frames = log_mel(sound, settings.log_mel)
        best["log_mel"] = min(best["log_mel"], time.process_time() - begin)
        session.run(None, {"log_mel": frames[None]})
        best["whole"] = min(best["whole"], time.process_time() - begin)
        begin = time.process_time()
        frames = np.log(mel_magnitudes(sound) + LOG_OFFSET).astype(np.float32)
        for at in range(0, len(frames) - PATCH + 1, PATCH // 2):
            network.patch(frames[at : at + PATCH])
        best["yamnet"] = min(best["yamnet"], time.process_time() - begin)
    milliseconds = {name: 1e3 * value / SECONDS for name, value in best.items()}
    print(", ".join(f"{name} {value:.2f} ms" for name, value in milliseconds.items()))
    facts: dict[str, Any] = {
        "data": "noise made by the script",
        "protocol": "processor time, one thread, log-mel included, best of 5; YAMNet at its own "
        "0.48 s",
        "command": "python benchmarks/sound_events.py OUT --record",
    }
    whole = milliseconds["whole"]
    return [
        Result("sound_events_speed", "ms_per_second", whole, aim=5.0, **facts),
        Result("sound_events_speed", "share_of_log_mel", milliseconds["log_mel"] / whole, **facts),
        Result("sound_events_speed", "share_of_yamnet", whole / milliseconds["yamnet"], **facts),
        Result("yamnet_speed", "ms_per_second", milliseconds["yamnet"], **facts),
        Result(
            "sound_events_size",
            "megabytes",
            path.stat().st_size / 1e6,
            aim=4.0,
            data="the shipped file",
            command=facts["command"],
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--record", action="store_true", help="write results/sound_events.csv")
    options = parser.parse_args()
    rows = [*measure_speed(), *measure_yamnet(options.out)]
    if options.record:
        record(TABLE, rows, packages=("numpy", "onnxruntime", "ai-edge-litert", "sed_eval"))


if __name__ == "__main__":
    main()
