"""The nodes: Load model, Instant, Optimize, Texture."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import comfy.model_management
import comfy.utils
import folder_paths
import torch
from comfy_api.v0_0_2 import ComfyExtension, io
from torch import Tensor

import impasto
from impasto.jobs.every import JOBS
from impasto.jobs.records import Note, Progress, Record

from .fields import Face, Network, Options

FOLDER = "impasto"
#: Networks that come with the package; files are beside them.
PACKAGED = ("any", "gallery", "live")
#: Of a progress bar.
TICKS = 1000
#: Seconds between previews at least, and their longest side in pixels.
EVERY, PREVIEW = 0.2, 512

folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))


class Watch:
    """Shows how far a node is, with previews, and stops it when its user does.

    Args:
        pictures: that will be made.
    """

    def __init__(self, pictures: int = 1) -> None:
        self.bar, self.pictures, self.done, self.shown = comfy.utils.ProgressBar(TICKS), pictures, 0, 0.0

    def __call__(self, record: Record) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        if isinstance(record, Note):
            logging.getLogger("impasto").warning(record.text)
        elif isinstance(record, Progress):
            if record.total:
                self._tell(record.done / record.total)
        elif isinstance(record, impasto.Step):
            self._step(record)

    def _step(self, step: impasto.Step) -> None:
        preview, now = None, time.monotonic()
        if now - self.shown > EVERY or step.done:
            preview, self.shown = ("JPEG", impasto.to_pil(step.image()[:1]), PREVIEW), now
        self._tell((step.scale - 1 + step.step / step.steps) / step.scales, preview)

    def _tell(self, part: float, preview: Any = None) -> None:
        self.bar.update_absolute(int(TICKS * (self.done + part) / self.pictures), TICKS, preview)


def device() -> str:
    """Where ComfyUI computes; the processor where impasto cannot."""
    found = str(comfy.model_management.get_torch_device())
    return found if found.partition(":")[0] in ("cpu", "cuda", "mps") else "cpu"


def pictures(batch: Tensor) -> list[Tensor]:
    """An IMAGE `(B, H, W, C)` as pictures `(C, H, W)` in [0, 1]; what other nodes let overshoot is clipped."""
    return list(batch.movedim(-1, 1).clamp(0, 1))


def masks(batch: Tensor) -> list[Tensor]:
    """A MASK `(B, H, W)` or `(H, W)` as masks `(1, H, W)` in [0, 1]."""
    return list(batch.reshape(-1, 1, *batch.shape[-2:]).clamp(0, 1))


def image(results: list[impasto.Result[Any]]) -> Tensor:
    """Results as an IMAGE `(B, H, W, 3)`, or 4 channels where the photograph is transparent."""
    found = [r.pixels if r.alpha is None else torch.cat([r.pixels, r.alpha], 1) for r in results]
    return torch.cat(found).movedim(1, -1).contiguous()


def schema(face: Face, *aliases: str) -> io.Schema:
    """A node's schema, from its job."""
    about = {"search_aliases": list(aliases)} if "search_aliases" in io.Schema.__dataclass_fields__ else {}
    return io.Schema(
        node_id=f"Impasto{face.name}",
        display_name=f"impasto {face.name}",
        category="impasto",
        description=(face.job.__doc__ or "").splitlines()[0],
        inputs=face.inputs(),
        outputs=[io.Image.Output(display_name="image")],
        **about,
    )


def options_node(face: Face) -> type[io.ComfyNode]:
    """The node of a node's further options."""

    class More(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema(
                node_id=f"Impasto{face.name}Options",
                display_name=f"impasto {face.name} options",
                category="impasto",
                description=f"All further options of impasto {face.name}.",
                inputs=face.options(),
                outputs=[Options.Output(display_name="options")],
            )

        @classmethod
        def execute(cls, **values: Any) -> io.NodeOutput:
            return io.NodeOutput(face.given(values))

    return More


def region(mask: Tensor) -> dict[str, Any]:
    """Options of a job that paints where a mask is white and keeps the photograph elsewhere."""
    return {"masks": ((1 - mask, 0),)} if bool((mask < 1).any()) else {}


def painted(face: Face, values: Mapping[str, Any], paint: Callable[[dict[str, Any], Watch], Any]) -> io.NodeOutput:
    """All photographs of a batch, each by a job of its own."""
    options = {**face.fixed, **face.given(values), "device": device()}
    photos = pictures(options.pop("content"))
    regions = masks(options.pop("masks")) if "masks" in options else []
    if len(regions) not in (0, 1, len(photos)):
        raise impasto.InputError(
            f"there are {len(regions)} masks for {len(photos)} pictures; give one, or one for each"
        )
    for name in {"style", "semantic"} & options.keys():
        options[name] = tuple(pictures(options[name]))
    if "style_masks" in options:
        options["style_masks"] = tuple((m, n) for n, m in enumerate(masks(options["style_masks"]), 1))
    watch, results = Watch(len(photos)), []
    for number, photo in enumerate(photos):
        where = region(regions[min(number, len(regions) - 1)]) if regions else {}
        results.append(paint({"content": photo, **options, **where}, watch))
        watch.done = number + 1
    return io.NodeOutput(image(results))


class LoadModel(io.ComfyNode):
    """A network that paints in one pass, opened once."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        files = [f for f in folder_paths.get_filename_list(FOLDER) if f.endswith(".safetensors")]
        return io.Schema(
            node_id="ImpastoLoadModel",
            display_name="impasto Load model",
            category="impasto",
            description="A network of impasto: a packaged one, or a file of `impasto train` in models/impasto.",
            inputs=[io.Combo.Input("name", [*PACKAGED, *files], default=PACKAGED[0])],
            outputs=[Network.Output(display_name="model")],
        )

    @classmethod
    def execute(cls, name: str) -> io.NodeOutput:
        path = name if name in PACKAGED else folder_paths.get_full_path_or_raise(FOLDER, name)
        return io.NodeOutput(impasto.load_model(path))


class Instant(io.ComfyNode):
    """Each photograph of a batch in one pass of a network."""

    face: ClassVar[Face] = Face(
        "Instant",
        JOBS["stylize"],
        ("content", "style", "style_name", "model", "masks", "strength", "size", "blend", "color"),
        fixed={"quality": "instant"},
    )

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(cls.face, "style transfer", "fast neural style", "AdaIN", "painting")

    @classmethod
    def execute(cls, **values: Any) -> io.NodeOutput:
        return painted(cls.face, values, Painting())


class Painting:
    """Paints pictures in one pass; network and paintings are opened once, as long as no mask changes."""

    def __init__(self) -> None:
        self.brush: Any = None
        self.where: Any = None

    def __call__(self, options: dict[str, Any], watch: Watch) -> impasto.Result[Any]:
        from impasto.jobs.paint import Brush
        from impasto.jobs.running import computing, fitted, resolved

        job, notes = resolved(impasto.Stylize(**options))
        with computing(job):
            if self.brush is None or self.where is not options.get("masks"):
                self.brush, self.where = Brush(job, notes), options.get("masks")
            photo = impasto.read_image(job.content)
            pixels = self.brush(photo, watch)
        for record in (*notes, Progress("painting", 1, 1)):
            watch(record)
        return impasto.Result(pixels, job, fitted(photo.alpha, pixels))


class Optimize(io.ComfyNode):
    """Each photograph of a batch, step by step."""

    face: ClassVar[Face] = Face(
        "Optimize",
        JOBS["stylize"],
        ("content", "style", "masks", "quality", "size", "steps", "content_weight", "style_weight", "color", "encoder",
         "seed"),
        without=frozenset(("instant",)),
        left_out=frozenset(("model", "style_name", "strength")),
    )  # fmt: skip

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(cls.face, "style transfer", "neural style", "Gatys")

    @classmethod
    def execute(cls, **values: Any) -> io.NodeOutput:
        return painted(cls.face, values, lambda options, watch: impasto.run(impasto.Stylize(**options), watch))


class Texture(io.ComfyNode):
    """More of a sample."""

    face: ClassVar[Face] = Face(
        "Texture",
        JOBS["texture"],
        ("sample", "model", "mask", "method", "size", "own_size", "tileable", "steps", "seed"),
    )

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(cls.face, "texture synthesis", "tileable", "seamless")

    @classmethod
    def execute(cls, **values: Any) -> io.NodeOutput:
        options = cls.face.given(values)
        samples = pictures(options.pop("sample")) if "sample" in options else [None]
        holes = masks(options.pop("mask")) if "mask" in options else [None]
        watch, results = Watch(len(samples)), []
        for number, sample in enumerate(samples):
            given = {"sample": sample, "mask": holes[min(number, len(holes) - 1)]}
            job = impasto.Texture(**options, **{n: v for n, v in given.items() if v is not None})
            results.append(impasto.run(job, watch))
            watch.done = number + 1
        return io.NodeOutput(image(results))


class Nodes(ComfyExtension):
    """What ComfyUI asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        faces = (Instant.face, Optimize.face, Texture.face)
        return [LoadModel, Instant, Optimize, Texture, *map(options_node, faces)]


async def comfy_entrypoint() -> ComfyExtension:
    """Called by ComfyUI when it loads the pack."""
    return Nodes()


__all__ = ["comfy_entrypoint"]
