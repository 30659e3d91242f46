"""ONNX graphs in half precision: convolutions, and what passes their maps on, in float16, all else in float32.

Sums over positions, covariances and roots of matrices need float32's digits, and float16 ends at 65504: converters that
know nothing of this make graphs whose pictures are NaN. The casts are part of the graph, so that every program
computes the same.
"""

from __future__ import annotations

from typing import Any

#: Operators whose inputs are all maps, weights or biases.
CONVOLVING = ("Conv", "ConvTranspose")
#: Operators that round nothing, of a map that is their first input, or of several.
PASSING = ("Relu", "DepthToSpace", "Pad", "Slice", "Max")


def halved_graph(proto: Any) -> None:
    """Have an `onnx.ModelProto` compute convolutions in float16, in place; its inputs and outputs stay as they are."""
    graph = proto.graph
    halves = _Halves({i.name: i for i in graph.initializer if i.data_type == 1})
    for node in graph.node:
        halves.add(node)
    for value in graph.output:
        halves.whole(value.name)
    del graph.node[:]
    graph.node.extend(halves.nodes)
    used = {name for node in halves.nodes for name in node.input}
    kept = [i for i in (*graph.initializer, *halves.weights) if i.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


class _Halves:
    """Nodes of a new graph, made in order.

    Args:
        weights: the old graph's float32 initializers, by name.
    """

    def __init__(self, weights: dict[str, Any]) -> None:
        self.old, self.weights, self.nodes = weights, list[Any](), list[Any]()
        self._halves: dict[str, str] = {}  # name of a value -> name of the same in float16
        self._missing: set[str] = set()  # values that are there in float16 only

    def add(self, node: Any) -> None:
        maps = range(len(node.input)) if node.op_type in (*CONVOLVING, "Max") else range(1)
        passing = node.op_type in PASSING and all(node.input[i] in self._halves for i in maps)
        if node.op_type in CONVOLVING or passing:
            for i in maps:
                node.input[i] = self.half(node.input[i])
            (name,) = node.output
            self._halves[name] = node.output[0] = f"{name}_half"
            self._missing.add(name)
        else:
            for name in node.input:
                self.whole(name)
        self.nodes.append(node)

    def half(self, name: str) -> str:
        """The name of a value in float16, which is made if need be."""
        from onnx import TensorProto, numpy_helper

        if name not in self._halves:
            self._halves[name] = f"{name}_half"
            if name in self.old:
                values = numpy_helper.to_array(self.old[name]).astype("float16")
                self.weights.append(numpy_helper.from_array(values, f"{name}_half"))
            else:
                self._cast(name, f"{name}_half", TensorProto.FLOAT16)
        return self._halves[name]

    def whole(self, name: str) -> None:
        """Have a value in float32, too, if it is there in float16 only."""
        from onnx import TensorProto

        if name in self._missing:
            self._missing.remove(name)
            self._cast(self._halves[name], name, TensorProto.FLOAT)

    def _cast(self, source: str, result: str, kind: int) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node("Cast", [source], [result], to=kind))
