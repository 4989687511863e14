"""Recipe of the joint audio-image CNNs' experiments (task ``joint_cnn``)."""

from __future__ import annotations

import difflib
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from aver.corpora import get_corpus
from aver.errors import AverError
from aver.features.mfcc import MfccSettings
from aver.labels import RAVDESS
from aver.models.joint_cnn_settings import NETWORKS, JointCnnSettings, find_network
from aver.models.registry import explain
from aver.training.fit_settings import FitSettings
from aver.training.joint_cnn_loss import LossSettings
from aver.training.recipe import RecipeBase, Settings

Shares = Literal["80-10-10", "50-50", "25-75"]
SplitName = Literal["subjects", "random", "text"]

PARTS: dict[str, tuple[float, float, float]] = {
    "80-10-10": (0.8, 0.1, 0.1),
    "50-50": (0.5, 0.0, 0.5),
    "25-75": (0.25, 0.0, 0.75),
}
"""Shares of training, validation and test (sections 5.1.1 and 5.2.1)."""


class AudioData(Settings):
    """The recordings.

    Attributes:
        corpus: registered name; its labels must be RAVDESS' words.
        folder: below the data folder; the corpus's name if empty.
        options: of the corpus. The report took "both the song and speech data": RAVDESS with
            ``channel = "any"``.
        mfcc: settings of the extractor ``mfcc``, whose defaults are the report's front end
            ("Kaiser best" sampling, the first 40 coefficients, here their mean over time).
        stretch_seconds: what the LSTM over time reads at a step: the coefficients' mean over so
            many seconds.
    """

    corpus: str = "ravdess"
    folder: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    mfcc: dict[str, Any] = Field(default_factory=dict)
    stretch_seconds: float = Field(0.25, gt=0, le=10)

    @field_validator("corpus")
    @classmethod
    def _corpus(cls, name: str) -> str:
        return _known_corpus(name)

    @field_validator("mfcc")
    @classmethod
    def _mfcc(cls, settings: dict[str, Any]) -> dict[str, Any]:
        own = {"window_seconds", "windows", "pool"} & set(settings)
        if own:
            raise ValueError(f"'{min(own)}' is set by the network that reads it")
        try:
            MfccSettings(**settings)
        except ValidationError as error:
            raise ValueError(explain(error, list(MfccSettings.model_fields))) from None
        return settings


class ImageData(Settings):
    """The images: two frames side by side, (side, 2 * side) grey.

    Attributes:
        source: ``clips`` takes two frames half a second apart from each video, as the report
            does; ``stills`` stands in where there is no video.
        corpus: registered name: one of faces for ``stills``, one of videos for ``clips``.
        folder: below the data folder; the corpus's name if empty.
        options: of the corpus.
        side: pixels of a frame's side.
        pair: how a still becomes two frames, having no "half a second later". The report joins
            two frames because "adding that redundancy helps the network figure out easily the
            important features". ``same_still`` sets a still beside its own mirror image, each
            moved a little: one face seen twice, which is redundancy. ``two_stills`` sets two
            faces of one class side by side: two people's evidence for the class, which is more
            than two frames of one video tell, and so not the default.
        shift: greatest move of each half, in pixels of a still.
        per_class: stills of each class in the whole experiment; 0 for all.
        views: joined images made of each still (``stills``); the report has several of a video.
        calm: RAVDESS' calm has no faces in FER-2013. ``leave_out`` drops its recordings;
            ``neutral_faces`` gives it neutral faces of its own, none of which stays neutral. The
            table says which.
        step_seconds: time between the beginnings of two joined images of a video: "every half
            second we took two frames, which came about to roughly 6 frames every video" is read
            as a joined image every half second, about six for clips of three to four seconds.
        gap_seconds: time between the two frames of a joined image.
        detector: that finds the faces in videos.
    """

    source: Literal["stills", "clips"] = "stills"
    corpus: str = "fer2013"
    folder: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    side: int = Field(48, ge=8, le=256)
    pair: Literal["same_still", "two_stills"] = "same_still"
    shift: int = Field(3, ge=0, le=16)
    per_class: int = Field(300, ge=0)
    views: int = Field(2, ge=1, le=16)
    calm: Literal["leave_out", "neutral_faces"] = "leave_out"
    step_seconds: float = Field(0.5, gt=0)
    gap_seconds: float = Field(0.5, gt=0)
    detector: Literal["auto", "yunet", "dlib"] = "auto"

    @field_validator("corpus")
    @classmethod
    def _corpus(cls, name: str) -> str:
        return _known_corpus(name)


class JointFit(FitSettings):
    """The engine's settings with the report's: SGD with momentum, 25 epochs (section 5.1.1).

    The report gives neither learning rate, momentum nor batch; these are common ones. It names no
    schedule, decay or clipping, so there is none.
    """

    epochs: int = Field(25, ge=1)
    batch: int = Field(32, ge=1)
    learning_rate: float = Field(0.01, gt=0, allow_inf_nan=False)
    optimiser: Literal["adam", "adamw", "sgd"] = "sgd"
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    warm_up: float = Field(0.0, ge=0, lt=1)
    gradient_clip: float = Field(0.0, ge=0, allow_inf_nan=False)
    logger: Literal["none", "csv", "tensorboard"] = "none"


class JointCnnRecipe(RecipeBase):
    """What is trained, on what, and how it is divided.

    Attributes:
        audio: the recordings.
        images: the images.
        networks: names of :data:`~aver.models.joint_cnn_settings.NETWORKS`.
        shares: of training, validation and test rows.
        splits: ``subjects``: nobody heard and no face seen on two sides. ``random``: recordings
            drawn at random, so speakers stand on both sides; faces as before. ``text``: the
            report's own way, recordings copied and paired first and pairs drawn at random then,
            so the copies of one recording and the views of one face stand on both sides.
        seeds: each draws a division of its own, the faces, and the networks' first weights.
        classes: emotions, in order; all that both sides have if empty.
        standardise: bring coefficients and grey values to mean 0 and spread 1 by the training
            rows. The report is silent; without it the coefficients' size stops SGD from learning.
        epoch: ``last``, the weights after the 25th epoch; ``validation``, those of the lowest
            validation loss (80-10-10 only). The report compares "best test accuracies", which
            would choose on the test rows, and is not offered.
        curves: network whose validation accuracy is drawn epoch by epoch; empty for none.
        model: sizes.
        loss: weights of the losses.
        training: see :class:`JointFit`.
    """

    makes_table: ClassVar[bool] = True

    audio: AudioData = AudioData()
    images: ImageData = ImageData()
    networks: tuple[str, ...] = Field(min_length=1)
    shares: tuple[Shares, ...] = Field(("80-10-10",), min_length=1)
    splits: tuple[SplitName, ...] = Field(("subjects", "text"), min_length=1)
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    classes: tuple[str, ...] = ()
    standardise: bool = True
    epoch: Literal["last", "validation"] = "last"
    curves: str = ""
    model: JointCnnSettings = JointCnnSettings()
    loss: LossSettings = LossSettings()
    training: JointFit = JointFit()

    @field_validator("networks", "seeds", "shares", "splits")
    @classmethod
    def _once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("one stands there twice")
        return values

    @field_validator("networks")
    @classmethod
    def _networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                find_network(name)
            except AverError as error:
                raise ValueError(f"{name}: {error.problem}. {error.advice}") from None
        return names

    @field_validator("classes")
    @classmethod
    def _classes(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in RAVDESS:
                close = difflib.get_close_matches(name, RAVDESS, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(RAVDESS)}"
                raise ValueError(f"there is no class '{name}' ({hint})")
        return names

    @model_validator(mode="after")
    def _fit_each_other(self) -> JointCnnRecipe:
        if self.epoch == "validation" and set(self.shares) != {"80-10-10"}:
            raise ValueError("epoch = 'validation' needs validation rows: shares 80-10-10 alone")
        if self.training.patience and self.epoch != "validation":
            raise ValueError("training.patience needs epoch = 'validation'")
        if self.curves:
            if self.curves not in self.networks or not NETWORKS[self.curves].heads:
                raise ValueError(
                    "curves names a network of this recipe that judges each modality by itself "
                    f"({', '.join(n for n, k in NETWORKS.items() if k.heads)})"
                )
            if "80-10-10" not in self.shares:
                raise ValueError("curves need validation rows: shares 80-10-10")
        return self


def _known_corpus(name: str) -> str:
    try:
        get_corpus(name)
    except AverError as error:
        raise ValueError(f"{name}: {error.problem}. {error.advice}".rstrip(".")) from None
    return name
