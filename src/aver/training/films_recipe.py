"""The recipe of the task ``films``: levels of emotion along films, one film left out at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from aver.corpora.pseudo_films import PseudoFilmsSettings
from aver.labels import COGNIMUSE_3
from aver.models.registry import read_settings, sequence_model_names
from aver.training.bench_recipe import StreamFeatures
from aver.training.bench_system import nearest
from aver.training.fit_settings import FitSettings
from aver.training.recipe import RecipeBase, Settings

Validation = Literal["clean", "paper"]
ESTIMATORS = ("majority", "logistic_regression")
PAPER_LEAK = "the paper takes its validation tenth from the film that is tested"


class FilmsData(Settings):
    """Which films.

    Attributes:
        corpus: registered name.
        folder: its folder under the data folder; the corpus's name if empty. Where the recipe
            makes pseudo-films, they are the corpus and this is ignored.
        options: options of the corpus's loader, for all targets.
        segment_seconds: length of a segment.
        value_column: column of the manifest with the value that ``label`` was binned from; empty
            takes ``rating_value``, or else the column named as the target's dimension.
        binning: ``corpus`` takes the levels as the corpus gives them; ``terciles`` parts
            ``value_column`` anew in each fold, at the terciles of its training segments.
        describe: what the data are, for the result table.
        constructed: what is to be said of labels that nobody gave, in every row.
    """

    corpus: str
    folder: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    segment_seconds: float = Field(5.0, gt=0)
    value_column: str = ""
    binning: Literal["corpus", "terciles"] = "corpus"
    describe: str = ""
    constructed: str = ""


class Target(Settings):
    """What is predicted.

    Attributes:
        name: in the table, such as ``intended arousal``.
        dimension: ``arousal`` or ``valence``; which axis an exported network fills.
        options: further options of the corpus's loader.
        paper: published unweighted average recall by system, in percent.
        paper_recalls: published recall by system of low, mid and high, in percent.
    """

    name: str
    dimension: Literal["arousal", "valence"] = "arousal"
    options: dict[str, Any] = Field(default_factory=dict)
    paper: dict[str, float] = Field(default_factory=dict)
    paper_recalls: dict[str, tuple[float, float, float]] = Field(default_factory=dict)


class FilmSystem(Settings):
    """One row of the table.

    Attributes:
        name: in the table.
        model: ``majority``, ``logistic_regression``, or a registered model that labels windows.
        streams: the streams it reads; all of the recipe if empty.
        settings: of the model.
        width_settings: settings that the searched hidden sizes are put into.
        mask: which mask the mask analysis looks at; empty for none.
        note: for the table.
    """

    name: str
    model: str
    streams: tuple[str, ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict)
    width_settings: tuple[str, ...] = ()
    mask: Literal["", "effective", "saliency", "self"] = ""
    note: str = ""

    @field_validator("model")
    @classmethod
    def _known(cls, name: str) -> str:
        known = [*ESTIMATORS, *sequence_model_names()]
        if name not in known:
            raise ValueError(f"there is no model '{name}'; {nearest(name, known)}")
        return name

    @property
    def is_network(self) -> bool:
        """Whether it is trained by gradient."""
        return self.model not in ESTIMATORS

    @model_validator(mode="after")
    def _settings_fit(self) -> FilmSystem:
        if not self.is_network:
            if self.settings or self.width_settings:
                raise ValueError(f"'{self.model}' has no settings")
            return self
        from aver.errors import ModelError

        try:
            known = type(read_settings(self.model, self.settings)).model_fields
        except ModelError as error:
            raise ValueError(str(error)) from None
        for key in self.width_settings:
            if key not in known:
                raise ValueError(f"width_settings: '{key}' is no setting; {nearest(key, known)}")
        return self


class Search(Settings):
    """What is chosen on validation segments.

    Attributes:
        learning_rates: candidates; the paper's range is 1e-4 to 1e-3.
        widths: candidates of the hidden size; the paper's are 32 and 64.
        how: ``grid`` tries every pair; ``greedy`` finds the learning rate with the first width,
            then the width with that rate (the paper names a greedy search).
        choose: by highest unweighted average recall of the validation segments (``recall``), or
            by lowest loss.
        penalties: candidates of C of the logistic regression.
    """

    learning_rates: tuple[float, ...] = (1e-4, 3e-4, 1e-3)
    widths: tuple[int, ...] = (32, 64)
    how: Literal["grid", "greedy"] = "grid"
    choose: Literal["recall", "loss"] = "recall"
    penalties: tuple[float, ...] = (1e-4, 1e-3, 1e-2)

    @model_validator(mode="after")
    def _some(self) -> Search:
        for name in ("learning_rates", "widths", "penalties"):
            values = getattr(self, name)
            if not values or min(values) <= 0:
                raise ValueError(f"{name}: one above 0 at least")
        return self


class MaskAnalysis(Settings):
    """Table 3 (section 3.3.2); see :mod:`aver.evaluation.mask_analysis`.

    Attributes:
        stream: the descriptors whose families are counted.
        values: ``mask``, or ``masked``: the absolute masked descriptors.
        share: part of the hidden dimensions that is counted.
        trace: how a hidden dimension gets its family.
        validation: of which validation the networks are.
    """

    stream: str = "emobase2010"
    values: Literal["mask", "masked"] = "mask"
    share: float = Field(0.25, gt=0, le=1)
    trace: Literal["mean", "strongest", "sum"] = "mean"
    validation: Validation = "clean"


class FilmsRecipeBase(RecipeBase):
    """What recipes of films have in common: films, systems, how they are trained and tested.

    Attributes:
        data: which films.
        pseudo_films: makes pseudo-films first, and takes them as the corpus.
        time: segments of a sequence (6, thirty seconds).
        train_stride: segments from one training sequence to the next; ``time`` for sequences that
            do not overlap. Test sequences never overlap.
        validation_share: part of each film that validates.
        validations: ``clean`` takes a tenth of each training film, a contiguous stretch; ``paper``
            a tenth of the tested film, whose other nine tenths are then the test: that leaks, and
            its rows say so.
        seeds: of the weights and the stretches; figures are means over them.
        search: what is chosen on validation segments.
        training: how networks are trained.
        systems: rows of the table.
        baseline: the system that all others are held against.
    """

    makes_table: ClassVar[bool] = True
    levels: ClassVar[tuple[str, ...]] = COGNIMUSE_3
    """What is told apart, from the lowest."""
    unit: ClassVar[str] = "segment"
    """What has a level."""

    data: FilmsData
    pseudo_films: PseudoFilmsSettings | None = None
    time: int = Field(6, ge=1)
    train_stride: int = Field(1, ge=1)
    validation_share: float = Field(0.1, gt=0, lt=0.5)
    validations: tuple[Validation, ...] = ("clean", "paper")
    seeds: tuple[int, ...] = (0,)
    search: Search = Search()
    training: FitSettings = FitSettings(
        epochs=200,
        batch=256,
        learning_rate=1e-3,
        optimiser="adam",
        weight_decay=0.0,
        schedule="constant",
        warm_up=0.0,
        patience=10,
        logger="none",
    )
    systems: tuple[FilmSystem, ...]
    baseline: str = ""

    @property
    def stream_names(self) -> tuple[str, ...]:
        """Names of all streams."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _systems_fit(self) -> Self:
        check_once("systems", [s.name for s in self.systems])
        check_once("validations", self.validations)
        check_once("seeds", self.seeds)
        self.check_system("baseline", self.baseline)
        for system in self.systems:
            for name in system.streams:
                self.check_stream(f"system '{system.name}'", name)
        return self

    def check_system(self, key: str, name: str) -> None:
        """Refuse a *name*, if there is one, that is no system's."""
        known = [s.name for s in self.systems]
        if name and name not in known:
            raise ValueError(f"{key}: there is no system '{name}'; {nearest(name, known)}")

    def check_stream(self, key: str, name: str) -> None:
        """Refuse a *name* that is no stream's."""
        if name not in self.stream_names:
            raise ValueError(f"{key}: no stream '{name}'; {nearest(name, self.stream_names)}")

    def system(self, name: str) -> FilmSystem:
        """The system *name*."""
        return next(system for system in self.systems if system.name == name)

    def streams_of(self, system: FilmSystem) -> tuple[str, ...]:
        """Names of the streams that *system* reads."""
        return system.streams or self.stream_names

    def model_settings(self, system: FilmSystem, width: int) -> Mapping[str, Any]:
        """Settings of its network with the hidden size *width*."""
        return {**system.settings, **dict.fromkeys(system.width_settings, width)}


def check_once(what: str, names: Sequence[object]) -> None:
    """Refuse no names, or one that stands twice."""
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{what}: one at least, each once")


class FilmsRecipe(FilmsRecipeBase):
    """The recipe.

    Attributes:
        targets: what is predicted; each is a table of its own.
        features: streams by name.
        jobs: processes that measure features.
        masks: the mask analysis, of systems with ``mask``.
        keep: a network that is trained on all films at the end and kept as ONNX for
            ``aver analyze --affect``; empty for none.
    """

    targets: tuple[Target, ...]
    features: dict[str, StreamFeatures]
    jobs: int = Field(1, ge=1)
    masks: MaskAnalysis | None = None
    keep: str = ""

    @property
    def stream_names(self) -> tuple[str, ...]:
        """Names of all streams."""
        return tuple(self.features)

    @model_validator(mode="after")
    def _fitting(self) -> FilmsRecipe:
        check_once("targets", [t.name for t in self.targets])
        self.check_system("keep", self.keep)
        if self.keep and not self.system(self.keep).is_network:
            raise ValueError(f"keep: '{self.keep}' is no network")
        if self.masks is not None:
            self.check_stream("masks.stream", self.masks.stream)
        return self
