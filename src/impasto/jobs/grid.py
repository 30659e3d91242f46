"""The figure of the paper, content to style by layers: `grid`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.jobs.base import INPUT, OptimizingJob
from impasto.methods.settings import OPTIMIZE, StylizeSettings, encoder_name
from impasto.options import NUMBERS, PICTURE, known, option

if TYPE_CHECKING:
    from impasto.jobs.records import Record, Tell
    from impasto.jobs.result import Result
    from impasto.media.image import Source


@dataclass(frozen=True, eq=False, repr=False)
class Grid(OptimizingJob, StylizeSettings):
    """Content/style ratio (columns) by depth of the style layers (rows), labeled: Gatys et al. 2015, figure 3.

    Ratios are of relative losses: 0.1 is the default balance."""

    name: ClassVar[str] = "grid"
    example: ClassVar[str] = "impasto grid photo.jpg painting.jpg -o grid.png --ratio 0.01 --ratio 0.1"
    left_out: ClassVar[frozenset[str]] = frozenset(
        ("content_weight", "style_weight", "style_layer_weights", "feather", "semantic_weight", "resume", "save_every")
    )

    # fmt: off
    content: Source = option(None, PICTURE, "The photograph.", group=INPUT, positional=True, required=True,
        metavar="CONTENT")
    style: Source = option(None, PICTURE, "The painting.", group=INPUT, positional=True, required=True, metavar="STYLE")
    _: KW_ONLY
    ratios: tuple[float, ...] = option((0.01, 0.03, 0.1, 0.3), NUMBERS,
        "Ratio of content to style weight; several make a column each.", group=INPUT, above=0, flag="--ratio")
    # fmt: on

    def usual(self) -> Mapping[str, Any]:
        return {"size": 256}

    @property
    def mode(self) -> str:
        return OPTIMIZE[0]

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.jobs.running import in_turn, open_encoder, resolved
        from impasto.media import read_image
        from impasto.methods.stylize import stylize

        job, notes = resolved(self)
        photo, painting = (read_image(p).pixels.to(job.device) for p in (job.content, job.style))
        network = open_encoder(job)
        yield from notes
        job = job.resolved(encoder_name(job.encoder))
        layers = known(job.style_layers)
        plain = StylizeSettings(**{n: getattr(job, n) for n in StylizeSettings().as_dict()})
        runs = {
            f"{layer} {ratio:g}": stylize(
                network, photo, painting, plain.changed(style_weight=1 / ratio, style_layers=layers[:depth])
            )
            for depth, layer in enumerate(layers, 1)
            for ratio in job.ratios
        }
        labels = [f"to {layer.removeprefix('relu')}" for layer in layers]
        columns = [f"content/style {ratio:g}" for ratio in job.ratios]
        return (yield from in_turn(job, runs, rows=labels, columns=columns))
