"""Stored predictions: one Parquet file per system, that every table and test is made from.

Columns: ``item`` (recording or file stem), ``subject``, ``fold``, ``label``, ``predicted``, and
``score_<class>`` for each class (probabilities that sum to 1). The file's metadata hold the
system's name, the recipe, the data's hash and the order of the classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aver.errors import PredictionsError, one_line
from aver.report.files import write_files

TEXT_COLUMNS = ("item", "subject", "fold", "label", "predicted")
SCORE = "score_"
METADATA = b"aver.predictions"
FORMAT = 1
TOLERANCE = 1e-4  # of the scores' sum; float32 softmax stays far below it


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one system said of the test items of one or several folds.

    An item may be tested in several folds (repeated random splits), never twice in one.

    Attributes:
        classes: class names, in the order of the score columns.
        item: (items,) recording or file stem.
        subject: (items,) who is heard or seen.
        fold: (items,) name of the fold whose test part this was.
        label: (items,) true class.
        scores: (items, classes) probabilities, float64.
        predicted: (items,) class the system decided for; the highest score if not given.
        system: name of the system.
        recipe: name of the recipe, or empty.
        data_sha256: hash of the data, or empty.
    """

    classes: tuple[str, ...]
    item: NDArray[Any]
    subject: NDArray[Any]
    fold: NDArray[Any]
    label: NDArray[Any]
    scores: NDArray[np.float64]
    predicted: NDArray[Any] | None = None
    system: str = ""
    recipe: str = ""
    data_sha256: str = ""

    def __post_init__(self) -> None:
        """Bring to the declared types and refuse what cannot be measured.

        Raises:
            PredictionsError: for no items, wrong lengths, NaN, negative scores, scores that do
                not sum to 1, an unknown class, or an item twice in a fold.
        """
        name = self.system or "predictions"
        classes = tuple(str(c) for c in self.classes)
        if len(set(classes)) < 2 or len(set(classes)) != len(classes):
            raise PredictionsError(name, "need at least two classes, each once")
        texts = {n: _text(getattr(self, n)) for n in TEXT_COLUMNS[:-1]}
        scores = np.asarray(self.scores, dtype=np.float64)
        _check_shapes(name, texts, scores, classes)
        _check_scores(name, texts["item"], scores)
        if self.predicted is None:
            predicted = np.asarray(classes)[scores.argmax(axis=1)].astype(object)
        else:
            predicted = _text(self.predicted)
            if len(predicted) != len(scores):
                raise PredictionsError(name, f"has {len(predicted)} predicted for {len(scores)}")
        _check_classes(name, "label", texts["label"], classes)
        _check_classes(name, "predicted", predicted, classes)
        _check_once(name, texts["fold"], texts["item"])
        values = {"classes": classes, "scores": scores, "predicted": predicted, **texts}
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        return len(self.item)

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the folds, in their order of appearance."""
        return tuple(dict.fromkeys(self.fold.tolist()))

    def numbers(self) -> NDArray[np.intp]:
        """(items,) the true classes as places in ``classes``."""
        return self._places(self.label)

    def decided_numbers(self) -> NDArray[np.intp]:
        """(items,) the predicted classes as places in ``classes``."""
        return self._places(self.decided())

    def _places(self, names: NDArray[Any]) -> NDArray[np.intp]:
        place = {name: number for number, name in enumerate(self.classes)}
        return np.array([place[name] for name in names], dtype=np.intp)

    def decided(self) -> NDArray[Any]:
        """(items,) the predicted classes."""
        assert self.predicted is not None  # filled in when made
        return self.predicted

    def select(self, rows: NDArray[Any]) -> Predictions:
        """Those *rows* (a mask or numbers) alone.

        Raises:
            PredictionsError: if none are left.
        """
        parts: dict[str, Any] = {n: getattr(self, n)[rows] for n in (*TEXT_COLUMNS, "scores")}
        return replace(self, **parts)

    def frame(self) -> pd.DataFrame:
        """The table as it is stored."""
        columns: dict[str, Any] = {n: getattr(self, n) for n in TEXT_COLUMNS}
        for number, name in enumerate(self.classes):
            columns[SCORE + name] = self.scores[:, number]
        return pd.DataFrame(columns)


def concatenate(parts: Sequence[Predictions]) -> Predictions:
    """The items of several files of one system (one per fold) as one.

    Raises:
        PredictionsError: if there are none, their classes differ, or an item comes twice.
    """
    if not parts:
        raise PredictionsError("predictions", "there are none to join")
    first = parts[0]
    for part in parts[1:]:
        if part.classes != first.classes:
            raise PredictionsError(
                part.system or "predictions",
                f"has the classes {', '.join(part.classes)}, not {', '.join(first.classes)}",
            )
    joined: dict[str, Any] = {
        n: np.concatenate([getattr(p, n) for p in parts]) for n in (*TEXT_COLUMNS, "scores")
    }
    return replace(first, **joined)


def write_predictions(predictions: Predictions, path: str | Path) -> None:
    """Store *predictions* as Parquet, written beside and renamed.

    Raises:
        OutputError: if it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(predictions.frame(), preserve_index=False)
    about = {
        "format": FORMAT,
        "system": predictions.system,
        "recipe": predictions.recipe,
        "data_sha256": predictions.data_sha256,
        "classes": list(predictions.classes),
    }
    table = table.replace_schema_metadata({METADATA: json.dumps(about).encode()})

    def write(stream: BinaryIO) -> None:
        pq.write_table(table, stream, compression="zstd")

    write_files([(Path(path), write)])


def read_predictions(path: str | Path) -> Predictions:
    """Read a file of :func:`write_predictions`, or a CSV or Parquet file with the same columns.

    Without metadata the classes come in the order of the ``score_`` columns and the system is
    named after the file. ``predicted`` may be absent: the highest score then decides.

    Raises:
        PredictionsError: if it cannot be read, was written by a newer version, lacks columns, or
            holds what :class:`Predictions` refuses.
    """
    path = Path(path)
    frame, about = _load(path)
    found = [c.removeprefix(SCORE) for c in frame.columns if c.startswith(SCORE)]
    classes = [str(c) for c in about.get("classes", found)]
    needed = [*TEXT_COLUMNS[:-1], *(SCORE + c for c in classes or ["<class>"])]
    missing = [c for c in needed if c not in frame.columns]
    if missing:
        raise PredictionsError(
            path,
            f"lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
            f"Predictions have {', '.join(TEXT_COLUMNS)} and {SCORE}<class> for each class",
        )
    try:
        scores = frame[[SCORE + c for c in classes]].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PredictionsError(path, f"holds scores that are no numbers ({error})") from error
    columns: dict[str, Any] = {n: frame[n].to_numpy() for n in TEXT_COLUMNS if n in frame.columns}
    try:
        made = Predictions(classes=tuple(classes), scores=scores, system=str(path), **columns)
    except PredictionsError as error:
        raise PredictionsError(path, error.problem, error.advice) from error
    return replace(
        made,
        system=str(about.get("system") or path.stem),
        recipe=str(about.get("recipe", "")),
        data_sha256=str(about.get("data_sha256", "")),
    )


def _load(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == ".csv":
            texts = dict.fromkeys(TEXT_COLUMNS, str)
            # A class may be called None or NA.
            return pd.read_csv(path, dtype=texts, keep_default_na=False), {}
        table = pq.read_table(path)
        metadata = (table.schema.metadata or {}).get(METADATA, b"{}")
        about = json.loads(metadata)
    except FileNotFoundError as error:
        raise PredictionsError(path, "is not there", "Check the path") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        advice = "Give the Parquet file that a recipe wrote, or a CSV with its columns"
        raise PredictionsError(path, f"cannot be read ({_short(error)})", advice) from error
    if int(about.get("format", FORMAT)) > FORMAT:
        raise PredictionsError(path, "was written by a newer version", "Upgrade aver")
    return table.to_pandas(), about


def _short(error: Exception) -> str:
    return one_line(error)[:120]


def _text(values: Any) -> NDArray[Any]:
    """(items,) Python strings; missing values as the empty string, refused further on."""
    series = pd.Series(np.asarray(values))
    return series.where(series.notna(), "").astype(str).to_numpy(dtype=object)


def _check_shapes(
    name: str,
    texts: dict[str, NDArray[Any]],
    scores: NDArray[np.float64],
    classes: tuple[str, ...],
) -> None:
    items = len(texts["item"])
    if not items:
        raise PredictionsError(name, "holds no items")
    if scores.shape != (items, len(classes)):
        raise PredictionsError(
            name, f"has scores of the shape {scores.shape}, not ({items}, {len(classes)})"
        )
    for column, values in texts.items():
        if len(values) != items:
            raise PredictionsError(name, f"has {len(values)} {column} for {items} items")
        empty = int((values == "").sum())
        if empty:
            raise PredictionsError(name, f"has {empty} rows without a value in '{column}'")


def _check_scores(name: str, items: NDArray[Any], scores: NDArray[np.float64]) -> None:
    for wrong, what in (
        (~np.isfinite(scores).all(axis=1), "are not all finite numbers"),
        ((scores < 0).any(axis=1), "are below 0"),
        (np.abs(scores.sum(axis=1) - 1) > TOLERANCE, "do not sum to 1"),
    ):
        if wrong.any():
            raise PredictionsError(
                name,
                f"the scores of {wrong.sum()} items {what} (first: {items[wrong][0]})",
                "Scores are probabilities: put logits through a softmax, leave failed items out",
            )


def _check_classes(name: str, column: str, values: NDArray[Any], classes: tuple[str, ...]) -> None:
    unknown = sorted(set(values.tolist()) - set(classes))
    if unknown:
        raise PredictionsError(
            name,
            f"the column '{column}' holds '{unknown[0]}', which is no class of the scores",
            f"Classes are: {', '.join(classes)}",
        )


def _check_once(name: str, folds: NDArray[Any], items: NDArray[Any]) -> None:
    twice = pd.DataFrame({"fold": folds, "item": items}).duplicated()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise PredictionsError(
            name,
            f"{int(twice.sum())} items come twice in a fold (first: {items[row]} in {folds[row]})",
            "Keep one row per item and fold",
        )
