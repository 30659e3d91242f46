#!/bin/sh
# MNN 3.6 computes ONNX's GridSample (torch.nn.functional.grid_sample) with padding_mode "reflection" as "border", without a word: a
# picture or feature map that is warped from outside of itself gets streaks, the border's pixels drawn out, instead of a
# mirror image. Modes "cubic" and "bicubic" are computed as "linear", to the last digits; the converter's log then has a line
# "Don't support mode", as it has for opset 20's "linear", which is right, and ends with "Converted Success!" all the same.
# "zeros" and "border" with "linear" or "nearest" are right. Pad the picture by reflection before, and shrink the grid.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet MNN==3.6.1 onnx==1.23.2 onnxruntime==1.32.0 numpy
cd "$folder"
cat > convert.py <<'PYTHON'
import _tools  # MNN's converter itself; its command mnnconvert wants to install a package for its statistics

_tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", "a.onnx", "--MNNModel", "a.mnn", "--bizCode", "MNN"])
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import pathlib
import subprocess
import sys

import MNN.expr
import MNN.nn
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

random = np.random.default_rng(0)
picture = random.standard_normal((1, 3, 12, 10)).astype(np.float32)
grid = random.uniform(-1.8, 1.8, (1, 9, 9, 2)).astype(np.float32)
print("MNN", importlib.metadata.version("MNN"), "onnxruntime", onnxruntime.__version__)
right, made = {}, {}
for opset, modes in ((20, ("linear", "nearest", "cubic")), (16, ("bicubic",))):
    for mode in modes:
        for padding in ("zeros", "border", "reflection"):
            graph = helper.make_graph(
                [helper.make_node("GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding, align_corners=0)],
                "one",
                [helper.make_tensor_value_info("x", TensorProto.FLOAT, picture.shape)],
                [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 9, 9])],
                [numpy_helper.from_array(grid, "g")],
            )
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
            checker.check_model(model, full_check=True)
            file = model.SerializeToString()
            with open("a.onnx", "wb") as target:
                target.write(file)
            session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
            (right[mode, padding],) = session.run(None, {"x": picture})
            pathlib.Path("a.mnn").unlink(missing_ok=True)
            subprocess.run([sys.executable, "convert.py"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            given = MNN.expr.placeholder(list(picture.shape), MNN.expr.NCHW)
            given.write(picture.ravel().tolist())
            net = MNN.nn.load_module_from_file("a.mnn", ["x"], ["y"])
            read = MNN.expr.convert(net.forward([given])[0], MNN.expr.NCHW).read()
            made[mode, padding] = np.reshape(np.array(read), right[mode, padding].shape)
found = {}
for asked, one in made.items():
    found[asked] = [meant for meant, other in right.items() if abs(one - other).max() < 1e-4]
    print("asked for", *asked, "- made", *(" ".join(meant) for meant in found[asked]))
expected = {
    (mode, padding): [(mode if mode == "nearest" else "linear", "zeros" if padding == "zeros" else "border")] for mode, padding in made
}
sys.exit(0 if found == expected else 1)
PYTHON
