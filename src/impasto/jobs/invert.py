"""What an encoder keeps of a picture: `invert` (features at a layer) and `reconstruct` (content or style alone)."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import INPUT, OptimizingJob
from impasto.methods.settings import OPTIMIZE, InversionSettings, StylizeSettings, encoder_name
from impasto.options import FLAG, NAMES, PICTURE, TEXT, known, option

if TYPE_CHECKING:
    from impasto.jobs.records import Record, Tell
    from impasto.jobs.result import Result
    from impasto.media.image import Source

#: The modes: one picture, or a strip of all layers.
ONE, STRIP = "", "all layers"


@dataclass(frozen=True, eq=False, repr=False)
class Invert(OptimizingJob, InversionSettings):
    """Reconstruct IMAGE from its features at one layer (Mahendran and Vedaldi 2015)."""

    name: ClassVar[str] = "invert"
    example: ClassVar[str] = "impasto invert photo.jpg --layer relu4_2 -o out.png"

    # fmt: off
    image: Source = option(None, PICTURE, "The picture to reconstruct.", group=INPUT, positional=True, required=True,
        metavar="IMAGE")
    _: KW_ONLY
    all_layers: bool = option(False, FLAG, "A labeled sheet of every layer instead, from shallow to deep.", group=INPUT)
    # fmt: on

    def check(self) -> None:
        super().check()
        _check_strip(self, "layer")

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.features.classifier import CLASSIFIER_LAYERS
        from impasto.features.loading import has_classifier
        from impasto.features.registry import ENCODERS
        from impasto.jobs.running import in_turn, memory_limit, open_encoder, optimized, resolved, state_of
        from impasto.media import read_image
        from impasto.methods.inversion import invert

        job, notes = resolved(self)
        name = encoder_name(job.encoder)
        photo = read_image(job.image)
        pixels = photo.pixels.to(job.device)
        whole = job.classifier or (job.all_layers and has_classifier(name, job.weights))
        network = open_encoder(job, classifier=True) if whole else open_encoder(job)
        yield from notes
        if not job.all_layers:
            steps = invert(network, pixels, job, resume=state_of(job), max_memory=memory_limit(job))
            return (yield from optimized(job, self, steps, alpha=photo.alpha))
        layers = [*network.layers]
        if name in ENCODERS:
            layers = [n for n in layers if n.startswith(("relu", "pool")) or n in CLASSIFIER_LAYERS]
        runs = {layer: invert(network, pixels, job.changed(layer=layer, all_layers=False)) for layer in layers}
        return (yield from in_turn(job, {"the picture": pixels, **runs}))


@dataclass(frozen=True, eq=False, repr=False)
class Reconstruct(OptimizingJob, StylizeSettings):
    """What an encoder keeps of IMAGE: reconstruct it from noise, from its content or its style alone."""

    name: ClassVar[str] = "reconstruct"
    example: ClassVar[str] = "impasto reconstruct painting.jpg --from style -o out.png"
    left_out: ClassVar[frozenset[str]] = frozenset(
        ("content_layers", "style_layers", "style_layer_weights", "content_weight", "color", "color_form", "feather")
    ) | {"style_rotations", "semantic_weight", "dream", "dream_weight", "balance"}

    # fmt: off
    image: Source = option(None, PICTURE, "The picture to reconstruct.", group=INPUT, positional=True, required=True,
        metavar="IMAGE")
    _: KW_ONLY
    source: str = option("content", TEXT, "What is reconstructed: content or style.", group=INPUT, flag="--from",
        choices=("content", "style"))
    layer: tuple[str, ...] = option((), NAMES, "Layer to reconstruct from; several are fitted together.", group=INPUT)
    all_layers: bool = option(False, FLAG, "A labeled sheet of every layer instead, from shallow to deep.", group=INPUT)
    # fmt: on

    def usual(self) -> Mapping[str, Any]:
        return {"init": "noise"}

    @property
    def mode(self) -> str:
        return OPTIMIZE[0]

    def check(self) -> None:
        super().check()
        _check_strip(self, "layer")
        if self.layer:
            object.__setattr__(self, f"{self.source}_layers", self.layer)

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.jobs.running import in_turn, open_encoder, optimized, resolved, state_of
        from impasto.media import read_image
        from impasto.methods.stylize import stylize

        job, notes = resolved(self)
        is_style = job.source == "style"
        photo = read_image(job.image)
        pixels = photo.pixels.to(job.device)
        network = open_encoder(job)
        yield from notes
        job = job.resolved(encoder_name(job.encoder))
        painting = pixels if is_style else None
        if not job.all_layers:
            steps = stylize(network, pixels, painting, job, keep_content=not is_style, resume=state_of(job))
            return (yield from optimized(job, self, steps, alpha=photo.alpha))
        layers = known(job.style_layers if is_style else job.content_layers)
        sets = [layers[: i + 1] for i in range(len(layers))] if is_style else [(layer,) for layer in layers]
        runs = {
            one[-1] if len(one) == 1 else f"to {one[-1]}": stylize(
                network, pixels, painting, job.changed(layer=one, all_layers=False), keep_content=not is_style
            )
            for one in sets
        }
        return (yield from in_turn(job, {"the picture": pixels, **runs}))


def _check_strip(job: Invert | Reconstruct, layer: str) -> None:
    unfit = job.given & {layer, "resume", "save_every"} if job.all_layers else ()
    if unfit:
        raise InputError(f"all layers goes through every layer; leave out {' and '.join(sorted(unfit))}")
