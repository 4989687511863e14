"""The recipe of the task ``bench``: one corpus, one split, some streams, any number of systems."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from aver.corpora.splits import SplitSettings
from aver.errors import AverError
from aver.features.extractor import extractor_class, extractor_names
from aver.features.person_calibration import PRIOR_WINDOWS, Mode
from aver.fusion import fusion_names, make_fusion
from aver.models.registry import explain, model_names, read_settings
from aver.training.estimators import estimator_names, make_estimator
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
        standardise: in place of the recipe's ``normalise.standardise``, for this stream.
        person: in place of the recipe's ``normalise.person``, for this stream.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    extractor: str
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
            raise ValueError(f"there is no extractor '{name}'; {_nearest(name, extractor_names())}")
        return name

    @model_validator(mode="after")
    def _fitting(self) -> StreamFeatures:
        known = extractor_class(self.extractor).Settings.model_fields
        for key in self.settings:
            if key not in known:
                names = [*known, *type(self).model_fields]
                raise ValueError(
                    f"'{key}' is not a setting of the extractor '{self.extractor}'; "
                    f"{_nearest(key, names)}"
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


class Augment(Settings):
    """What is done to a training batch of a network.

    Attributes:
        noise: standard deviation of noise added to every feature, relative to a typical feature.
        drop_window: probability of a window to go missing; each clip keeps one of each stream.
        drop_stream: probability that one of a clip's streams, drawn by lot, goes missing.
        mix: greatest share of another clip's features mixed in, labels mixed alike (Zhang et al.
            2018, "mixup", with a uniform share); 0 for none.
    """

    noise: float = Field(0.0, ge=0)
    drop_window: float = Field(0.0, ge=0, lt=1)
    drop_stream: float = Field(0.0, ge=0, le=1)
    mix: float = Field(0.0, ge=0, le=0.5)


class System(Settings):
    """One row of the table: a model on some streams, or a fusion of other systems.

    All other keys are settings of the model or of the fusion.

    Attributes:
        name: short and stable; names the predictions and the row.
        model: a sequence model or an estimator.
        streams: streams it reads; all of them if empty. Several streams are early fusion for
            estimators and ``mean_pool``.
        fusion: name of a decision fusion, in place of a model.
        of: the systems that are fused.
        members: networks trained from as many seeds, whose log-probabilities are averaged.
        training: settings that differ from the recipe's ``[training]``.
        augment: settings that differ from the recipe's ``[augment]``.
        paper: the paper's accuracy in percent, as papers print it.
        aim: the accuracy aimed at, in percent.
        note: a remark for the table.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")
    model: str = ""
    streams: tuple[str, ...] = ()
    fusion: str = ""
    of: tuple[str, ...] = ()
    members: int = Field(1, ge=1)
    training: dict[str, Any] = Field(default_factory=dict)
    augment: dict[str, Any] = Field(default_factory=dict)
    paper: float | None = Field(None, ge=1, le=100)
    aim: float | None = Field(None, ge=1, le=100)
    note: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the model or fusion."""
        return dict(self.model_extra or {})

    @property
    def kind(self) -> Literal["network", "estimator", "fusion"]:
        """What it is."""
        if self.fusion:
            return "fusion"
        return "estimator" if self.model in estimator_names() else "network"

    @model_validator(mode="after")
    def _whole(self) -> System:
        if bool(self.model) == bool(self.fusion):
            raise ValueError(f"system '{self.name}' needs either a model or a fusion")
        if self.fusion:
            _check_fusion(self)
        else:
            _check_model(self)
        return self


def _check_fusion(system: System) -> None:
    if system.fusion not in fusion_names():
        raise ValueError(f"no fusion '{system.fusion}'; {_nearest(system.fusion, fusion_names())}")
    if len(system.of) < 2:
        raise ValueError(f"fusion '{system.name}' needs of = [...] with two systems or more")
    if system.streams or system.training or system.augment or system.members > 1:
        raise ValueError(
            f"fusion '{system.name}' has no streams, training, augment or members of its own"
        )
    _settings_of(system, lambda: make_fusion(system.fusion, **system.settings))


def _check_model(system: System) -> None:
    known = [*model_names(), *estimator_names()]
    if system.model not in known:
        raise ValueError(f"there is no model '{system.model}'; {_nearest(system.model, known)}")
    if system.of:
        raise ValueError(f"system '{system.name}' is a model: of = [...] is for fusions")
    if system.kind == "estimator":
        if system.training or system.augment:
            raise ValueError(f"estimator '{system.name}' takes no training or augment settings")
        _settings_of(system, lambda: make_estimator(system.model, system.settings))
    else:
        _settings_of(system, lambda: read_settings(system.model, system.settings))


def _settings_of(system: System, build: Any) -> None:
    try:
        build()
    except AverError as error:
        text = error.problem if not error.advice else f"{error.problem} ({error.advice})"
        hint = ""
        for key in system.settings:
            close = difflib.get_close_matches(key, list(System.model_fields), n=1, cutoff=0.75)
            if f"'{key}'" in text and close:
                hint = f"; of a system: did you mean '{close[0]}'?"
        raise ValueError(f"system '{system.name}': {text}{hint}") from None


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
            for other in system.of:
                self._known(other, names, f"system '{system.name}' fuses")
            for what, schema, given in (
                ("training", FitSettings, system.training),
                ("augment", Augment, system.augment),
            ):
                for key in given:
                    self._known(key, list(schema.model_fields), f"'{system.name}.{what}' sets")
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
            raise ValueError(f"{what} '{name}', which is not there; {_nearest(name, known)}")

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


def _nearest(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"


__all__ = ["Augment", "BenchData", "BenchRecipe", "Normalise", "StreamFeatures", "System"]
