#!/bin/sh
# onnxconverter-common 1.16's and ONNX Runtime 1.32's converters to float16 do not keep what they are told to keep: of two operators
# in op_block_list, both computed in float32, the value that one hands to the other goes through float16 all the same if two
# operators take it (onnxconverter-common), or always (onnxruntime.transformers.float16, which also leaves its nodes out of order
# for onnx.checker). Above 65504 it is infinite: a Gram matrix that is divided by its norm comes as NaN, without an error.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 onnxconverter-common==1.16.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
import onnxruntime
import onnxconverter_common.float16
import onnxruntime.transformers.float16
from onnx import TensorProto, checker, helper, numpy_helper

maps = np.random.default_rng(0).uniform(0, 100, (1, 3, 16, 16)).astype(np.float32)
weight = np.random.default_rng(1).uniform(0, 1, (4, 3, 3, 3)).astype(np.float32)
print(*[(name, importlib.metadata.version(name)) for name in ("onnxconverter-common", "onnxruntime", "onnx")])
kept = ["MatMul", "Sqrt", "Div", "ReduceL2"]
tails = {
    "used once": [helper.make_node("Sqrt", ["gram"], ["y"], name="root")],
    "used twice": [
        helper.make_node("ReduceL2", ["gram"], ["norm"], axes=[1, 2], keepdims=1, name="norm"),
        helper.make_node("Div", ["gram", "norm"], ["y"], name="quotient"),
    ],
}
converters = {
    "onnxconverter-common": onnxconverter_common.float16,
    "onnxruntime.transformers": onnxruntime.transformers.float16,
}
finite, ordered = {}, {}
for use, tail in tails.items():
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], name="convolution"),
            helper.make_node("Reshape", ["c", "flat"], ["f"], name="flattened"),
            helper.make_node("Transpose", ["f"], ["t"], perm=[0, 2, 1], name="turned"),
            helper.make_node("MatMul", ["f", "t"], ["gram"], name="gram"),
            *tail,
        ],
        "style",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 4])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.array([1, 4, 196]), "flat")],
    )
    for name, converter in converters.items():
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        checker.check_model(model, full_check=True)
        sessions = [onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])]
        blocked = [*converter.DEFAULT_OP_BLOCK_LIST, *kept]
        half = converter.convert_float_to_float16(model, keep_io_types=True, op_block_list=blocked)
        try:
            checker.check_model(half)
            ordered[name] = True
        except checker.ValidationError:
            ordered[name] = False
        sessions.append(onnxruntime.InferenceSession(half.SerializeToString(), providers=["CPUExecutionProvider"]))
        right, made = (session.run(None, {"x": maps})[0] for session in sessions)
        assert np.isfinite(right).all()
        finite[name, use] = bool(np.allclose(made, right, rtol=0.01))
        print(f"{name}, a Gram matrix {use}: float32 {right.ravel()[:2]}, converted {made.ravel()[:2]}, checks: {ordered[name]}")
expected = {("onnxconverter-common", "used once"): True, ("onnxconverter-common", "used twice"): False}
expected |= {("onnxruntime.transformers", use): False for use in tails}
sys.exit(0 if finite == expected and ordered == {"onnxconverter-common": True, "onnxruntime.transformers": False} else 1)
PYTHON
