"""The sequence models of the bench, by name; torch is imported only with the model asked for.

A model adds itself with one decorator and one line in :data:`_HOMES`::

    class LstmSettings(ModelSettings): ...

    @register_model("lstm")
    class Lstm(StreamModel):
        Settings = LstmSettings

Every model reads any number of named streams (voice, face, action units), each a sequence of
windows with its own width and its own mask.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import ValidationError

from aver.errors import ModelError
from aver.models.settings import ModelSettings

if TYPE_CHECKING:
    from torch import Tensor

    from aver.models.streams import StreamModel


class ModelOutput(NamedTuple):
    """What a sequence model says of a batch of clips.

    Attributes:
        logits: (batch, classes); (batch, time, classes) of a model that labels every window of a
            sequence (:class:`aver.models.sequences.SequenceModel`), zeros where no window is.
        branches: logits (batch, classes) of each stream alone, zeros where a stream has no window;
            empty for models that mix the streams before they decide.
        attention: attention weights by name, (batch, layers, heads, queries, keys), each row
            summing to 1 over the windows present; empty for models without attention. Other
            shapes are told by the model.
    """

    logits: Tensor
    branches: dict[str, Tensor]
    attention: dict[str, Tensor]


AnyModel = TypeVar("AnyModel", bound="type[Any]")

_MODELS: dict[str, type[StreamModel]] = {}

# Where models live: a name is imported only when it is asked for, because models import torch.
_HOMES: dict[str, str] = {
    "attendaffectnet_clip": "aver.models.attendaffectnet",
    "av_attention": "aver.models.av_attention",
    "cross_attention": "aver.models.cross_attention",
    "linear_probe": "aver.models.mean_pool",
    "lstm": "aver.models.lstm",
    "mater": "aver.models.mater_streams",
    "mean_pool": "aver.models.mean_pool",
    "scma_clip": "aver.models.sequence_clips",
    "thao_dnn_clip": "aver.models.sequence_clips",
    "thao_lstm_clip": "aver.models.sequence_clips",
}

# Those that label every window of a sequence, each segment of a film, instead of a whole clip.
_SEQUENCE_HOMES: dict[str, str] = {
    "asmt": "aver.models.asmt",
    "attendaffectnet": "aver.models.attendaffectnet",
    "scma": "aver.models.scma",
    "sivaprasad_lstm": "aver.models.movie_baselines",
    "thao_dnn": "aver.models.movie_baselines",
    "thao_lstm": "aver.models.movie_baselines",
}


def register_model(name: str) -> Callable[[AnyModel], AnyModel]:
    """Register the decorated class as the sequence model *name*."""

    def keep(model: AnyModel) -> AnyModel:
        _MODELS[name] = model
        return model

    return keep


def model_names() -> list[str]:
    """Names of all known models that label whole clips."""
    return sorted({*_HOMES, *(name for name, m in _MODELS.items() if not m.labels_windows)})


def sequence_model_names() -> list[str]:
    """Names of all known models that label every window of a sequence."""
    return sorted({*_SEQUENCE_HOMES, *(name for name, m in _MODELS.items() if m.labels_windows)})


def find_model(name: str) -> type[StreamModel]:
    """The class of the sequence model *name*.

    Raises:
        ModelError: if there is none; the message names the nearest.
    """
    homes = _HOMES | _SEQUENCE_HOMES
    if name not in _MODELS and name in homes:
        import_module(homes[name])
    if name not in _MODELS:
        known = [*model_names(), *sequence_model_names()]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}"
        raise ModelError(name, "is not a known model", hint.rstrip("."))
    return _MODELS[name]


def read_settings(name: str, settings: Mapping[str, Any]) -> ModelSettings:
    """The checked settings of the model *name*.

    Raises:
        ModelError: if there is no such model, an unknown setting (the nearest known one is named),
            or a value out of range.
    """
    schema = find_model(name).Settings
    try:
        return schema.model_validate(dict(settings))
    except ValidationError as error:
        raise ModelError(name, explain(error, list(schema.model_fields)), "") from None


def explain(error: ValidationError, known: list[str]) -> str:
    """What pydantic found, in one line; unknown keys with the nearest of *known*."""
    parts = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(item["loc"][-1]), known, n=1, cutoff=0.5)
            hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known))}"
            parts.append(f"unknown setting '{where}' ({hint})")
        else:
            parts.append(f"'{where}': {item['msg'][0].lower()}{item['msg'][1:]}")
    return "; ".join(parts)


def make_model(
    name: str,
    settings: Mapping[str, Any],
    dimensions: Mapping[str, int],
    windows: Mapping[str, int],
    classes: int,
) -> StreamModel:
    """Build the sequence model *name*, with random weights.

    Args:
        name: registered name.
        settings: its settings, those left out at their defaults.
        dimensions: width of each stream, in the order in which streams are fused.
        windows: greatest number of windows of each stream.
        classes: number of classes, at least 2.

    Raises:
        ModelError: if there is no such model, or the settings do not fit it or the streams.
    """
    checked = read_settings(name, settings)
    try:
        return find_model(name)(checked, dimensions, windows, classes)
    except ValueError as error:
        raise ModelError(name, str(error), "Change the model's settings") from None
