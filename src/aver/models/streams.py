"""What all sequence models of the bench are: networks over named streams of windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from aver.models.blocks import masked_mean
from aver.models.registry import ModelOutput
from aver.models.settings import ModelSettings


class StreamModel(nn.Module):
    """Base of the sequence models.

    A model never sees what lies in a window that is masked out: :meth:`clean` sets it to zero
    before anything else, so neither values nor NaN of missing windows can leak in.

    Args:
        settings: an instance of the class's ``Settings``.
        dimensions: width of each stream; the order of its keys is the order of fusion.
        windows: greatest number of windows of each stream.
        classes: number of classes.

    Raises:
        ValueError: if there is no stream, the two mappings name different ones, or a stream's name
            cannot name a part of a network.
    """

    Settings: ClassVar[type[ModelSettings]]
    labels_windows: ClassVar[bool] = False
    """True of the models whose logits are (batch, time, classes), one label a window."""

    def __init__(
        self,
        settings: ModelSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__()
        if not dimensions or dimensions.keys() != windows.keys():
            raise ValueError("dimensions and windows must name the same streams, at least one")
        check_stream_names(dimensions)
        if classes < 2:
            raise ValueError(f"at least two classes are needed, not {classes}")
        self.settings = settings
        self.dimensions = dict(dimensions)
        self.windows = {name: windows[name] for name in dimensions}
        self.classes = classes

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Predict.

        Args:
            streams: (batch, time, dimension) by stream; time at most the stream's ``windows``.
            masks: (batch, time) bool by stream, True where the window is there.
        """
        raise NotImplementedError

    def clean(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> dict[str, Tensor]:
        """The streams with zeros in the windows that are not there."""
        return {
            name: torch.where(masks[name][:, :, None], streams[name], 0.0)
            for name in self.dimensions
        }


def check_stream_names(names: Iterable[str]) -> None:
    """Refuse names that cannot name a part of a network.

    Raises:
        ValueError: for the first of them.
    """
    for name in names:
        if not name.isidentifier() or hasattr(nn.ModuleDict, name):
            raise ValueError(f"a stream cannot be called '{name}', which torch uses itself")


def has_any(mask: Tensor) -> Tensor:
    """(batch, 1) bool: whether a clip has at least one window of (batch, time)."""
    return mask.any(dim=1, keepdim=True)


class PooledStreams(nn.Module):
    """Mean over the windows there are, streams side by side.

    A clip without a stream gets a learned vector in its place (zeros before training), never the
    mean of nothing.

    Args:
        widths: width of each stream's features.
    """

    def __init__(self, widths: Mapping[str, int]):
        super().__init__()
        self.missing = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(width)) for name, width in widths.items()}
        )
        self.width = sum(widths.values())

    def forward(self, features: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """(batch, time, width) by stream to (batch, sum of widths)."""
        pooled = {name: masked_mean(x, masks[name]) for name, x in features.items()}
        return self.join(pooled, masks)

    def join(self, pooled: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """(batch, width) by stream to (batch, sum of widths)."""
        parts = [
            torch.where(has_any(masks[name]), x, self.missing[name]) for name, x in pooled.items()
        ]
        return torch.cat(parts, dim=1)


class Normalised(nn.Module):
    """A model with the normalisation of its inputs inside, so that raw features go in.

    Args:
        model: the model.
        mean: (dimension,) by stream, subtracted.
        scale: (dimension,) by stream, divided by.
        unit_length: by stream, bring every window to length 1 afterwards (MATER 2.1).
        bound: keep values within -bound and bound, of all streams or by stream; 0 for no bound.
        transform: by stream, ``log1p`` or ``sqrt`` of every value's size first, sign kept.
    """

    def __init__(
        self,
        model: StreamModel,
        mean: Mapping[str, Tensor],
        scale: Mapping[str, Tensor],
        unit_length: Mapping[str, bool] | None = None,
        bound: float | Mapping[str, float] = 0.0,
        transform: Mapping[str, str] | None = None,
    ):
        super().__init__()
        self.model = model
        self.unit_length = dict(unit_length or {})
        self.bound = (
            dict(bound) if isinstance(bound, Mapping) else dict.fromkeys(model.dimensions, bound)
        )
        self.transform = dict(transform or {})
        for name in model.dimensions:
            self.register_buffer(f"mean_{name}", mean[name].clone().float())
            self.register_buffer(f"scale_{name}", scale[name].clone().float())

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """As :meth:`StreamModel.forward`, of features as the extractors give them."""
        streams = self.model.clean(streams, masks)
        normal = {}
        for name, x in streams.items():
            if self.transform.get(name) == "log1p":
                x = x.sign() * x.abs().log1p()
            elif self.transform.get(name) == "sqrt":
                x = x.sign() * x.abs().sqrt()
            x = (x - getattr(self, f"mean_{name}")) / getattr(self, f"scale_{name}")
            if self.unit_length.get(name):
                x = x / (x * x).sum(dim=-1, keepdim=True).clamp(min=1e-18).sqrt()
            elif bound := self.bound.get(name, 0.0):
                x = x.clamp(-bound, bound)
            normal[name] = x
        return self.model(normal, masks)  # type: ignore[no-any-return]


class Positional(nn.Module):
    """A model whose inputs stand in a row, as graph exporters want them.

    Inputs are (stream 1, mask 1, stream 2, mask 2, ...), named by :attr:`inputs`; outputs the
    logits and then the branches' logits, named by :attr:`outputs`.

    Args:
        model: the model, with or without its normalisation.
        streams: names of its streams, in order.
        branches: names of the branches it gives logits of.
    """

    def __init__(self, model: nn.Module, streams: Sequence[str], branches: Sequence[str] = ()):
        super().__init__()
        self.model = model
        self.streams, self.branches = tuple(streams), tuple(branches)
        self.inputs = [x for name in streams for x in (name, f"{name}_mask")]
        self.outputs = ["logits", *(f"{name}_logits" for name in branches)]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """(stream, mask) pairs in order to logits (batch, classes)."""
        streams = dict(zip(self.streams, inputs[0::2], strict=True))
        masks = dict(zip(self.streams, inputs[1::2], strict=True))
        out = self.model(streams, masks)
        return (out.logits, *(out.branches[name] for name in self.branches))
