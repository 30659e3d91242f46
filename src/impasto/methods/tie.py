"""What makes a video hold still in one pass: each frame takes from the one before what can be trusted.

A network paints every frame anew, so its grain jumps. The picture before, carried along the flow, is laid over the new
one as far as it can be trusted; held within what the new picture has nearby, so that nothing old stays where it does
not belong (as temporal antialiasing does it: Karis 2014); and sharpened as far as it was blurred by being carried on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Tie:
    """How a frame takes from the one before.

    Attributes:
        share: of what was before, where it can be trusted altogether: 0, nothing, up to 1.
        firm: how decided the choice between the two is: 1 mixes them by trust, which takes contrast from both; more
            goes over from the one to the other in a narrower band around a trust of one half.
        reach: of the neighborhood, as a part of the long side.
        spread: standard deviations of it within which the picture before is held.
        keep: of the fine differences of the new picture, so much is brought back where they were lost.
        most: how many times fine differences are raised at most; 1 for not at all.
        settle: of what the mean color is apart from the new picture's, so much is made good in each frame, so that a
            film becomes neither darker nor lighter.
    """

    share: float = 0.97
    firm: float = 4.0
    reach: float = 0.016
    spread: float = 3.0
    keep: float = 0.9
    most: float = 1.5
    settle: float = 0.25

    def __call__(self, new: Tensor, carried: Tensor, trust: Tensor) -> Tensor:
        """The frame, `(1, 3, H, W)` in [0, 1].

        Args:
            new: as the network paints it, `(1, 3, H, W)`.
            carried: the frame before, warped.
            trust: `(1, 1, H, W)` in [0, 1].
        """
        old, fresh = trust**self.firm, (1 - trust) ** self.firm
        mixed = torch.lerp(new, self.held(carried, new), self.share * old / (old + fresh))
        mixed = self.sharpened(mixed, new) if self.most > 1 else mixed
        apart = new.mean((2, 3), keepdim=True) - mixed.mean((2, 3), keepdim=True)
        return (mixed + self.settle * apart).clamp_(0, 1)

    def held(self, carried: Tensor, new: Tensor) -> Tensor:
        """`carried` within mean ± deviations of the neighborhood in `new`."""
        mean, square = (nearby(m, self._radius(new)) for m in (new, new * new))
        within = self.spread * (square - mean * mean).clamp_min_(0).sqrt_()
        return torch.clamp(carried, enlarged(mean - within, new), enlarged(mean + within, new))

    def sharpened(self, mixed: Tensor, new: Tensor) -> Tensor:
        """`mixed` with the fine differences of its light as strong as they are nearby in `new`, and no more."""
        pair = torch.cat([(m[:, :1] + m[:, 1:2]).add_(m[:, 2:]).div_(3) for m in (mixed, new)])
        fine = pair - softened(softened(pair, 2), 3)
        ours, theirs = nearby(fine.square(), self._radius(new)).chunk(2)
        gain = (self.keep * ((theirs + 1e-8) / (ours + 1e-8)).sqrt_()).clamp_(1, self.most)
        return mixed + enlarged(gain - 1, new) * fine[:1]

    def _radius(self, new: Tensor) -> int:
        return max(2, round(self.reach * max(new.shape[-2:])))


def softened(maps: Tensor, along: int) -> Tensor:
    """A blur by (1, 2, 1) / 4, twice, along a dimension; borders stay as they are."""
    size = maps.shape[along]
    for _ in range(2):
        inner = maps.narrow(along, 0, size - 2) + maps.narrow(along, 2, size - 2)
        inner = inner.mul_(0.25).add_(maps.narrow(along, 1, size - 2), alpha=0.5)
        maps = torch.cat([maps.narrow(along, 0, 1), inner, maps.narrow(along, size - 1, 1)], along)
    return maps


def nearby(maps: Tensor, radius: int) -> Tensor:
    """Means over squares of about `2 · radius + 1` pixels within the picture, at a lower resolution."""
    stride = max(1, radius // 2)
    small = F.avg_pool2d(maps, stride, ceil_mode=True, count_include_pad=False)
    reach = max(1, round(radius / stride))
    rows = F.avg_pool2d(small, (2 * reach + 1, 1), 1, (reach, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, 2 * reach + 1), 1, (0, reach), count_include_pad=False)


def enlarged(small: Tensor, like: Tensor) -> Tensor:
    """Maps of a lower resolution at that of `like`; one by one, which torch does in half of the time."""
    maps = small.flatten(0, 1)[:, None]
    found = F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)
    return found.view(*small.shape[:2], *like.shape[-2:])
