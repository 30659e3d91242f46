#!/usr/bin/env bash
# onnxscript 0.7's optimizer and tinygrad 0.14 read ONNX's auto_pad SAME_UPPER and SAME_LOWER of a Conv with dilations, what
# TensorFlow's layers with padding "same" and dilation_rate mean, as if there were none: they pad for the kernel of 3x3 where it
# reaches over 5x5. ONNX says that what comes out is as large as what goes in (by stride 1); here maps shrink by 2 pixels at
# each such layer, and wander by one. ONNX Runtime refuses such files, so that onnxscript.optimizer.optimize() looks like the
# cure: behind it they run, with a warning of a shape at most. Dilation 1 and explicit pads are right in both, and ONNX's
# reference evaluator and OpenVINO are right. Write explicit pads, dilation * (kernel - 1) in all, before either of them.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 tinygrad==0.14.0 openvino==2026.4.0 numpy
cd "$folder"
DEV=PYTHON "$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
import onnxscript.optimizer
import openvino
from onnx import TensorProto, checker, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from tinygrad import Tensor
from tinygrad.nn.onnx import OnnxRunner

random = np.random.default_rng(0)
maps = random.standard_normal((1, 1, 6, 7)).astype(np.float32)
kernel = random.standard_normal((1, 1, 3, 3)).astype(np.float32)


def by_hand(dilation, pads):
    padded = np.pad(maps[0, 0], ((pads, pads), (pads, pads)))
    height, width = (n - 2 * dilation for n in padded.shape)
    parts = [
        kernel[0, 0, i, j] * padded[i * dilation :, j * dilation :][:height, :width] for i in range(3) for j in range(3)
    ]
    return np.sum(parts, axis=0)[None, None]


def reference(model):
    return ReferenceEvaluator(model).run(None, {"x": maps})[0]


def runtime(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": maps})[0]


def optimized(model):
    return runtime(onnxscript.optimizer.optimize(model))


def through_tinygrad(model):
    with open("a.onnx", "wb") as file:
        file.write(model.SerializeToString())
    return OnnxRunner("a.onnx")({"x": Tensor(maps)})["y"].numpy()


def through_openvino(model):
    with open("b.onnx", "wb") as file:
        file.write(model.SerializeToString())
    compiled = openvino.Core().compile_model("b.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([maps])[0]


print(*(f"{name} {version(name)}" for name in ("onnx", "onnxscript", "onnxruntime", "tinygrad", "openvino")))
same = True
for text, dilation, attributes in (
    ("SAME_UPPER, dilation 2", 2, {"auto_pad": "SAME_UPPER"}),
    ("SAME_LOWER, dilation 2", 2, {"auto_pad": "SAME_LOWER"}),
    ("SAME_UPPER, dilation 1", 1, {"auto_pad": "SAME_UPPER"}),
    ("pads of 2, dilation 2", 2, {"pads": [2, 2, 2, 2]}),
):
    node = helper.make_node("Conv", ["x", "kernel"], ["y"], kernel_shape=[3, 3], dilations=[dilation] * 2, **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, maps.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, maps.shape)],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model, full_check=True)
    right, short = by_hand(dilation, dilation), by_hand(dilation, 1)
    wrong = "auto_pad" in attributes and dilation == 2
    for name, compute in (
        ("onnx's reference", reference),
        ("OpenVINO", through_openvino),
        ("onnxscript's optimizer, ONNX Runtime", optimized),
        ("tinygrad", through_tinygrad),
    ):
        result = compute(model)
        found = "?"
        for word, other in (("right", right), ("padded for dilation 1", short)):
            if result.shape == other.shape and np.allclose(result, other, atol=1e-4):
                found = word
                break
        expected = "padded for dilation 1" if wrong and compute in (optimized, through_tinygrad) else "right"
        same &= found == expected
        print(f"{text}: {name}: {maps.shape[2:]} to {result.shape[2:]}, {found}")
    try:
        runtime(model)
        refused = False
    except onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument:
        refused = True
    same &= refused == wrong
sys.exit(0 if same else 1)
PYTHON
