"""The recipe of the task ``valence_frames``: seven levels of valence, frame by frame."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from aver.evaluation.frame_valence import EXTREMES
from aver.labels import COGNIMUSE_7
from aver.training.films_recipe import FilmsRecipeBase, check_once
from aver.training.recipe import Settings


class FrameStream(Settings):
    """One stream, from the frame store.

    Attributes:
        stream: its name in the store; the recipe's own name if empty.
        columns: first column and the one after the last, where only a part is meant.
        transform: of every value, before all else; see
            :class:`~aver.training.bench_recipe.StreamFeatures`.
    """

    stream: str = ""
    columns: tuple[int, int] | None = None
    transform: Literal["none", "log1p", "sqrt"] = "none"

    @model_validator(mode="after")
    def _rising(self) -> FrameStream:
        if self.columns is not None and not 0 <= self.columns[0] < self.columns[1]:
            raise ValueError("columns: the first, and one after the last, which is larger")
        return self


class Frames(Settings):
    """Which frames, and where they lie.

    Attributes:
        store: folder of the frame store (:mod:`aver.features.frame_store`) under the data folder.
        every: frames from one that is used to the next, in training and in testing alike. Ten
            frames, 0.4 s, are what one stack of optical flow and one frame of acoustic descriptors
            look at, so that every tenth leaves nothing of a film out.
        target: what is predicted, for the table.
        events: ``pseudo_films`` takes what is heard when from the films' record; otherwise a
            folder of event files under the data folder, one a film and named after it; empty for
            no analysis by event.
        event_labels: a file's words and the names wanted for them (empty: left out); those of
            COGNIMUSE if there are none.
    """

    store: str = "frames"
    every: int = Field(10, ge=1)
    target: str = "valence"
    events: str = ""
    event_labels: dict[str, str] = Field(default_factory=dict)


class Figure2(Settings):
    """Which systems are counted by event.

    Attributes:
        systems: in the order of the bars.
    """

    systems: tuple[str, ...]


class FramesRecipe(FilmsRecipeBase):
    """The recipe.

    Attributes:
        frames: which frames.
        features: streams by name.
        pairs: systems that are held against each other, besides all against ``baseline``: the
            first of each pair less the second.
        figure_2: the analysis by event; needs ``frames.events``.
        remarks: what every row says besides, such as whom an extractor has heard.
        paper: published accuracy by system, in percent.
        paper_within_one: published accuracy within one by system, in percent.
        paper_p: published p of the t-test by pair, as ``first/second``.
    """

    levels: ClassVar[tuple[str, ...]] = COGNIMUSE_7
    unit: ClassVar[str] = "frame"
    extremes: ClassVar[tuple[str, ...]] = EXTREMES

    frames: Frames = Frames()
    features: dict[str, FrameStream]
    pairs: tuple[tuple[str, str], ...] = ()
    figure_2: Figure2 | None = None
    remarks: tuple[str, ...] = ()
    paper: dict[str, float] = Field(default_factory=dict)
    paper_within_one: dict[str, float] = Field(default_factory=dict)
    paper_p: dict[str, float] = Field(default_factory=dict)

    @property
    def stream_names(self) -> tuple[str, ...]:
        """Names of all streams."""
        return tuple(self.features)

    @model_validator(mode="after")
    def _fitting(self) -> FramesRecipe:
        check_once("features", self.stream_names)
        if self.data.corpus != "cognimuse":
            raise ValueError(
                f"data.corpus: '{self.data.corpus}' has no traces of frames; the levels of frames "
                "are read from traces in COGNIMUSE's layout"
            )
        if self.data.binning != "corpus":
            raise ValueError("data.binning: the levels of frames are equal steps ('corpus')")
        for first, second in self.pairs:
            self.check_system("pairs", first)
            self.check_system("pairs", second)
        for key in ("paper", "paper_within_one"):
            for name in getattr(self, key):
                self.check_system(key, name)
        if self.figure_2 is not None:
            check_once("figure_2.systems", self.figure_2.systems)
            for name in self.figure_2.systems:
                self.check_system("figure_2.systems", name)
            if not self.frames.events:
                raise ValueError("figure_2: needs frames.events")
        if self.frames.events == PSEUDO_FILMS and self.pseudo_films is None:
            raise ValueError("frames.events: the recipe makes no pseudo-films")
        return self


PSEUDO_FILMS = "pseudo_films"
"""Value of ``frames.events``: what the record of the pseudo-films says."""
