"""The folder: page, runtime, graphs and weights."""

from __future__ import annotations

import hashlib
import json
import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from impasto.export import measuring_graph, painting_graph
from impasto.files import write_bytes
from impasto.networks.models import Model
from impasto.tab.rows import with_fewer_products
from impasto.tab.runtime import ORT, PACKAGES, runtime_files

#: Smaller constants stay in the graphs.
LEAST = 64
#: Where the service worker's source has the list of what it keeps.
KEPT = '{ key: "", files: [] }'


@dataclass
class Halves:
    """Weights in half precision that several graphs share.

    Attributes:
        file: the name by which graphs ask for it.
        data: all of them.
        known: where in it, by hash.
    """

    file: str
    data: bytearray = field(default_factory=bytearray)
    known: dict[bytes, int] = field(default_factory=dict)

    def move(self, proto: Any) -> bytes:
        """A graph's bytes without its weights: those that are halves, as all in model files are, are here."""
        from onnx import TensorProto, helper, numpy_helper

        kept: list[Any] = []
        casts: list[Any] = []
        for value in proto.graph.initializer:
            numbers = numpy_helper.to_array(value)
            with np.errstate(over="ignore"):
                halves = numbers.astype(np.float16) if value.data_type == TensorProto.FLOAT else None
            if halves is None or halves.size < LEAST or not np.array_equal(halves, numbers):
                kept.append(value)
                continue
            own = TensorProto(name=f"{value.name}.half", data_type=TensorProto.FLOAT16, dims=value.dims)
            own.data_location = TensorProto.EXTERNAL
            place = {"location": self.file, "offset": self._place(halves.tobytes()), "length": halves.nbytes}
            for key, entry in place.items():
                own.external_data.add(key=key, value=str(entry))
            kept.append(own)
            casts.append(helper.make_node("Cast", [own.name], [value.name], to=TensorProto.FLOAT))
        nodes = [*casts, *proto.graph.node]
        del proto.graph.initializer[:], proto.graph.node[:]
        proto.graph.initializer.extend(kept)
        proto.graph.node.extend(nodes)
        data: bytes = proto.SerializeToString()
        return data

    def _place(self, data: bytes) -> int:
        place = self.known.setdefault(hashlib.sha256(data).digest(), len(self.data))
        if place == len(self.data):
            self.data += data
        return place


def planes(data: bytes, width: int) -> bytes:
    """Numbers of `width` bytes with their first bytes first, then their second ones, …: these compress better."""
    return np.frombuffer(data, np.uint8).reshape(-1, width).T.tobytes()


def write_site(
    models: Mapping[str, tuple[Model, Any]], folder: str | Path, runtime: str | None = None
) -> Iterator[tuple[int, int, str]]:
    """Write a folder with a page that paints with `models`.

    Args:
        models: by name: each with what a manifest calls it. The first for any style measures paintings.
        folder: is made if it is not there.
        runtime: see `runtime_files`.

    Yields:
        How many graphs are done, of how many, and which comes next.

    Raises:
        InputError: if the runtime or a package is missing, or a file cannot be written.
    """
    graphs = [(name, kind) for name, (m, _) in models.items() for kind in ("paints", "measures")[: 1 + m.any_style]]
    yield 0, len(graphs), f"{ORT.name} {ORT.version}"
    site = _page() | _runtime(runtime_files(runtime))
    halves = {name: Halves(f"{name}.weights") for name in models}
    for done, (name, kind) in enumerate(graphs):
        yield done, len(graphs), f"the graph of {name} that {kind}: half a minute"
        graph = (painting_graph if kind == "paints" else measuring_graph)(models[name][0])
        with_fewer_products(graph)
        site[f"{name}{'' if kind == 'paints' else '.measure'}.onnx.xz"] = _packed(halves[name].move(graph))
    about = []
    for name, (model, called) in models.items():
        site[f"{name}.weights.xz"] = _packed(planes(bytes(halves[name].data), 2))
        vectors = b"".join(vector.detach().cpu().float().numpy().tobytes() for vector in model.styles.values())
        site[f"{name}.styles.xz"] = _packed(planes(vectors, 4))
        styles = [{"name": n, "thumbnail": model.thumbnails.get(n, "")} for n in model.styles]
        colors = range(model.generator.style_size)[model.generator.colors if model.any_style else slice(0)]
        first = colors.start if colors else None  # of nine numbers of a style vector
        about.append({"name": name, "model": called, "any": model.any_style, "colors": first, "styles": styles})
    whole = {"impasto": version("impasto"), "runtime": f"{ORT.name} {ORT.version}", "models": about}
    site["site.json"] = json.dumps(whole).encode()
    site["sw.js"] = _service_worker(site)
    for file, data in site.items():
        write_bytes(Path(folder) / file, data, "the page")


def _packed(data: bytes) -> bytes:
    # The page's decompressor knows no other check, and takes as much memory as the dictionary has: 8 MB.
    return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, 6)


def _page() -> dict[str, bytes]:
    """The page's own files; its looks are the studio's."""
    here, studio = files("impasto") / "tab" / "page", files("impasto") / "web" / "page"
    found = {file.name: file.read_bytes() for file in here.iterdir() if file.is_file()}
    found["tab.css"] = (studio / "page.css").read_bytes() + found["tab.css"]
    return found | {"icon.svg": (studio / "icon.svg").read_bytes()}


def _runtime(found: Mapping[str, bytes]) -> dict[str, bytes]:
    """The runtime as the page takes it: what is large compressed, and the decompressor as a module."""
    named = {"ort.js": found["ort.wasm.min.mjs"], "ort-threads.js": found["ort-wasm-simd-threaded.mjs"]}
    named["ort.wasm.xz"] = _packed(found["ort-wasm-simd-threaded.wasm"])
    before = b"const module = {}, exports = {}, require = () => globalThis;\n"
    named["xz.js"] = before + found["xz-decompress.min.js"] + b"\nexport const { XzReadableStream } = module.exports;\n"
    lines = [f"{p.name} {p.version}: {p.license}" for p in PACKAGES]
    return named | {"licenses.txt": "\n".join((f"impasto {version('impasto')}: Apache-2.0", *lines, "")).encode()}


def _service_worker(site: Mapping[str, bytes]) -> bytes:
    """With the list of what it keeps, and a key that changes with any of it."""
    kept = sorted(set(site) - {"sw.js", "licenses.txt"})
    digest = hashlib.sha256(site["sw.js"])
    for name in kept:
        digest.update(name.encode() + hashlib.sha256(site[name]).digest())
    listed = json.dumps({"key": digest.hexdigest()[:16], "files": kept})
    return site["sw.js"].decode().replace(KEPT, listed).encode()
