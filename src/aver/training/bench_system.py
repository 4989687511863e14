"""Systems of a bench recipe: models on streams, and fusions of other systems."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from aver.errors import AverError
from aver.fusion import fusion_names, make_fusion
from aver.models.registry import model_names, read_settings, sequence_model_names
from aver.training.estimators import estimator_names, make_estimator
from aver.training.recipe import Settings


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
            hint = " (how one model fuses its streams is 'fused_by')" if self.model else ""
            raise ValueError(f"system '{self.name}' needs either a model or a fusion{hint}")
        if self.fusion:
            _check_fusion(self)
        else:
            _check_model(self)
        return self


def _check_fusion(system: System) -> None:
    if system.fusion not in fusion_names():
        raise ValueError(f"no fusion '{system.fusion}'; {nearest(system.fusion, fusion_names())}")
    if len(system.of) < 2:
        raise ValueError(f"fusion '{system.name}' needs of = [...] with two systems or more")
    if system.streams or system.training or system.augment or system.members > 1:
        raise ValueError(
            f"fusion '{system.name}' has no streams, training, augment or members of its own"
        )
    _settings_of(system, lambda: make_fusion(system.fusion, **system.settings))


def _check_model(system: System) -> None:
    known = [*model_names(), *estimator_names()]
    if system.model in sequence_model_names():
        raise ValueError(
            f"the model '{system.model}' labels every segment of a sequence, and this recipe whole "
            f"clips; {nearest(system.model, known)}"
        )
    if system.model not in known:
        raise ValueError(f"there is no model '{system.model}'; {nearest(system.model, known)}")
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


def nearest(word: str, known: Iterable[str]) -> str:
    """Advice in brackets or after a semicolon: the nearest of *known*, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"
