#!/bin/sh
# MNN 3.6 and pnnx 20261020 (ncnn) leave out what ONNX's Resize says of its cubic kernel: cubic_coeff_a, -0.5 in TensorFlow's files
# (Catmull-Rom, with less of a halo), is -0.75 for them, everywhere, without a word. exclude_outside=1, TensorFlow's rule
# for borders, is left out by them and by OpenVINO 2026.4: border pixels are repeated instead. ONNX Runtime, OpenCV 5.0's
# dnn and tract follow both. (MNN errs at borders anyway, see mnn-resize-cubic.sh.) Export the enlargement as a
# transposed convolution with the weights that are meant, after a Pad.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.0 opencv-python-headless==5.0.0.93 \
    MNN==3.6.1 tract==0.23.9 ncnn==1.0.20261020 numpy
"$folder/venv/bin/pip" install --quiet --no-deps pnnx==20261020  # the program alone: it needs no torch to read ONNX
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

import cv2
import MNN.expr
import MNN.nn
import ncnn
import numpy as np
import onnxruntime
import openvino
import tract
from onnx import TensorProto, checker, helper, numpy_helper

(program,) = (file.locate() for file in importlib.metadata.files("pnnx") if str(file) == "pnnx/pnnx")
print(*[(name, importlib.metadata.version(name)) for name in ("MNN", "pnnx", "ncnn", "openvino", "tract", "onnxruntime")])
print("OpenCV", cv2.__version__)
picture = np.random.default_rng(0).uniform(0, 1, (1, 3, 10, 10)).astype(np.float32)


def runs(file):
    """What each runtime makes of the picture."""
    yield "ONNX Runtime", onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": picture})[0]
    core = openvino.Core()
    yield "OpenVINO", core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([picture])[0]
    net = cv2.dnn.readNetFromONNX(np.frombuffer(file, np.uint8))
    net.setInput(picture)
    yield "OpenCV", net.forward()
    with open("a.onnx", "wb") as target:
        target.write(file)
    yield "tract", tract.onnx().load("a.onnx").into_model().into_runnable().run([picture])[0].to_numpy()
    pathlib.Path("a.mnn").unlink(missing_ok=True)
    subprocess.run([sys.executable, "convert.py"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    given = MNN.expr.placeholder(list(picture.shape), MNN.expr.NCHW)
    given.write(picture.ravel().tolist())
    net = MNN.nn.load_module_from_file("a.mnn", ["x"], ["y"])
    yield "MNN", MNN.expr.convert(net.forward([given])[0], MNN.expr.NCHW).read()
    pathlib.Path("a.ncnn.param").unlink(missing_ok=True)
    command = [str(program), "a.onnx", "inputshape=[1,3,10,10]f32", "fp16=0"]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = ncnn.Net()
    assert net.load_param("a.ncnn.param") == 0 and net.load_model("a.ncnn.bin") == 0
    run = net.create_extractor()
    run.input("in0", ncnn.Mat(picture[0]).clone())
    yield "ncnn", run.extract("out0")[1]


off = {}
for a, outside in ((-0.75, 0), (-0.5, 0), (-0.75, 1)):
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "", "size"], ["y"], mode="cubic", cubic_coeff_a=a, exclude_outside=outside)],
        "larger",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 10, 10])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 20, 20])],
        [numpy_helper.from_array(np.array([1, 3, 20, 20]), "size")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    checker.check_model(model, full_check=True)
    made = {name: np.reshape(np.array(one), (3, 20, 20)) for name, one in runs(model.SerializeToString())}
    gaps = {name: abs(one - made["ONNX Runtime"]) for name, one in made.items()}
    off[a, outside] = {name: (float(gap[:, 5:-5, 5:-5].max()), float(gap[:, 5:-5, -5:].max())) for name, gap in gaps.items()}
    print(f"a = {a}, exclude_outside {outside}: off inside, off at the right border:")
    print("   ", {name: tuple(round(gap, 3) for gap in both) for name, both in off[a, outside].items() if name != "ONNX Runtime"})
wrong = {key: ({n for n, g in gaps.items() if g[0] > 0.01}, {n for n, g in gaps.items() if g[1] > 0.01}) for key, gaps in off.items()}
assert wrong[-0.75, 0] == (set(), set())
both, three = {"MNN", "ncnn"}, {"MNN", "ncnn", "OpenVINO"}
sys.exit(0 if wrong[-0.5, 0] == (both, both) and wrong[-0.75, 1] == (set(), three) else 1)
PYTHON
