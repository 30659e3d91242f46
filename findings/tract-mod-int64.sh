#!/bin/sh
# tract 0.23 computes ONNX's Mod of int64 as C does, with the sign of the dividend: -1 mod 3 is -1. ONNX's (fmod=0) has the
# divisor's, so 2, and tract itself is right with int32. PyTorch exports % of indices as the former: a tile or a texture that
# is repeated by it is read outside, or from its other end (Gather takes -1 for the last), left of zero.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tract==0.23.9 onnx==1.23.2 onnxruntime==1.32.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
import onnxruntime
import tract
from onnx import TensorProto, checker, helper, numpy_helper

numbers = np.arange(-4, 5, dtype=np.float32)
print("tract", importlib.metadata.version("tract"), "onnxruntime", onnxruntime.__version__)
found = {}
for kind in (np.int32, np.int64):
    for divisor in (3, -3):
        graph = helper.make_graph(
            [
                helper.make_node("Cast", ["x"], ["n"], to=helper.np_dtype_to_tensor_dtype(np.dtype(kind))),
                helper.make_node("Mod", ["n", "divisor"], ["rest"]),
                helper.make_node("Cast", ["rest"], ["y"], to=TensorProto.FLOAT),
            ],
            "one",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [9])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [9])],
            [numpy_helper.from_array(np.array([divisor], kind), "divisor")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        checker.check_model(model, full_check=True)
        with open("a.onnx", "wb") as file:
            file.write(model.SerializeToString())
        session = onnxruntime.InferenceSession("a.onnx", providers=["CPUExecutionProvider"])
        (right,) = session.run(None, {"x": numbers})
        assert (right == np.mod(numbers, divisor)).all()
        made = tract.onnx().load("a.onnx").into_model().into_runnable().run([numbers])[0].to_numpy()
        found[kind, divisor] = "right" if (made == right).all() else "fmod" if (made == np.fmod(numbers, divisor)).all() else "?"
        print(f"-4 to 4 modulo {divisor} in {kind.__name__}: {made.astype(int).tolist()}, {found[kind, divisor]}")
same = all(found[np.int32, n] == "right" and found[np.int64, n] == "fmod" for n in (3, -3))
sys.exit(0 if same else 1)
PYTHON
