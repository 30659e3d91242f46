"""Looking inside a network: `visualize` filters, activations, saliency, deconv, guided, smoothgrad, unit."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError, unknown
from impasto.jobs.base import INPUT, OptimizingJob, PictureJob
from impasto.methods.settings import AscentSettings, encoder_option
from impasto.options import ENCODERS, FILE, NUMBER, PICTURE, TEXT, UNITS, WHOLE, option

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.features import Encoder
    from impasto.jobs.records import Record, Tell
    from impasto.jobs.result import Result
    from impasto.media.image import Source
    from impasto.methods.attribution import Unit
    from impasto.optimize import Step

#: Of ImageNet.
CLASSES = 1000


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Look(PictureJob):
    """A picture of what is in a network."""

    encoder: str | Encoder = encoder_option()
    weights: str | None = option(
        None, FILE, "The encoder's weights: a file, or a folder that holds it.", group="encoder", metavar="PATH",
        decides=False,
    )  # fmt: skip

    def seen(self, job: Any) -> Tensor:
        """The picture, `(1, 3, H, W)`, for the resolved job."""
        raise NotImplementedError

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.jobs.report import manifest
        from impasto.jobs.result import Result
        from impasto.jobs.running import resolved, written

        job, notes = resolved(self)
        yield from notes
        result = Result(self.seen(job).cpu(), job, None, (), manifest(job))
        yield from written(result, 0.0)
        return result


@dataclass(frozen=True, eq=False, repr=False)
class Filters(Look):
    """The filters of the first layer as a labeled sheet."""

    name: ClassVar[str] = "visualize filters"
    example: ClassVar[str] = "impasto visualize filters -o filters.png"

    compare: tuple[str, ...] = option(
        (), ENCODERS, "Another encoder, shown below; NAME=FILE where its weights are in a file.", group="encoder",
        metavar="NAME[=FILE]",
    )  # fmt: skip

    def seen(self, job: Filters) -> Tensor:
        from impasto.features import load_encoder
        from impasto.jobs.running import open_named
        from impasto.media import gallery, stacked
        from impasto.methods.attribution import filters

        networks = [open_named(job)]
        for named in job.compare:
            name, _, weights = named.partition("=")
            networks.append(load_encoder(name, weights=weights or None, device=job.device))
        found = [[f[None] for f in filters(network)] for network in networks]
        if not job.compare:
            return gallery(found[0], [str(i) for i in range(len(found[0]))], least=48)
        pages = [gallery(kinds, [""] * len(kinds), columns=16, least=33) for kinds in found]
        return stacked(pages, [network.name for network in networks])


@dataclass(frozen=True, eq=False, repr=False)
class Activations(Look):
    """The strongest maps of a layer as a labeled sheet."""

    name: ClassVar[str] = "visualize activations"
    example: ClassVar[str] = "impasto visualize activations photo.jpg --layer relu3_1 -o maps.png"

    # fmt: off
    image: Source = option(None, PICTURE, "The picture.", group=INPUT, positional=True, required=True, metavar="IMAGE")
    _: KW_ONLY
    layer: str = option(None, TEXT, "Layer, such as relu3_1.", group=INPUT, required=True)
    count: int = option(16, WHOLE, "Number of maps, the strongest first.", group=INPUT, least=1)
    size: int = option(512, WHOLE, "Long side at which the picture is read, in pixels.", group=INPUT, least=1)
    # fmt: on

    def seen(self, job: Activations) -> Tensor:
        from impasto.jobs.running import memory_limit, open_named
        from impasto.media import gallery
        from impasto.methods.attribution import activations

        picture, limit = picture_at(job.image, job.size, job.device), memory_limit(job)
        maps, channels = activations(open_named(job), picture, job.layer, job.count, max_memory=limit)
        return gallery([m[None] for m in maps], [str(c) for c in channels])


@dataclass(frozen=True, eq=False, repr=False)
class Saliency(Look):
    """Where a unit or a class is sensitive: the gradient's magnitude (Simonyan et al. 2014)."""

    name: ClassVar[str] = "visualize saliency"
    example: ClassVar[str] = "impasto visualize saliency photo.jpg --class 207 -o saliency.png"
    kind: ClassVar[str] = "saliency"

    # fmt: off
    image: Source = option(None, PICTURE, "The picture.", group=INPUT, positional=True, required=True, metavar="IMAGE")
    unit: str | int | None = option(None, TEXT, "Unit: LAYER:CHANNEL or LAYER:CHANNEL:Y,X, such as relu5_1:17.",
        group=INPUT)
    _: KW_ONLY
    class_number: int | None = option(None, WHOLE, "Class of ImageNet, 0 to 999; needs a whole VGG.", group=INPUT,
        flag="--class", least=0, most=CLASSES - 1)
    size: int = option(224, WHOLE, "Long side at which the picture is read, in pixels.", group=INPUT, least=1)
    # fmt: on

    def __post_init__(self) -> None:
        if isinstance(self.unit, int):
            self.settle(class_number=self.unit, unit=None)
        super().__post_init__()

    def check(self) -> None:
        if (self.unit is None) == (self.class_number is None):
            raise InputError("name what to look for: either unit LAYER:CHANNEL or class N")

    def seen(self, job: Saliency) -> Tensor:
        from impasto.jobs.running import memory_limit, open_named
        from impasto.methods.attribution import Unit, attribution

        unit = Unit("logits", job.class_number) if job.class_number is not None else Unit.named(str(job.unit))
        picture = picture_at(job.image, job.size, job.device)
        network, limit = open_named(job, classifier=unit.classifier), memory_limit(job)
        return attribution(network, picture, unit, self.kind, max_memory=limit, **self.options())

    def options(self) -> dict[str, Any]:
        """Of the method."""
        return {}


@dataclass(frozen=True, eq=False, repr=False)
class Deconv(Saliency):
    """The deconvolution of a unit or a class (Zeiler and Fergus 2014)."""

    name: ClassVar[str] = "visualize deconv"
    example: ClassVar[str] = "impasto visualize deconv photo.jpg --unit relu4_1:17 -o deconv.png"
    kind: ClassVar[str] = "deconv"


@dataclass(frozen=True, eq=False, repr=False)
class Guided(Saliency):
    """The guided gradient of a unit or a class (Springenberg et al. 2014)."""

    name: ClassVar[str] = "visualize guided"
    example: ClassVar[str] = "impasto visualize guided photo.jpg --unit relu4_1:17 -o guided.png"
    kind: ClassVar[str] = "guided"


@dataclass(frozen=True, eq=False, repr=False)
class SmoothGrad(Saliency):
    """The mean gradient under noise (Smilkov et al. 2017)."""

    name: ClassVar[str] = "visualize smoothgrad"
    example: ClassVar[str] = "impasto visualize smoothgrad photo.jpg --class 207 -o smoothgrad.png"
    kind: ClassVar[str] = "smoothgrad"

    # fmt: off
    _: KW_ONLY
    samples: int = option(25, WHOLE, "Noisy copies of the picture.", group=INPUT, least=1)
    noise: float = option(0.15, NUMBER, "Noise of the copies, as a fraction of the range.", group=INPUT, least=0,
        below=10)
    seed: int = option(0, WHOLE, "Random seed of the noise.", group=INPUT, least=0)
    # fmt: on

    def options(self) -> dict[str, Any]:
        return {"samples": self.samples, "noise": self.noise, "seed": self.seed}


#: Kind -> the job that shows a gradient.
GRADIENTS: Mapping[str, type[Saliency]] = {job.kind: job for job in (Saliency, Deconv, Guided, SmoothGrad)}


@dataclass(frozen=True, eq=False, repr=False)
class Excite(OptimizingJob, AscentSettings):
    """Pictures that excite a unit, a channel, or a class, by gradient ascent."""

    name: ClassVar[str] = "visualize unit"
    example: ClassVar[str] = "impasto visualize unit relu4_1:17 -o out.png"

    # fmt: off
    units: tuple[str, ...] = option((), UNITS,
        "LAYER:CHANNEL or LAYER:CHANNEL:Y,X; several of one layer make a sheet; or a layer, with channels.",
        group=INPUT, positional=True, metavar="UNIT")
    _: KW_ONLY
    class_number: int | None = option(None, WHOLE, "Class of ImageNet, 0 to 999; needs a whole VGG.", group=INPUT,
        flag="--class", least=0, most=CLASSES - 1)
    channels: str | None = option(None, TEXT, "Channels of a layer, as a sheet: 0-15, or 3,7,9.", group=INPUT)
    diversity: int = option(1, WHOLE, "Number of different answers for one unit.", group=INPUT, least=1)
    preset: str = option("olah", TEXT, "Settings of a paper: olah, simonyan or yosinski.", group=INPUT,
        choices=("olah", "simonyan", "yosinski"))
    # fmt: on

    def usual(self) -> Mapping[str, Any]:
        from impasto.methods.presets import ASCENT_PRESETS

        if self.preset not in list(ASCENT_PRESETS):  # of JSON it may be anything
            raise unknown("preset", str(self.preset), ASCENT_PRESETS)
        preset = ASCENT_PRESETS[self.preset]()
        return {f.name: getattr(preset, f.name) for f in fields(preset)}

    def chosen(self) -> list[Unit]:
        """The units that are asked for."""
        from impasto.methods.attribution import Unit

        if (not self.units) == (self.class_number is None):
            raise InputError("name what to look for: either units LAYER:CHANNEL or class N")
        if self.channels is not None:
            if len(self.units) != 1 or ":" in self.units[0] or self.diversity > 1:
                raise InputError("channels go with one layer alone, such as: visualize unit relu4_1 --channels 0-15")
            return [Unit(self.units[0], channel) for channel in listed(self.channels)]
        if self.class_number is not None:
            return [Unit("logits", self.class_number)] * self.diversity
        found = [Unit("logits", int(u)) if u.isdecimal() else Unit.named(u) for u in self.units]
        return found * self.diversity

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.jobs.running import memory_limit, open_encoder, optimized, resolved, state_of
        from impasto.media import gallery
        from impasto.methods.ascent import ascend

        units = self.chosen()
        job, notes = resolved(self)

        def sheet(step: Step) -> Tensor:
            pictures = step.image().cpu()
            if len(units) == 1 or job.output is None:
                return pictures
            return gallery([p[None] for p in pictures], [*map(str, units)])

        network = open_encoder(job, classifier=True) if units[0].classifier else open_encoder(job)
        yield from notes
        steps = ascend(network, units, job, device=job.device, resume=state_of(job), max_memory=memory_limit(job))
        return (yield from optimized(job, self, steps, picture=sheet))


def picture_at(image: Source, size: int, device: str, at_least: int | None = None) -> Tensor:
    """A picture, `(1, 3, H, W)`, at the size at which a network looks at it; `at_least` as for `read_image`."""
    from impasto.media import read_image
    from impasto.methods.regions import check_sides, scaled

    pixels = read_image(image, at_least=at_least).pixels
    picture = scaled(pixels, size)
    check_sides("picture", pixels, picture)
    return picture.to(device)


def listed(text: str) -> list[int]:
    """`0-3,7` as numbers."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (not last or last.isdecimal())):
            raise InputError(f"channels is {text!r}; write numbers and ranges, such as 0-15 or 3,7,9")
        found += range(int(first), int(last or first) + 1)
    if not found:
        raise InputError(f"channels is {text!r}, which names none")
    return found
