#!/bin/sh
# ONNX's Resize by factors reads its pixels by those factors, as torch.nn.functional.interpolate(scale_factor=...) does. OpenCV 5.0's
# dnn and TVM 0.27 leave them aside once they have the size, and stretch: where a side times its factor is no whole number, maps
# drift to the right and lower border, by 0.9 pixel of a side of 11 that is halved, by 0.3 of one of 9 times 1.5, without a
# warning, so that a style pyramid's levels no longer lie on each other. ONNX Runtime, OpenVINO, MNN and tract are right.
# Keep sides even, or export sizes, or interpolate(recompute_scale_factor=True), which means the stretched one everywhere.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.0 opencv-python-headless==5.0.0.93 \
    MNN==3.6.1 tract==0.23.9 apache-tvm==0.27.0.post1 numpy
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
import numpy as np
import onnxruntime
import openvino
import tract
import tvm
from onnx import TensorProto, checker, helper, numpy_helper
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx

print(*[(name, importlib.metadata.version(name)) for name in ("apache-tvm", "MNN", "tract", "openvino", "onnxruntime")])
print("OpenCV", cv2.__version__)


def runs(model, ramp):
    """What each runtime makes of a ramp, whose pixels are their own positions."""
    file = model.SerializeToString()
    with open("a.onnx", "wb") as target:
        target.write(file)
    yield "ONNX Runtime", onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": ramp})[0]
    core = openvino.Core()
    yield "OpenVINO", core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([ramp])[0]
    yield "tract", tract.onnx().load("a.onnx").into_model().into_runnable().run([ramp])[0].to_numpy()
    pathlib.Path("a.mnn").unlink(missing_ok=True)
    subprocess.run([sys.executable, "convert.py"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    given = MNN.expr.placeholder(list(ramp.shape), MNN.expr.NCHW)
    given.write(ramp.ravel().tolist())
    net = MNN.nn.load_module_from_file("a.mnn", ["x"], ["y"])
    yield "MNN", MNN.expr.convert(net.forward([given])[0], MNN.expr.NCHW).read()
    net = cv2.dnn.readNetFromONNX(np.frombuffer(file, np.uint8))
    net.setInput(ramp)
    yield "OpenCV", net.forward()
    legal = relax.transform.LegalizeOps()(from_onnx(model))
    yield "TVM", relax.VirtualMachine(tvm.compile(legal, target="llvm"), tvm.cpu())["main"](tvm.runtime.tensor(ramp)).numpy()


drift = {}
for side, factor in ((11, 0.5), (9, 1.5), (12, 0.5)):
    size = int(side * factor)
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear", coordinate_transformation_mode="half_pixel")],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 8, size])],
        [numpy_helper.from_array(np.array([1, 1, 1, factor], np.float32), "s")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model, full_check=True)
    meant = ((np.arange(size) + 0.5) / factor - 0.5).clip(0, side - 1)  # ONNX's half_pixel
    ramp = np.tile(np.arange(side, dtype=np.float32), (1, 1, 8, 1))
    for name, made in runs(model, ramp):
        drift[name, side] = float(abs(np.reshape(made, (8, size)) - meant).max())
    print(f"{side} pixels times {factor}, off by", {name: round(off, 3) for (name, of), off in drift.items() if of == side})
wrong = {name for (name, side), off in drift.items() if side != 12 and off > 0.2}
assert all(off < 1e-3 for (name, side), off in drift.items() if side == 12)
sys.exit(0 if wrong == {"OpenCV", "TVM"} and all(drift[name, side] > 0.2 for name in wrong for side in (11, 9)) else 1)
PYTHON
