"""From a run folder of ``aver train`` to an ONNX file that agrees with torch, and its card.

The file takes features as the extractors give them (the normalisation is inside), each stream
padded to its number of windows, with a mask that says which windows are there. Its metadata hold
what the card holds: labels, extractors, protocol, and the subjects that were seen, as JSON.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
import torch
from torch import Tensor

from aver._version import __version__
from aver.errors import ModelError
from aver.evaluation.predictions import Predictions, read_predictions
from aver.models.streams import Normalised, Positional
from aver.report.files import write_files
from aver.training import fit_checkpoint
from aver.training.bench_keep import load_kept
from aver.training.export import parity, round_weights, store_as_int8, strip_origin
from aver.training.fit_checkpoint import CHECKPOINT, WEIGHTS
from aver.training.run_card import card

TOLERANCE = 1e-4
_BATCHES = (1, 2, 7, 32)


@dataclass(frozen=True)
class Exported:
    """What an export left.

    Attributes:
        model: the ONNX file.
        card: its card, Markdown.
        difference: greatest absolute difference of a logit between the file and torch.
        clips: random clips it was measured on.
    """

    model: Path
    card: Path
    difference: float
    clips: int


def export_run(
    run: str | Path,
    out: str | Path,
    *,
    predictions: str | Path | None = None,
    tolerance: float = TOLERANCE,
    int8: bool = False,
) -> Exported:
    """Export the network of a run folder.

    Args:
        run: the folder, or the ``model.safetensors`` in it.
        out: the ONNX file to write; the card goes beside it as ``.md``. Both or none are written.
        predictions: of the same system, for the card's scores; the run's own where there are any.
        tolerance: greatest absolute difference allowed between a logit of the file and of torch.
        int8: store the weights with 8 bits, one step a channel; the file is a quarter as large,
            and the difference is to the network with the rounded weights.

    Raises:
        ModelError: if there is no finished run, it is damaged, or file and network differ.
        PredictionsError: if the predictions cannot be read, or are of other classes.
        OutputError: if the files cannot be written.
    """
    folder, out = find_run(run), Path(out)
    network, about = load_kept(folder)
    scored = _predictions(folder, about, predictions)
    model, difference = to_onnx(network, about, out, tolerance=tolerance, int8=int8)
    clips = sum(_BATCHES)
    text = card(about, out.name, scored, difference=difference, clips=clips, int8=int8)
    card_path = out.with_suffix(".md")
    write_files([(out, _writer(model)), (card_path, _writer(text.encode()))])
    return Exported(out, card_path, difference, clips)


def find_run(run: str | Path) -> Path:
    """The run folder that *run* names.

    Raises:
        ModelError: if there is none, or its run is not over.
    """
    run = Path(run)
    if run.is_file() and run.name not in (WEIGHTS, CHECKPOINT):
        raise ModelError(run, "is no run", f"Give the folder of 'aver train', or its {WEIGHTS}")
    folder = run if run.is_dir() else run.parent
    if run.name != WEIGHTS and not (folder / WEIGHTS).exists() and (folder / CHECKPOINT).exists():
        raise ModelError(
            folder, "holds a run that is not over", "Start 'aver train' again, it goes on"
        )
    if not (folder / WEIGHTS).exists():
        raise ModelError(
            folder,
            f"holds no {WEIGHTS}",
            "Give the folder that 'aver train' of a bench recipe left",
        )
    # Says what is wrong with a damaged or foreign file, before anything is built of it.
    fit_checkpoint.read(folder / WEIGHTS)
    return folder


def to_onnx(
    network: Normalised, about: dict[str, Any], path: Path, *, tolerance: float, int8: bool
) -> tuple[bytes, float]:
    """The ONNX file of *network* as bytes, and how far it is from torch.

    Args:
        network: with its normalisation inside.
        about: what is known of it; goes into the file's metadata.
        path: named in errors.
        tolerance: greatest absolute difference allowed.
        int8: store weights with 8 bits.

    Raises:
        ModelError: if the graph cannot be made, or differs by more than *tolerance*.
    """
    network = network.eval()
    if int8:
        rounded = round_weights(network)
        assert isinstance(rounded, Normalised)
        network = rounded
    examples = [random_clips(network, count, seed) for seed, count in enumerate(_BATCHES)]
    positional = Positional(
        network, list(network.model.dimensions), _branches(network, examples[1])
    )
    model = _graph(positional.eval(), examples[1], path)
    if int8:
        store_as_int8(model)
    strip_origin(model)
    for key, value in _metadata(about).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    difference = float(np.max([parity(content, positional, one) for one in examples]))
    if not difference <= tolerance:
        raise ModelError(
            path,
            f"would differ from torch by {difference:.2g}, more than {tolerance:g}; not written",
            "Report it, or allow more with --tolerance",
        )
    return content, difference


def random_clips(network: Normalised, count: int, seed: int) -> tuple[Tensor, ...]:
    """(stream, mask, stream, mask, ...) of *count* clips such as the network was trained on.

    Their lengths go from no window to all of them, and windows inside are missing too; each clip
    has one window of the first stream at least.
    """
    random = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    for number, (name, width) in enumerate(network.model.dimensions.items()):
        windows = network.model.windows[name]
        values = torch.randn(count, windows, width, generator=random)
        mean, scale = (getattr(network, f"{part}_{name}") for part in ("mean", "scale"))
        lengths = torch.randint(0, windows + 1, (count, 1), generator=random)
        mask = torch.arange(windows)[None, :] < lengths
        mask &= torch.rand(count, windows, generator=random) > 0.2
        if number == 0:
            mask[:, 0] |= ~mask.any(dim=1)
        found += [_before(network.transform.get(name, ""), mean + scale * values), mask]
    return tuple(found)


def _before(transform: str, values: Tensor) -> Tensor:
    """Features that the network's own *transform* turns into *values*."""
    if transform == "log1p":
        return values.sign() * values.abs().expm1()
    return values.sign() * values.square() if transform == "sqrt" else values


def _branches(network: Normalised, example: Sequence[Tensor]) -> list[str]:
    names = list(network.model.dimensions)
    with torch.no_grad():
        out = network(
            dict(zip(names, example[0::2], strict=True)),
            dict(zip(names, example[1::2], strict=True)),
        )
    return list(out.branches)


def _graph(module: Positional, example: tuple[Tensor, ...], path: Path) -> onnx.ModelProto:
    batch = torch.export.Dim("batch", min=1)
    # It tells of each package that it would know more operators with.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Of the exporter's own parts, about each other.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                input_names=module.inputs,
                output_names=module.outputs,
                dynamic_shapes=(tuple({0: batch} for _ in example),),
                opset_version=18,
                verbose=False,
            )
    except Exception as error:  # the exporter raises what its many parts raise
        raise ModelError(
            path, f"cannot be exported ({type(error).__name__})", "Report it, with the recipe"
        ) from error
    assert program is not None
    return program.model_proto


def _metadata(about: dict[str, Any]) -> dict[str, str]:
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in about.items()}
    # Inside the graph already, and long.
    for name in ("normalisation", "state", "format"):
        texts.pop(name, None)
    return {**texts, "aver": __version__}


def _predictions(
    folder: Path, about: dict[str, Any], given: str | Path | None
) -> Predictions | None:
    path = Path(given) if given is not None else folder / str(about.get("predictions") or "")
    if given is None and not path.is_file():
        return None
    found = read_predictions(path)
    if list(found.classes) != list(about["labels"]):
        raise ModelError(
            path,
            f"is of the classes {', '.join(found.classes)}, the network of "
            f"{', '.join(about['labels'])}",
            "Give the predictions of this system",
        )
    return found


def _writer(content: bytes) -> Callable[[BinaryIO], None]:
    def write(out: BinaryIO) -> None:
        out.write(content)

    return write
