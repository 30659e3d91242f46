#!/bin/sh
# pnnx 20261020, which makes ncnn's files out of ONNX, loses the axis of a reduction over one axis where it is an input, as in opset
# 18 and after, and so in what torch.onnx.export writes: x.mean(1, keepdim=True) becomes a reduction over no axis, which
# returns x as it is, so that x - x.mean(1, keepdim=True) is 0 everywhere and a norm over the channels is the
# channels, without a word. Over two axes, as in AdaIN, and with the attribute of opset 17 and before, all is right.
# Give pnnx the TorchScript instead of the ONNX file (torch.jit.trace), which it reads rightly, or take the mean by a 1x1 convolution.
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
maps = np.random.default_rng(0).uniform(0.5, 1, (1, 4, 6, 8)).astype(np.float32)
print(*[(name, importlib.metadata.version(name)) for name in ("pnnx", "ncnn", "onnxruntime")])
wrong, unreduced = set(), set()
for name in ("Mean", "Sum", "L1", "L2", "LogSumExp"):
    for opset in (18, 11):
        for axes in ([1], [2], [-1], [2, 3], [1, 2, 3]):
            reduction = (
                helper.make_node("Reduce" + name, ["c", "axes"], ["y"], keepdims=1)
                if opset == 18
                else helper.make_node("Reduce" + name, ["c"], ["y"], keepdims=1, axes=axes)
            )
            shape = [1 if axis in axes or axis - 4 in axes else size for axis, size in enumerate(maps.shape)]
            constants = {"w": np.eye(4, dtype=np.float32)[:, :, None, None]} | ({"axes": np.array(axes)} if opset == 18 else {})
            graph = helper.make_graph(
                [helper.make_node("Conv", ["x", "w"], ["c"]), reduction],  # a convolution that changes nothing
                "one",
                [helper.make_tensor_value_info("x", TensorProto.FLOAT, maps.shape)],
                [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
                [numpy_helper.from_array(value, key) for key, value in constants.items()],
            )
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
            checker.check_model(model, full_check=True)
            file = model.SerializeToString()
            with open("a.onnx", "wb") as target:
                target.write(file)
            pathlib.Path("a.ncnn.param").unlink(missing_ok=True)
            command = [str(program), "a.onnx", "inputshape=[1,4,6,8]f32", "fp16=0"]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            (right,) = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": maps})
            net = ncnn.Net()
            assert net.load_param("a.ncnn.param") == 0 and net.load_model("a.ncnn.bin") == 0
            run = net.create_extractor()
            run.input("in0", ncnn.Mat(maps[0]).clone())
            made = np.array(run.extract("out0")[1])
            if made.size != right.size or abs(made.ravel() - right.ravel()).max() > 1e-3:
                wrong.add((name, opset, len(axes)))
                if made.shape == maps[0].shape and abs(made - maps[0]).max() < 1e-4:
                    unreduced.add((name, opset, len(axes)))
for key in sorted(wrong):
    print("wrong: Reduce%s, opset %d, over %d axis" % key, "(the maps as they were)" if key in unreduced else "")
sys.exit(0 if wrong == {(name, 18, 1) for name in ("Mean", "Sum", "L1", "L2", "LogSumExp")} else 1)
PYTHON
