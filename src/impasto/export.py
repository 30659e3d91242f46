"""Networks as ONNX files, and painting with such files by ONNX Runtime.

A file's graph is the generator: `images` `(B, 3, H, W)`, RGB in [0, 1], and `style`, a vector `(B or 1, P)`, to
`pictures` `(B, 3, H, W)` in [0, 1]; `B`, `H` and `W` are free. What else a model knows is in the file's metadata:

    impasto-model     JSON: names of the styles, the network's kind, the opset, … (`described`)
    impasto-tensors   a safetensors file in base64: the styles' vectors `styles.0`, …, and, of a model for any style,
                      what makes vectors of paintings, which PyTorch computes (`style_tensors`)
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from impasto import networks
from impasto.errors import InputError, WeightsError, unknown
from impasto.features.weights import cache_folder
from impasto.files import write_bytes
from impasto.half import halved_graph
from impasto.networks.generator import Describing, Generator
from impasto.networks.models import (
    Model,
    assembled,
    described,
    parsed_about,
    stored_generator,
    style_tensors,
)
from impasto.networks.painter import Run
from impasto.optional import needed

#: Of the operators, and of the file format that came with them; ONNX Runtime knows both since 1.14 (2023).
OPSET, FORMAT = 18, 8
ABOUT, TENSORS = "impasto-model", "impasto-tensors"
#: Sides of the pictures that the exporter looks at; no stride divides them.
EXAMPLE = (43, 53)


class _Painting(nn.Module):
    """What a file computes: a `Model` without its surroundings.

    Args:
        generator: of the model.
        style: the one vector `(1, P)` that it is to have; given with the images if None.
    """

    style: Tensor | None

    def __init__(self, generator: Generator, style: Tensor | None) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("style", style)

    def forward(self, images: Tensor, style: Tensor | None = None) -> Tensor:
        return self.generator(images, self.style if style is None else style).clamp(0, 1)


class _Measuring(nn.Module):
    """What makes the style vectors of paintings, as a graph of its own.

    Args:
        generator: of a model for any style.
    """

    def __init__(self, generator: Describing) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, paintings: Tensor) -> Tensor:
        return self.generator.moments(paintings)


def export_onnx(model: Model, path: str | os.PathLike[str], style: str | None = None, *, half: bool = False) -> None:
    """Write a model as an ONNX file.

    Args:
        model: to write; stays as it is.
        path: of the file, replaced if it is there.
        style: the name of a style that is built in, so that the file has one input, `images`; None for all of them.
        half: whether convolutions and their weights are float16; inputs and outputs are float32 all the same.

    Raises:
        InputError: if onnx or onnxscript are not installed, the model has no such style, draws noise at random, or the
            file cannot be written.
    """
    onnx = needed("onnx", "onnx")
    needed("onnxscript", "onnx")
    if isinstance(model.generator, OnnxGenerator):
        raise InputError("the model is an ONNX file already; give the model file that it was made of")
    if style is not None:
        if style not in model.styles:
            raise unknown("style", style, model.styles) if model.styles else InputError("this model has no styles")
        model = replace(model, styles={style: model.styles[style]}, any_style=False)
    proto = _graph(model, None if style is None else model.styles[style][None])
    if half:
        halved_graph(proto)
    about = described(model) | {"onnx": {"opset": OPSET, "style_size": model.generator.style_size, "half": half}}
    blob = base64.b64encode(safetensors.torch.save(style_tensors(model))).decode()
    onnx.helper.set_model_props(proto, {ABOUT: json.dumps(about), TENSORS: blob})
    write_bytes(path, proto.SerializeToString(), "the model")


def export_measure(model: Model, path: str | os.PathLike[str]) -> None:
    """Write what measures paintings as an ONNX file: `paintings` `(B, 3, H, W)`, RGB in [0, 1], to `style`, the vectors
    `(B, P)` that the model's own file takes.

    Paintings are to have the size of the training, `impasto.methods.instant.STYLE_SIDE` on the long side.

    Raises:
        InputError: if onnx or onnxscript are not installed, the model paints in its own styles only, or the file cannot
            be written.
    """
    write_bytes(path, measuring_graph(model).SerializeToString(), "the model")


def painting_graph(model: Model) -> Any:
    """The graph of `export_onnx` without the model's surroundings, as an `onnx.ModelProto`."""
    needed("onnx", "onnx")
    needed("onnxscript", "onnx")
    return _graph(model, None)


def measuring_graph(model: Model) -> Any:
    """The graph of `export_measure`, as an `onnx.ModelProto`."""
    needed("onnx", "onnx")
    needed("onnxscript", "onnx")
    if not (model.any_style and isinstance(model.generator, Describing)) or isinstance(model.generator, OnnxGenerator):
        raise InputError("this model measures no paintings: it paints in its own styles only; any does, for example")
    generator = copy.deepcopy(model.generator)
    generator.cpu().float().requires_grad_(False)
    any_size = torch.export.Dim.DYNAMIC
    free = {"paintings": {0: any_size, 2: any_size, 3: any_size}}
    return _traced(_Measuring(generator).eval(), {"paintings": torch.rand(2, 3, *EXAMPLE)}, free, "style")


def _graph(model: Model, style: Tensor | None) -> Any:
    """The model's computation as an `onnx.ModelProto`."""
    if model.generator.draws:
        way = "it makes textures here only" if model.generator.from_noise else "train one with --option noise=0"
        raise InputError(f"a {model.kind} draws noise for each size of picture, which no file can hold: {way}")
    generator = copy.deepcopy(model.generator)
    generator.cpu().float().requires_grad_(False)
    inputs: dict[str, Tensor] = {"images": torch.rand(2, 3, *EXAMPLE)}
    # Sides of any size, without names: the exporter takes names for a promise, and refuses what only seems to break it.
    any_size = torch.export.Dim.DYNAMIC
    free = {"images": {0: any_size, 2: any_size, 3: any_size}}
    if style is None:
        inputs["style"] = model.generator.plain_style()[None].cpu()
        free["style"] = {0: any_size}
    painting = _Painting(generator, None if style is None else style.cpu()).eval()
    return _traced(painting, inputs, free, "pictures")


def _traced(module: nn.Module, inputs: dict[str, Tensor], free: dict[str, Any], output: str) -> Any:
    """A module's computation as an `onnx.ModelProto`: examples of its inputs by name, and which of their sides are
    free."""
    from onnxscript import optimizer

    with _quietly():
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=[output],
            opset_version=OPSET,
            dynamic_shapes=free,
            dynamo=True,
            verbose=False,
            optimize=False,
        )
    assert program is not None
    # Not torch's whole optimization: its rewriting takes longer than all this, and what runs a file has its own.
    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    return _cleaned(program.model_proto)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what the exporter says about itself, which is nothing that a user could mend."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")  # operators of torchvision
    level, filters = logger.level, list(warnings.filters)
    logger.setLevel(logging.ERROR)
    # No catch_warnings, which in threads leaves the process's filters changed for good.
    warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
    added = next(f for f in warnings.filters if f not in filters) if warnings.filters != filters else None
    try:
        yield
    finally:
        logger.setLevel(level)
        if added in warnings.filters:
            warnings.filters.remove(added)  # type: ignore[attr-defined]


def _cleaned(proto: Any) -> Any:
    """Without the names of this machine's files, and with names that say what sides are."""
    proto.producer_name, proto.doc_string, proto.ir_version = "impasto", "", FORMAT
    del proto.graph.metadata_props[:]
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del proto.graph.value_info[:]
    for value in (*proto.graph.input, *proto.graph.output):
        del value.metadata_props[:]
        dims = value.type.tensor_type.shape.dim
        if value.name == "style":
            dims[0].dim_param = "styles" if value in proto.graph.input else "batch"
            continue
        for dim, name in zip(dims, ("batch", "", "height", "width"), strict=True):
            if name:
                dim.dim_param = name
    return proto


# Painting


def cached_run(model: Model, begin: Callable[[], None] = lambda: None) -> Run:
    """What paints with a model by ONNX Runtime; its graph is written to the cache folder when it is first needed, which
    takes half a minute; `begin` is called before.

    Raises:
        InputError: if onnx, onnxscript or onnxruntime are not installed, or the folder cannot be written.
    """
    needed("onnxruntime", "onnx")
    digest = hashlib.sha256(f"{OPSET} {torch.__version__} {model.kind} {model.generator.options}".encode())
    for source in sorted(Path(networks.__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for name, value in sorted(model.generator.state_dict().items()):
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    path = cache_folder().parent / "graphs" / f"{digest.hexdigest()[:32]}.onnx"
    if not path.exists():
        begin()
        export_onnx(model, path)
    return _known_run(path)


@lru_cache(2)
def _known_run(path: Path) -> Run:
    return onnx_run(path)


def _session(path: str | os.PathLike[str]) -> Any:
    """ONNX Runtime's session of a file, on the CPU with as many threads as torch has."""
    runtime = needed("onnxruntime", "onnx")
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}; make one with `impasto export any {Path(path).name}`")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.log_severity_level = 4  # errors are raised
    try:
        return runtime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no base of their own
        raise WeightsError(f"{path} is no ONNX file, or it is damaged: {' '.join(str(error).split())}") from error


def _run(session: Any, path: str | os.PathLike[str]) -> Run:
    taken = [i.name for i in session.get_inputs()]
    if taken not in (["images", "style"], ["images"]) or [o.name for o in session.get_outputs()] != ["pictures"]:
        raise WeightsError(f"{path} takes {', '.join(taken)}: no impasto model; make one with `impasto export`")

    def run(images: Tensor, style: Tensor) -> Tensor:
        given = {"images": images, "style": style}
        values = {n: given[n].detach().cpu().float().contiguous().numpy() for n in taken}
        return torch.from_numpy(session.run(["pictures"], values)[0]).to(images)

    return run


def onnx_run(path: str | os.PathLike[str]) -> Run:
    """What paints with the graph of an ONNX file: pictures `(B, 3, H, W)` in [0, 1] and a vector `(B or 1, P)` to
    pictures; the vector counts for nothing where a style is built in.

    Raises:
        InputError: if onnxruntime is not installed.
        WeightsError: if the file is none that `export_onnx` wrote, or is damaged.
    """
    return _run(_session(path), path)


class OnnxGenerator(Describing):
    """A generator that ONNX Runtime computes; the runtime gives no statistics away, so that there are no tiles.

    Args:
        run: the computation.
        style_size: `P`, the length of its style vector.
        twin: the same generator in PyTorch, which measures paintings; None for a model of its own styles.
    """

    held = 350.0  # measured: 113 (live) to 329 (any)

    def __init__(self, run: Run, style_size: int, twin: Generator | None = None) -> None:
        super().__init__()
        self.run, self.style_size, self.twin, self.options = run, style_size, twin, {}
        self.colors = slice(0, 0) if twin is None else twin.colors

    def forward(self, images: Tensor, style: Tensor) -> Tensor:
        return self.run(images, style)

    def moments(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        assert isinstance(self.twin, Describing)  # asked for any style only
        return self.twin.moments(images, mask)


def load_onnx(path: str | os.PathLike[str]) -> Model:
    """A model out of an ONNX file, with its styles; ONNX Runtime computes it.

    Raises:
        InputError: if onnxruntime is not installed, or there is no such file.
        WeightsError: if the file is none that `export_onnx` wrote, is damaged, or was made by a newer version.
    """
    session = _session(path)
    metadata = session.get_modelmeta().custom_metadata_map
    if ABOUT not in metadata:
        raise WeightsError(f"{path} holds no impasto model; make one with `impasto export`")
    about = parsed_about(metadata[ABOUT], path)
    try:
        tensors = safetensors.torch.load(base64.b64decode(metadata[TENSORS], validate=True))
        twin = stored_generator(about, tensors) if about["any_style"] else None
        generator = OnnxGenerator(_run(session, path), about["onnx"]["style_size"], twin)
        return assembled(about, generator, tensors)
    except (KeyError, TypeError, RuntimeError, SafetensorError, binascii.Error) as error:
        raise WeightsError(f"{path} is damaged: its styles cannot be read ({str(error).splitlines()[-1]})") from error
