"""Video that holds still: each frame begins with the ones before, carried along the flow (Ruder, Dosovitskiy, Brox
2016, "Artistic style transfer for videos"), by a network in one pass or by a few steps of an optimization."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from impasto.features.encoder import Encoder
from impasto.media.flow import Estimator, View
from impasto.media.shots import thumbnail, unchanged
from impasto.methods.regions import Region
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import stylize
from impasto.methods.tie import Tie
from impasto.objective.cache import StatisticsCache
from impasto.objective.temporal import Temporal, long_term
from impasto.options import AUTO
from impasto.pictures.warp import consistency, resized_flow, resized_weights, trust, warp, warp_error

#: From a photograph `(1, 3, H, W)` to a picture of the same size.
Paint = Callable[[Tensor], Tensor]
#: Mean trust below which the frame before the last is asked, too: after a flash.
FLASH = 0.2


class Refine(Protocol):
    """What brings a frame nearer to its style, in some steps."""

    def __call__(self, photo: Tensor, start: Tensor, ties: Sequence[Temporal]) -> Tensor:
        """Args:
        photo: `(1, 3, H, W)`, RGB, [0, 1].
        start: the picture to begin with, likewise.
        ties: to frames that are painted; none for the first frame of a shot.
        """
        ...


@dataclass(frozen=True, eq=False)
class Past:
    """A frame that is painted.

    Attributes:
        view: of the photograph.
        painted: `(1, 3, H, W)`, [0, 1].
    """

    view: View
    painted: Tensor


@dataclass(frozen=True, eq=False)
class Carried:
    """A painted frame, carried to another one.

    Attributes:
        pixels: `(1, 3, H, W)`.
        weights: how far it can be trusted, `(1, 1, H, W)` in [0, 1].
        flow: from this frame to it, `(1, 2, H, W)`.
        certain: the weights of the paper, with motion boundaries, by which errors are measured; None if none are.
    """

    pixels: Tensor
    weights: Tensor
    flow: Tensor
    certain: Tensor | None


@dataclass(frozen=True, eq=False)
class Followed:
    """A frame of a video.

    Attributes:
        pixels: `(1, 3, H, W)`, [0, 1].
        error: of the warp from the frame before (`warp_error`), on the flow that was used; NaN for a shot's first.
        link: the frame before, carried to this one; None for a shot's first, and where nothing changed.
    """

    pixels: Tensor
    error: float = math.nan
    link: Carried | None = None

    def measured(self, now: Tensor, before: Tensor) -> float:
        """The warp error of other pictures of this frame and the one before."""
        if self.link is None or self.link.certain is None:
            return math.nan
        return warp_error(now, before, self.link.flow, self.link.certain)


@dataclass(frozen=True, eq=False)
class Steps:
    """`Refine` by optimization.

    Attributes:
        encoder: of the features.
        regions: the styles.
        settings: of a shot's first frame; their size is the frames'.
        frame_steps: of each frame after it, at its full size.
        weight: of the term that ties it (`Temporal`).
        cache: of the statistics of paintings.
        max_memory: see `stylize`.
    """

    encoder: Encoder
    regions: Sequence[Region]
    settings: StylizeSettings
    frame_steps: int
    weight: float
    cache: StatisticsCache | None = None
    max_memory: float | None = None

    def __call__(self, photo: Tensor, start: Tensor, ties: Sequence[Temporal]) -> Tensor:
        settings = self.settings
        if ties:
            settings = settings.changed(scales=1, steps=self.frame_steps, first_steps=AUTO)
        steps = stylize(
            self.encoder,
            photo,
            self.regions,
            settings,
            init=start,
            cache=self.cache,
            max_memory=self.max_memory,
            extra_terms=lambda encoder, plan: [(self.weight, tie) for tie in ties],
        )
        (last,) = deque(steps, maxlen=1)
        return last.image()


@dataclass
class Follower:
    """Paints the frames of a shot, one after the other.

    Attributes:
        paint: a frame by itself: what is new in it.
        motion: finds the flow between two frames.
        tie: lays the frame before over what is new; None to begin with the frame before as it is, as the paper does.
        refine: brings it nearer to the style; None for one pass.
        ago: how many frames ago those are that it is tied to: 1 is the frame before.
        hard: weights as in the paper, instead of `trust`.
        measures: the warp error of each frame.
        sampling: of frames that are carried: a mode of `warp`.
        past: painted frames of the shot, the newest last.
    """

    paint: Paint
    motion: Estimator
    tie: Tie | None = field(default_factory=Tie)
    refine: Refine | None = None
    ago: Sequence[int] = (1,)
    hard: bool = False
    measures: bool = True
    sampling: str = "spline"
    past: list[Past] = field(default_factory=list)

    def __call__(self, photo: Tensor, view: View, own: Tensor | None = None) -> Followed:
        """The next frame.

        Args:
            photo: `(1, 3, H, W)`, RGB, [0, 1].
            view: of it, for the flow; of any size.
            own: what a pass before made of it, to begin with instead of a new picture.
        """
        if self.past and unchanged(thumbnail(self.past[-1].view.gray), thumbnail(view.gray)):
            still = View(view.number, self.past[-1].view.gray)  # what moves slowly is seen to in the end
            return self._keep(still, Followed(self.past[-1].painted, 0.0))
        size = (int(photo.shape[-2]), int(photo.shape[-1]))
        links = {n: self.carried(view, self.past[-n], size) for n in self.ago if n <= len(self.past)}
        if 1 in links and len(self.past) > 1 and 2 not in links and float(links[1].weights.mean()) < FLASH:
            other = self.carried(view, self.past[-2], size)
            if float(other.weights.mean()) > float(links[1].weights.mean()):
                links = {2: other}
        found = Followed(self._painted(photo, links, own), link=links.get(1))
        if 1 in links:
            found = replace(found, error=found.measured(found.pixels, self.past[-1].painted))
        return self._keep(view, found)

    def _painted(self, photo: Tensor, links: Mapping[int, Carried], own: Tensor | None) -> Tensor:
        if not links:
            start = self.paint(photo) if own is None else own
            return start if self.refine is None else self.refine(photo, start, ())
        nearest = links[min(links)]
        if own is not None:
            start = (own + nearest.weights * nearest.pixels) / (1 + nearest.weights)
        elif self.tie is None:
            start = nearest.pixels
        else:
            start = self.tie(self.paint(photo), nearest.pixels, nearest.weights)
        start = start.clamp(0, 1)
        if self.refine is None:
            return start
        weights = long_term({n: link.weights for n, link in links.items()})
        held = {n: link.pixels if self.tie is None else self.tie.held(link.pixels, start) for n, link in links.items()}
        return self.refine(photo, start, [Temporal(held[n], weights[n]) for n in links])

    def carried(self, view: View, past: Past, size: tuple[int, int]) -> Carried:
        """A painted frame, carried to one of `(H, W)` with that view."""
        motion, like = self.motion(view, past.view), past.painted
        backward, forward = (
            torch.from_numpy(f.transpose(2, 0, 1).copy())[None].to(like) for f in (motion.backward, motion.forward)
        )
        # At the size of the views: fine weights, made smaller, hold twice as well as weights of smaller flows.
        weights = certain = consistency(backward, forward) if self.hard or self.measures else None
        if not self.hard or weights is None:
            now, before = (torch.from_numpy(v.gray)[None, None].to(like) / 255 for v in (view, past.view))
            weights = trust(backward, forward, now, before)
        weights, flow = resized_weights(weights, size), resized_flow(backward, size)
        certain = None if certain is None else resized_weights(certain, size)
        return Carried(warp(like, flow, self.sampling), weights, flow, certain)

    def _keep(self, view: View, found: Followed) -> Followed:
        self.past = [*self.past, Past(view, found.pixels)][-max(2, *self.ago) :]
        return found
