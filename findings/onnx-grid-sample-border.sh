#!/bin/sh
# ONNX's own reference evaluator (onnx 1.23) and tract 0.23 compute GridSample with mode "cubic" and padding_mode "border" with a
# jump: as soon as a point lies more than half a pixel outside of the first or last pixel's center, it is moved onto that center,
# so that the overshoot of the kernel ends there at once, by a tenth of an edge's height. ONNX Runtime and OpenVINO repeat the
# border's pixels for each tap instead, and have none. "zeros" and "reflection" are alike in all four.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.0 tract==0.23.9 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
import onnxruntime
import openvino
import tract
from onnx import TensorProto, checker, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

print(*[(name, importlib.metadata.version(name)) for name in ("onnx", "tract", "onnxruntime", "openvino")])
edge = np.array([1, 0, 0, 0, 0, 0, 0, 0], np.float32)[None, None, None]
places = np.linspace(-1, 1, 81).astype(np.float32)  # in pixels, 0 being the center of the first
grid = np.stack([(2 * places + 1) / 8 - 1, np.zeros_like(places)], -1)[None, None]
jumps = {}
for padding in ("border", "zeros", "reflection"):
    graph = helper.make_graph(
        [helper.make_node("GridSample", ["x", "g"], ["y"], mode="cubic", padding_mode=padding, align_corners=0)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, edge.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, len(places)])],
        [numpy_helper.from_array(grid, "g")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    checker.check_model(model, full_check=True)
    file = model.SerializeToString()
    with open("a.onnx", "wb") as target:
        target.write(file)
    compiled = openvino.Core().compile_model(openvino.Core().read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    made = {
        "ONNX Runtime": onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": edge})[0],
        "OpenVINO": np.array(compiled([edge])[0]),
        "reference evaluator": ReferenceEvaluator(model).run(None, {"x": edge})[0],
        "tract": tract.onnx().load("a.onnx").into_model().into_runnable().run([edge])[0].to_numpy(),
    }
    for name, values in made.items():
        steps = abs(np.diff(values.ravel()))
        far = float(abs(values - made["ONNX Runtime"]).max())
        jumps[padding, name] = float(steps.max()), far
        where = places[steps.argmax()]
        print(f"{padding}, {name}: the largest step in 1/40 pixel is {steps.max():.3f} at {where:.2f}; {far:.2g} from ONNX Runtime")
apart = {key for key, (step, far) in jumps.items() if far > 0.05}
same = apart == {("border", "reference evaluator"), ("border", "tract")}
sys.exit(0 if same and all(jumps[key][0] > 0.08 for key in apart) and jumps["border", "ONNX Runtime"][0] < 0.03 else 1)
PYTHON
