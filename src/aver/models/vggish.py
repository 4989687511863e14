"""VGGish (Hershey et al. 2017), with the names and shapes of its published port to torch.

Six 3 x 3 convolutions with four poolings over a log-mel spectrogram of 64 bands, then three
linear layers that take 96 frames (0.96 s) alone. The port, github.com/harritaylor/torchvggish,
carries the weights that Google published for TensorFlow.
"""

from __future__ import annotations

from torch import Tensor, nn

WIDTH = 512
"""Channels of the last convolution."""

EMBEDDING = 128
"""Width of the embedding."""

CELLS = 6 * 4
"""Positions of the last convolution for 96 frames of 64 bands."""


class VGGish(nn.Module):
    """The network."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for stage in ((64,), (128,), (256, 256), (512, 512)):
            for channels in stage:
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
                before = channels
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(CELLS * WIDTH, 4096),
            nn.ReLU(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, EMBEDDING),
            nn.ReLU(),
        )

    def convolve(self, log_mel: Tensor) -> Tensor:
        """(batch, frames, 64) to (batch, 512, frames // 16, 4): the last convolution, pooled."""
        return self.features(log_mel[:, None])  # type: ignore[no-any-return]

    def embed(self, features: Tensor) -> Tensor:
        """(batch, 512, 6, 4) to (batch, 128), not yet rotated to principal components."""
        # The linear layers were trained on TensorFlow's order: time, band, channel.
        return self.embeddings(features.permute(0, 2, 3, 1).flatten(1))  # type: ignore[no-any-return]

    def forward(self, log_mel: Tensor) -> Tensor:
        """(batch, 96, 64) to (batch, 128)."""
        return self.embed(self.convolve(log_mel))
