"""Seven levels of valence of COGNIMUSE's frames, film by film: what a frame-wise model has to tell.

Run: python benchmarks/cognimuse_valence_frames.py FOLDER [--emotion experienced] [--record]

FOLDER holds ``Emotion Annotation``; the films themselves are not needed, and no model is run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from aver.corpora.affect_traces import LEVELS
from aver.corpora.cognimuse import CognimuseOptions, load_frames, read_films
from aver.evaluation.frame_valence import EXTREMES
from aver.evaluation.results import Result, hash_files, record

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "cognimuse_valence_frames.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--emotion", choices=("intended", "experienced"), default="intended")
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    options = CognimuseOptions.model_validate(
        {"emotion": arguments.emotion, "levels": "7", "films": "7", "media": "none"}
    )
    films = read_films(arguments.folder, options)
    frame = load_frames(arguments.folder, options)
    most = max(one.annotators for one in films)
    files = {file.path.resolve() for one in films for file in one.files}
    digest = hash_files(files, arguments.folder.resolve())
    rows: list[Result] = []

    def keep(name: str, metric: str, value: float) -> None:
        rows.append(
            Result(
                f"{arguments.emotion} valence {name}",
                metric,
                value,
                data=f"COGNIMUSE, {arguments.emotion} emotion of {len(films)} films of the first "
                f"release, {'one annotator' if most == 1 else f'at most {most} annotators'} each",
                protocol=f"every frame at 25 Hz, seven equal steps over [-1, 1], rescaled "
                f"'{options.rescaling}'; labels alone, no model",
                command="python benchmarks/cognimuse_valence_frames.py FOLDER --record",
                data_sha256=digest,
            )
        )

    guesses = {}
    for name in sorted(set(frame["film"])):
        others = frame.loc[frame["film"] != name, "valence_level"]
        own = frame.loc[frame["film"] == name, "valence_level"]
        guesses[name] = float((own == others.mode().iloc[0]).mean())
    guesses["all"] = float(np.mean(list(guesses.values())))
    for name in [*guesses]:
        part = frame if name == "all" else frame[frame["film"] == name]
        shares = part["valence_level"].value_counts(normalize=True)
        keep(name, "frames", len(part))
        for level in LEVELS[7]:
            keep(name, f"share_of_level_{level}", round(float(shares.get(level, 0.0)), 4))
        extreme = sum(float(shares.get(level, 0.0)) for level in EXTREMES)
        keep(name, "share_of_extreme_levels", round(extreme, 4))
        keep(name, "share_of_most_frequent_level", round(float(shares.max()), 4))
        # Of a model that always says the others' most frequent level; of "all": mean of films.
        keep(name, "accuracy_of_most_frequent_of_other_films", round(guesses[name], 4))
        told = "  ".join(f"{n}: {100 * float(shares.get(n, 0)):4.1f}" for n in LEVELS[7])
        print(f"{name:16s} {len(part):6d} frames; percent of levels {told}")
    if arguments.record:
        record(TABLE, rows, packages=("numpy", "pandas"))


if __name__ == "__main__":
    main()
