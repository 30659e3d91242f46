#!/bin/sh
# MNN 3.6 computes ONNX's Resize with mode "cubic" wrongly along the first rows and columns where the picture is made larger by
# half pixels, as torch.nn.functional.interpolate does: positions before the first center are taken for ones behind it, so that
# a picture enlarged by 2 has a seam of 1 pixel at its left and upper border, by 8 one of 4. Linear ones, "align_corners",
# "asymmetric", and the right and lower borders, are right. Pad the picture before and cut the result.
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

picture = np.random.default_rng(0).uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)
print("MNN", importlib.metadata.version("MNN"), "onnxruntime", onnxruntime.__version__)
seams = {}
for mode, centers in (("cubic", "half_pixel"), ("cubic", "align_corners"), ("cubic", "asymmetric"), ("linear", "half_pixel")):
    for factor in (2, 8):
        side = 8 * factor
        graph = helper.make_graph(
            [helper.make_node("Resize", ["x", "", "", "size"], ["y"], mode=mode, coordinate_transformation_mode=centers)],
            "larger",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, side, side])],
            [numpy_helper.from_array(np.array([1, 3, side, side]), "size")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
        checker.check_model(model, full_check=True)
        with open("a.onnx", "wb") as file:
            file.write(model.SerializeToString())
        session = onnxruntime.InferenceSession("a.onnx", providers=["CPUExecutionProvider"])
        (right,) = session.run(None, {"x": picture})
        subprocess.run([sys.executable, "convert.py", "a.onnx", "a.mnn"], check=True, stdout=subprocess.DEVNULL)
        network = MNN.nn.load_module_from_file("a.mnn", ["x"], ["y"])
        given = MNN.expr.placeholder([1, 3, 8, 8], MNN.expr.NCHW)
        given.write(picture)
        made = np.array(MNN.expr.convert(network.forward([given])[0], MNN.expr.NCHW).read())
        error = abs(made - right).max((0, 1))
        off = error > 1e-3
        inside = error[factor // 2 :, factor // 2 :].max()
        seams[mode, centers, factor] = int((off.mean(0) > 0.5).sum()), int((off.mean(1) > 0.5).sum()), bool(inside < 1e-3)
        columns, rows, clean = seams[mode, centers, factor]
        print(f"{mode}, {centers}, by {factor}: {columns} columns and {rows} rows are wrong, by {error.max():.2g} at most")
wrong = {key: seam for key, seam in seams.items() if seam[:2] != (0, 0)}
sys.exit(0 if wrong == {("cubic", "half_pixel", 2): (1, 1, True), ("cubic", "half_pixel", 8): (4, 4, True)} else 1)
PYTHON
