"""Image optimization: Gatys, Ecker, Bethge, "A neural algorithm of artistic style" (2015) and CVPR 2016."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from impasto.canvas import Canvas, Detail, GrayPixels, Luminance, PartlyFixed, Pixels
from impasto.canvas.partly_fixed import ALL
from impasto.errors import InputError
from impasto.features.encoder import Encoder, check_layers
from impasto.features.gray import GrayEncoder
from impasto.methods.plan import Plan, plans
from impasto.methods.regions import (
    Prepare,
    Progress,
    Region,
    StyleImage,
    all_gray,
    by_segment,
    check_shares,
    check_sides,
    divide,
    room,
    scaled,
    split_alpha,
    times,
    unchanged,
    whole,
)
from impasto.methods.settings import StylizeSettings
from impasto.methods.solvers import optimizer
from impasto.methods.targets import style_terms
from impasto.objective import Activation, Content, Term, TotalVariation, by_layer
from impasto.objective.cache import StatisticsCache
from impasto.objective.terms import TVKind
from impasto.objective.tiled import objective, whole_maps
from impasto.optimize import Goal, Stage, State, Step, StepGoals, minimize
from impasto.optimize.captured import Capture
from impasto.optimize.moving import jittered
from impasto.options import known
from impasto.pictures.color import (
    NEAR,
    Gaussian,
    color_moments,
    luma,
    match_histogram,
    match_luminance,
    match_moments,
    mixed_colors,
    with_colors,
)
from impasto.pictures.displacement import Displacement, mirrored
from impasto.pictures.resample import lanczos

#: Further terms of a stage with their weights, from its encoder and its plan.
ExtraTerms = Callable[[Encoder, Plan], Sequence[tuple[float, Term]]]


def content_term(
    encoder: Encoder,
    content: Tensor,
    layers: Iterable[str],
    convention: str = "kitov",
    workspace: float | None = None,
) -> Content:
    """The term that keeps the features of `content`, `(1, 3, H, W)`, at `layers`: the mean over them.

    With a workspace they are computed in tiles, see `whole_maps`.
    """
    targets = whole_maps(encoder, content, layers, workspace)
    return Content(targets, {name: 1 / len(targets) for name in targets}, convention)


def recolor(settings: StylizeSettings, content: Tensor | None, alpha: Tensor | None = None) -> Prepare:
    """What `settings.color` does to each painting before its style is read (Gatys et al. 2016, "Preserving color").

    Args:
        content: `(1, 3, H, W)`, RGB, [0, 1].
        alpha: how much each position of it counts, `(1, 1, H, W)`; all alike if None.
    """
    if content is None or settings.color in ("style", "painting"):
        return unchanged
    if settings.color == "histogram":
        return lambda style, weights: match_histogram(style, content, weights, alpha)
    if settings.color == "content-match":
        return lambda style, weights: match_moments(style, content, settings.color_form, weights, alpha)
    light = luma(content)
    return lambda style, weights: match_luminance(luma(style), light, weights, alpha).expand(-1, 3, -1, -1)


#: Long side at which the colors of paintings are measured at most.
COLORS_SIDE = 1024


def painting_colors(regions: Sequence[Region], size: int, near: float = NEAR) -> Callable[[Tensor], Tensor]:
    """What gives a picture `(1, 3, H, W)` the mean and covariance of its paintings' colors, region by region: those of
    all of a region's paintings together, by their shares. What no region covers stays.

    Args:
        regions: as `divided`.
        size: long side of the picture; in a smaller one the lines of a drawing are grayer.
        near: see `with_colors`.
    """

    def measured(style: StyleImage) -> Gaussian:
        opened = style.opened(long_side=min(size, COLORS_SIDE))
        sides = (int(opened.pixels().shape[-2]), int(opened.pixels().shape[-1]))
        return color_moments(opened.pixels(), None if opened.mask is None else lanczos(opened.mask, sides).clamp(0, 1))

    goals = [mixed_colors([measured(s) for s in r.styles], check_shares(r.styles)) for r in regions if r.styles]

    def recolor(picture: Tensor) -> Tensor:
        size, result = (int(picture.shape[-2]), int(picture.shape[-1])), picture
        for region, goal in zip([r for r in regions if r.styles], goals, strict=True):
            if region.mask is None:
                return with_colors(picture, goal, near=near)
            mask = lanczos(region.mask.to(picture), size).clamp(0, 1)
            if float(mask.max()) > 1e-3:
                result = result + (with_colors(picture, goal, mask, near) - picture) * mask
        return result.clamp(0, 1)

    return recolor


def start(shape: Sequence[int], content: Tensor | None, regions: Sequence[Region], settings: StylizeSettings) -> Tensor:
    """The first picture, `(1, 3, H, W)`, as `settings.init` says. A recolored one is the content in the paintings'
    colors, unless the picture shall have the content's."""
    if settings.init == "style" and regions:
        return lanczos(regions[0].styles[0].pixels(), (shape[-2], shape[-1]))
    if settings.init == "instant":
        raise InputError("init is 'instant', but no picture was given; give what impasto.methods.instant made as init")
    if settings.init == "recolored" and content is not None and settings.color in ("style", "painting"):
        return painting_colors(regions, settings.size, 0.5 / 255)(scaled(content, settings.size))
    if settings.init in ("content", "recolored") and content is not None:
        return content
    generator = torch.Generator().manual_seed(settings.seed)
    size = (1, 3, int(shape[-2]), int(shape[-1]))
    if settings.init == "gray":
        return torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) + 1e-3 / 255 * torch.randn(
            size, generator=generator
        )
    return torch.rand(size, generator=generator)


def visible(content: Tensor) -> tuple[Tensor, Tensor | None]:
    """The content's colors and opacity, see `split_alpha`.

    Raises:
        InputError: if it is transparent everywhere.
    """
    colors, alpha = split_alpha(content)
    if alpha is not None and float(alpha.max()) < 1e-3:
        raise InputError("the content is transparent everywhere: there is nothing to paint")
    return colors, alpha


def divided(regions: Sequence[Region], settings: StylizeSettings, like: Tensor) -> tuple[list[Region], Tensor | None]:
    """Regions with masks at the picture's size that overlap nowhere, and what no style covers (None if it is nothing).

    Where no mask is, regions without one are; if every region has a mask, nothing is painted there.
    """
    masked = [r for r in regions if r.mask is not None]
    if not masked:
        return list(regions), None
    size = (int(like.shape[-2]), int(like.shape[-1]))
    maps = [lanczos(r.mask.to(like), size).clamp(0, 1) for r in masked if r.mask is not None]
    masks = divide(_without_bare(masked, maps), settings.feather)
    rest = (1 - torch.stack(masks).sum(0)).clamp(0, 1)
    found = [replace(r, mask=m) for r, m in zip(masked, masks, strict=True)]
    free = [s for r in regions if r.mask is None for s in r.styles]
    if free:
        return [r for r in [*found, Region(free, rest)] if r.styles], _untouched(found)
    return [r for r in found if r.styles], _untouched([*found, Region([], rest)])


def _without_bare(regions: Sequence[Region], maps: Sequence[Tensor]) -> list[Tensor]:
    """Masks of regions, of those with styles without what regions without styles cover, unless nothing is left."""
    bare = [m for r, m in zip(regions, maps, strict=True) if not r.styles]
    if not bare:
        return list(maps)
    free = 1 - torch.stack(bare).amax(0)
    return [m * free if r.styles and (m * free).max() > 1e-3 else m for r, m in zip(regions, maps, strict=True)]


def _untouched(regions: Sequence[Region]) -> Tensor | None:
    """Where the regions without styles are."""
    bare = [r.mask for r in regions if not r.styles and r.mask is not None]
    kept = torch.stack(bare).sum(0) if bare else None
    return kept if kept is not None and kept.max() > 1e-3 else None


@torch.inference_mode(False)
def stylize(
    encoder: Encoder,
    content: Tensor | None,
    style: Tensor | Sequence[Region] | None,
    settings: StylizeSettings,
    *,
    init: Tensor | None = None,
    guide: Tensor | None = None,
    keep_content: bool = True,
    resume: State | None = None,
    cache: StatisticsCache | None = None,
    progress: Progress = lambda done, total: None,
    warmup: Encoder | None = None,
    max_memory: float | None = None,
    extra_terms: ExtraTerms = lambda encoder, plan: (),
    layer_losses: bool = False,
    capture: Capture | None = None,
    notice: Callable[[str], None] = lambda text: None,
) -> Iterator[Step]:
    """`content` painted in the manner of `style` (Gatys et al. 2016, eq. 7), coarse to fine.

    Args:
        encoder: where features come from.
        content: `(1, 3, H, W)`, RGB, [0, 1]; gives the picture its shape and, if `keep_content`, what it shows.
            None for a doodle, which has the shape of `guide`. With an opacity, `(1, 4, H, W)`, the style is that of
            the opaque part.
        style: a painting `(1, 3, H', W')`, regions with their styles, or None for a reconstruction from content alone.
            A region without styles stays as the content is, pixel for pixel.
        settings: all the rest.
        init: the picture to start from, instead of `settings.init`.
        guide: the picture's semantic map, `(1, K, h, w)` (Champandard 2016); the styles bring theirs.
        keep_content: False for a reconstruction from style alone.
        resume: see `minimize`.
        cache: of the statistics of paintings.
        progress: told after each painting that has been read.
        warmup: the encoder that makes the first `settings.warmup_steps` steps of each scale, a stage of their own.
        max_memory: bytes that the process may take; scales and paintings that need more are computed in tiles, which
            changes the picture by rounding only. None for no limit.
        extra_terms: called when a stage begins for terms to add to it, such as one that ties a frame to the one before.
            Their layers are not counted in the plan's memory.
        layer_losses: tell the losses of each term by layer, as `style.relu1_1`; the picture changes by rounding only.
        capture, notice: see `minimize`.

    Yields:
        A `Step` after each step.

    Raises:
        InputError: if something does not fit together, or not into `max_memory`.
    """
    settings = settings.resolved(encoder.name)
    for read in [encoder] if warmup is None else [encoder, warmup]:
        check_layers([*known(settings.content_layers), *known(settings.style_layers)], read.layers)
    content, alpha = (None, None) if content is None else visible(content)
    shape = content if content is not None else guide
    if shape is None:
        raise InputError("there is neither a content picture nor a semantic map to take the shape from")
    regions = whole(style)
    if guide is not None and not any(s.guide is not None for r in regions for s in r.styles):
        raise InputError("the content has a semantic map, but no style has one; give one to each")
    regions, untouched = divided(regions, settings, shape)
    if alpha is not None:
        regions = [replace(r, mask=times(alpha, r.mask)) for r in regions]
    prepare = recolor(settings, content, alpha)
    if untouched is not None and untouched.min() > 1 - ALL:
        settings = settings.changed(jitter=0)  # then the loop sees at once that nothing is to be done
    gray = settings.color == "content-luminance" and content is not None
    check_sides("content", shape, scaled(shape[:, :1], settings.sizes()[0]))

    kept = content if keep_content else None
    reads: Encoder = GrayEncoder(encoder) if gray else encoder
    goals = _GoalBuilder(kept, regions, settings, guide, prepare, cache, progress, extra_terms, layer_losses)
    stages: list[Stage] = []
    for at in plans(reads, settings, shape, max_memory, content=kept is not None, regions=regions):
        if warmup is not None and settings.warmup_steps:
            warms: Encoder = GrayEncoder(warmup) if gray else warmup
            stages.append(goals.stage(replace(at, steps=settings.warmup_steps), warms))
        stages.append(goals.stage(at, reads))
    first = init if init is not None else start(shape.shape, content, regions, settings)
    first = lanczos(first.to(shape), stages[-1 if settings.keep_detail else 0].size)
    only_gray = not gray and not settings.dream_weight and all_gray(kept, regions, prepare)
    canvas = _canvas(first, content if gray else None, only_gray, settings)
    if untouched is not None and content is not None:
        canvas = PartlyFixed(canvas, content, untouched)
    steps = minimize(
        canvas, stages, optimizer(settings), resume, average=settings.average, capture=capture, notice=notice
    )
    if settings.color != "painting" or only_gray or not regions:
        return steps
    return _recolored(steps, by_segment(regions, guide) if guide is not None else regions, settings.size)


def _canvas(first: Tensor, colored: Tensor | None, only_gray: bool, settings: StylizeSettings) -> Canvas:
    """What is optimized, from `first` on: only the lightness of the picture `colored`, only gray, or all."""
    if colored is not None:
        return Luminance(colored, first)
    if only_gray:
        return GrayPixels(first)  # colors would only be fringes
    return Detail(first) if settings.keep_detail else Pixels(first)


def _recolored(steps: Iterator[Step], regions: Sequence[Region], size: int) -> Iterator[Step]:
    """Steps that show their pictures in the paintings' colors, see `painting_colors`."""
    change = painting_colors(regions, size)
    for step in steps:
        yield step.showing(change)


@dataclass(frozen=True)
class _GoalBuilder:
    """What a picture shall be, at any size; arguments as those of `stylize`.

    Attributes:
        content: what it shall show, or None.
        prepare: done to each painting before its style is read.
    """

    content: Tensor | None
    regions: Sequence[Region]
    settings: StylizeSettings
    guide: Tensor | None
    prepare: Prepare
    cache: StatisticsCache | None
    progress: Progress
    extra_terms: ExtraTerms
    layer_losses: bool

    def stage(self, at: Plan, encoder: Encoder) -> Stage:
        return Stage(at.size, at.steps, lambda: self._goal(at, encoder))

    def _goal(self, at: Plan, encoder: Encoder) -> Goal | StepGoals:
        settings, still = self.settings, [*self._styles(at, encoder), *self.extra_terms(encoder, at)]
        picture = scaled(self.content, max(at.size)) if self.content is not None else None

        def goal(by: Displacement = (0, 0)) -> Goal:
            shown = None if picture is None else mirrored(picture, by)
            terms = [(weight, term.displaced(by, at.size)) for weight, term in still]
            terms += _other_terms(encoder, shown, settings, at.workspace)
            terms = by_layer(terms) if self.layer_losses else terms
            return objective(encoder, terms, at.workspace)

        most = room(known(settings.jitter), at.size)
        return jittered(goal, most, settings.seed) if most else goal()

    def _styles(self, at: Plan, encoder: Encoder) -> list[tuple[float, Term]]:
        size, settings = max(at.size), self.settings
        if not settings.style_weight:
            return []
        return style_terms(
            encoder,
            self.regions,
            size,
            settings,
            guide=self.guide,
            prepare=self.prepare,
            cache=self.cache,
            progress=self.progress,
            workspace=at.reader(encoder, known(settings.style_layers)),
        )


def _other_terms(
    encoder: Encoder, content: Tensor | None, settings: StylizeSettings, workspace: float | None
) -> list[tuple[float, Term]]:
    """Content, dream and smoothness as `settings` weighs them."""
    terms: list[tuple[float, Term]] = []
    if content is not None and settings.content_weight:
        term = content_term(encoder, content, known(settings.content_layers), settings.convention, workspace)
        terms.append((settings.content_weight, term))
    if settings.dream_strength:
        terms.append((settings.dream_strength, Activation.named(settings.dream, encoder.layers)))
    if settings.tv_weight:
        smooth = TotalVariation(cast(TVKind, settings.tv), settings.tv_gamma, settings.convention)
        terms.append((settings.tv_weight, smooth))
    return terms
