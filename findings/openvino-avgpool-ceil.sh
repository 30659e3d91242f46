#!/bin/sh
# OpenVINO 2026.4 and OpenCV 5.0's dnn do not average at the lower and right border as torch.nn.AvgPool2d(3, 2, 1, ceil_mode=True) does:
# the windows that only ceil_mode adds reach past the padding, where PyTorch, ONNX Runtime and ONNX's rule count no pixel;
# these two divide by 9 all the same, so that the last row and column are too dark. OpenCV does so without padding, too.
# With count_include_pad=False both are right.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.0 opencv-python-headless==5.0.0.93 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, checker, helper

picture = np.ones((1, 1, 10, 10), np.float32)
print("OpenVINO", openvino.__version__, "OpenCV", cv2.__version__, "onnxruntime", onnxruntime.__version__)
corners = {}
for include in (1, 0):
    for pad in (1, 0):
        side = 6 if pad else 5
        padding = {"pads": [pad] * 4, "count_include_pad": include}
        node = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, **padding)
        graph = helper.make_graph(
            [node],
            "one",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 10, 10])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, side, side])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
        checker.check_model(model, full_check=True)
        file = model.SerializeToString()
        found = {"ONNX Runtime": onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": picture})[0]}
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        found["OpenVINO"] = np.array(compiled([picture])[0])
        net = cv2.dnn.readNetFromONNX(np.frombuffer(file, np.uint8))
        net.setInput(picture)
        found["OpenCV"] = net.forward()
        last = {name: round(float(maps[0, 0, -1, 2]), 3) for name, maps in found.items()}
        others = max(abs(maps - found["ONNX Runtime"])[..., :-1, :-1].max() for maps in found.values())
        assert others < 1e-6
        corners[include, pad] = last
        print(f"count_include_pad={include}, padding {pad}: white picture, last row's average {last}")
wrong = {(name, *key) for key, last in corners.items() for name, value in last.items() if abs(value - last["ONNX Runtime"]) > 0.01}
sys.exit(0 if wrong == {("OpenVINO", 1, 1), ("OpenCV", 1, 1), ("OpenCV", 1, 0)} else 1)
PYTHON
