#!/bin/sh
# OpenCV 5.0's dnn reads ONNX's auto_pad SAME_UPPER and SAME_LOWER as one and the same: (kernel - 1) // 2 pixels before, the
# rest after, whatever stride and size are. A convolution of 3x3 with stride 2 of an even picture, as TensorFlow pads them, is
# one pixel off with SAME_UPPER, one of 2x2 with SAME_LOWER, without a warning. Export explicit pads.
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


def both(side, kernel, padding, picture):
    """What ONNX Runtime and OpenCV's dnn make of one convolution with stride 2."""
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], **padding)
    weight = np.random.default_rng(1).standard_normal((4, 4, kernel, kernel)).astype(np.float32)
    half = -(-side // 2)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, half, half])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(model, full_check=True)
    file = model.SerializeToString()
    (right,) = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": picture})
    net = cv2.dnn.readNetFromONNX(np.frombuffer(file, np.uint8))
    net.setInput(picture)
    return right, net.forward()


print("OpenCV", cv2.__version__, "onnxruntime", onnxruntime.__version__)
same = True
for side, kernel, wrong, pads in ((10, 3, "SAME_UPPER", [1, 1, 0, 0]), (9, 2, "SAME_LOWER", [0, 0, 1, 1])):
    picture = np.random.default_rng(0).standard_normal((1, 4, side, side)).astype(np.float32)
    shifted, _ = both(side, kernel, {"pads": pads}, picture)
    for name in ("SAME_UPPER", "SAME_LOWER"):
        right, found = both(side, kernel, {"auto_pad": name}, picture)
        off, as_shifted = float(abs(found - right).max()), float(abs(found - shifted).max())
        print(f"{kernel}x{kernel} of {side}x{side}, {name}: {off:.2g} from ONNX Runtime, {as_shifted:.2g} from pads {pads}")
        same = same and (off > 1 if name == wrong else off < 1e-4) and as_shifted < 1e-4
sys.exit(0 if same else 1)
PYTHON
