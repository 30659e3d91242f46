"""The folder has all that its page asks for, and its graphs compute what they computed."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from impasto.networks.models import Model, load_model, save_model
from impasto.tab import site

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def graph_of(weights: dict[str, np.ndarray[Any, Any]]) -> Any:
    """The sum of all weights and an input."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [8, 16]) for name in ("x", "y")]
    nodes = [helper.make_node("Sum", ["x", *weights], ["y"])]
    held = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_weights_are_halves_outside_of_the_graphs_where_that_loses_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(8, 16)).astype(np.float16).astype(np.float32)
    fine, small, large = exact + np.float32(1e-6), exact[0].copy(), exact * np.float32(1e9)
    halves = site.Halves("m.weights")
    weights = {"a": exact, "b": exact.copy(), "c": fine, "d": small, "e": large}
    for name in ("one", "two"):  # two graphs share them
        (tmp_path / name).write_bytes(halves.move(graph_of(weights)))
    assert len(halves.data) == 2 * exact.size
    (tmp_path / "m.weights").write_bytes(halves.data)
    x = rng.normal(size=(8, 16)).astype(np.float32)
    found = onnxruntime.InferenceSession(tmp_path / "two").run(None, {"x": x})[0]
    np.testing.assert_allclose(found, x + exact + exact + fine + small + large, rtol=1e-6)


def test_planes() -> None:
    numbers = np.arange(6, dtype=np.uint8).tobytes()
    assert site.planes(numbers, 2) == bytes([0, 2, 4, 1, 3, 5]) and site.planes(b"", 4) == b""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that is not there, and graphs that are made at once."""
    names = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm", "xz-decompress.min.js")
    monkeypatch.setattr(site, "runtime_files", lambda folder: dict.fromkeys(names, b"//"))
    for name in ("painting_graph", "measuring_graph"):
        monkeypatch.setattr(site, name, lambda model: graph_of({"a": np.ones((8, 16), np.float32)}))


def test_a_folder(
    quick: None, ok: Callable[..., Any], refused: Callable[..., str], small_model: Model, tmp_path: Path
) -> None:
    folder = tmp_path / "page"
    save_model(small_model, tmp_path / "My Model.safetensors")
    words = ("export", tmp_path / "My Model.safetensors", "--web", folder)
    assert "index.html" in ok(*words).err
    about = json.loads((folder / "site.json").read_text())
    (model,) = about["models"]
    assert model["name"] == "my-model" and model["model"]["file"] == "My Model.safetensors" and model["any"]
    planes = np.frombuffer(lzma.decompress((folder / "my-model.styles.xz").read_bytes()), np.uint8)
    vectors = torch.from_numpy(planes.reshape(4, -1).T.copy()).view(torch.float32).view(2, -1)
    torch.testing.assert_close(vectors[1], small_model.styles["dots"].half().float())
    text = (folder / "sw.js").read_text()
    kept = json.loads(text[text.index("{") : text.index("};") + 1])
    assert {*kept["files"], "sw.js", "licenses.txt"} == {file.name for file in folder.iterdir()}
    assert "exists" in refused(*words)
    ok(*words, "--force")
    assert (folder / "sw.js").read_text() == text  # the key is that of the contents
    save_model(Model("quarter", small_model.generator, {"dots": small_model.styles["dots"]}), words[1])
    ok(*words, "--force")
    assert (folder / "sw.js").read_text() != text


def test_any_brings_the_packaged_styles_and_the_camera(quick: None, ok: Callable[..., Any], tmp_path: Path) -> None:
    ok("export", "any", "--web", tmp_path / "page")
    models = json.loads((tmp_path / "page" / "site.json").read_text())["models"]
    assert [model["name"] for model in models] == ["any", "gallery", "live"] == [model["model"] for model in models]
    assert [model["any"] for model in models] == [True, False, False] and len(models[1]["styles"]) == 12
    first = load_model("any").generator.colors.start
    assert [model["colors"] for model in models] == [first, None, None] and first > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("any", "output is missing: the ONNX file to write, or --web FOLDER"),
        ("any m.onnx --web page", "output has no effect with --web"),
        ("any m.onnx --runtime folder", "runtime has no effect without --web"),
        ("any m.onnx --measure --style dots", "style name has no effect with --measure"),
    ],
)
def test_what_does_not_go_together_is_one_line(words: str, said: str, refused: Callable[..., str]) -> None:
    assert said in refused("export", *words.split())
