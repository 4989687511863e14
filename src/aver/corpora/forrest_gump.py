"""Forrest Gump: portrayed emotion in one whole film, from the studyforrest annotations (CC0).

``emotions_1hz.parquet`` says of each character and stretch what arousal and valence is portrayed
(Labs et al. 2015: observers' agreement, from -1 to 1); ``visual_25fps.parquet`` and
``audio_25fps.parquet`` hold numbers of each frame. The film was shown in 8 runs whose ends are
shown again at the beginning of the next: at all seven borders the pictures of the last 505 or 506
frames agree with the first of the next run.

Segments of five seconds are the rows. What is shown twice is cut from the earlier run's end, so
that nothing stands in two runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.corpora.registry import CorpusOptions, Count, register_corpus
from aver.corpora.table import make_frame
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

EMOTIONS, PICTURE, SOUND = "emotions_1hz.parquet", "visual_25fps.parquet", "audio_25fps.parquet"
RUNS = 8
FRAME_RATE = 25
LEVELS = ("low", "mid", "high")
_ADVICE = f"Give the folder that holds {EMOTIONS}, {PICTURE} and {SOUND}"


class ForrestGumpOptions(CorpusOptions):
    """What is asked of the film.

    Attributes:
        dimension: ``arousal``, or ``valence`` (positive less negative).
        binning: where three levels part: ``equal`` at -1/3 and 1/3, three equal steps of the
            scale; ``terciles`` at the terciles of all segments given here. A recipe that bins by
            its training segments alone reads the column ``value`` instead.
        segment_seconds: length of a segment.
        overlap_seconds: what is cut from the end of every run but the last.
        least_seconds: how much of a segment somebody must be annotated in for it to have a label;
            segments with less are left out.
    """

    dimension: Literal["arousal", "valence"] = "arousal"
    binning: Literal["equal", "terciles"] = "equal"
    segment_seconds: float = Field(5.0, gt=0)
    overlap_seconds: float = Field(20.24, ge=0)
    least_seconds: float = Field(1.0, gt=0)


def read_table(root: Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """One of the three tables, with the *columns* wanted of it.

    Raises:
        CorpusError: if it is missing or damaged, lacks a column, or holds text where numbers
            belong.
    """
    import pandas as pd

    path = root / name
    if not path.is_file():
        raise CorpusError(root, f"is not the Forrest Gump annotation: there is no {name}", _ADVICE)
    try:
        table = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise CorpusError(path, f"cannot be read ({error})", _ADVICE) from error
    for column in columns:
        if column not in table.columns:
            raise CorpusError(path, f"has no column '{column}'", _ADVICE)
        try:
            table[column] = pd.to_numeric(table[column]).astype(np.float64)
        except (ValueError, TypeError) as error:
            problem = f"column '{column}' holds something else than numbers ({error})"
            raise CorpusError(path, problem, "Take the published table") from error
    return table[list(columns)]


def run_lengths(root: Path, options: ForrestGumpOptions) -> dict[int, int]:
    """Segments of each run that both series reach, without what the next run shows again.

    Raises:
        CorpusError: if a table cannot be used, or there is one run only.
    """
    ends: dict[int, float] = {}
    for name in (PICTURE, SOUND):
        table = read_table(root, name, ("run", "onset"))
        for run, onset in table.groupby("run")["onset"].max().items():
            number, end = int(str(run).split(".")[0]), float(onset) + 1 / FRAME_RATE
            ends[number] = min(ends.get(number, np.inf), end)
    if len(ends) < 2:
        raise CorpusError(root, "holds one run only: none can be left out", _ADVICE)
    last = max(ends)
    return {
        run: max(
            0,
            int(
                (end - (0 if run == last else options.overlap_seconds) + 1e-6)
                // options.segment_seconds
            ),
        )
        for run, end in sorted(ends.items())
    }


def segment_values(
    emotions: pd.DataFrame, segments: int, options: ForrestGumpOptions
) -> NDArray[np.float64]:
    """Mean portrayed arousal or valence of each segment, (segments,); NaN where too little is told.

    A stretch counts for a segment by the seconds it lies in it, each character on its own.

    Args:
        emotions: one run's rows: ``onset``, ``duration``, ``arousal``, ``valence_positive``,
            ``valence_negative``.
        segments: of the run.
        options: which dimension, and how long segments are.

    Raises:
        CorpusError: for a value outside [-1, 1].
    """
    if options.dimension == "arousal":
        values = emotions["arousal"].to_numpy()
    else:
        values = (emotions["valence_positive"] - emotions["valence_negative"]).to_numpy()
    if len(values) and (not np.isfinite(values).all() or np.abs(values).max() > 1 + 1e-6):
        raise CorpusError(
            EMOTIONS, f"{options.dimension} has values outside [-1, 1]", "Take the published table"
        )
    borders = np.arange(segments + 1) * options.segment_seconds
    start = emotions["onset"].to_numpy()[:, None]
    end = start + emotions["duration"].to_numpy()[:, None]
    share = np.clip(np.minimum(end, borders[1:]) - np.maximum(start, borders[:-1]), 0, None)
    total = share.sum(axis=0)
    mean: NDArray[np.float64] = np.full(segments, np.nan)
    np.divide(values @ share, total, out=mean, where=total >= options.least_seconds)
    return mean


def edges_of(values: NDArray[np.float64], binning: str) -> NDArray[np.float64]:
    """Where the three levels part: equal steps of [-1, 1], or the terciles of *values*."""
    if binning == "equal":
        return np.array([-1 / 3, 1 / 3])
    return np.asarray(np.quantile(values[np.isfinite(values)], [1 / 3, 2 / 3]))


def _published(frame: pd.DataFrame) -> list[Count]:
    return [Count("runs", RUNS, frame["subject"].nunique())]


@register_corpus(
    "forrest_gump",
    title="Forrest Gump: portrayed arousal and valence of one film in 8 runs, 5-second segments",
    options=ForrestGumpOptions,
    labels=LEVELS,
    published=_published,
    files_are_media=False,
)
def load(root: Path, options: ForrestGumpOptions | None = None) -> pd.DataFrame:
    """List the labelled segments under *root*.

    Returns:
        One row a segment with the columns of every corpus. ``file`` is the table of emotions,
        ``subject`` and ``recording`` the run (``run 1``), ``start`` and ``end`` its seconds in the
        run, ``label`` its level. Then ``rating_value``, the mean value.

    Raises:
        CorpusError: if a table is missing or damaged, or no segment is annotated.
    """
    options = options or ForrestGumpOptions()
    root = Path(root).resolve()
    wanted = ("run", "onset", "duration", "arousal", "valence_positive", "valence_negative")
    emotions = read_table(root, EMOTIONS, wanted)
    rows: list[dict[str, Any]] = []
    for run, segments in run_lengths(root, options).items():
        values = segment_values(emotions[emotions["run"] == run], segments, options)
        for number in np.flatnonzero(np.isfinite(values)):
            start = float(number * options.segment_seconds)
            rows.append(
                {
                    "file": str(root / EMOTIONS),
                    "start": start,
                    "end": start + options.segment_seconds,
                    "subject": f"run {run}",
                    "recording": f"run {run}",
                    "rating_value": float(values[number]),
                }
            )
    if not rows:
        raise CorpusError(root, "holds no annotated segment", _ADVICE)
    values = np.array([row["rating_value"] for row in rows])
    levels = np.digitize(values, edges_of(values, options.binning))
    for row, level in zip(rows, levels, strict=True):
        row["label"] = LEVELS[level]
        row["source_label"] = f"{row['rating_value']:.4f}"
    return make_frame(rows, ("rating_value",))
