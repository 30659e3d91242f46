#!/bin/sh
# pnnx 20261020, which makes ncnn's files out of ONNX, fills ONNX's Pad with mode "wrap" (opset 19) with zeros, without a word.
# torch.onnx.export writes Conv2d(padding_mode="circular") and F.pad(mode="circular") so: of a network for textures that
# tile, each convolution leaves a dark seam at the borders, where opposite sides should meet. "reflect", "edge" and
# "constant" are right. Write torch.cat((x[..., -1:], x, x[..., :1]), -1), and so for the rows, instead.
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
picture = np.random.default_rng(0).uniform(1, 2, (1, 3, 8, 10)).astype(np.float32)
nodes = {mode: [helper.make_node("Pad", ["c", "pads"], ["y"], mode=mode)] for mode in ("wrap", "reflect", "edge", "constant")}
slices = []
for axis, size in (("2", 8), ("3", 10)):
    given, made = ("c", "rows") if axis == "2" else ("rows", "y")
    slices += [
        helper.make_node("Slice", [given, "last", "end", axis], ["a" + axis]),
        helper.make_node("Slice", [given, "first", "two", axis], ["b" + axis]),
        helper.make_node("Concat", ["a" + axis, given, "b" + axis], [made], axis=int(axis)),
    ]
nodes["wrap by Slice and Concat"] = slices
constants = {"last": [-2], "end": [2**31 - 1], "first": [0], "two": [2], "2": [2], "3": [3], "pads": [0, 0, 2, 2, 0, 0, 2, 2]}
constants = {name: np.array(value) for name, value in constants.items()}
constants["w"] = np.eye(3, dtype=np.float32)[:, :, None, None]
found = {}
for name, steps in nodes.items():
    used = {one for step in steps for one in step.input} | {"w"}
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"]), *steps],  # a convolution that changes nothing
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, picture.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 12, 14])],
        [numpy_helper.from_array(value, key) for key, value in constants.items() if key in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    checker.check_model(model, full_check=True)
    file = model.SerializeToString()
    with open("a.onnx", "wb") as target:
        target.write(file)
    (right,) = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": picture})
    mode = name.split()[0]
    assert abs(right[0] - np.pad(picture[0], ((0, 0), (2, 2), (2, 2)), mode)).max() < 1e-4
    pathlib.Path("a.ncnn.param").unlink(missing_ok=True)
    command = [str(program), "a.onnx", "inputshape=[1,3,8,10]f32", "fp16=0"]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = ncnn.Net()
    assert net.load_param("a.ncnn.param") == 0 and net.load_model("a.ncnn.bin") == 0
    run = net.create_extractor()
    run.input("in0", ncnn.Mat(picture[0]).clone())
    made = np.array(run.extract("out0")[1])
    modes = [one for one in ("wrap", "reflect", "edge", "constant")
             if abs(made - np.pad(picture[0], ((0, 0), (2, 2), (2, 2)), one)).max() < 1e-4]  # fmt: skip
    found[name] = modes
print("what ncnn pads by:", found)
assert all(modes == [name.split()[0]] for name, modes in found.items() if name != "wrap")
sys.exit(0 if found["wrap"] == ["constant"] else 1)
PYTHON
