"""COGNIMUSE: half-hour clips of films with traces of emotion (Zlatintsi et al. 2017).

The folder holds ``Emotion Annotation/intended/intended_{1..3}_{Film}.dat`` (what the film tries to
evoke) and ``Emotion Annotation/experienced/subj{S}_{iteration}_{Film}.dat`` (what viewers said they
felt), each ``time valence arousal`` at 25 Hz. Films come from the user; they are found by their
token in a folder of films.

Segments of five seconds are the rows, levels of arousal or valence their labels, after Wu, Li & Lee
(*An audio-saliency masking transformer for audio emotion classification in movies*, 2.1). Films are
the subjects: the scheme ``leave_one_movie_out`` tests on each in turn. Labels say what a film tries
to evoke, or what some viewers reported; not what anybody else feels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from aver.corpora.affect_traces import (
    AROUSAL,
    LEVELS,
    RATE,
    VALENCE,
    Floats,
    Rescale,
    Thirds,
    average,
    read_trace,
    rescale,
    segment_means,
    to_levels,
    without_lag,
)
from aver.corpora.cognimuse_files import (
    FILMS,
    FIRST_RELEASE,
    TraceFile,
    find_companions,
    find_media,
    find_traces,
)
from aver.corpora.cognimuse_films import Film, look_at
from aver.corpora.cognimuse_published import WANTED, missing, published
from aver.corpora.registry import CorpusOptions, register_corpus
from aver.corpora.table import make_frame, report
from aver.errors import CorpusError
from aver.labels import COGNIMUSE_3

if TYPE_CHECKING:
    import pandas as pd


_GROUPS = {film: "first" if film in FIRST_RELEASE else "added" for film in FILMS}


class CognimuseOptions(CorpusOptions):
    """What is asked of COGNIMUSE.

    Attributes:
        emotion: ``intended``, or ``experienced``.
        dimension: whose levels are the labels: ``arousal`` or ``valence``.
        levels: 3 (low, mid, high) or 7 (1 to 7), in equal steps over [-1, 1].
        three_levels: the paper says "we reduce seven classes to three classes (with equally-spaced
            intervals)". ``thirds`` takes three equal steps, with borders at -1/3 and 1/3;
            ``of_seven`` joins the lower three and the upper three of the seven, so that the middle
            is -1/7 to 1/7.
        films: ``12``, ``7`` for those of the first release, or ``any`` for whatever other films
            have traces in this layout.
        media: folder of the films; empty looks for them in the corpus's folder; ``none`` lists
            the traces alone (``file`` is then a trace).
        segment_seconds: length of a segment; what is left at a film's end is no segment.
        lag_seconds: how late the annotators were; the tool is said to lag 2 to 3 s.
        rescale: min-max before the levels, see :func:`aver.corpora.affect_traces.rescale`. The
            paper says that "the experienced emotions are further re-scaled via min-max
            normalization before applying discretization", but not over what. ``corpus`` takes one
            minimum and maximum for all films listed, ``film`` one for each film; ``auto`` is
            ``corpus`` for experienced and ``none`` for intended emotion. It is the segments' means
            that are rescaled, as these are made discrete (for levels of frames, the frames).
        mismatch_seconds: how much shorter or longer than its trace a film may be; up to that, the
            common part is taken and a remark says so.
    """

    emotion: Literal["intended", "experienced"] = "intended"
    dimension: Literal["arousal", "valence"] = "arousal"
    levels: Annotated[Literal["3", "7"], BeforeValidator(str)] = "3"
    three_levels: Thirds = "thirds"
    films: Annotated[Literal["12", "7", "any"], BeforeValidator(str)] = "12"
    media: str = ""
    segment_seconds: float = Field(5.0, gt=0, allow_inf_nan=False)
    lag_seconds: float = Field(0.0, ge=0, allow_inf_nan=False)
    rescale: Rescale | Literal["auto"] = "auto"
    mismatch_seconds: float = Field(60.0, ge=0, allow_inf_nan=False)

    @property
    def rescaling(self) -> Rescale:
        """How values are rescaled before they become levels."""
        if self.rescale != "auto":
            return self.rescale
        return "corpus" if self.emotion == "experienced" else "none"


@dataclass(frozen=True, eq=False)
class FilmTraces:
    """What was annotated of a film.

    Attributes:
        film: its token.
        files: the traces.
        values: (n, 2) valence and arousal at 25 Hz, mean of the annotators, lag corrected.
        annotators: how many.
    """

    film: str
    files: tuple[TraceFile, ...]
    values: Floats
    annotators: int


def read_films(
    root: Path, options: CognimuseOptions, remarks: list[str] | None = None
) -> list[FilmTraces]:
    """Traces of every film that has any, averaged; *remarks* are told what a reader should know.

    Raises:
        CorpusError: if the folder is not there, or a trace cannot be used.
    """
    remarks = [] if remarks is None else remarks
    by_film: dict[str, list[TraceFile]] = {}
    for one in find_traces(root, options.emotion, WANTED[options.films]):
        by_film.setdefault(one.film, []).append(one)
    found = []
    for film, files in by_film.items():
        annotators: dict[str, list[TraceFile]] = {}
        for one in files:
            annotators.setdefault(one.annotator, []).append(one)
        try:
            read = [[read_trace(one.path) for one in several] for several in annotators.values()]
        except CorpusError as error:
            report(error)
            continue
        lengths = [trace.seconds for traces in read for trace in traces]
        if min(lengths) < 0.9 * max(lengths):
            remarks.append(
                f"{film}: the traces last {min(lengths):.1f} to {max(lengths):.1f} s; all are cut "
                "to the shortest"
            )
        if len(read) == 1:
            remarks.append(f"{film}: one annotator only; the labels are that person's")
        values = without_lag(average(read), options.lag_seconds)
        if len(values) < options.segment_seconds * RATE:
            problem = f"lasts {len(values) / RATE:.2f} s, less than one segment"
            report(CorpusError(files[0].path, problem, "Complete it, or leave the film out"))
            continue
        found.append(FilmTraces(film, tuple(files), values, len(read)))
    return found


def load_frames(root: str | Path, options: CognimuseOptions | None = None) -> pd.DataFrame:
    """Levels of every frame at 25 Hz, for models that follow emotion over time.

    Returns:
        Columns ``film``, ``time`` (seconds of the film), ``valence`` and ``arousal`` (mean of the
        annotators), ``valence_level`` and ``arousal_level`` (names, rescaled first as the options
        say, by the frames' own minimum and maximum).

    Raises:
        CorpusError: as :func:`read_films`.
    """
    import pandas as pd

    options = options or CognimuseOptions()
    films = read_films(Path(root).resolve(), options)
    scaled = rescale({one.film: one.values for one in films}, options.rescaling)
    names = np.array(LEVELS[int(options.levels)])
    parts = []
    for one in films:
        levels = names[to_levels(scaled[one.film], len(names), options.three_levels)]
        columns = {
            "film": one.film,
            "time": np.arange(len(one.values)) / RATE,
            "valence": one.values[:, VALENCE],
            "arousal": one.values[:, AROUSAL],
            "valence_level": levels[:, VALENCE],
            "arousal_level": levels[:, AROUSAL],
        }
        parts.append(pd.DataFrame(columns))
    if not parts:
        raise CorpusError(root, "holds no usable trace", "Complete it")
    return pd.concat(parts, ignore_index=True)


@register_corpus(
    "cognimuse",
    title="COGNIMUSE: 7 or 12 half-hour clips of films, emotion traces in 5-s segments",
    options=CognimuseOptions,
    labels=COGNIMUSE_3,
    published=published,
    missing=missing,
    tells_counts=True,
)
def load(root: Path, options: CognimuseOptions | None = None) -> pd.DataFrame:
    """List the segments of the films under *root*, film by film.

    Returns:
        One row a segment with the columns of every corpus. ``file`` is the film, ``start`` and
        ``end`` the segment in it; ``subject`` and ``recording`` are the film's token; ``label`` is
        the level of the chosen dimension, ``source_label`` the value it was made from; ``group``
        says whether the film is of the ``first`` release or was ``added``. Then ``valence`` and
        ``arousal`` (means, as annotated), ``valence_level`` and ``arousal_level``, ``annotators``,
        and the paths of ``subtitles`` and ``events``. ``attrs["remarks"]`` says what a reader
        should know.

    Raises:
        CorpusError: if the folder is not COGNIMUSE; a trace cannot be used; a film is missing, has
            no sound, or is of quite another length than its trace.
    """
    options = options or CognimuseOptions()
    root = Path(root).resolve()
    remarks: list[str] = []
    traces = read_films(root, options, remarks)
    if not traces:
        raise CorpusError(root, f"holds no usable {options.emotion} trace", "Complete it")
    films = _films(root, traces, options, remarks)
    seconds = options.segment_seconds
    means = {
        one.film: segment_means(one.values, seconds, films[one.film].segments(seconds))
        for one in traces
    }
    scaled = rescale(means, options.rescaling)
    names = LEVELS[int(options.levels)]
    column = AROUSAL if options.dimension == "arousal" else VALENCE
    rows: list[dict[str, object]] = []
    for one in traces:
        companions = find_companions(root, one.film)
        levels = to_levels(scaled[one.film], len(names), options.three_levels)
        for number, value in enumerate(means[one.film]):
            row: dict[str, object] = {
                "file": str(films[one.film].file),
                "start": number * seconds,
                "end": (number + 1) * seconds,
                "subject": one.film,
                "label": names[levels[number, column]],
                "group": _GROUPS.get(one.film, ""),
                "source_label": f"{value[column]:.4f}",
                "recording": one.film,
                "valence": float(value[VALENCE]),
                "arousal": float(value[AROUSAL]),
                "valence_level": names[levels[number, VALENCE]],
                "arousal_level": names[levels[number, AROUSAL]],
                "annotators": one.annotators,
            }
            rows.append(row | companions)
    extra = ("valence", "arousal", "valence_level", "arousal_level", "annotators")
    frame = make_frame(rows, (*extra, "subtitles", "events"))
    frame.attrs["remarks"] = remarks
    return frame


def _films(
    root: Path, traces: list[FilmTraces], options: CognimuseOptions, remarks: list[str]
) -> dict[str, Film]:
    """The film of each trace; where it cannot be used, its first trace in its place."""
    alone = {one.film: Film(one.files[0].path, len(one.values) / RATE) for one in traces}
    if options.media == "none":
        return alone
    folder = Path(options.media) if options.media else root
    if not folder.is_dir():
        raise CorpusError(folder, "there is no such folder of films", "Correct -o media=FOLDER")
    media = find_media(folder, list(alone))
    found = dict(alone)
    for one in traces:
        if one.film not in media:
            report(
                CorpusError(
                    folder,
                    f"holds no film named {one.film}",
                    f"Put {one.film}.mp4 there, name the folder of films with -o media=FOLDER, "
                    "or list the traces alone with -o media=none",
                )
            )
            continue
        try:
            found[one.film] = look_at(
                media[one.film], alone[one.film].seconds, options.mismatch_seconds, remarks
            )
        except CorpusError as error:
            report(error)
    return found
