"""Paint a photograph in the manner of paintings: `stylize`, and doodles from maps: `doodle`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from impasto.errors import InputError
from impasto.jobs.base import COMPUTING, FILES, INPUT, OptimizingJob
from impasto.methods.patches.settings import TransferSettings
from impasto.methods.presets import QUALITIES, quality
from impasto.methods.settings import BY_NETWORK, OPTIMIZE, QUILTING, StylizeSettings, encoder_name, runtime_option
from impasto.options import (
    AUTO,
    BLEND,
    FLAG,
    MODEL,
    NAMES,
    NUMBER,
    PICTURE,
    PICTURES,
    PLACES,
    TEXT,
    option,
)

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.features import Encoder
    from impasto.jobs.records import Note, Record, Tell
    from impasto.jobs.result import Result
    from impasto.jobs.scene import Scene
    from impasto.media.image import Source
    from impasto.methods.patches.synthesis import Synthesis
    from impasto.methods.regions import Region
    from impasto.networks.models import Model
    from impasto.optimize import State
    from impasto.optimize.captured import Capture

J = TypeVar("J", "Stylize", "Doodle")
REFINED, ONE_PASS = BY_NETWORK[1:]


@dataclass(frozen=True, eq=False, repr=False)
class Stylize(OptimizingJob, TransferSettings, StylizeSettings):
    """Paint CONTENT in the manner of STYLE."""

    name: ClassVar[str] = "stylize"
    example: ClassVar[str] = "impasto stylize photo.jpg painting.jpg -o out.png"
    renamed: ClassVar[Mapping[str, str]] = {"preset": "quality", "method": "quality", "style_folder": "style"}

    # fmt: off
    content: Source = option(None, PICTURE, "The photograph; or a folder of them, painted into a folder.", group=INPUT,
        positional=True, required=True, metavar="CONTENT")
    style: tuple[Source, ...] = option((), PICTURES,
        "The painting; several are blended, and a folder stands for the average of its pictures.", group=INPUT,
        positional=True, metavar="STYLE")
    _: KW_ONLY
    quality: str = option("auto", TEXT,
        "best: optimize the picture; quick: in fewer steps, by lite; instant: one pass of a network; refined: a few "
        "steps from there; or the settings of a paper: gatys, neural-style, johnson, cnnmrf, crowsonkb, nnst, mrf, "
        "nearest; quilting: blocks of the painting, no network.", group=INPUT,
        choices=tuple(QUALITIES), auto="instant with model or style name, else best")
    blend: tuple[float, ...] = option((), BLEND,
        "Weight of each style: 0.3,0.7; of a network's own styles by name: waves=0.3,dots=0.7.", group=INPUT,
        modes=BY_NETWORK)
    masks: tuple[tuple[Source, int], ...] = option((), PLACES,
        "Mask, and the number of the style (from 1) that goes where it is white; 0 leaves the photograph there.",
        group=INPUT, flag="--mask", modes=BY_NETWORK)
    style_masks: tuple[tuple[Source, int], ...] = option((), PLACES,
        "Mask, and the number of the style (from 1) of which only the white part counts.",
        group=INPUT, flag="--style-mask", modes=BY_NETWORK)
    semantic: tuple[Source, ...] = option((), PICTURES,
        "Semantic maps in flat colors: of the photograph and of the first style; of further ones by --style-map.",
        group=INPUT, metavar="CONTENT_MAP STYLE_MAP", modes=BY_NETWORK)
    style_map: tuple[Source, ...] = option((), PICTURES, "Semantic map of the second style, the third, ….", group=INPUT,
        modes=BY_NETWORK)
    model: str | Model | None = option(None, MODEL, "Network that paints in one pass: a file, or any, gallery or live.",
        group=INPUT, modes=(ONE_PASS, REFINED), metavar="FILE")
    style_name: tuple[str, ...] = option((), NAMES, "Name of a style of the network; several are blended.", group=INPUT,
        modes=(ONE_PASS,), flag="--style")
    strength: float = option(1.0, NUMBER, "Strength of one pass: from 0, the photograph, to 1, the style.",
        group=INPUT, least=0, most=1, modes=(ONE_PASS,))
    runtime: str | None = runtime_option((ONE_PASS,))
    cache: bool = option(True, FLAG, "Keep statistics of paintings on disk.", group=FILES, decides=False,
        modes=OPTIMIZE)
    layer_losses: bool = option(False, FLAG,
        "Tell losses by layer in report and plot; the picture changes by rounding only.", group=FILES, modes=OPTIMIZE)
    cuda_graphs: bool = option(False, FLAG,
        "Record a step on a GPU and replay it, which may be faster and takes twice the memory; not with jitter.",
        group=COMPUTING, decides=False, modes=OPTIMIZE)
    # fmt: on

    def __post_init__(self) -> None:
        if isinstance(self.style, Mapping):  # a network's own styles with their shares
            self.settle(blend=dict(self.style), style=())
        if self.quality == AUTO:
            named = isinstance(self.blend, Mapping) or "=" in str(self.blend)
            one_pass = named or {"model", "style_name"} & self.given
            object.__setattr__(self, "quality", "instant" if one_pass else "best")
        super().__post_init__()

    def usual(self) -> Mapping[str, Any]:
        plain = StylizeSettings()
        preset = quality("best" if self.quality == AUTO else self.quality)
        found = {f.name: getattr(preset, f.name) for f in fields(preset)}
        found = {name: value for name, value in found.items() if value != getattr(plain, name)}
        if "steps" in self.given:
            found.pop("first_steps", None)  # of the preset's own steps
        if self.quality == "refined" and self.model not in (None, "any"):
            found["init"] = str(self.model)
        return found

    @property
    def mode(self) -> str:
        return {"instant": ONE_PASS, "refined": REFINED, "quilting": QUILTING}.get(self.quality, OPTIMIZE[0])

    @property
    def mode_shown(self) -> str:
        return f"with quality {self.quality}"

    def check(self) -> None:
        super().check()
        if isinstance(self.blend, Mapping):
            names = {**dict.fromkeys(self.style_name, 1.0), **self.blend}
            self.settle(style_name=tuple(names), blend=tuple(names.values()))
        if self.style_map:
            self.settle(semantic=(*self.semantic, *self.style_map), style_map=())
        if self.style_name and self.style:
            raise InputError("there are paintings and styles by name: give one or the other")
        if not self.style and self.mode == ONE_PASS and (self.semantic or self.style_masks):
            raise InputError("semantic maps and masks of styles belong to paintings: give paintings instead of names")
        if self.style_name and self.blend and len(self.blend) != len(self.style_name):
            raise InputError(
                f"the blend has {len(self.blend)} weights for {len(self.style_name)} styles; give one for each"
            )
        if self.quality == "refined" and not (self.model in (None, "any") or str(self.model).endswith(".safetensors")):
            raise InputError(f"refined begins with any or with a network's .safetensors file, not with {self.model}")
        self.check_style()

    def check_style(self) -> None:
        """Raise InputError if there is none."""
        if not self.style and self.mode != ONE_PASS:
            raise InputError("style is missing: give a painting, or a folder of paintings")
        folder = self.mode == QUILTING and isinstance(self.style[0], str) and Path(self.style[0]).is_dir()
        if self.mode == QUILTING and (len(self.style) > 1 or folder):
            raise InputError("quilting takes blocks of one painting: give one style")
        if self.mode == QUILTING and self.device not in (AUTO, "cpu"):
            raise InputError("quilting computes on the processor: leave device out")

    def scene(self, notes: list[Note]) -> Scene:
        """Styles, masks and maps; what is to be said of them is added to `notes`."""
        from impasto.jobs.records import Note
        from impasto.jobs.scene import Scene

        return Scene(
            self.style,
            self.blend if self.style else (),
            self.masks,
            self.style_masks,
            self.semantic,
            self.device,
            lambda text: notes.append(Note(text)),
        )

    def work(self, tell: Tell) -> Generator[Record, None, Any]:
        if isinstance(self.content, str) and Path(self.content).is_dir():
            from impasto.jobs.batch import Batch

            for name in Batch.left_out & self.given:
                raise InputError(f"{name.replace('_', ' ')} has no effect with a folder of photographs: leave it out")
            return Batch(**{name: getattr(self, name) for name in self.given}).work(tell)
        if self.mode == ONE_PASS:
            from impasto.jobs.paint import paint_records

            return paint_records(self, tell)
        if self.mode == QUILTING:
            return self._by_copying(tell)
        return optimize_records(self, tell)

    def _by_copying(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        """Of blocks of the painting."""
        from impasto.jobs.copying import copying_records
        from impasto.jobs.running import fitted
        from impasto.media import read_image
        from impasto.methods.patches.quilting import transfer
        from impasto.methods.regions import scaled
        from impasto.methods.texture import opaque_part

        photo, painting = read_image(self.content), opaque_part(read_image(self.style[0]).channels)
        content, painting = (scaled(x, self.size) for x in (photo.pixels, painting))

        def make(progress: Callable[[int, int], None]) -> Synthesis:
            made = transfer(content, painting, self, seed=self.seed, progress=progress)
            return replace(made, alpha=fitted(photo.alpha, content))

        return (yield from copying_records(self, tell, make))


@dataclass(frozen=True, eq=False, repr=False)
class Doodle(OptimizingJob, StylizeSettings):
    """A picture from a doodle: the parts of STYLE put where MAP wants them (Champandard 2016)."""

    name: ClassVar[str] = "doodle"
    example: ClassVar[str] = "impasto doodle map.png painting.jpg painting_map.png -o out.png"
    left_out: ClassVar[frozenset[str]] = frozenset(
        ("content_weight", "content_layers", "color", "color_form", "feather", "dream", "dream_weight")
    )

    # fmt: off
    map: Source = option(None, PICTURE, "What goes where, in flat colors.", group=INPUT, positional=True, required=True,
        metavar="MAP")
    style: Source = option(None, PICTURE, "The painting.", group=INPUT, positional=True, required=True, metavar="STYLE")
    style_map: Source = option(None, PICTURE, "What is what in the painting, in the same colors.", group=INPUT,
        positional=True, required=True, metavar="STYLE_MAP")
    _: KW_ONLY
    cache: bool = option(True, FLAG, "Keep statistics of paintings on disk.", group=FILES, decides=False)
    # fmt: on

    def usual(self) -> Mapping[str, Any]:
        return {"content_weight": 0.0, "scales": 3, "init": "noise"}

    @property
    def mode(self) -> str:
        return OPTIMIZE[0]

    def scene(self, notes: list[Note]) -> Scene:
        """The style and the maps."""
        from impasto.jobs.records import Note
        from impasto.jobs.scene import Scene

        semantic = (self.map, self.style_map)
        return Scene([self.style], semantic=semantic, device=self.device, notice=lambda text: notes.append(Note(text)))

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        return optimize_records(self, tell)


def optimize_records(asked: J, tell: Tell) -> Generator[Record, None, Result[J]]:
    """Optimize a picture: `impasto.methods.stylize.stylize`."""
    from impasto.jobs.records import Note, Progress
    from impasto.jobs.running import memory_limit, open_encoder, optimized, resolved, state_of
    from impasto.media import read_image
    from impasto.methods import stylize as optimization
    from impasto.objective.cache import StatisticsCache, statistics_folder

    job, notes = resolved(asked)
    photo = read_image(job.content) if isinstance(job, Stylize) else None
    picture = None if photo is None else photo.channels.to(job.device)
    scene = job.scene(notes)
    regions, guide = scene.regions(picture), scene.guide()
    first = scene.first(picture, regions, job)
    yield from notes
    job = job.resolved(encoder_name(job.encoder))
    capture = recording(job)
    network, warmup = open_encoder(job), None
    if job.warms_up:
        warmup = open_encoder(job, job.warmup_encoder)
    limit, state = memory_limit(job), state_of(job)
    shape = picture if picture is not None else guide
    assert shape is not None
    yield from estimate(network, job, shape, limit, regions, content=picture is not None, state=state)
    steps = optimization.stylize(
        network,
        picture,
        regions,
        job,
        init=first,
        guide=guide,
        resume=state,
        cache=StatisticsCache(statistics_folder()) if job.cache else None,
        progress=lambda done, total: tell(Progress("reading styles", done, total)) if total > 1 else None,
        warmup=warmup,
        max_memory=limit,
        layer_losses=isinstance(job, Stylize) and job.layer_losses,
        capture=capture,
        notice=lambda text: tell(Note(text)),
    )
    del state  # a large picture's takes memory, and the loop has it now
    return (yield from optimized(job, asked, steps, alpha=None if photo is None else photo.alpha))


def recording(job: Stylize | Doodle) -> Capture | None:
    """How steps are recorded and replayed, if they shall be.

    Args:
        job: resolved.

    Raises:
        InputError: if they cannot be.
    """
    from impasto.optimize.captured import cuda_graph

    if isinstance(job, Doodle) or not job.cuda_graphs:
        return None
    if not job.device.startswith("cuda"):
        raise InputError(f"cuda-graphs is for CUDA's GPUs, and this computes on {job.device}: leave it out")
    if job.jitter:
        raise InputError("with jitter each step has a goal of its own, and none can be replayed: add --jitter 0")
    return cuda_graph


#: Long side from which a run says beforehand what it takes.
LARGE_SIDE = 2048


def estimate(
    encoder: Encoder,
    job: StylizeSettings,
    shape: Tensor,
    limit: float | None,
    regions: Sequence[Region],
    *,
    content: bool,
    state: State | None,
) -> Iterator[Note]:
    """What a large picture, or one in tiles, will take: memory and time; nothing of others."""
    from impasto.jobs.records import Note
    from impasto.methods.plan import layers_read, plans, seconds_per_pixel

    scales = plans(encoder, job, shape, limit, content=content, regions=regions)
    last = scales[-1]
    if not last.memory or (last.workspace is None and max(last.size) < LARGE_SIDE):
        return
    each = seconds_per_pixel(encoder, layers_read(job, content))
    left = sum(at.seconds(each) * at.steps for at in scales)
    if state is not None:
        left -= sum(at.seconds(each) * at.steps for at in scales[: state.scale])
        left -= scales[state.scale].seconds(each) * state.step
    minutes = max(1, round(left / 60))
    shown = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    yield Note(
        f"{last.size[1]}x{last.size[0]} {'at once' if last.workspace is None else 'in tiles'}: about "
        f"{last.memory / 1e9:.1f} GB, {last.seconds(each):.3g} s a step x {last.steps} steps at this size, "
        f"{shown} in all"
    )
