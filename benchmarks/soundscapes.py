"""What is in a set of soundscapes: events, minutes, speakers and sources of each part.

Run: python benchmarks/soundscapes.py FOLDER [--record]

FOLDER was made by ``aver events soundscapes DATA FOLDER`` with the settings as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from aver.corpora.soundscapes import LABELS, SPLITS, check_soundscapes, read_record
from aver.evaluation.results import Result, hash_files, record

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "soundscapes.csv"
COMMAND = "python benchmarks/soundscapes.py FOLDER --record"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    check_soundscapes(folder)
    about = read_record(folder)
    told = {
        "data": "soundscapes of RAVDESS, nEMO, EmoGator, ESC-10",
        "protocol": "no speaker and no source in two parts",
        "command": COMMAND,
        "seed": about["settings"]["seed"],
        "data_sha256": hash_files([folder / f"{split}.tsv" for split in SPLITS], folder),
    }
    rows: list[Result] = []
    for split in SPLITS:
        scapes = about["scapes"][split]
        silent = sum(not scape["events"] for scape in scapes)
        left_out = sum(len(scape["left_out"]) for scape in scapes)
        numbers = {
            "soundscapes": len(scapes),
            "soundscapes with nobody in them": silent,
            "events without room, left out": left_out,
        }
        for what, value in numbers.items():
            rows.append(Result(split, what, value, **told))
        for label in LABELS:
            events = [e for scape in scapes for e in scape["events"] if e["label"] == label]
            sources = {name for event in events for name in event["sources"]}
            minutes = sum(event["offset"] - event["onset"] for event in events) / 60
            rows += [
                Result(f"{split} {label}", "events", len(events), **told),
                Result(f"{split} {label}", "minutes", round(minutes, 2), **told),
                Result(f"{split} {label}", "recordings", len(sources), **told),
            ]
            print(f"{split} {label}: {len(events)} events, {minutes:.1f} min, {len(sources)} files")
        for corpus in ("ravdess", "nemo", "emogator", "esc10"):
            what = "longer recordings" if corpus == "esc10" else "speakers"
            count = sum(name.startswith(f"{corpus}/") for name in about["sources"][split])
            rows.append(Result(f"{split} {corpus}", what, count, **told))
            print(f"{split} {corpus}: {count} {what}")
    if arguments.record:
        record(TABLE, rows, packages=("numpy", "av"))


if __name__ == "__main__":
    main()
