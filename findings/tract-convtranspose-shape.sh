#!/bin/sh
# ONNX's ConvTranspose with output_shape, as TensorFlow's converters write it, pads by what is too much, half on each side. tract
# 0.23 takes the upper left part instead, without a word: a decoder's map of 4x4 with stride 2 is shifted by one pixel at each
# step. OpenCV 5.0's dnn leaves output_shape out and returns another size, and does so with auto_pad SAME_UPPER as well.
# OpenVINO is right. Write explicit pads and output_padding.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tract==0.23.9 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.0 \
    opencv-python-headless==5.0.0.93 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import sys

import cv2
import numpy as np
import onnxruntime
import openvino
import tract
from onnx import TensorProto, checker, helper, numpy_helper

random = np.random.default_rng(0)
maps = random.standard_normal((1, 4, 10, 12)).astype(np.float32)
weight = random.standard_normal((4, 4, 4, 4)).astype(np.float32)
versions = [(name, importlib.metadata.version(name)) for name in ("tract", "onnxruntime", "openvino")]
print(*versions, ("OpenCV", cv2.__version__))


def made(size, **padding):
    """What four programs make of one convolution, which without padding has 22x26 positions."""
    graph = helper.make_graph(
        [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], **padding)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, maps.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, *size])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model, full_check=True)
    file = model.SerializeToString()
    with open("a.onnx", "wb") as target:
        target.write(file)
    found = {"ONNX Runtime": onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": maps})[0]}
    compiled = openvino.Core().compile_model(openvino.Core().read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found["OpenVINO"] = np.array(compiled([maps])[0])
    found["tract"] = tract.onnx().load("a.onnx").into_model().into_runnable().run([maps])[0].to_numpy()
    net = cv2.dnn.readNetFromONNX(np.frombuffer(file, np.uint8))
    net.setInput(maps)
    found["OpenCV"] = net.forward()
    return found


whole = made((22, 26))["ONNX Runtime"]
middle, corner = whole[:, :, 1:-1, 1:-1], whole[:, :, :20, :24]
seen = {}
for name, padding in (
    ("pads", {"pads": [1, 1, 1, 1]}),
    ("output_shape", {"output_shape": [20, 24]}),
    ("SAME_UPPER", {"auto_pad": "SAME_UPPER"}),
):
    for program, maps_made in made((20, 24), **padding).items():
        what = f"{maps_made.shape[2]}x{maps_made.shape[3]}"
        if maps_made.shape == middle.shape:
            what = "right" if np.allclose(maps_made, middle, atol=1e-3) else "corner" if np.allclose(maps_made, corner, atol=1e-3) else "?"
        seen[name, program] = what
        print(f"{name}, {program}: {what}")
right = [key for key, what in seen.items() if what == "right"]
same = seen["output_shape", "tract"] == "corner" and all("x" in seen[name, "OpenCV"] for name in ("output_shape", "SAME_UPPER"))
sys.exit(0 if same and len(right) == 9 else 1)
PYTHON
