"""How papers scale their losses: as factors on the canonical ones of `docs/decisions/0002-one-convention.md`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def _one(*_: object) -> float:
    return 1.0


@dataclass(frozen=True)
class Convention:
    """How a paper scales its losses, as factors on the canonical ones; one for all pictures of a batch, or one each.

    Attributes:
        content: factor on `mean((F − P)²)`, from the target maps `P`.
        style: factor on the canonical distance of statistics, such as `‖G_x − G_a‖² / C²` with `G = F Fᵀ / M`, from
            the distances of a map of zeros, `(B or 1,)`, and the targets.
        tv: factor on the total variation per pixel, from the picture.
    """

    content: Callable[[Tensor], Tensor | float]
    style: Callable[[Tensor, Tensor], Tensor | float]
    tv: Callable[[Tensor], float] = _one


#: `relative` is ours: errors as a fraction of the target, so that weights mean the same for every encoder and layer.
#: `kitov` is canonical. `gatys`: ½ Σ (F−P)² and Σ (G−A)² / (4 N² M²) with G = F Fᵀ (2015, eq. 1 and 4; the paper's
#: style picture has the content's size, M is taken out of both Gram matrices so that it need not). `mlrg` (Syed):
#: ‖F−P‖² / (2 N M). `johnson`: ‖·‖² / (C H W) and ‖G−A‖² with G = F Fᵀ / (C H W) (2016, eq. 2 to 4), which equal the
#: canonical ones. `neural-style` (jcjohnson's program): means of (F−P)² and of (G−A)² with G = F Fᵀ / (C H W), and half
#: the sum of squared differences of values from 0 to 255.
CONVENTIONS: dict[str, Convention] = {
    "relative": Convention(
        lambda target: 1 / target.square().mean((1, 2, 3)).clamp_min(1e-12),
        lambda energy, _: 1 / energy.clamp_min(1e-12),
    ),
    "kitov": Convention(_one, _one),
    "gatys": Convention(lambda target: 0.5 * target[0].numel(), lambda *_: 0.25),
    "mlrg": Convention(lambda _: 0.5, lambda *_: 0.25),
    "johnson": Convention(_one, _one),
    "neural-style": Convention(
        _one, lambda _, target: 1 / target.shape[-1] ** 2, lambda image: 0.5 * 255**2 * image.shape[2] * image.shape[3]
    ),
}
