"""The networks of the joint audio-image report by name, and their sizes; needs no torch."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator

from aver.errors import ModelError
from aver.models.settings import ModelSettings

LossKind = Literal["cross_entropy", "probes", "distilled", "joint"]


@dataclass(frozen=True)
class Network:
    """What a network of the report consists of.

    Attributes:
        title: as the report calls it.
        section: of the report.
        audio: how the recording is read, ``cnn`` or ``lstm``; empty for not at all.
        image: whether the image is read.
        equalised: whether both modalities reach the classifier with the same dimension.
        loss: what is minimised (:mod:`aver.training.joint_cnn_loss`). All but ``cross_entropy``
            give logits of each modality beside those of the pair.
    """

    title: str
    section: str
    audio: Literal["cnn", "lstm", ""] = "cnn"
    image: bool = True
    equalised: bool = False
    loss: LossKind = "cross_entropy"

    @property
    def joint(self) -> bool:
        """Whether it reads both modalities."""
        return bool(self.audio) and self.image

    @property
    def heads(self) -> tuple[str, ...]:
        """Modalities that are classified by themselves beside the pair."""
        return () if self.loss == "cross_entropy" else ("audio", "image")


NETWORKS: dict[str, Network] = {
    "audio_cnn": Network("audio CNN", "4.2", image=False),
    "image_cnn": Network("image CNN", "4.2", audio=""),
    "concatenation": Network("architecture 1", "4.3"),
    "concatenation_lstm": Network("architecture 2", "4.4", audio="lstm"),
    "equalised": Network("architecture 3", "4.5", equalised=True),
    "probes": Network("architecture 4", "4.6", equalised=True, loss="probes"),
    "joint_loss": Network("architecture 0", "4.7", equalised=True, loss="joint"),
    "distilled_probes": Network("architecture 4, distilled", "7", equalised=True, loss="distilled"),
}
"""Every network by its name, in the order of the report's table."""


def find_network(name: str) -> Network:
    """The network *name*.

    Raises:
        ModelError: if there is none; the nearest known is named.
    """
    if name not in NETWORKS:
        close = difflib.get_close_matches(name, NETWORKS, n=1, cutoff=0.4)
        hint = f"Did you mean '{close[0]}'" if close else f"Known: {', '.join(NETWORKS)}"
        raise ModelError(name, "is not a network of the joint audio-image report", hint)
    return NETWORKS[name]


class JointCnnSettings(ModelSettings):
    """Sizes of the networks. The report gives none of them; its words are quoted where it speaks.

    Attributes:
        audio_channels: of the two convolutions over the coefficients ("a two layer CNN").
        audio_kernel: coefficients that a filter covers; odd.
        audio_pools: pooling after either convolution. "With a single Maxpool layer" is read as
            one at the end, (1, 4); (4, 1) puts it between the two.
        image_channels: of the two convolutions over the joined image ("also a two-layer CNN").
        image_kernel: pixels of a filter's side; odd.
        image_stride: step of the first convolution; 2 costs a quarter of 1.
        image_pools: pooling after either convolution. The report says "with maxpool", which is
            read as one after each, (2, 2); (1, 4) is the reading of a single one.
        hidden: hidden widths of the classifier. "A three layer MLP" is read as two hidden layers
            and the output; three hidden widths are the other reading.
        equalise: what the "small MLP network" of architecture 3 stands behind. Section 6 has it
            "in front of the Image CNN" to bring its output to the audio's dimension (``image``);
            section 4.5 would also fit one MLP behind each (``both``, to ``latent`` dimensions).
        equalise_hidden: hidden width of that small MLP.
        latent: common dimension of ``equalise = "both"``.
        probe_hidden: hidden widths of a probe ("essentially MLP classifier"); small, because
            section 7 hopes for small probes.
        lstm_units: cells of the LSTM of architecture 2; its last state is the representation.
        lstm_reads: ``time``, the coefficients of one stretch of time after the other, because
            section 4.4 gives the temporal structure as the reason; ``coefficients``, the 40
            averages one after the other, is what the front end of section 4.1, taken by the
            letter, leaves to be read.
        dropout: after each hidden layer; the report has none.
    """

    audio_channels: tuple[int, int] = (8, 16)
    audio_kernel: int = Field(5, ge=1)
    audio_pools: tuple[int, int] = (1, 4)
    image_channels: tuple[int, int] = (8, 16)
    image_kernel: int = Field(5, ge=1)
    image_stride: int = Field(2, ge=1)
    image_pools: tuple[int, int] = (2, 2)
    hidden: tuple[int, ...] = (128, 64)
    equalise: Literal["image", "both"] = "image"
    equalise_hidden: int = Field(64, ge=1)
    latent: int = Field(128, ge=1)
    probe_hidden: tuple[int, ...] = (32,)
    lstm_units: int = Field(64, ge=1)
    lstm_reads: Literal["time", "coefficients"] = "time"
    dropout: float = Field(0.0, ge=0, lt=1)

    @field_validator("audio_kernel", "image_kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("must be odd, so that a filter has a middle")
        return kernel

    @field_validator(
        "audio_channels", "audio_pools", "image_channels", "image_pools", "hidden", "probe_hidden"
    )
    @classmethod
    def _at_least_one(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(size < 1 for size in sizes):
            raise ValueError("each must be at least 1")
        return sizes
