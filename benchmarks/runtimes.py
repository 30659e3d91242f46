"""The packaged networks' ONNX files in other programs: the largest and the mean difference from PyTorch.

    python benchmarks/runtimes.py --photo PHOTO… [--models gallery live] [--files FOLDER] [--size 512]

Files are made where the folder has none. OpenVINO is measured where it is installed; it is no part of impasto.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from common import write

from impasto.export import export_onnx
from impasto.half import halved_graph
from impasto.media import read_image
from impasto.methods.regions import scaled
from impasto.networks.models import Model, load_model

Paint = Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any]], np.ndarray[Any, Any]]
LEVELS = ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")


def by_onnxruntime(path: Path, level: str) -> Paint:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images, style: session.run(None, {"images": images, "style": style})[0]


def by_openvino(path: Path, precision: str | None) -> Paint:
    openvino = importlib.import_module("openvino")
    hint = {} if precision is None else {"INFERENCE_PRECISION_HINT": precision}
    compiled = openvino.Core().compile_model(str(path), "CPU", hint)
    return lambda images, style: compiled([images, style])[0]


def quantized(path: Path) -> Path:
    """The same with int8 weights, by ONNX Runtime's dynamic quantization."""
    from onnxruntime.quantization import quantize_dynamic

    found = path.with_suffix(".int8.onnx")
    graph = onnx.load(path).graph
    stored = {i.name for i in graph.initializer}
    computed = [n.name for n in graph.node if n.op_type == "Conv" and n.input[1] not in stored]
    quantize_dynamic(path, found, op_types_to_quantize=["Conv"], nodes_to_exclude=computed)
    return found


def halved(path: Path) -> Path:
    """As `impasto export --half` makes it."""
    proto = onnx.load(path)
    halved_graph(proto)
    onnx.save(proto, path.with_suffix(".half.onnx"))
    return path.with_suffix(".half.onnx")


def programs(path: Path) -> dict[str, Callable[[], Paint]]:
    """What computes a file, by name."""
    half = halved(path)
    found: dict[str, Callable[[], Paint]] = {
        f"onnxruntime {level.removeprefix('ORT_').lower()}": lambda level=level: by_onnxruntime(path, level)  # type: ignore[misc]
        for level in LEVELS
    }
    found["onnxruntime --half"] = lambda: by_onnxruntime(half, LEVELS[-1])
    found["onnxruntime int8 dynamic"] = lambda: by_onnxruntime(quantized(path), LEVELS[-1])
    if importlib.util.find_spec("openvino") is not None:
        for title, file in (("", path), (" --half", half)):
            found[f"openvino f32{title}"] = lambda file=file: by_openvino(file, "f32")  # type: ignore[misc]
            found[f"openvino default{title}"] = lambda file=file: by_openvino(file, None)  # type: ignore[misc]
    return found


def styles_of(model: Model, painting: Path | None) -> dict[str, torch.Tensor]:
    if model.any_style and painting is not None:
        return {painting.name: model.predict(scaled(read_image(painting).pixels, 512))[0]}
    return model.styles


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--photo", type=Path, nargs="+", required=True)
    a.add_argument("--painting", type=Path)
    a.add_argument("--models", nargs="+", default=["gallery", "live"])
    a.add_argument("--files", type=Path, default=Path("build/runtimes"))
    a.add_argument("--size", type=int, default=512)
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/runtimes.json"))
    args = a.parse_args()
    photos = [scaled(read_image(photo).pixels, args.size) for photo in args.photo]
    args.files.mkdir(parents=True, exist_ok=True)
    table = []
    for name in args.models:
        model, path = load_model(name), args.files / f"{name}.onnx"
        if not path.exists():
            export_onnx(model, path)
        styles = styles_of(model, args.painting)
        expected = {(s, n): model(p, v[None]).numpy() for s, v in styles.items() for n, p in enumerate(photos)}
        for program, opened in programs(path).items():
            row: dict[str, Any] = {"model": name, "program": program}
            try:
                paint = opened()
                errors = {
                    (s, n): 255 * np.abs(paint(photos[n].numpy(), styles[s][None].numpy()) - value)
                    for (s, n), value in expected.items()
                }
                means = {key: float(e.mean()) for key, e in errors.items()}
                worst = max(means, key=means.__getitem__)
                row |= {"mean": means[worst], "style": worst[0], "max": float(max(e.max() for e in errors.values()))}
            except Exception as error:  # of programs that are not ours
                row["error"] = " ".join(str(error).split())[:200]
            table.append(row)
            print(row, flush=True)
    names = ("onnxruntime", "openvino")
    versions = {d.name: d.version for d in importlib.metadata.distributions() if d.name in names}
    write(args.out, {"size": args.size, "photos": len(photos), "levels of 255": table, "versions": versions})


if __name__ == "__main__":
    main()
