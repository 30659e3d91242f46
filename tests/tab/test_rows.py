"""Convolutions by rows give what convolutions give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from impasto.tab.rows import with_fewer_products

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def graph_of(shape: tuple[int, ...], bias: bool = True, **about: Any) -> Any:
    """One convolution with kernels of a shape."""
    rng, helper = np.random.default_rng(0), onnx.helper
    weights = {"w": rng.normal(size=shape, scale=0.1), "b": rng.normal(size=shape[:1])}
    held = [onnx.numpy_helper.from_array(v.astype(np.float32), n) for n, v in weights.items() if bias or n == "w"]
    node = helper.make_node("Conv", ["x", *(value.name for value in held)], ["y"], name="one", **about)
    sides = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", None, "h", "w"]) for name in ("x", "y")]
    graph = helper.make_graph([node], "g", sides[:1], sides[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def computed(proto: Any, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]
    return found


@pytest.mark.parametrize("size", [(3, 3), (4, 9), (5, 3), (6, 7), (18, 25), (37, 5)])
def test_the_same_in_half_the_products(size: tuple[int, int]) -> None:
    proto, x = graph_of((32, 24, 3, 3)), np.random.default_rng(1).normal(size=(2, 24, *size)).astype(np.float32)
    expected = computed(proto, x)
    with_fewer_products(proto)
    onnx.checker.check_model(proto)
    assert [node.op_type for node in proto.graph.node] == ["rows"]
    np.testing.assert_allclose(computed(proto, x), expected, atol=2e-5)


def test_two_of_them_share_what_they_need() -> None:
    proto = graph_of((24, 24, 3, 3))
    proto.graph.node.append(onnx.helper.make_node("Conv", ["y", "w", "b"], ["z"], name="two"))
    proto.graph.output[0].name = "z"
    x = np.random.default_rng(1).normal(size=(1, 24, 14, 12)).astype(np.float32)
    expected = computed(proto, x)
    with_fewer_products(proto)
    assert len(proto.functions) == 1 and len(proto.graph.initializer) == 5
    np.testing.assert_allclose(computed(proto, x), expected, atol=5e-5)


@pytest.mark.parametrize(
    ("shape", "about"),
    [
        ((32, 24, 3, 3), {"strides": [2, 2]}),
        ((32, 24, 3, 3), {"dilations": [1, 2]}),
        ((32, 24, 3, 3), {"pads": [0, 1, 0, 1]}),
        ((32, 24, 3, 3), {"auto_pad": "SAME_UPPER"}),
        ((48, 24, 3, 3), {"group": 2}),
        ((32, 24, 3, 3), {"bias": False}),
        ((32, 24, 1, 3), {}),
        ((32, 16, 3, 3), {}),
    ],
)
def test_what_it_does_not_fit_stays(shape: tuple[int, ...], about: dict[str, Any]) -> None:
    proto = graph_of(shape, **about)
    before = proto.SerializeToString()
    with_fewer_products(proto)
    assert proto.SerializeToString() == before
