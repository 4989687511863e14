"""Enjoyment in conversations: 590 turns of 25 people, rated by three (Pereira et al. 2024).

The folder holds ``frames.parquet`` (frames of each turn at 10 Hz: face action units, pose and
expression scores), ``egemaps.csv`` and ``prosody.csv`` (one row a turn) and ``labels.csv``: one row
for each annotator and person with a rating from 1 (no enjoyment) to 5 for ``Turn 1``, ``Turn 2``,
and so on. ``P7_T3`` is person 7's third turn; no numbers are left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora.layout import count_values
from aver.corpora.registry import Count, register_corpus
from aver.corpora.table import make_frame, report
from aver.errors import CorpusError
from aver.labels import ENJOYMENT

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("frames.parquet", "egemaps.csv", "prosody.csv", "labels.csv")
ANNOTATORS = ("Annot1", "Annot2", "Annot3")
PUBLISHED = {"1": 11, "2": 87, "3": 296, "4": 184, "5": 12}
"""Turns of each median rating."""
_NAME = re.compile(r"P(\d+)_T(\d+)")
_ADVICE = f"Give the folder that holds {', '.join(TABLES)}"


def read_ratings(table: Path) -> dict[tuple[int, int], dict[str, float]]:
    """Each annotator's rating by person and turn.

    Raises:
        CorpusError: if the table is not the publishers', or a rating is not 1 to 5.
    """
    import pandas as pd

    try:
        wide = pd.read_csv(table)
        turns = [column for column in wide.columns if column.startswith("Turn ")]
        long = wide.melt(["Coder", "Participant"], turns, "turn", "rating").dropna()
        people = long["Participant"].astype(int)
        numbers = long["turn"].str.removeprefix("Turn ").astype(int)
        ratings = long["rating"].astype(float)
    except (KeyError, ValueError, OSError) as error:
        raise CorpusError(table, f"is not the table of ratings ({error})", _ADVICE) from error
    found: dict[tuple[int, int], dict[str, float]] = {}
    for person, turn, coder, rating in zip(people, numbers, long["Coder"], ratings, strict=True):
        if not 1 <= rating <= 5:
            problem = f"{coder} rated turn {turn} of person {person} {rating:g}"
            report(CorpusError(table, problem, "Ratings are 1 to 5"))
            continue
        found.setdefault((person, turn), {})[str(coder)] = rating
    return found


def _missing(root: Path, frame: pd.DataFrame) -> list[str]:
    import pandas as pd

    there = set(frame["recording"])
    missing = []
    for name in ("egemaps.csv", "prosody.csv"):
        if not (root / name).is_file():
            missing.append(name)
            continue
        told = set(pd.read_csv(root / name, usecols=["filename"])["filename"])
        missing += [f"{turn} in {name}" for turn in sorted(there - told)]
    rated = {f"P{p}_T{t}" for p, t in read_ratings(root / "labels.csv")}
    return missing + [f"{turn} in frames.parquet" for turn in sorted(rated - there)]


def _published(frame: pd.DataFrame) -> list[Count]:
    return [
        Count("turns", 590, len(frame)),
        Count("people", 25, frame["subject"].nunique()),
        *count_values(frame, "label", PUBLISHED, "label"),
    ]


@register_corpus(
    "enjoyment",
    title="Enjoyment: 590 turns of 25 people in conversations, rated 1 to 5 by three",
    labels=ENJOYMENT,
    published=_published,
    missing=_missing,
    files_are_media=False,
)
def load(root: Path) -> pd.DataFrame:
    """List the turns under *root*, in the order of ``frames.parquet``.

    Returns:
        One row a turn with the columns of every corpus. ``file`` is ``frames.parquet``,
        ``recording`` the turn (``P1_T1``), by which the other tables are joined; ``subject`` the
        person (``P1``); ``label`` the median of the three ratings, ``1`` to ``5`` (ordered).
        Then ``turn`` (its number), ``frames`` (how many there are) and ``rating_annot1`` to
        ``rating_annot3``.

    Raises:
        CorpusError: if a table is missing or damaged, a turn has no rating, or a median of two
            ratings lies between two classes.
    """
    import pandas as pd

    root = Path(root).resolve()
    for name in ("frames.parquet", "labels.csv"):
        if not (root / name).is_file():
            raise CorpusError(root, f"is not the enjoyment corpus: there is no {name}", _ADVICE)
    ratings = read_ratings(root / "labels.csv")
    table = root / "frames.parquet"
    try:
        frames = pd.read_parquet(table, columns=["turn"])["turn"]
    except (ValueError, OSError, KeyError) as error:
        raise CorpusError(table, f"cannot be read ({error})", _ADVICE) from error
    rows: list[dict[str, object]] = []
    for turn, number in frames.value_counts(sort=False).items():
        match = _NAME.fullmatch(str(turn))
        given = ratings.get((int(match[1]), int(match[2])), {}) if match else {}
        if match is None or not given:
            report(CorpusError(table, f"turn '{turn}' has no rating in labels.csv", _ADVICE))
            continue
        median = float(pd.Series(given).median())
        if median != int(median):
            report(CorpusError(table, f"the median rating of turn '{turn}' is {median:g}"))
            continue
        row: dict[str, object] = {
            "file": str(table),
            "subject": f"P{match[1]}",
            "label": str(int(median)),
            "source_label": "/".join(f"{given.get(name, float('nan')):g}" for name in ANNOTATORS),
            "recording": str(turn),
            "turn": int(match[2]),
            "frames": int(number),
        }
        rows.append(row | {f"rating_{name.lower()}": given.get(name) for name in ANNOTATORS})
    if not rows:
        raise CorpusError(root, "holds no rated turn", _ADVICE)
    extra = ("turn", "frames", *(f"rating_{name.lower()}" for name in ANNOTATORS))
    return make_frame(rows, extra)
