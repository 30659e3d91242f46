#!/bin/sh
# OpenCV 5.0's dnn computes ONNX's GridSample with mode "cubic" (opset 20) as "linear", to the last digits and without a
# warning. The older name "bicubic" (opset 16) gives neither that nor the cubic kernel that ONNX asks for (a = -0.75), far
# from the borders as well. Only mode "linear" is to be relied on there.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 opencv-python-headless==5.0.0.93 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

random = np.random.default_rng(0)
picture = random.standard_normal((1, 3, 12, 12)).astype(np.float32)
grid = random.uniform(-0.6, 0.6, (1, 9, 9, 2)).astype(np.float32)  # well inside: no rule of borders takes part
right, found = {}, {}
print("OpenCV", cv2.__version__, "onnxruntime", onnxruntime.__version__)
for mode, opset in (("linear", 20), ("cubic", 20), ("bicubic", 16)):
    graph = helper.make_graph(
        [helper.make_node("GridSample", ["x", "g"], ["y"], mode=mode, align_corners=0)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 12, 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 9, 9])],
        [numpy_helper.from_array(grid, "g")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    checker.check_model(model, full_check=True)
    file = model.SerializeToString()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (right[mode],) = session.run(None, {"x": picture})
    net = cv2.dnn.readNetFromONNX(np.frombuffer(file, np.uint8))
    net.setInput(picture)
    found[mode] = net.forward()
gaps = {}
for mode, meant in (("linear", "linear"), ("cubic", "cubic"), ("cubic", "linear"), ("bicubic", "bicubic"), ("bicubic", "linear")):
    gaps[mode, meant] = float(abs(found[mode] - right[meant]).max())
    print(f"OpenCV's {mode}: {gaps[mode, meant]:.2g} from ONNX Runtime's {meant}")
assert abs(right["cubic"] - right["bicubic"]).max() < 1e-5
read = gaps["cubic", "cubic"] > 0.1 and gaps["cubic", "linear"] < 1e-4 and gaps["linear", "linear"] < 1e-4
sys.exit(0 if read and gaps["bicubic", "bicubic"] > 0.1 and gaps["bicubic", "linear"] > 0.1 else 1)
PYTHON
