"""Joint audio-image CNNs: five architectures, two single-modality CNNs, and distilled probes.

Goswami, Aggarwal and Yalamanchi, "Emotion Detection using Audio and Video Detection" (course
report), sections 4.2 to 4.7 and 7. A recording comes as 40 mel frequency cepstral coefficients
averaged over time, an image as two frames joined side by side; what the report does not say is a
setting (:class:`~aver.models.joint_cnn_settings.JointCnnSettings`).

=========================  ====  =============================================================
name                       no.   the pair's logits are those of
=========================  ====  =============================================================
``audio_cnn``              -     a classifier of the audio CNN's output
``image_cnn``              -     a classifier of the image CNN's output
``concatenation``          1     a classifier of both outputs side by side
``concatenation_lstm``     2     the same, with an LSTM in place of the audio CNN
``equalised``              3     the same, with both outputs brought to one dimension before
``probes``                 4     architecture 3, with a probe (small classifier) behind each
                                 modality's equalised output
``joint_loss``             0     one classifier that reads either output by itself
``distilled_probes``       -     architecture 4, the probes taught by the single CNNs' logits
=========================  ====  =============================================================

Architecture 0 reads one modality at a time, so a pair has two answers. The report gives one
accuracy and calls it "sort of an average of accuracies of both": the mean of two accuracies. To
be compared with the others pair by pair it must decide once: the mean of both probabilities.
Both readings are reported, the second as the network's ``logits``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from aver.errors import ModelError
from aver.models.joint_cnn_settings import JointCnnSettings, find_network
from aver.models.registry import ModelOutput

Shapes = Mapping[str, tuple[int, int]]
"""``audio``: (time, coefficients); ``image``: (height, width)."""


class AudioCnn(nn.Module):
    """Two convolutions along the coefficients of a clip's average (section 4.3).

    Args:
        coefficients: how many there are.
        settings: sizes.
    """

    def __init__(self, coefficients: int, settings: JointCnnSettings):
        super().__init__()
        kernel, (first, second) = settings.audio_kernel, settings.audio_channels
        length = coefficients
        for pool in settings.audio_pools:
            length //= pool
        if length < 1:
            raise ValueError(
                f"audio_pools {settings.audio_pools} leave nothing of {coefficients} coefficients"
            )
        self.dimension = second * length
        before, after = settings.audio_pools
        self.layers = nn.Sequential(
            nn.Conv1d(1, first, kernel, padding=kernel // 2),
            nn.MaxPool1d(before),
            nn.ReLU(),
            nn.Conv1d(first, second, kernel, padding=kernel // 2),
            nn.MaxPool1d(after),
            nn.ReLU(),
            nn.Flatten(),
        )

    def forward(self, audio: Tensor, present: Tensor | None = None) -> Tensor:
        """(batch, 1, coefficients) to (batch, dimension)."""
        out: Tensor = self.layers(audio)
        return out


class AudioLstm(nn.Module):
    """An LSTM over time, or over the averaged coefficients (section 4.4).

    Args:
        coefficients: how many there are at a time.
        settings: sizes.
    """

    def __init__(self, coefficients: int, settings: JointCnnSettings):
        super().__init__()
        self.by_time = settings.lstm_reads == "time"
        self.dimension = settings.lstm_units
        width = coefficients if self.by_time else 1
        self.lstm = nn.LSTM(width, settings.lstm_units, batch_first=True)

    def forward(self, audio: Tensor, present: Tensor | None = None) -> Tensor:
        """The state after the last step that is there, (batch, units).

        Args:
            audio: (batch, time, coefficients); time 1 where coefficients are read in a row.
            present: (batch, time) bool, True from the start of a clip to its end; None for all.
        """
        steps = audio if self.by_time else audio.transpose(1, 2)
        states: Tensor = self.lstm(steps)[0]
        if present is None or not self.by_time:
            return states[:, -1]
        # What stands after a clip's end cannot reach back into its states.
        last = (present.sum(dim=1) - 1).clamp(min=0)
        index = last[:, None, None].expand(-1, 1, states.shape[2])
        return states.gather(1, index)[:, 0]


class ImageCnn(nn.Module):
    """Two convolutions over two frames joined side by side (section 4.3).

    Args:
        height: of the joined image.
        width: of it.
        settings: sizes.
    """

    def __init__(self, height: int, width: int, settings: JointCnnSettings):
        super().__init__()
        kernel, (first, second) = settings.image_kernel, settings.image_channels
        sides = []
        for side in (height, width):
            left = (side - 1) // settings.image_stride + 1
            for pool in settings.image_pools:
                left //= pool
            sides.append(left)
        if min(sides) < 1:
            raise ValueError(
                f"image_stride {settings.image_stride} and image_pools {settings.image_pools} "
                f"leave nothing of a {height} x {width} image"
            )
        self.dimension = second * sides[0] * sides[1]
        before, after = settings.image_pools
        self.layers = nn.Sequential(
            nn.Conv2d(1, first, kernel, settings.image_stride, padding=kernel // 2),
            nn.MaxPool2d(before),
            nn.ReLU(),
            nn.Conv2d(first, second, kernel, padding=kernel // 2),
            nn.MaxPool2d(after),
            nn.ReLU(),
            nn.Flatten(),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(batch, height, width) to (batch, dimension)."""
        out: Tensor = self.layers(image[:, None])
        return out


def perceptron(width: int, hidden: Sequence[int], out: int, dropout: float = 0.0) -> nn.Sequential:
    """Linear layers with ReLU between them: *width* to each of *hidden* to *out*."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        width = size
    return nn.Sequential(*layers, nn.Linear(width, out))


class JointCnn(nn.Module):
    """One of the report's networks; see the module's docstring.

    Args:
        name: of the network, one of :data:`~aver.models.joint_cnn_settings.NETWORKS`.
        settings: sizes.
        shapes: of one clip's audio and image; the modality that is not read may be left out.
        classes: number of classes, at least 2.

    Raises:
        ModelError: if there is no such network, or shapes and settings do not fit each other.
    """

    def __init__(self, name: str, settings: JointCnnSettings, shapes: Shapes, classes: int):
        super().__init__()
        self.name, self.kind, self.settings = name, find_network(name), settings
        self.classes = classes
        wanted = [m for m, read in (("audio", self.kind.audio), ("image", self.kind.image)) if read]
        for modality in wanted:
            if modality not in shapes:
                raise ModelError(name, f"reads {modality}, of which no shape is given")
        self.shapes: dict[str, tuple[int, int]] = {m: shapes[m] for m in wanted}
        if classes < 2:
            raise ModelError(name, f"{classes} classes are too few", "Two or more are needed")
        try:
            self._build()
        except ValueError as error:
            raise ModelError(name, str(error), "Change the recipe's table [model]") from None

    def _build(self) -> None:
        kind, s = self.kind, self.settings
        widths: dict[str, int] = {}
        if kind.audio:
            time, coefficients = self.shapes["audio"]
            by_time = kind.audio == "lstm" and s.lstm_reads == "time"
            if time != 1 and not by_time:
                raise ValueError(f"reads the average over time, not {time} steps of it")
            branch = AudioLstm if kind.audio == "lstm" else AudioCnn
            self.audio = branch(coefficients, s)
            widths["audio"] = self.audio.dimension
        if kind.image:
            self.image = ImageCnn(*self.shapes["image"], s)
            widths["image"] = self.image.dimension
        self.equalise = nn.ModuleDict()
        if kind.equalised:
            common = widths["audio"] if s.equalise == "image" else s.latent
            for modality in ("image",) if s.equalise == "image" else ("audio", "image"):
                small = perceptron(widths[modality], (s.equalise_hidden,), common, s.dropout)
                self.equalise[modality] = nn.Sequential(small, nn.ReLU())
                widths[modality] = common
        self.dimensions = dict(widths)
        width = widths["audio"] if kind.loss == "joint" else sum(widths.values())
        self.classifier = perceptron(width, s.hidden, self.classes, s.dropout)
        self.probes = nn.ModuleDict()
        if kind.loss in ("probes", "distilled"):
            for modality in kind.heads:
                self.probes[modality] = perceptron(
                    widths[modality], s.probe_hidden, self.classes, s.dropout
                )

    @property
    def parameters_count(self) -> int:
        """Number of trained weights."""
        return sum(weight.numel() for weight in self.parameters())

    def represent(
        self, streams: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Each modality's representation, (batch, ``dimensions[modality]``), as the classifier
        and the probes read it.

        Raises:
            ModelError: if a modality is missing or has another shape than the network was made
                for.
        """
        for modality, shape in self.shapes.items():
            given = streams.get(modality)
            if given is None:
                raise ModelError(self.name, f"reads {modality}, and there is none")
            if tuple(given.shape[1:]) != shape:
                raise ModelError(
                    self.name,
                    f"was made for {modality} of the shape {shape}, and got "
                    f"{tuple(given.shape[1:])}",
                    "Give what it was trained on",
                )
        found = {}
        if self.kind.audio:
            found["audio"] = self.audio(streams["audio"], (masks or {}).get("audio"))
        if self.kind.image:
            found["image"] = self.image(streams["image"])
        for modality, part in self.equalise.items():
            found[modality] = part(found[modality])
        return found

    def forward(
        self, streams: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> ModelOutput:
        """Classify pairs.

        Args:
            streams: ``audio`` (batch, time, coefficients), ``image`` (batch, height, width).
            masks: ``audio`` (batch, time) bool, True where there is sound; only the LSTM looks.

        Returns:
            The pair's logits, and as branches those of ``audio`` and ``image`` by themselves
            where the network has them (its probes; architecture 0's two answers).
        """
        found = self.represent(streams, masks)
        if self.kind.loss == "joint":
            heads = {modality: self.classifier(x) for modality, x in found.items()}
            logs = torch.stack([logits.log_softmax(dim=1) for logits in heads.values()])
            # The logarithm of the mean probability: logits whose softmax is that mean.
            return ModelOutput(logs.logsumexp(dim=0) - torch.log(torch.tensor(2.0)), heads, {})
        logits = self.classifier(torch.cat(list(found.values()), dim=1))
        heads = {modality: probe(found[modality]) for modality, probe in self.probes.items()}
        return ModelOutput(logits, heads, {})


class Positional(nn.Module):
    """A network whose inputs stand in a row, as graph exporters want them.

    Inputs are ``audio``, for the LSTM over time also ``audio_mask``, and ``image``, as far as the
    network reads them; outputs the pair's logits and those of its heads.

    Args:
        network: to be exported.
    """

    def __init__(self, network: JointCnn):
        super().__init__()
        self.network = network
        masked = network.kind.audio == "lstm" and network.settings.lstm_reads == "time"
        names = ["audio"] * bool(network.kind.audio) + ["audio_mask"] * masked
        self.inputs = names + ["image"] * network.kind.image
        self.outputs = ["logits", *(f"{head}_logits" for head in network.kind.heads)]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The inputs in their order to the logits, (batch, classes) each."""
        given = dict(zip(self.inputs, inputs, strict=True))
        masks = {"audio": given.pop("audio_mask")} if "audio_mask" in given else None
        out = self.network(given, masks)
        return (out.logits, *(out.branches[head] for head in self.network.kind.heads))
