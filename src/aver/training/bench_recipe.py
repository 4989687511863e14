"""The recipe of the task ``bench``: one corpus, one split, some streams, any number of systems."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from aver.corpora.splits import SplitSettings
from aver.features.extractor import extractor_class, extractor_names
from aver.features.person_calibration import PRIOR_WINDOWS, Mode
from aver.fusion import make_fusion
from aver.models.registry import explain
from aver.training.bench_system import Augment, System, nearest
from aver.training.fit_settings import FitSettings
from aver.training.recipe import RecipeBase, Settings

Standardise = Literal["train", "l2", "none"]


class BenchData(Settings):
    """Which clips.

    Attributes:
        corpus: registered name of the corpus; empty with ``manifest``.
        folder: its folder under the data folder; the corpus's name if empty.
        manifest: a manifest file under the data folder, in place of a corpus.
        options: options of the corpus's loader.
        where: column of the manifest -> the value, or values, kept.
        classes: the classes in their order; other rows are left out. Empty: all that occur, in
            the order of the corpus's label set.
        ordered: the classes are steps of a scale, so that being one off is nearly right.
        describe: what the data are, for the result table; made from the manifest if empty.
    """

    corpus: str = ""
    folder: str = ""
    manifest: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    where: dict[str, str | list[str]] = Field(default_factory=dict)
    classes: tuple[str, ...] = ()
    ordered: bool = False
    describe: str = ""

    @model_validator(mode="after")
    def _one_source(self) -> BenchData:
        if bool(self.corpus) == bool(self.manifest):
            raise ValueError("name either a corpus or a manifest")
        return self


class StreamFeatures(Settings):
    """One stream: an extractor, its settings, and how its values are normalised.

    All other keys are settings of the extractor; a setting that names a file is looked for under
    the data folder first.

    Attributes:
        extractor: registered name.
        transform: of every value, before all else: ``log1p`` (logarithm of 1 + the size, sign
            kept) or ``sqrt`` (root of the size, sign kept), for intensities with a long tail.
        standardise: in place of the recipe's ``normalise.standardise``, for this stream.
        person: in place of the recipe's ``normalise.person``, for this stream.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    extractor: str
    transform: Literal["none", "log1p", "sqrt"] = "none"
    standardise: Standardise | None = None
    person: Mode | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the extractor."""
        return dict(self.model_extra or {})

    @field_validator("extractor")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in extractor_names():
            raise ValueError(f"there is no extractor '{name}'; {nearest(name, extractor_names())}")
        return name

    @model_validator(mode="after")
    def _fitting(self) -> StreamFeatures:
        known = extractor_class(self.extractor).Settings.model_fields
        for key in self.settings:
            if key not in known:
                names = [*known, *type(self).model_fields]
                raise ValueError(
                    f"'{key}' is not a setting of the extractor '{self.extractor}'; "
                    f"{nearest(key, names)}"
                )
        return self


class Normalise(Settings):
    """How features are normalised before any system sees them.

    Attributes:
        standardise: ``train`` subtracts the mean of the training rows' windows and divides by
            their standard deviation; ``l2`` brings each window to length 1 (MATER 2.1).
        person: per-person calibration, before the above: features less the person's own mean, or
            also divided by their spread, over all of the person's clips in the corpus, without
            their labels (:mod:`aver.features.person_calibration`).
        prior_windows: windows that the training population's statistics count for beside the
            person's own.
        clip: leave values beyond so many standard deviations at that bound (``train`` only); 0
            for none.
    """

    standardise: Standardise = "train"
    person: Mode = "none"
    prior_windows: float = Field(PRIOR_WINDOWS, ge=0)
    clip: float = Field(0.0, ge=0)


class BenchRecipe(RecipeBase):
    """A recipe of the task ``bench``.

    Attributes:
        data: which clips.
        split: the protocol.
        features: the streams by name.
        normalise: of the features.
        training: of all networks.
        augment: of all networks' training batches.
        systems: rows of the table.
        seeds: every system is run with each of these; the table has the mean.
        inner_folds: parts of a fold's training subjects over which fitted fusions get scores of
            systems that had not seen the clip.
        baseline: the system that the others are tested against.
        train: the system that ``aver train`` trains; the first network if empty.
        train_on: ``all`` rows, or the first fold's training rows (``split``).
        protocol: one sentence for the table; made from the split if empty.
    """

    data: BenchData
    split: SplitSettings = SplitSettings()
    features: dict[str, StreamFeatures]
    normalise: Normalise = Normalise()
    training: FitSettings = FitSettings(logger="none")
    augment: Augment = Augment()
    systems: tuple[System, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    inner_folds: int = Field(4, ge=2)
    baseline: str = ""
    train: str = ""
    train_on: Literal["all", "split"] = "all"
    protocol: str = ""

    @field_validator("features")
    @classmethod
    def _some_streams(cls, features: dict[str, StreamFeatures]) -> dict[str, StreamFeatures]:
        if not features:
            raise ValueError("names no stream; add [features.<name>]")
        for name in features:
            if not name.isidentifier():
                raise ValueError(f"'{name}' cannot name a stream; use letters, digits and _")
        return features

    @model_validator(mode="after")
    def _names_fit(self) -> BenchRecipe:
        names = [system.name for system in self.systems]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two systems are called '{twice[0]}'")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds names one twice")
        for what, name in (("baseline", self.baseline), ("train", self.train)):
            if name:
                self._known(name, names, f"{what} names the system")
        for system in self.systems:
            for stream in system.streams:
                self._known(stream, list(self.features), f"system '{system.name}' reads the stream")
            for stream in system.settings.get("stream_weights", {}):
                read = system.streams or list(self.features)
                self._known(stream, list(read), f"system '{system.name}' weighs the stream")
            for other in system.of:
                self._known(other, names, f"system '{system.name}' fuses")
            for what, schema, given in (
                ("training", FitSettings, system.training),
                ("augment", Augment, system.augment),
            ):
                for key in given:
                    self._known(key, list(schema.model_fields), f"'{system.name}.{what}' sets")
        if any(system.kind == "network" for system in self.systems):
            from aver.models.streams import check_stream_names

            check_stream_names(self.features)
        for system in self.systems:
            self._check_fused(system, ())
        for system in self.systems:
            try:
                self.fit_settings(system)
                self.augmentation(system)
            except ValidationError as error:
                raise ValueError(f"system '{system.name}': {explain(error, [])}") from None
        return self

    @staticmethod
    def _known(name: str, known: list[str], what: str) -> None:
        if name not in known:
            raise ValueError(f"{what} '{name}', which is not there; {nearest(name, known)}")

    def _check_fused(self, system: System, above: tuple[str, ...]) -> None:
        if system.name in above:
            raise ValueError(f"system '{system.name}' is fused of itself")
        for name in system.of:
            part = self.system(name)
            if part.fusion and make_fusion(part.fusion, **part.settings).fitted:
                raise ValueError(
                    f"system '{system.name}' fuses '{name}', which is itself fitted on scores"
                )
            self._check_fused(part, (*above, system.name))

    def system(self, name: str) -> System:
        """The system called *name*.

        Raises:
            ValueError: if there is none.
        """
        self._known(name, [system.name for system in self.systems], "there is asked for")
        return next(system for system in self.systems if system.name == name)

    def streams_of(self, system: System) -> tuple[str, ...]:
        """Streams that *system* reads, in the recipe's order."""
        if system.fusion:
            read = {name for part in system.of for name in self.streams_of(self.system(part))}
        else:
            read = set(system.streams or self.features)
        return tuple(name for name in self.features if name in read)

    def fit_settings(self, system: System) -> FitSettings:
        """Training settings of *system*."""
        return FitSettings.model_validate({**self.training.model_dump(), **system.training})

    def augmentation(self, system: System) -> Augment:
        """Augmentation of *system*."""
        return Augment.model_validate({**self.augment.model_dump(), **system.augment})

    def standardise_of(self, stream: str) -> Standardise:
        """How *stream* is normalised."""
        return self.features[stream].standardise or self.normalise.standardise

    def person_of(self, stream: str) -> Mode:
        """Per-person calibration of *stream*."""
        return self.features[stream].person or self.normalise.person

    @property
    def calibrated(self) -> bool:
        """Whether any stream is calibrated per person."""
        return any(self.person_of(stream) != "none" for stream in self.features)
