"""From weights that others publish to the ONNX files that the extractors run.

``aver models convert resnet50 resnet50-0676ba61.pth`` reads the weights without running any code
in them, puts them into this project's own network of the same names and shapes, and writes its
features as ONNX into the model cache; extraction then needs neither torch nor the weights.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from aver.errors import ModelError
from aver.models.r2plus1d import R2Plus1D18
from aver.models.resnet50 import ResNet50
from aver.models.resnet101 import CHANNELS, FirstLayer, ResNet101Flow, for_stacks
from aver.models.vgg_m_face import VggMFace
from aver.models.vggish import VGGish
from aver.pretrained import CATALOGUE, user_folder
from aver.training.export import free_axes, parity, strip_origin
from aver.training.weight_files import Beside, Weights, read_weights

_TOLERANCE = 1e-3
"""Greatest difference between the file and the network, relative to its greatest value."""


@dataclass(frozen=True)
class Conversion:
    """How one network is converted.

    Attributes:
        build: makes the whole network; takes the classes of its last layer where it has one.
        method: name of its method that gives the features.
        example: shape of an input, the batch first.
        last: name of the last layer's bias, whose length is the number of classes; may be empty.
        free: axes of the input besides the batch that may have any length, with names.
        free_output: the axes of the output that follow from them, with names.
        output: name of the file's output.
        input: name of the file's input.
        takes_stacks: whether its first layer takes stacks of flow where the published one takes
            colours.
    """

    build: Callable[..., nn.Module]
    method: str
    example: tuple[int, ...]
    input: str
    output: str
    last: str = ""
    takes_stacks: bool = False
    free: Mapping[int, str] = field(default_factory=dict)
    free_output: Mapping[int, str] = field(default_factory=dict)


CONVERSIONS: Mapping[str, Conversion] = {
    "resnet50": Conversion(
        ResNet50, "features", (2, 3, 224, 224), "pictures", "features", "fc.bias"
    ),
    "resnet101_flow": Conversion(
        ResNet101Flow,
        "features",
        (2, CHANNELS, 224, 224),
        "stacks",
        "features",
        "fc.bias",
        takes_stacks=True,
    ),
    "r2plus1d_18": Conversion(
        R2Plus1D18, "features", (2, 3, 16, 112, 112), "frames", "features", "fc.bias"
    ),
    "vggish": Conversion(
        VGGish,
        "convolve",
        (2, 96, 64),
        "log_mel",
        "features",
        free={1: "time"},
        free_output={2: "cells"},
    ),
    "vggish_embedding": Conversion(VGGish, "embed", (2, 512, 6, 4), "features", "embedding"),
    "vgg_m_face": Conversion(
        VggMFace,
        "convolve",
        (2, 3, 224, 224),
        "faces",
        "features",
        "fc8.bias",
        free={2: "height", 3: "width"},
        free_output={2: "rows", 3: "columns"},
    ),
}


def check_hash(network: str, path: Path) -> str:
    """SHA-256 of *path*, checked against what is known of it.

    The published file's hash where the catalogue has it; else the digits that its own name ends
    with, as is the habit of torch's hub (``resnet50-0676ba61.pth``).

    Raises:
        ModelError: if it is another file than its name says.
    """
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    model = CATALOGUE[network]
    stated = re.search(r"-([0-9a-f]{8,})\.\w+$", path.name)
    expected = stated.group(1) if stated else ""
    if path.name == model.weights_file:
        expected = model.weights_sha256 or expected
    if not found.startswith(expected):
        raise ModelError(
            path,
            f"has SHA-256 {found}, which does not start with {expected}",
            f"Download it again from {model.url}",
        )
    return found


def build(network: str, weights: Weights, source: Path) -> nn.Module:
    """The network with *weights* in it; every one must be there, of its own shape, and no other.

    Raises:
        ModelError: if a weight is missing, left over, or of another shape (from *source*).
    """
    how = CONVERSIONS[network]
    # Without values of its own first: they would be made for nothing.
    with torch.device("meta"):
        net = how.build(len(weights[how.last])) if how.last in weights else how.build()
    given = {n: v.float() if v.is_floating_point() else v for n, v in weights.items()}
    own = net.state_dict()
    for name in own:
        # Counters that old files do not have, and that nothing here reads.
        if name.endswith("num_batches_tracked"):
            given.setdefault(name, torch.zeros((), dtype=torch.long))
    missing, extra = sorted(own.keys() - given.keys()), sorted(given.keys() - own.keys())
    wrong = sorted(n for n in own.keys() & given.keys() if own[n].shape != given[n].shape)
    problems = [
        *(f"lacks {names[0]}" for names in [missing] if names),
        *(f"has {names[0]} too much" for names in [extra] if names),
        *(
            f"has {names[0]} of shape {tuple(given[names[0]].shape)}, not "
            f"{tuple(own[names[0]].shape)}"
            for names in [wrong]
            if names
        ),
    ]
    if problems:
        raise ModelError(
            source,
            f"holds no weights of {network}: it {problems[0]}",
            f"Take {CATALOGUE[network].weights_file} from {CATALOGUE[network].url}",
        )
    net.load_state_dict(given, assign=True)
    return net.eval()


class Part(nn.Module):
    """One method of a network as a module of its own."""

    def __init__(self, net: nn.Module, method: str):
        super().__init__()
        self.net, self.method = net, method

    def forward(self, x: Tensor) -> Tensor:
        """What the method gives for *x*."""
        return getattr(self.net, self.method)(x)  # type: ignore[no-any-return]


def convert(
    network: str,
    weights: Path,
    folder: Path | None = None,
    *,
    first_layer: FirstLayer = "averaged",
) -> Path:
    """Write the ONNX file of *network* from published *weights*.

    Args:
        network: a name of :data:`CONVERSIONS`.
        weights: the file as its makers publish it.
        folder: where to put the file; the user's cache folder if None.
        first_layer: how a network on stacks of flow comes to its first layer, where the weights
            have one for colours; see :func:`aver.models.resnet101.first_layer`.

    Returns:
        The file; its metadata names the network, the weights' file and its SHA-256.

    Raises:
        ModelError: if the weights cannot be used, or the file differs from the network.
        OutputError: if the file cannot be written.
    """
    if not weights.is_file():
        raise ModelError(weights, "does not exist", f"Get it from {CATALOGUE[network].url}")
    digest = check_hash(network, weights)
    given, facts = read_weights(weights), {"weights": weights.name, "weights_sha256": digest}
    if CONVERSIONS[network].takes_stacks:
        given, facts["first_layer"] = for_stacks(given, first_layer), first_layer
    part = Part(build(network, given, weights), CONVERSIONS[network].method).eval()
    target = (user_folder() if folder is None else folder) / CATALOGUE[network].file
    model = to_onnx(network, part, facts)
    with Beside(target) as beside:
        beside.write_bytes(model)
    return target


def to_onnx(network: str, part: nn.Module, metadata: Mapping[str, str]) -> bytes:
    """The ONNX file of *part*, which maps one input to one output, checked against it.

    Raises:
        ModelError: if file and network differ.
    """
    how = CONVERSIONS[network]
    torch.manual_seed(0)
    example = torch.rand(how.example)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(
        part,
        (example,),
        dynamo=True,
        input_names=[how.input],
        output_names=[how.output],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=18,
        verbose=False,
    )
    assert program is not None
    model = strip_origin(program.model_proto)
    if how.free:
        free_axes(model, how.free)
        # What comes out is as long as what goes in lets it be.
        for axis, size in enumerate(model.graph.output[0].type.tensor_type.shape.dim):
            if axis in how.free_output:
                size.ClearField("dim_value")
                size.dim_param = how.free_output[axis]
    for key, value in {"network": network, **metadata}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    written = bytes(model.SerializeToString())
    with torch.no_grad():
        scale = max(float(part(example).abs().max()), 1.0)
    difference = parity(written, part, (example,)) / scale
    if not difference <= _TOLERANCE:
        raise ModelError(network, f"ONNX differs from torch by {difference:.2g} of its range")
    return written
