"""Earlier models of emotion in films: recurrent and plain networks on segments.

- ``sivaprasad_lstm``: Sivaprasad, Joshi, Agrawal & Pedanekar 2018, "Multimodal continuous
  prediction of emotions in movies using long short-term memory networks". An LSTM runs along the
  film's segments and labels each from its state. Sizes are those of the comparison in which it is
  the baseline (hidden 32 or 64).
- ``thao_dnn`` and ``thao_lstm``: Thao, Herremans & Roig 2019, "Multimodal deep models for
  predicting affective responses evoked by movies". Each modality is reduced to 128 without bias;
  two fully connected layers of 64 without bias or nonlinearity, or a two-layer LSTM over five
  segments whose last state is read. Logits are divided by a softmax temperature of 2.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from aver.models.registry import ModelOutput, register_model
from aver.models.sequences import SequenceModel, present_first, reorder, with_context
from aver.models.settings import ModelSettings


class SivaprasadLstmSettings(ModelSettings):
    """Settings of ``sivaprasad_lstm``.

    Attributes:
        hidden: cells.
        layers: stacked layers.
        dropout: between layers and before the output.
        input_dropout: dropout on the features.
    """

    hidden: int = Field(64, ge=1)
    layers: int = Field(1, ge=1)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    input_dropout: float = Field(0.0, ge=0.0, lt=1.0)


@register_model("sivaprasad_lstm")
class SivaprasadLstm(SequenceModel):
    """An LSTM along the segments, streams side by side; it never looks ahead.

    It steps from one segment that is there to the next; a stream that a segment lacks is zeros.
    """

    Settings = SivaprasadLstmSettings

    def __init__(
        self,
        settings: SivaprasadLstmSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        s = settings
        widths = [sum(dimensions.values()), *[s.hidden] * (s.layers - 1)]
        self.lstm = nn.ModuleList(nn.LSTM(width, s.hidden, batch_first=True) for width in widths)
        self.input_dropout = nn.Dropout(s.input_dropout)
        self.dropout = nn.Dropout(s.dropout)
        self.predict = nn.Linear(s.hidden, classes)

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Label every segment; logits (batch, time, classes)."""
        there = self.any_there(masks)
        order, back = present_first(there)
        x = reorder(self.input_dropout(self.side_by_side(streams, masks)), order)
        for layer in self.lstm:
            x = self.dropout(layer(x)[0])
        logits = self.predict(reorder(x, back)) * there[:, :, None]
        return ModelOutput(logits, {}, {})


class ThaoDnnSettings(ModelSettings):
    """Settings of ``thao_dnn``.

    Attributes:
        reduced: numbers that each modality is reduced to (128).
        hidden: width of the two layers after that (64).
        time_steps: segments side by side at the input, the labelled one and those before it.
        temperature: logits are divided by it (2 in the authors' program).
    """

    reduced: int = Field(128, ge=1)
    hidden: int = Field(64, ge=1)
    time_steps: int = Field(2, ge=1)
    temperature: float = Field(2.0, gt=0.0)


class Reduced(nn.Module):
    """Each stream reduced by one layer without bias, streams side by side.

    Args:
        dimensions: width of each stream.
        reduced: width after it.
    """

    def __init__(self, dimensions: Mapping[str, int], reduced: int):
        super().__init__()
        self.layers = nn.ModuleDict(
            {name: nn.Linear(width, reduced, bias=False) for name, width in dimensions.items()}
        )
        self.width = reduced * len(dimensions)

    def forward(self, clean: dict[str, Tensor]) -> Tensor:
        """(batch, time, dimension) by stream to (batch, time, width)."""
        return torch.cat([layer(clean[name]) for name, layer in self.layers.items()], dim=2)


@register_model("thao_dnn")
class ThaoDnn(SequenceModel):
    """Fully connected layers without bias or nonlinearity on one segment, or on some in a row.

    With ``time_steps = 2`` the reduced features of the segment before stand beside those of the
    labelled one (zeros before the first, and where a segment is missing); with 1 every segment is
    labelled by itself, as the authors' published program does.
    """

    Settings = ThaoDnnSettings

    def __init__(
        self,
        settings: ThaoDnnSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        s = settings
        self.reduced = Reduced(dimensions, s.reduced)
        self.layers = nn.Sequential(
            nn.Linear(s.time_steps * self.reduced.width, s.hidden, bias=False),
            nn.Linear(s.hidden, s.hidden, bias=False),
            nn.Linear(s.hidden, classes, bias=False),
        )
        self.time_steps, self.temperature = s.time_steps, s.temperature

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Label every segment; logits (batch, time, classes)."""
        x = self.reduced(self.clean(streams, masks))
        x = with_context(x, self.time_steps).flatten(2)
        logits = self.layers(x) / self.temperature * self.any_there(masks)[:, :, None]
        return ModelOutput(logits, {}, {})


class ThaoLstmSettings(ModelSettings):
    """Settings of ``thao_lstm``.

    Attributes:
        reduced: numbers that each modality is reduced to (128).
        hidden: cells (64).
        layers: stacked layers (2).
        context: segments the LSTM runs over, the labelled one last (5).
        temperature: logits are divided by it (2 in the authors' program).
    """

    reduced: int = Field(128, ge=1)
    hidden: int = Field(64, ge=1)
    layers: int = Field(2, ge=1)
    context: int = Field(5, ge=1)
    temperature: float = Field(2.0, gt=0.0)


@register_model("thao_lstm")
class ThaoLstm(SequenceModel):
    """Many to one: each label is read from the state after the segment and those before it.

    Segments that are missing are taken out of the run; the first of a sequence have fewer before
    them.
    """

    Settings = ThaoLstmSettings

    def __init__(
        self,
        settings: ThaoLstmSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        s = settings
        self.reduced = Reduced(dimensions, s.reduced)
        self.lstm = nn.LSTM(self.reduced.width, s.hidden, s.layers, batch_first=True)
        self.predict = nn.Linear(s.hidden, classes)
        self.context, self.hidden, self.temperature = s.context, s.hidden, s.temperature

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Label every segment; logits (batch, time, classes)."""
        there = self.any_there(masks)
        time = there.shape[1]
        runs = with_context(self.reduced(self.clean(streams, masks)), self.context).flatten(0, 1)
        present = with_context(there, self.context).flatten(0, 1)
        order, _ = present_first(present)
        states = self.lstm(reorder(runs, order))[0]
        last = (present.sum(dim=1) - 1).clamp(min=0)
        state = states.gather(1, last[:, None, None].expand(-1, 1, self.hidden))
        logits = self.predict(state[:, 0]).reshape(-1, time, self.classes)
        return ModelOutput(logits / self.temperature * there[:, :, None], {}, {})
