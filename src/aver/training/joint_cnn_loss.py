"""The losses of the joint audio-image CNNs (Goswami et al., sections 4.6, 4.7 and 7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch.nn.functional as functional
from pydantic import Field
from torch import Tensor, nn

from aver.errors import TrainingError
from aver.models.joint_cnn_settings import LossKind
from aver.models.registry import ModelOutput
from aver.training.fit_data import TensorBatches
from aver.training.recipe import Settings


class LossSettings(Settings):
    """Weights within the losses.

    Attributes:
        beta: weight of the images in architecture 0's loss. The report calls it a hyperparameter
            and does not tell its value; 1 gives both modalities the same say.
        probe_weight: weight of each probe's loss in architecture 4. The report's sum has no
            weights, which is 1.
        distillation_weight: weight of each distilled probe's distance to its teacher.
        distance: between a probe and its teacher. The report wants to "match the outputs of the
            probe network to these logits": ``squared``, the mean squared difference of the logits
            (Ba and Caruana 2014), is that by the letter; ``divergence``, of the softened
            probabilities times the squared temperature (Hinton et al. 2015), is how the word
            distillation is mostly understood since.
        temperature: of ``divergence``.
    """

    beta: float = Field(1.0, ge=0, allow_inf_nan=False)
    probe_weight: float = Field(1.0, ge=0, allow_inf_nan=False)
    distillation_weight: float = Field(0.1, ge=0, allow_inf_nan=False)
    distance: Literal["squared", "divergence"] = "squared"
    temperature: float = Field(2.0, gt=0, allow_inf_nan=False)


def distance_to_teacher(logits: Tensor, teacher: Tensor, settings: LossSettings) -> Tensor:
    """How far a probe's logits are from its teacher's; a mean over the batch.

    Args:
        logits: (batch, classes) of the probe.
        teacher: (batch, classes) of the single-modality network.
        settings: which distance.
    """
    if settings.distance == "squared":
        return functional.mse_loss(logits, teacher)
    soft = settings.temperature
    found = functional.kl_div(
        (logits / soft).log_softmax(dim=1),
        (teacher / soft).log_softmax(dim=1),
        log_target=True,
        reduction="batchmean",
    )
    return found * soft**2


@dataclass(frozen=True)
class JointCnnLoss:
    """Mean loss of a batch of pairs.

    * ``cross_entropy``: of the pair's logits.
    * ``probes`` (section 4.6): L = L_joint + L_image probe + L_audio probe, each a cross entropy.
    * ``joint`` (section 4.7): L = CE(classifier(audio)) + beta * CE(classifier(image)), through
      one classifier. The report sums over all training rows and leaves out the minus sign ("it
      is basically cross entropy loss"); here it is the mean over the batch, which differs by a
      factor that the learning rate takes up, for both modalities have as many rows.
    * ``distilled`` (section 7): L_joint + weight * (distances of both probes to their teachers),
      whose logits come with the batch as ``extra["audio_teacher"]`` and ``["image_teacher"]``.

    Attributes:
        kind: which of them.
        settings: weights.
    """

    kind: LossKind
    settings: LossSettings = field(default_factory=LossSettings)

    def __call__(self, module: nn.Module, batch: TensorBatches) -> Tensor:
        """The mean loss of *batch*.

        Raises:
            TrainingError: if teachers are needed and the batch brings none.
        """
        out: ModelOutput = module(batch.streams, batch.masks)
        s, labels = self.settings, batch.labels
        if self.kind == "joint":
            audio = functional.cross_entropy(out.branches["audio"], labels)
            return audio + s.beta * functional.cross_entropy(out.branches["image"], labels)
        loss = functional.cross_entropy(out.logits, labels)
        if self.kind == "probes":
            for logits in out.branches.values():
                loss = loss + s.probe_weight * functional.cross_entropy(logits, labels)
        if self.kind == "distilled":
            for modality, logits in out.branches.items():
                teacher = batch.extra.get(f"{modality}_teacher")
                if teacher is None:
                    raise TrainingError(
                        "distilled_probes",
                        f"the rows bring no logits of the {modality} teacher",
                        "Train the single-modality networks first",
                    )
                distance = distance_to_teacher(logits, teacher, s)
                loss = loss + s.distillation_weight * distance
        return loss
