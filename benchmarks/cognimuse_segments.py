"""Segments and levels of COGNIMUSE's traces, film by film.

Run: python benchmarks/cognimuse_segments.py FOLDER [--emotion experienced] [--record]

FOLDER holds ``Emotion Annotation``; the films themselves are not needed. Where all twelve films
are there, the numbers of all of them stand beside Table 1 of Wu, Li & Lee.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from aver.corpora import load_corpus
from aver.corpora.affect_traces import LEVELS
from aver.corpora.cognimuse_published import SEGMENTS, TABLE_1
from aver.evaluation.results import Result, hash_files, record

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "cognimuse_segments.csv"
COMMAND = "python benchmarks/cognimuse_segments.py FOLDER --record"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--emotion", choices=("intended", "experienced"), default="intended")
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    emotion = arguments.emotion
    rows: list[Result] = []
    files: set[Path] = set()
    for levels in (3, 7):
        frame = load_corpus(
            "cognimuse", arguments.folder, emotion=emotion, levels=levels, media="none"
        )
        files |= {Path(file) for file in frame["file"]}
        films = sorted(set(frame["subject"]))
        most = frame["annotators"].max()
        told = {
            "data": f"COGNIMUSE, {emotion} emotion of {len(films)} films, "
            f"{'one annotator' if most == 1 else f'at most {most} annotators'} each",
            "protocol": "mean of 5-s segments; equal steps over [-1, 1]",
            "command": COMMAND,
        }
        for film in [*films, "all"]:
            part = frame if film == "all" else frame[frame["subject"] == film]
            is_whole = film == "all" and len(films) == 12
            if levels == 3:
                paper = SEGMENTS if is_whole else ""
                rows.append(Result(f"{emotion} {film}", "segments", len(part), paper=paper, **told))
                print(f"{film}: {len(part)} segments")
            for dimension in ("arousal", "valence"):
                numbers = part[f"{dimension}_level"].value_counts()
                line = []
                for place, level in enumerate(LEVELS[levels]):
                    count = int(numbers.get(level, 0))
                    with_paper = is_whole and levels == 3
                    paper = TABLE_1[emotion, dimension][place] if with_paper else ""
                    metric = f"{dimension}_level_{level}_of_{levels}"
                    rows.append(Result(f"{emotion} {film}", metric, count, paper=paper, **told))
                    line.append(f"{level} {count}")
                print(f"  {dimension} in {levels}: {', '.join(line)}")
    if arguments.record:
        digest = hash_files(files, arguments.folder.resolve())
        rows = [Result(**(vars(row) | {"data_sha256": digest})) for row in rows]
        record(TABLE, rows, packages=("numpy", "pandas"))


if __name__ == "__main__":
    main()
