#!/usr/bin/env bash
# onnx 1.23's version_converter, asked for opset 12 or older (for a runtime that knows no newer one), leaves Softmax and LogSoftmax
# as they are, with their axis. Up to opset 12 that axis begins a block: the sums go over it and all axes behind it. So one over
# channels of maps (soft masks of regions, palettes, attention with its axis in front) becomes one over channels and all pixels,
# without a word: weights that added up to 1 at each pixel add up to 1 over the picture. The last axis is right, and so is the way
# up, from 12 to 13, for which it puts Flatten and Reshape around it. Softmax's text of opset 11 and ONNX Runtime agree; onnx's own
# ReferenceEvaluator computes opset 12 as 13, too, so a check by it finds nothing. Put a Transpose before and behind
# (x.movedim(1, -1).softmax(-1).movedim(-1, 1)) before converting.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, checker, helper, version_converter
from onnx.reference import ReferenceEvaluator

maps = np.random.default_rng(0).standard_normal((1, 3, 4, 5)).astype(np.float32)


def softmax(x, axes):
    powers = np.exp(x - x.max(axes, keepdims=True))
    return powers / powers.sum(axes, keepdims=True)


def model(kind, axis, opset):
    graph = helper.make_graph(
        [helper.make_node(kind, ["x"], ["y"], axis=axis)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, maps.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, maps.shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


def computed(made):
    checker.check_model(made, full_check=True)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": maps})[0]
    return np.exp(found) if any(n.op_type == "LogSoftmax" for n in made.graph.node) else found


print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
same = True
for kind in ("Softmax", "LogSoftmax"):
    for axis, before, after, expected in (
        (1, 13, 12, "wrong"),
        (1, 18, 11, "wrong"),
        (3, 13, 12, "right"),
        (1, 12, 13, "right"),
    ):
        start = model(kind, axis, before)
        right = softmax(maps, axis if before > 12 else (1, 2, 3))
        block = softmax(maps, (1, 2, 3))
        assert np.allclose(computed(start), right, atol=1e-6)
        made = version_converter.convert_version(start, after)
        assert made.opset_import[0].version == after
        result = computed(made)
        alike = [np.allclose(result, other, atol=1e-6) for other in (right, block)]
        found = "right" if alike[0] else "wrong" if alike[1] else "?"
        same &= found == expected
        if found == "wrong":
            hidden = ReferenceEvaluator(made).run(None, {"x": maps})[0]
            same &= np.allclose(np.exp(hidden) if kind == "LogSoftmax" else hidden, right, atol=1e-6)
        print(
            f"{kind} of axis {axis}, opset {before} to {after}: {[n.op_type for n in made.graph.node]}, {found}; "
            f"the weights of the first pixel add up to {result[0, :, 0, 0].sum():.3f}, of all to {result.sum():.3f}"
        )
sys.exit(0 if same else 1)
PYTHON
