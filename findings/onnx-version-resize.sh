#!/usr/bin/env bash
# onnx 1.23's version_converter makes opset 11 and later out of older files by giving Resize of opset 10, and so Upsample of opset
# 9, two more inputs, but not the attributes that say where pixels lie: up to opset 10 the first pixels' corners meet
# ("asymmetric"), from 11 on that has to be said, and what is not said is "half_pixel". So each bilinear enlargement by 2
# moves its maps by a quarter pixel to the right and down, in each step of a decoder, without a word. Nearest by 2 or 3, as
# most style networks have it, comes out the same. ONNX Runtime and OpenVINO agree on the old files as on the new.
# Set coordinate_transformation_mode "asymmetric" on each Resize afterwards, and nearest_mode "floor".
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, checker, helper, numpy_helper, version_converter

ramp = np.arange(6, dtype=np.float32).reshape(1, 1, 1, 6)


def runtime(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": ramp})[0].ravel()


def through_openvino(model):
    with open("a.onnx", "wb") as file:
        file.write(model.SerializeToString())
    compiled = openvino.Core().compile_model("a.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([ramp])[0].ravel()


print(*(f"{name} {version(name)}" for name in ("onnx", "onnxruntime", "openvino")))
same = True
for kind, opset in (("Upsample", 9), ("Resize", 10)):
    for mode, factor, expected in (
        ("linear", 2.0, "wrong"),
        ("nearest", 2.0, "right"),
        ("nearest", 3.0, "right"),
    ):
        scales = numpy_helper.from_array(np.array([1, 1, 1, factor], np.float32), "scales")
        graph = helper.make_graph(
            [helper.make_node(kind, ["x", "scales"], ["y"], mode=mode)],
            "one",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ramp.shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 1, 1, int(6 * factor)))],
            [scales],
        )
        old = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=5)
        checker.check_model(old, full_check=True)
        old_places = np.arange(int(6 * factor)) / factor
        new_places = (np.arange(int(6 * factor)) + 0.5) / factor - 0.5
        # The ramp's values are its pixels' places.
        if mode == "linear":
            asymmetric, half_pixel = np.clip(old_places, 0, 5), np.clip(new_places, 0, 5)
        else:
            asymmetric, half_pixel = np.floor(old_places), np.clip(np.ceil(new_places - 0.5), 0, 5)
        for compute in (runtime, through_openvino):
            assert np.allclose(compute(old), asymmetric, atol=1e-5), (kind, mode, factor, compute(old))
        new = version_converter.convert_version(old, 18)
        checker.check_model(new, full_check=True)
        results = [compute(new) for compute in (runtime, through_openvino)]
        assert np.allclose(*results, atol=1e-5)
        found = "right" if np.allclose(results[0], asymmetric, atol=1e-5) else "?"
        if found == "?" and np.allclose(results[0], half_pixel, atol=1e-5):
            found = "wrong"
        same &= found == expected
        attributes = [a.name for n in new.graph.node if n.op_type == "Resize" for a in n.attribute]
        print(f"{kind} {mode} by {factor}: {found}, Resize says {attributes}")
        print("  opset", opset, asymmetric[:8].round(2).tolist())
        print("  opset 18", results[0][:8].round(2).tolist())
        for node in new.graph.node:
            if node.op_type == "Resize":
                node.attribute.append(helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
                node.attribute.append(helper.make_attribute("nearest_mode", "floor"))
        same &= bool(np.allclose(runtime(new), asymmetric, atol=1e-5))
sys.exit(0 if same else 1)
PYTHON
