"""The recipe of the sound event detector (task ``sound_events``)."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from aver.corpora.soundscapes import LABELS, NON_VERBAL, VERBAL, SoundscapesSettings
from aver.features.sound_events import LogMelSettings
from aver.models.sed_crnn import SedCrnnSettings
from aver.training.fit_settings import FitSettings
from aver.training.recipe import RecipeBase, Settings
from aver.training.sound_event_data import Names
from aver.training.sound_event_loss import DisturbSettings


class Spectrogram(Settings):
    """One reading of the detector's input; each is a training of its own.

    Attributes:
        name: of it, in tables and folders.
        log_mel: the spectrogram.
        time_step: frames that the network's stem puts into one.
        epochs: of its training; 0 for those of ``[training]``.
    """

    name: str
    log_mel: LogMelSettings = LogMelSettings()
    time_step: int = Field(2, ge=1, le=4)
    epochs: int = Field(0, ge=0)


class Refining(Settings):
    """A second training of the network that ships, from the best weights of the first.

    Attributes:
        training: of it.
        disturb: its disturbances; stronger than at first, when they would only slow it down.
    """

    training: FitSettings = FitSettings()
    disturb: DisturbSettings = DisturbSettings()


class SoundEventsRecipe(RecipeBase):
    """Soundscapes, spectrograms, network and training.

    Attributes:
        soundscapes: how they are made, in ``OUT/soundscapes``.
        folder: instead of making them: folder below the data folder with ``train/``,
            ``train.tsv`` and so on (DCASE's layout) of one's own.
        labels: of the multi-label detector.
        verbal: those that are verbal.
        non_verbal: those that are not.
        spectrograms: each is trained and measured.
        ship: name of the one that is exported.
        model: sizes of the network; ``bands``, ``classes`` and ``time_step`` follow from the rest.
        training: of every network.
        disturb: disturbances in training.
        refine: how the network that ships is trained further; None for not at all.
        clip_weight: of the clips' cross entropy beside that of the frames.
    """

    makes_table: ClassVar[bool] = True

    soundscapes: SoundscapesSettings | None = None
    folder: str = ""
    labels: tuple[str, ...] = LABELS
    verbal: tuple[str, ...] = VERBAL
    non_verbal: tuple[str, ...] = NON_VERBAL
    spectrograms: tuple[Spectrogram, ...] = (Spectrogram(name="fine"),)
    ship: str = "fine"
    model: SedCrnnSettings = SedCrnnSettings()
    training: FitSettings = FitSettings()
    disturb: DisturbSettings = DisturbSettings()
    refine: Refining | None = None
    clip_weight: float = Field(0.2, ge=0)

    @field_validator("spectrograms")
    @classmethod
    def _some(cls, spectrograms: tuple[Spectrogram, ...]) -> tuple[Spectrogram, ...]:
        names = [one.name for one in spectrograms]
        if not names or len(names) != len(set(names)):
            raise ValueError("one spectrogram at least, each with a name of its own")
        return spectrograms

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.ship not in [one.name for one in self.spectrograms]:
            raise ValueError(f"ship names '{self.ship}', which is no spectrogram")
        strange = [n for n in (*self.verbal, *self.non_verbal) if n not in self.labels]
        if strange or set(self.verbal) & set(self.non_verbal):
            raise ValueError("verbal and non_verbal must be labels, and none of them both")
        if self.soundscapes is not None and self.folder:
            raise ValueError("either soundscapes are made, or folder names those there are")
        return self

    @property
    def to_make(self) -> SoundscapesSettings | None:
        """How soundscapes are made; None if there is a folder of them."""
        return None if self.folder else self.soundscapes or SoundscapesSettings()

    @property
    def names(self) -> Names:
        """What is detected."""
        return Names(self.labels, self.verbal, self.non_verbal)
