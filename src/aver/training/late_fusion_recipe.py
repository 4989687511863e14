"""The recipe of the task ``late_fusion``."""

from __future__ import annotations

import difflib
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from aver.errors import SettingError
from aver.fusion import make_fusion
from aver.training.late_fusion_data import Kind, Person
from aver.training.late_fusion_fit import Source
from aver.training.recipe import RecipeBase, Settings


class ScoresSettings(Settings):
    """Where the scores are: ``file`` below the data folder."""

    file: str


class ModelScores(Settings):
    """One model whose scores are fused.

    Attributes:
        name: as in the file.
        kind: what its scores are.
        paper: its published accuracy, mean of the folds, in percent.
    """

    name: str
    kind: Kind
    paper: float | None = Field(None, ge=0, le=100)


class SystemSettings(Settings):
    """One fusion.

    Attributes:
        name: of the row, and of the file of predictions.
        fusion: registered name; empty where ``candidates`` says what to choose from.
        fitted_on: ``train``, the fold's training part, or ``held_out``, the other folds' test
            parts (see :mod:`aver.training.late_fusion_fit`).
        settings: of the fusion.
        penalties: values of ``regularisation`` to choose from by the one-standard-error rule.
        person: normalisation of scores by the person's own unlabelled clips.
        candidates: names of systems above, of which each fold takes the one with the highest
            likelihood on the other folds.
        paper: published accuracy, mean of the folds, in percent.
        aim: what was aimed at, in percent.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    fusion: str = ""
    fitted_on: Source = "train"
    settings: dict[str, Any] = Field(default_factory=dict)
    penalties: tuple[float, ...] = ()
    person: Person = "none"
    candidates: tuple[str, ...] = ()
    paper: float | None = Field(None, ge=0, le=100)
    aim: float | None = Field(None, ge=0, le=100)

    @model_validator(mode="after")
    def _one_of_two(self) -> SystemSettings:
        if bool(self.fusion) == bool(self.candidates):
            raise ValueError("give either a fusion or candidates")
        if self.penalties and min(self.penalties) <= 0:
            raise ValueError("penalties must be above 0")
        if self.fusion:
            settings = dict(self.settings)
            if self.penalties:
                settings["regularisation"] = self.penalties[0]
            try:
                make_fusion(self.fusion, **settings)
            except SettingError as error:
                raise ValueError(str(error).rstrip(".")) from error
        return self


class LateFusionRecipe(RecipeBase):
    """The recipe.

    Attributes:
        data: the file of scores.
        models: whose scores are fused; each is also a row of its own.
        systems: the fusions.
        reference: name of the system that the others are compared with in pairs; may be empty.
    """

    makes_table: ClassVar[bool] = True

    data: ScoresSettings
    models: tuple[ModelScores, ...]
    systems: tuple[SystemSettings, ...]
    reference: str = ""

    @field_validator("systems")
    @classmethod
    def _names(cls, systems: tuple[SystemSettings, ...]) -> tuple[SystemSettings, ...]:
        before: list[str] = []
        for system in systems:
            if system.name in before:
                raise ValueError(f"'{system.name}' is there twice")
            for name in system.candidates:
                if name not in before:
                    raise ValueError(f"'{system.name}': no system above is named '{name}'")
            before.append(system.name)
        return systems

    @field_validator("models", "systems")
    @classmethod
    def _some(cls, entries: tuple[Settings, ...]) -> tuple[Settings, ...]:
        # Not a length in the type: a typo in the only entry would then be two errors.
        if not entries:
            raise ValueError("needs at least one entry")
        return entries

    @model_validator(mode="after")
    def _reference(self) -> LateFusionRecipe:
        names = [system.name for system in self.systems]
        if self.reference and self.reference not in names:
            near = difflib.get_close_matches(self.reference, names, n=1)
            raise ValueError(f"no system is named '{self.reference}'; nearest: {near or names}")
        return self
