"""From a trained torch network to one small ONNX file, with the parity of the two checked.

Weights are stored as int8 with one scale an output channel and expanded to float32 when the file
is loaded (`Cast` and `Mul` nodes on constants, which ONNX Runtime folds at load). Arithmetic
stays float32: the rounding is done in torch first, so the torch network with the rounded weights
and the file agree to float precision.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from inspect import signature
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from aver.errors import ModelError

# Below this many values a tensor is kept as it is: biases, norms, small filters.
SMALLEST_ROUNDED = 2048


def round_weights(module: nn.Module) -> nn.Module:
    """A copy of *module* whose linear and convolution weights lie on an int8 grid.

    Each output channel has its own step, its greatest absolute weight / 127.
    """
    rounded = deepcopy(module).eval()
    for part in rounded.modules():
        weight = getattr(part, "weight", None)
        if not isinstance(part, nn.Linear | nn.modules.conv._ConvNd) or weight is None:
            continue
        if weight.numel() < SMALLEST_ROUNDED:
            continue
        with torch.no_grad():
            flat = weight.reshape(weight.shape[0], -1)
            step = (flat.abs().amax(dim=1) / 127.0).clamp(min=1e-12)
            shape = (-1, *[1] * (weight.ndim - 1))
            weight.copy_((weight / step.reshape(shape)).round() * step.reshape(shape))
    return rounded


def _to_int8(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray] | None:
    """int8 values and per-channel steps if *values* lie on such a grid along *axis*, else None."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    step = np.maximum(np.abs(values).max(axis=others, keepdims=True) / 127.0, 1e-12)
    whole = np.round(values / step)
    if np.abs(whole * step - values).max() > 1e-6 * max(np.abs(values).max(), 1e-12):
        return None
    return whole.astype(np.int8), step.astype(np.float32)


def store_as_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store every large float32 initializer that lies on an int8 grid as int8, Cast and Mul."""
    graph = model.graph
    first_nodes: list[onnx.NodeProto] = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.ndim < 2 or values.size < SMALLEST_ROUNDED:
            continue
        found = _to_int8(values, 0) or _to_int8(values, values.ndim - 1)
        if found is None:
            continue
        whole, step = found
        name = tensor.name
        graph.initializer.remove(tensor)
        graph.initializer.extend(
            [
                numpy_helper.from_array(whole, f"{name}.int8"),
                numpy_helper.from_array(step, f"{name}.step"),
            ]
        )
        first_nodes += [
            helper.make_node("Cast", [f"{name}.int8"], [f"{name}.cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.cast", f"{name}.step"], [name]),
        ]
    kept = list(graph.node)
    del graph.node[:]
    graph.node.extend([*first_nodes, *kept])
    return model


def strip_origin(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what the exporter notes about where each node came from (source paths, stacks)."""
    model.doc_string = ""
    model.graph.doc_string = ""
    del model.graph.metadata_props[:]
    graph = model.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    for function in model.functions:
        for node in function.node:
            node.doc_string = ""
            del node.metadata_props[:]
    return model


def free_axes(model: onnx.ModelProto, axes: Mapping[int, str]) -> onnx.ModelProto:
    """Let *axes* of the first input have any length, each with a name.

    For networks whose nodes do not care (convolutions, pooling, means): sizes stand only in what
    the graph says of its input and of values on the way, and that is taken out.
    """
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    for axis, name in axes.items():
        dimensions[axis].ClearField("dim_value")
        dimensions[axis].dim_param = name
    del model.graph.value_info[:]
    return model


def export_onnx(
    module: nn.Module,
    example: Sequence[Tensor],
    path: str | Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    metadata: Mapping[str, str] | None = None,
    tolerance: float = 1e-4,
    free: Mapping[int, str] | None = None,
    further: Callable[[onnx.ModelProto], onnx.ModelProto] | None = None,
) -> nn.Module:
    """Write *module* to *path* as ONNX with int8-stored weights; return what the file computes.

    Args:
        module: the trained network.
        example: its positional inputs; the first axis of each is the batch, at least 2 long.
        path: the file to write (written beside, then renamed).
        inputs: names of the inputs.
        outputs: names of the outputs.
        metadata: text entries kept in the file.
        tolerance: greatest absolute difference between the file and the returned network.
        free: see :func:`free_axes`.
        further: gives the graph further outputs, see :mod:`aver.training.export_outputs`.

    Returns:
        The copy of *module* with rounded weights.

    Raises:
        ModelError: if file and network differ by more than *tolerance*.
    """
    path = Path(path)
    rounded = round_weights(module)
    batch = torch.export.Dim("batch", min=1)
    shapes: tuple[object, ...] = tuple({0: batch} for _ in example)
    if any(p.kind is p.VAR_POSITIONAL for p in signature(module.forward).parameters.values()):
        shapes = (shapes,)
    program = torch.onnx.export(
        rounded,
        tuple(example),
        dynamo=True,
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_shapes=shapes,
        opset_version=18,
        verbose=False,
    )
    assert program is not None
    model = strip_origin(store_as_int8(program.model_proto))
    if free:
        free_axes(model, free)
    if further:
        further(model)
    write_checked(model, rounded, example, path, metadata, tolerance)
    return rounded


def write_checked(
    model: onnx.ModelProto,
    rounded: nn.Module,
    example: Sequence[Tensor],
    path: Path,
    metadata: Mapping[str, str] | None = None,
    tolerance: float = 1e-4,
) -> None:
    """Write *model* with its *metadata* to *path*, if it computes what *rounded* does.

    Raises:
        ModelError: if the two differ by more than *tolerance* on *example*.
    """
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    difference = parity(model.SerializeToString(), rounded, example)
    if not difference <= tolerance:
        raise ModelError(path, f"ONNX differs from torch by {difference:.2g} (> {tolerance:g})")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(model.SerializeToString())
    beside.replace(path)


def parity(model: str | Path | bytes, module: nn.Module, example: Sequence[Tensor]) -> float:
    """Greatest absolute difference between an ONNX file's outputs and *module*'s on *example*.

    Outputs that the file has beyond the module's are left out.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model), providers=["CPUExecutionProvider"]
    )
    names = [entry.name for entry in session.get_inputs()]
    with torch.no_grad():
        ours = module(*example)
    ours = (ours,) if isinstance(ours, Tensor) else tuple(ours)
    wanted = [entry.name for entry in session.get_outputs()][: len(ours)]
    theirs = session.run(wanted, {n: x.numpy() for n, x in zip(names, example, strict=True)})
    # Not Python's max, which would pass over a difference that is no number.
    return float(np.max([np.abs(a.numpy() - b).max() for a, b in zip(ours, theirs, strict=True)]))
