#!/bin/sh
# OpenVINO 2026.4 and OpenCV 5.0's dnn leave out ONNX's Resize attribute antialias (opset 18), linear as cubic, without an
# error or a warning: a picture made smaller in an exported graph has moire, here stripes of 2 pixels that must turn gray.
# Blur before the Resize, or make the picture smaller by a convolution with a stride.
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
from onnx import TensorProto, checker, helper, numpy_helper

stripes = np.tile(np.array([0, 1], np.float32), (1, 1, 96, 48))
print("OpenVINO", openvino.__version__, "OpenCV", cv2.__version__, "onnxruntime", onnxruntime.__version__)
same = True
for mode in ("linear", "cubic"):
    made = {}
    for antialias in (0, 1):
        graph = helper.make_graph(
            [helper.make_node("Resize", ["x", "", "", "size"], ["y"], mode=mode, antialias=antialias)],
            "smaller",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 96, 96])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 28, 28])],
            [numpy_helper.from_array(np.array([1, 1, 28, 28]), "size")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        checker.check_model(model, full_check=True)
        file = model.SerializeToString()
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        made["ONNX Runtime", antialias] = session.run(None, {"x": stripes})[0]
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        made["OpenVINO", antialias] = np.array(compiled([stripes])[0])
        net = cv2.dnn.readNetFromONNX(np.frombuffer(file, np.uint8))
        net.setInput(stripes)
        made["OpenCV", antialias] = net.forward()
    for name in ("ONNX Runtime", "OpenVINO", "OpenCV"):
        without, with_it = (float(made[name, antialias].std()) for antialias in (0, 1))
        print(f"{name}, {mode}: contrast {without:.3f} without antialias, {with_it:.3f} with it")
        kept = bool(abs(made[name, 0] - made[name, 1]).max() < 1e-6)
        same = same and kept == (name != "ONNX Runtime")
        same = same and (with_it < 0.05 if name == "ONNX Runtime" else with_it > 0.1)
sys.exit(0 if same else 1)
PYTHON
