"""What an exported network looked at, as further outputs of its ONNX file; no weight is touched.

``aver explain`` draws them, the analysis does not ask for them:

* face: ``maps`` (batch, channels, height, width), the last feature maps before they are averaged,
  and ``class_weights`` (classes, channels), the classifier that reads the averages;
* voice: ``maps`` (batch, channels, time, bands) before mean and maximum over time, ``length``
  (batch, 1) of the embedding before it is brought to length 1, and ``class_weights``
  (classes, 2 * channels * bands), both linear layers in one;
* MATER: ``face_attention_0``, ... and ``voice_attention_0``, ... (batch, heads, windows, windows),
  the weights of each layer.

The values are found by what the graph does with them, not by the names that an exporter gave
them, so files of any version of it, those of former releases too, can be given them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx
from onnx import TensorProto, helper, numpy_helper

from aver.errors import ModelError

_AGAIN = "Export it with this version's recipe"


def add_face_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give a face network ``maps`` and ``class_weights``; in place.

    Raises:
        ModelError: if its head is not one linear layer on averages.
    """
    graph = _Graph(model)
    mean = graph.maker("embedding", "ReduceMean", "GlobalAveragePool")
    head = graph.maker("logits", "Gemm")
    if head.input[0] != "embedding":
        raise ModelError("face network", "its classifier does not read the embedding", _AGAIN)
    graph.name_output(mean.input[0], "maps", ("batch", None, None, None))
    graph.constant_output(graph.weights(head, ""), "class_weights", 2)
    return graph.done()


def add_voice_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give a voice network ``maps``, ``length`` and ``class_weights``; in place.

    Raises:
        ModelError: if its head is not mean and maximum, one linear layer, length 1, one more.
    """
    graph = _Graph(model)
    head = graph.maker("logits", "Gemm")
    scaled = graph.maker(head.input[0], "Mul")
    unit = graph.maker(scaled.input[0], "Div")
    linear = graph.maker(unit.input[0], "Gemm")
    pooled = graph.maker(linear.input[0], "Reshape", "Flatten")
    parts = graph.maker(pooled.input[0], "Concat").input
    mean = graph.maker(parts[0], "ReduceMean")
    if len(parts) != 2 or graph.maker(parts[1], "ReduceMax").input[0] != mean.input[0]:
        raise ModelError("voice network", "it does not pool by mean and maximum", _AGAIN)
    length = next(iter(graph.before(unit.input[1], "ReduceL2")), None)
    if length is None:
        raise ModelError("voice network", "its embedding is not brought to length 1", _AGAIN)
    graph.name_output(mean.input[0], "maps", ("batch", None, None, None))
    graph.name_output(length.output[0], "length", ("batch", 1))
    product = graph.append(
        "MatMul", [graph.weights(head, ".head"), graph.weights(linear, ".linear")], ".both"
    )
    weights = graph.append("Mul", [product, scaled.input[1]], ".scaled")
    graph.constant_output(weights, "class_weights", 2)
    return graph.done()


def add_attention_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give MATER ``face_attention_<layer>`` and ``voice_attention_<layer>``; in place.

    A network without attention gets none.

    Raises:
        ModelError: if it is no MATER.
    """
    graph = _Graph(model)
    for branch in ("face", "voice"):
        known = {entry.name for entry in model.graph.output}
        if f"{branch}_logits" not in known:
            raise ModelError("fusion network", f"has no output {branch}_logits", _AGAIN)
        for layer, node in enumerate(graph.before(f"{branch}_logits", "Softmax")):
            shape = ("batch", None, None, None)
            graph.name_output(node.output[0], f"{branch}_attention_{layer}", shape)
    return graph.done()


class _Graph:
    """A graph whose values are looked up by who makes them."""

    def __init__(self, model: onnx.ModelProto):
        self.model, self.graph = model, model.graph
        self._makers = {name: node for node in self.graph.node for name in node.output}

    def maker(self, value: str, *kinds: str) -> onnx.NodeProto:
        """The node that makes *value*; it must be one of *kinds*."""
        node = self._makers.get(value)
        if node is None or node.op_type not in kinds:
            found = "nothing" if node is None else node.op_type
            raise ModelError(
                "network", f"{value} is made by {found} where {kinds[0]} was expected", _AGAIN
            )
        return node

    def before(self, value: str, kind: str) -> list[onnx.NodeProto]:
        """Nodes of *kind* that *value* depends on, in the order of the graph."""
        waiting, seen = [value], set()
        while waiting:
            node = self._makers.get(waiting.pop())
            if node is None or node.output[0] in seen:
                continue
            seen.add(node.output[0])
            waiting += node.input
        return [n for n in self.graph.node if n.op_type == kind and n.output[0] in seen]

    def weights(self, node: onnx.NodeProto, name: str) -> str:
        """The weight of a Gemm as (outputs, inputs)."""
        turned = next((a.i for a in node.attribute if a.name == "transB"), 0)
        return node.input[1] if turned else self.append("Transpose", [node.input[1]], name)

    def append(self, kind: str, inputs: Sequence[str], name: str) -> str:
        """Add a node at the end; the name of what it makes."""
        output = f"class_weights{name}"
        self.graph.node.append(helper.make_node(kind, inputs, [output]))
        return output

    def name_output(self, value: str, name: str, shape: Iterable[str | int | None]) -> None:
        """Let *value*, made on the way, leave the graph as *name*."""
        for node in self.graph.node:
            node.input[:] = [name if v == value else v for v in node.input]
            node.output[:] = [name if v == value else v for v in node.output]
        for info in [v for v in self.graph.value_info if v.name == value]:
            self.graph.value_info.remove(info)
        self._makers[name] = self._makers.pop(value)
        self._say(name, shape)

    def constant_output(self, value: str, name: str, axes: int) -> None:
        """Let a constant leave the graph as *name*; it is worked out once, when it is loaded."""
        self.graph.node.append(helper.make_node("Identity", [value], [name]))
        self._say(name, [None] * axes)

    def _say(self, name: str, shape: Iterable[str | int | None]) -> None:
        self.graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
        )

    def done(self) -> onnx.ModelProto:
        onnx.checker.check_model(self.model)
        return self.model


def same_weights(one: onnx.ModelProto, other: onnx.ModelProto) -> bool:
    """True where both hold the same constants, bit for bit."""

    def constants(model: onnx.ModelProto) -> Mapping[str, tuple[object, ...]]:
        return {
            t.name: (t.data_type, tuple(t.dims), numpy_helper.to_array(t).tobytes())
            for t in model.graph.initializer
        }

    return constants(one) == constants(other)
