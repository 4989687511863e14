"""ONNX files whose every number is known, in place of networks that are not shipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save(
    path: Path,
    network: str,
    takes: tuple[str, list],
    gives: tuple[str, list],
    nodes: list,
    **constants: np.ndarray,
) -> Path:
    """Write a graph of *nodes* from the input *takes* to the output *gives*."""
    graph = helper.make_graph(
        nodes,
        network,
        [helper.make_tensor_value_info(takes[0], TensorProto.FLOAT, takes[1])],
        [helper.make_tensor_value_info(gives[0], TensorProto.FLOAT, gives[1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    entry = model.metadata_props.add()
    entry.key, entry.value = "network", network
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def means_of_planes(path: Path, network: str, takes: str, axes: int, width: int) -> Path:
    """(batch, 3, ...) to the means of the three planes, then zeros up to *width*."""
    spread = np.zeros((3, width), np.float32)
    spread[[0, 1, 2], [0, 1, 2]] = 1.0
    sizes: list = ["batch", 3, *(["t"] if axes == 3 else []), "h", "w"]
    return save(
        path,
        network,
        (takes, sizes),
        ("features", ["batch", width]),
        [
            helper.make_node(
                "ReduceMean", [takes], ["m"], axes=list(range(2, 2 + axes)), keepdims=0
            ),
            helper.make_node("MatMul", ["m", "spread"], ["features"]),
        ],
        spread=spread,
    )


def first_plane_in_cells(path: Path, network: str, takes: str, planes: int, width: int) -> Path:
    """Averages over 16 x 16 cells of the first plane in channel 0, zeros in the others."""
    weights = np.zeros((width, planes, 1, 1), np.float32)
    weights[0, 0] = 1.0
    sizes: list = ["batch", *([planes] if planes > 1 else []), "h", "w"]
    nodes = [
        helper.make_node("AveragePool", ["x"], ["cells"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Conv", ["cells", "weights"], ["features"], kernel_shape=[1, 1]),
    ]
    constants = {"weights": weights}
    if planes > 1:
        nodes.insert(0, helper.make_node("Identity", [takes], ["x"]))
    else:
        nodes.insert(0, helper.make_node("Unsqueeze", [takes, "at"], ["x"]))
        constants["at"] = np.array([1])
    return save(
        path,
        network,
        (takes, sizes),
        ("features", ["batch", width, "rows", "columns"]),
        nodes,
        **constants,
    )
