#!/bin/sh
# OpenVINO 2026.4 (CPU) fuses a convolution with the addition that follows it even where the other addend has one picture
# and the batch is of any size: Add(other, convolution) raises in inference with a batch of two, Add(convolution, other)
# is right, and so are both with a batch fixed at two. Put the convolution first, or Expand the other addend.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, checker, helper, numpy_helper

random = np.random.default_rng(0)
pictures = random.standard_normal((2, 4, 8, 8)).astype(np.float32)
weight = random.standard_normal((4, 4, 1, 1)).astype(np.float32)
raised = set()
print("OpenVINO", openvino.__version__, "onnxruntime", onnxruntime.__version__)
for batch in (2, "any"):
    for addends in (("convolved", "mean"), ("mean", "convolved")):
        graph = helper.make_graph(
            [
                helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1),
                helper.make_node("Conv", ["x", "w"], ["convolved"]),
                helper.make_node("Add", addends, ["y"]),
            ],
            "sum",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 4, 8, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4, 8, 8])],
            [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.array([0]), "axes")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        checker.check_model(model, full_check=True)
        file = model.SerializeToString()
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        (right,) = session.run(None, {"x": pictures})
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        try:
            said = f"{abs(compiled([pictures])[0] - right).max():.2g} from ONNX Runtime"
            assert abs(compiled([pictures])[0] - right).max() < 1e-4
        except RuntimeError as error:
            raised.add((batch, addends[0]))
            said = "raises: " + str(error).strip().splitlines()[-1]
        print(f"{batch} in the graph, two given, Add({', '.join(addends)}): {said}")
sys.exit(0 if raised == {("any", "mean")} else 1)
PYTHON
