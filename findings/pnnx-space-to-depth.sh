#!/bin/sh
# pnnx 20261020, which makes ncnn's files out of ONNX, reads ONNX's SpaceToDepth as PyTorch's pixel_unshuffle. ONNX lays the place
# in the block before the channel, PyTorch behind it, so that with more than one channel the maps come in another order,
# with the right shape and without a word: an encoder from TensorFlow that begins with it mixes red, green and blue up.
# DepthToSpace is right in mode CRD, which is pixel_shuffle, and refused in mode DCR, which is the inverse of SpaceToDepth.
# Write it as a convolution of 2x2 with stride 2 and weights of 0 and 1, or put the weights behind it in PyTorch's order.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 ncnn==1.0.20261020 numpy
"$folder/venv/bin/pip" install --quiet --no-deps pnnx==20261020  # the program alone: it needs no torch to read ONNX
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import pathlib
import subprocess
import sys

import ncnn
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

(program,) = (file.locate() for file in importlib.metadata.files("pnnx") if str(file) == "pnnx/pnnx")
print(*[(name, importlib.metadata.version(name)) for name in ("pnnx", "ncnn", "onnxruntime")])


def both(channels, way):
    """What ONNX Runtime and ncnn make of a picture, cut into blocks of 2x2 by the operator or a convolution."""
    side = 4
    picture = np.arange(channels * 16, dtype=np.float32).reshape(1, channels, side, side)
    made = [1, 4 * channels, 2, 2]
    constants = {"w": np.eye(channels, dtype=np.float32)[:, :, None, None]}
    last = helper.make_node("SpaceToDepth", ["c"], ["y"], blocksize=2)
    if way == "convolution":
        last = helper.make_node("Conv", ["c", "places"], ["y"], strides=[2, 2])
        constants["places"] = np.einsum("yi,xj,cd->yxcdij", *map(np.eye, (2, 2, channels))).reshape(-1, channels, 2, 2).astype("f")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"]), last],  # a convolution that changes nothing
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, picture.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, made)],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    checker.check_model(model, full_check=True)
    file = model.SerializeToString()
    with open("a.onnx", "wb") as target:
        target.write(file)
    pathlib.Path("a.ncnn.param").unlink(missing_ok=True)
    command = [str(program), "a.onnx", f"inputshape=[1,{channels},4,4]f32", "fp16=0"]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = ncnn.Net()
    assert net.load_param("a.ncnn.param") == 0 and net.load_model("a.ncnn.bin") == 0
    run = net.create_extractor()
    run.input("in0", ncnn.Mat(picture[0]).clone())
    (right,) = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": picture})
    return right[0], np.array(run.extract("out0")[1])


orders = {}
for channels in (1, 3):
    for way in ("operator", "convolution"):
        right, made = both(channels, way)
        orders[channels, way] = [int(abs(right - one).reshape(len(right), -1).max(1).argmin()) for one in made.reshape(right.shape)]
        print(f"{channels} channel(s), {way}: ncnn's maps are ONNX's", orders[channels, way])
assert all(order == list(range(len(order))) for (channels, way), order in orders.items() if channels == 1 or way == "convolution")
sys.exit(0 if orders[3, "operator"] == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11] else 1)
PYTHON
