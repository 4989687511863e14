"""Soundscapes: strongly labelled mixtures to train and test detectors of human sounds with.

Human sounds are placed over sounds of the surroundings at a set signal-to-noise ratio; when each
begins and ends is known from its energy alone
(:func:`aver.corpora.soundscapes_sound.active_spans`). Heard are

* ``speech_male``, ``speech_female``: RAVDESS and nEMO, by the actor's sex;
* ``crowd``: babble, six to ten voices of both corpora at once, all at one level;
* ``laughter``: EmoGator's bursts of amusement, by what the speakers were asked for, not by ear;
* ``vocal_burst``: EmoGator's other categories;
* ``crying``, ``sneeze``: ESC-10's crying babies and sneezes;
* as background, ESC-10's other eight kinds of sound.

No speaker and no longer recording that clips were cut from is heard in two of the parts ``train``,
``validation`` and ``test``.

The package scaper makes such mixtures too, but it needs soxbindings, of which there is no wheel
for any Python of this project: it is built from C++ against the headers of libsox. This module
does the little that is needed of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from aver.corpora.pseudo_films_sound import Reader
from aver.corpora.sound_event import SoundEvent
from aver.corpora.sound_event_files import events_tsv
from aver.corpora.soundscapes_cast import (
    LABELS,
    NON_VERBAL,
    SPLITS,
    VERBAL,
    Cast,
    make_casts,
)
from aver.corpora.soundscapes_record import RECORD, check_soundscapes, read_record
from aver.corpora.soundscapes_scene import Readers, make_scene, plan
from aver.corpora.soundscapes_settings import SoundscapesSettings, settings_of
from aver.corpora.soundscapes_sound import flac
from aver.errors import OutputError
from aver.report.files import write_files, writer_of

__all__ = [
    "LABELS",
    "NON_VERBAL",
    "RECORD",
    "SPLITS",
    "VERBAL",
    "SoundscapesSettings",
    "check_soundscapes",
    "make_soundscapes",
    "read_record",
    "settings_of",
]

VERSION: Final = 1
MADE: Final = (
    "soundscapes: mixtures of recordings, nobody annotated them; laughter by the category that "
    "speakers were asked for, crowd is babble"
)
_UNFINISHED: Final = "unfinished"
_AT_ONCE: Final = 50

Tell = Callable[[int, int], None]


def make_soundscapes(
    settings: SoundscapesSettings, data: Path, out: Path, progress: Tell | None = None
) -> Path:
    """Make soundscapes under *out*, or leave them if they are there with these settings.

    Leaves ``train/00000.flac`` (16 kHz, mono) and so on, ``train.tsv`` (``filename onset offset
    event_label`` in seconds; a soundscape without events is a row with its name alone), the same
    of ``validation`` and ``test``, and ``soundscapes.json`` (settings, speakers and sources of
    each part, what is heard in each soundscape). After a stop it goes on where it was.

    Args:
        settings: how.
        data: folder of the corpora.
        out: folder to fill.
        progress: called with soundscapes done and soundscapes in all.

    Returns:
        *out*.

    Raises:
        CorpusError: if a corpus is missing or too small.
        OutputError: if *out* holds other soundscapes, or cannot be written.
    """
    say = progress or (lambda done, every: None)
    casts = make_casts(
        {name: data / folder for name, folder in settings.folders.items()},
        settings.parts,
        settings.esc10_folds,
        settings.seed,
    )
    identity = _identity(settings, casts)
    every = sum(settings.counts.values())
    if (out / RECORD).is_file():
        _refuse_other(out, read_record(out), identity)
        say(every, every)
        return out
    readers = Readers(Reader(1024), Reader(256))
    scapes: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    done = 0
    for split in SPLITS:
        labels = plan(settings, split)
        for first in range(0, len(labels), _AT_ONCE):
            say(done, every)
            numbers = range(first, min(first + _AT_ONCE, len(labels)))
            note = out / _UNFINISHED / f"{split}-{first:05d}.json"
            kept = _kept(out, note, identity)
            if kept is None:
                kept = _make_some(
                    settings, casts[split], split, {n: labels[n] for n in numbers}, readers, out
                )
                sizes = [(out / split / scape["filename"]).stat().st_size for scape in kept]
                _write(note, {"identity": identity, "scapes": kept, "bytes": sizes})
            scapes[split] += kept
            done += len(numbers)
    _finish(settings, casts, identity, scapes, out)
    say(every, every)
    return out


def _make_some(
    settings: SoundscapesSettings,
    cast: Cast,
    split: str,
    labels: Mapping[int, list[str]],
    readers: Readers,
    out: Path,
) -> list[dict[str, Any]]:
    """Soundscapes by their numbers, each from its own seed: in any order, they are the same."""
    facts: list[dict[str, Any]] = []
    files: list[tuple[Path, Callable[[BinaryIO], None]]] = []
    for number, wanted in labels.items():
        random = np.random.default_rng((settings.seed, SPLITS.index(split), number))
        sound, about = make_scene(settings, cast, wanted, random, readers)
        name = f"{number:05d}.flac"
        facts.append({"filename": name, **about})
        files.append((out / split / name, writer_of(flac(sound))))
    write_files(files, durable=False)
    return facts


def _finish(
    settings: SoundscapesSettings,
    casts: Mapping[str, Cast],
    identity: str,
    scapes: Mapping[str, Sequence[Mapping[str, Any]]],
    out: Path,
) -> None:
    record = {
        "version": VERSION,
        "about": MADE,
        "identity": identity,
        "labels": list(LABELS),
        "verbal": list(VERBAL),
        "non_verbal": list(NON_VERBAL),
        "settings": settings.model_dump(mode="json"),
        "sources": {split: sorted(cast.origins) for split, cast in casts.items()},
        "scapes": scapes,
    }
    tables = [
        (
            out / f"{split}.tsv",
            writer_of(
                events_tsv(
                    [
                        SoundEvent(e["onset"], e["offset"], e["label"], scape["filename"])
                        for scape in some
                        for e in scape["events"]
                    ],
                    recordings=[str(scape["filename"]) for scape in some],
                ).encode()
            ),
        )
        for split, some in scapes.items()
    ]
    write_files([*tables, (out / RECORD, writer_of(json.dumps(record).encode()))])
    for note in sorted((out / _UNFINISHED).glob("*.json")):
        note.unlink()
    if (out / _UNFINISHED).is_dir():
        (out / _UNFINISHED).rmdir()


def _identity(settings: SoundscapesSettings, casts: Mapping[str, Cast]) -> str:
    """A hash of all that the soundscapes are made of: settings and names of the recordings."""
    about = {
        "version": VERSION,
        "settings": settings.model_dump(mode="json", exclude={"folders"}),
        "casts": {split: cast.names() for split, cast in casts.items()},
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def _refuse_other(out: Path, found: Mapping[str, Any], identity: str) -> None:
    if found.get("identity") != identity:
        raise OutputError(
            out, "holds soundscapes of other settings or recordings", "Choose another folder"
        )


def _kept(out: Path, note: Path, identity: str) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        scapes, sizes = list(found["scapes"]), list(found["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    _refuse_other(out, found, identity)
    split = note.name.partition("-")[0]
    files = [out / split / scape["filename"] for scape in scapes]
    # A power cut may leave a file shorter than it was written.
    there = [file.stat().st_size if file.is_file() else -1 for file in files]
    return scapes if there == sizes else None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_files([(path, writer_of(json.dumps(content).encode()))])
