#!/bin/sh
# MNN 3.6's command mnnconvert runs `pip install -U aliyun-log-python-sdk` if that is not there, to report the options and sizes of
# conversions: not by its own Python but with whichever pip comes first in PATH, so another environment is changed (here a
# stand-in, which notes how it was called), twice at each conversion. Nothing is asked. The converter itself,
# `import _tools; _tools.mnnconvert([...])`, does without.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet MNN==3.6.1 onnx==1.23.2 numpy
cd "$folder"
mkdir other
cat > other/pip <<'SCRIPT'
#!/bin/sh
echo "pip $*" >> "$(dirname "$0")/calls"
SCRIPT
chmod +x other/pip
"$folder/venv/bin/python" - <<'PYTHON'
from onnx import TensorProto, helper

shape = [1, 3, 8, 8]
graph = helper.make_graph(
    [helper.make_node("Relu", ["x"], ["y"])],
    "one",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
)
with open("a.onnx", "wb") as file:
    file.write(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9).SerializeToString())
PYTHON
for name in a b; do
    PATH="$folder/other:$PATH" "$folder/venv/bin/mnnconvert" -f ONNX --modelFile a.onnx --MNNModel $name.mnn --bizCode MNN > log 2>&1
done
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import pathlib
import sys

print("MNN", importlib.metadata.version("MNN"))
calls = pathlib.Path("other/calls")
calls = calls.read_text().splitlines() if calls.exists() else []
print("converted:", [name for name in "ab" if pathlib.Path(f"{name}.mnn").stat().st_size], "called meanwhile:", calls)
sys.exit(0 if calls == ["pip install -U aliyun-log-python-sdk"] * 4 else 1)
PYTHON
