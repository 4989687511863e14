"""Settings of the training engine (:mod:`aver.training.fit`): the recipe's table ``[training]``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from aver.training.recipe import Settings


class FitSettings(Settings):
    """How a network is trained.

    The paper (Ghaleb et al. 2020, section 3.1): Adam, batch 64, 300 epochs, learning rate 1e-6,
    reduced when there is no progress for 20 epochs; here that is ``optimiser = "adam"``,
    ``epochs = 300``, ``learning_rate = 1e-6``, ``weight_decay = 0``, ``warm_up = 0``,
    ``schedule = "plateau"``. The defaults differ because a rate of 1e-6 barely moves the weights
    of a network trained from nothing.

    Attributes:
        epochs: greatest number of passes over the training rows.
        batch: most rows a step; an epoch is cut into batches of equal size (to one row), so none
            is left with a single row. Over several devices this is the sum of their parts.
        learning_rate: highest learning rate.
        optimiser: ``adam``, ``adamw`` (weight decay apart from the gradient) or ``sgd``.
        momentum: of ``sgd``; the others have their own (0.9 and 0.999).
        weight_decay: decay of the weights.
        schedule: ``constant``, ``cosine`` (falls to zero at the last epoch), ``plateau`` (times
            ``plateau_factor`` after ``plateau_patience`` epochs without a lower loss, of the
            validation rows where there are any, else of the training rows) or ``inverse_time``
            (divided by ``1 + rate_decay * step``, what Keras calls an optimiser's decay).
        warm_up: share of all steps over which the rate rises to ``learning_rate``.
        plateau_patience: see ``schedule``; 20 is the paper's.
        plateau_factor: see ``schedule``; the paper gives none.
        rate_decay: see ``schedule``.
        patience: stop after so many epochs without a lower validation loss, 0 to run them all;
            needs validation rows.
        class_weights: ``balanced`` weighs a class by the inverse of its share of the rows.
        label_smoothing: of the cross entropy.
        branch_loss: weight of the cross entropy of each of the model's branches; 0 is the paper.
        gradient_clip: greatest norm of the gradient, 0 for none.
        average: decay of an exponential moving average of the weights (0.99, say), which is then
            what is validated and kept; 0 for none.
        precision: arithmetic; ``auto`` is ``bf16-mixed`` on a GPU that has it, ``16-mixed`` on an
            older one, and ``32`` elsewhere.
        accelerator: ``auto`` takes a GPU where there is one.
        devices: how many devices share each batch; ``auto`` takes all there are.
        threads: processor threads of each device's process, 0 leaves it to torch.
        checkpoint_every: epochs between checkpoints; 0 lets time decide: at the end of an epoch,
            first after 5 s, then every 30 s, and never so often that more than a twentieth of the
            time goes into writing. The result does not depend on it.
        logger: ``csv`` writes ``log.csv``, ``tensorboard`` event files (extra ``tensorboard``).
    """

    epochs: int = Field(60, ge=1)
    batch: int = Field(64, ge=1)
    learning_rate: float = Field(3e-4, gt=0, allow_inf_nan=False)
    optimiser: Literal["adam", "adamw", "sgd"] = "adamw"
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine", "plateau", "inverse_time"] = "cosine"
    warm_up: float = Field(0.1, ge=0, lt=1)
    plateau_patience: int = Field(20, ge=0)
    plateau_factor: float = Field(0.1, gt=0, lt=1)
    rate_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    patience: int = Field(0, ge=0)
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    branch_loss: float = Field(0.0, ge=0, allow_inf_nan=False)
    gradient_clip: float = Field(1.0, ge=0, allow_inf_nan=False)
    average: float = Field(0.0, ge=0, lt=1)
    precision: Literal["auto", "32", "16-mixed", "bf16-mixed"] = "auto"
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int | Literal["auto"] = 1
    threads: int = Field(0, ge=0)
    checkpoint_every: int = Field(0, ge=0)
    logger: Literal["none", "csv", "tensorboard"] = "csv"

    @field_validator("devices")
    @classmethod
    def _at_least_one(cls, devices: int | str) -> int | str:
        if isinstance(devices, int) and devices < 1:
            raise ValueError("devices is 'auto' or at least 1")
        return devices
