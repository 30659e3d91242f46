#!/bin/sh
# MNN 3.6's converter reads the axes of ONNX's ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum and ReduceLogSumExp from the
# attribute of opset 17 and before only: where they are an input, as since opset 18, it reduces over everything, the batch and
# the channels with it, without a word; so maps are divided by the norm of all. ReduceMean, Sum, Max, Min and Prod are right.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet MNN==3.6.1 onnx==1.23.2 onnxruntime==1.32.0 numpy
cd "$folder"
cat > convert.py <<'PYTHON'
import sys

import _tools  # MNN's converter itself; its command mnnconvert wants to install a package for its statistics

_tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", sys.argv[1], "--MNNModel", sys.argv[2], "--bizCode", "MNN"])
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import subprocess
import sys

import MNN.expr
import MNN.nn
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

maps = np.random.default_rng(0).uniform(0.5, 1, (2, 3, 4, 5)).astype(np.float32)
print("MNN", importlib.metadata.version("MNN"), "onnxruntime", onnxruntime.__version__)
wrong = set()
for name in "Mean Sum Max Min Prod L1 L2 SumSquare LogSum LogSumExp".split():
    for opset in (13 if name == "Sum" else 11, 18):
        as_input = opset == 18 or name == "Sum"
        graph = helper.make_graph(
            [
                helper.make_node("Reduce" + name, ["x", "axes"], ["y"], keepdims=1)
                if as_input
                else helper.make_node("Reduce" + name, ["x"], ["y"], keepdims=1, axes=[2, 3])
            ],
            "one",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4, 5])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, 1, 1])],
            [numpy_helper.from_array(np.array([2, 3]), "axes")] if as_input else [],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        checker.check_model(model, full_check=True)
        with open("a.onnx", "wb") as file:
            file.write(model.SerializeToString())
        session = onnxruntime.InferenceSession("a.onnx", providers=["CPUExecutionProvider"])
        (right,) = session.run(None, {"x": maps})
        subprocess.run([sys.executable, "convert.py", "a.onnx", "a.mnn"], check=True, stdout=subprocess.DEVNULL)
        network = MNN.nn.load_module_from_file("a.mnn", ["x"], ["y"])
        given = MNN.expr.placeholder([2, 3, 4, 5], MNN.expr.NCHW)
        given.write(maps)
        made = np.array(MNN.expr.convert(network.forward([given])[0], MNN.expr.NCHW).read())
        fits = made.shape == right.shape and np.allclose(made, right, rtol=1e-4)
        if not fits:
            wrong.add((name, opset))
        print(f"Reduce{name}, opset {opset}: shape {right.shape} and {made.shape}, {'the same' if fits else 'another'} result")
sys.exit(0 if wrong == {(name, 18) for name in ("L1", "L2", "SumSquare", "LogSum", "LogSumExp")} else 1)
PYTHON
