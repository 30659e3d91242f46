#!/bin/sh
# torch.onnx.export writes torch.div of int64 tensors with rounding_mode "trunc" or "floor" as a division of floats: Cast,
# Div, Floor, Cast. Above 2^24 one quotient in six is off by one, so that hashes and noise made of integers differ from
# PyTorch's, in every runtime. ONNX's own Div divides integers exactly: give it to the exporter as a custom translation.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2
cd "$folder"
"$folder/venv/bin/python" - 2>"$folder/errors" <<'PYTHON'
import io
import sys

import onnx
import onnxruntime
import torch

numbers = torch.arange(2**24, 2**24 + 200_000)
print("torch", torch.__version__, "onnxruntime", onnxruntime.__version__)
wrong = {}
for rounding in ("trunc", "floor"):

    class Quotient(torch.nn.Module):
        def forward(self, n):
            return torch.div(n, 3, rounding_mode=rounding)

    file = io.BytesIO()
    torch.onnx.export(Quotient(), (numbers,), file, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(file.getvalue())
    (found,) = session.run(None, {session.get_inputs()[0].name: numbers.numpy()})
    kinds = [node.op_type for node in onnx.load_from_string(file.getvalue()).graph.node]
    wrong[rounding] = float((torch.from_numpy(found) != Quotient()(numbers)).float().mean())
    print(f"{rounding}: {wrong[rounding]:.3f} of the quotients are wrong; nodes {', '.join(kinds)}")
sys.exit(0 if min(wrong.values()) > 0.1 else 1)
PYTHON
