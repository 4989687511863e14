"""Frames of pseudo-films: faces of the class then acted, emobase2010, sound semantics.

Fills a frame store with the streams that Fea-TF SCMA takes, as far as pseudo-films have them:
``pictures`` (constructed: see ``aver.corpora.pseudo_films_faces``), ``emobase2010_frames`` (needs
the extra ``opensmile``) and ``sound_semantics`` (needs the sound event detector). What is there
already is not measured again; ``--again`` replaces what was measured with another network.

    python benchmarks/pseudo_film_frames.py FILMS DATA STORE [--streams pictures,sound_semantics]

FILMS is the folder ``pseudo_films`` that ``aver reproduce recipes/pseudo_films.toml`` leaves, DATA
the folder of the corpora.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.progress import Progress

from aver.corpora.pseudo_films import FILMS
from aver.corpora.pseudo_films_faces import STREAM, store_faces
from aver.errors import AverError
from aver.features.extractor import make_extractor
from aver.features.frame_extract import extract_frames, film_names
from aver.features.frame_store import FrameStore

STREAMS = (STREAM, "emobase2010_frames", "sound_semantics")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--streams", default=",".join(STREAMS))
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    wanted = arguments.streams.split(",")
    for name in wanted:
        if name not in STREAMS:
            parser.error(f"'{name}' is none of {', '.join(STREAMS)}")
    store = FrameStore(arguments.store)
    with Progress() as bar:
        task = bar.add_task("frames", total=None)
        if STREAM in wanted:
            store_faces(
                arguments.films,
                arguments.data,
                store,
                again=arguments.again,
                tell=lambda done, every: bar.update(
                    task, description=STREAM, completed=done, total=every
                ),
            )
        done = extract_frames(
            store,
            film_names(sorted((arguments.films / FILMS).glob("*.wav"))),
            {name: make_extractor(name) for name in wanted if name != STREAM},
            warn=lambda line: print(line, file=sys.stderr),
            progress=lambda what, so_far, every: bar.update(
                task, description=what, completed=so_far, total=every
            ),
            again=arguments.again,
        )
    print(f"{done.extracted} streams measured, {done.present} there before, {done.failed} failed")
    for film in store.films():
        shapes = {name: rows.shape for name, rows in store.open(film).items()}
        print(film, shapes)
    if done.failed:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except AverError as error:
        sys.exit(f"{error}")
