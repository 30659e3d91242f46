#!/bin/sh
# torch.onnx.export (torch 2.13, onnxscript 0.7) writes circular padding, F.pad(mode="circular") or Conv2d(padding_mode="circular"), as
# a Pad with mode "wrap" into files of opset 18, where ONNX does not have it: it came with opset 19. onnx.checker (1.23, full_check)
# lets it pass, ONNX Runtime computes it since 1.16, but 1.15, which knows opset 18, refuses such a file, and so do
# OpenVINO 2026.4 and tract 0.23: a network for textures that tile runs in fewer places than its opset promises.
# Write torch.cat((x[..., -1:], x, x[..., :1]), -1), and so for the rows, instead: Slice and Concat are everywhere.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python3 -m venv "$folder/old"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2 \
    openvino==2026.4.0 tract==0.23.9
"$folder/old/bin/pip" install --quiet onnxruntime==1.15.1 "numpy<2"
cd "$folder"
cat > old.py <<'PYTHON'
import sys

import numpy as np
import onnxruntime

x = np.load("x.npy")
try:
    made = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    print("right" if abs(made - np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "wrap")).max() == 0 else "wrong")
except Exception as error:  # pybind's own
    print("refused,", "mode" if "'mode'" in str(error) else error)
PYTHON
"$folder/venv/bin/python" -W ignore - 2>"$folder/errors" <<'PYTHON'
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
import torch
import torch.nn.functional as F
import tract
from onnx import checker, defs


class Circular(torch.nn.Module):
    def forward(self, x):
        return F.pad(x, (1, 1, 1, 1), mode="circular")


class Joined(torch.nn.Module):
    def forward(self, x):
        x = torch.cat((x[..., -1:], x, x[..., :1]), -1)
        return torch.cat((x[..., -1:, :], x, x[..., :1, :]), -2)


x = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(0))
np.save("x.npy", x.numpy())
runtimes = {
    "ONNX Runtime 1.32": lambda: onnxruntime.InferenceSession("a.onnx").run(None, {"x": x.numpy()})[0],
    "OpenVINO": lambda: openvino.Core().compile_model("a.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([x.numpy()])[0],
    "tract": lambda: tract.onnx().load("a.onnx").into_model().into_runnable().run([x.numpy()])[0].to_numpy(),
}
described = {opset: "wrap" in defs.get_schema("Pad", opset).doc for opset in (18, 19)}
print("torch", torch.__version__, "onnx", onnx.__version__, "- Pad is described with wrap:", described)
found = {}
for kind in (Circular, Joined):
    program = torch.onnx.export(kind(), (x,), input_names=["x"], dynamo=True, opset_version=18, verbose=False)
    model = program.model_proto
    model.ir_version = 8  # the one that came with opset 18
    checker.check_model(model, full_check=True)
    onnx.save(model, "a.onnx")
    modes = [value.s for node in model.graph.node for value in node.attribute if value.name == "mode"]
    print(kind.__name__, "opset", model.opset_import[0].version, [node.op_type for node in model.graph.node], modes)
    results = {}
    for name, run in runtimes.items():
        try:
            results[name] = "right" if abs(np.array(run()) - kind()(x).numpy()).max() == 0 else "wrong"
        except Exception:  # each has another
            results[name] = "refused"
    old = subprocess.run(["old/bin/python", "old.py", "a.onnx"], capture_output=True, text=True, check=True).stdout
    results["ONNX Runtime 1.15"] = old.strip()
    print("   ", results)
    found[kind.__name__] = ("wrap" in [mode.decode() for mode in modes], list(results.values()))
as_seen = {"Circular": (True, ["right", "refused", "refused", "refused, mode"]), "Joined": (False, ["right"] * 4)}
sys.exit(0 if found == as_seen and described == {18: False, 19: True} else 1)
PYTHON
