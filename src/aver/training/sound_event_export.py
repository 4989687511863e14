"""The detector as one ONNX file, for sound of any length."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import onnx
import torch

from aver.features.sound_events import DetectorSettings
from aver.models.sed_crnn import FrameScores, SedCrnn
from aver.training.export import round_weights, store_as_int8, strip_origin, write_checked

INPUT = "log_mel"
OUTPUTS = ("scores", "verbal", "non_verbal", "semantics_verbal", "semantics_non_verbal")


def export_detector(network: SedCrnn, settings: DetectorSettings, path: Path) -> FrameScores:
    """Write ``log_mel`` (batch, frames, bands) to the scores and semantics of every frame.

    Weights of convolutions and linear layers are stored as int8, those of the recurrent layers as
    float32.

    Args:
        network: trained.
        settings: what the file says of itself.
        path: the file to write.

    Returns:
        What the file computes.

    Raises:
        ModelError: if file and network differ by more than 1e-4.
    """
    scorer = FrameScores(network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    rounded = round_weights(scorer)
    torch.manual_seed(0)
    example = torch.randn(2, 101, settings.log_mel.bands)
    free = {0: "batch", 1: "frames"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(folder) / "traced.onnx"
        # The newer exporter takes recurrent layers apart and needs their length.
        torch.onnx.export(
            rounded,
            (example,),
            file,
            dynamo=False,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes=dict.fromkeys((INPUT, *OUTPUTS), free),
            opset_version=18,
        )
        model = onnx.load(file)
    model = strip_origin(store_as_int8(model))
    write_checked(model, rounded, (example,), path, settings.to_metadata())
    assert isinstance(rounded, FrameScores)
    return rounded
