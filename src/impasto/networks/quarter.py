"""A fast generator that works at a quarter and an eighth of the picture's resolution, and finishes at a half."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import unknown
from impasto.networks.conditioning import (
    ConditionalNorm,
    Conv,
    Grain,
    Mixing,
    OfWhole,
    Recorder,
    Residual,
    Slots,
    in_float32,
    mixed,
    padded,
    whole_cells,
)
from impasto.networks.generator import Describing
from impasto.networks.prediction import Prediction
from impasto.networks.transport import Front, Transport, products
from impasto.objective.statistics import Wasserstein, resized_mask
from impasto.pictures.color import OPPONENT, Gaussian

#: What a generator sees of a picture.
FRONTS = ("pixels", "lite", "both")
#: Added to deviations of the content's colors, so that a flat picture is not blown up.
RIDGE = 0.03


def color_factor(covariance: Tensor, least: float = 1e-8) -> tuple[Tensor, ...]:
    """The Cholesky factor of `(B, 3, 3)` as its six numbers `l00 l10 l11 l20 l21 l22`, `(B,)` each.

    Written out, since formats for exchange know no decomposition of matrices.
    """
    c = covariance
    l00 = c[:, 0, 0].clamp_min(least).sqrt()
    l10, l20 = c[:, 1, 0] / l00, c[:, 2, 0] / l00
    l11 = (c[:, 1, 1] - l10.square()).clamp_min(least).sqrt()
    l21 = (c[:, 2, 1] - l20 * l10) / l11
    l22 = (c[:, 2, 2] - l20.square() - l21.square()).clamp_min(least).sqrt()
    return l00, l10, l11, l20, l21, l22


def style_colors(gram: Tensor, mean: Tensor) -> Tensor:
    """What `Recolor` takes from a painting: the mean and the Cholesky factor of its colors, `(B, 9)`.

    Args:
        gram: `(B, 3, 3)` mean products of RGB values.
        mean: `(B, 3)`.
    """
    basis = torch.tensor(OPPONENT).to(mean)
    covariance = basis @ (gram - mean[:, :, None] * mean[:, None, :]) @ basis.T
    ridge = 1e-6 * torch.eye(3).to(mean)
    return torch.cat([mean @ basis.T, torch.stack(color_factor(covariance + ridge), 1)], 1)


def color_gaussian(part: Tensor) -> Gaussian:
    """The mean `(3, 1)` and covariance `(3, 3)` of RGB that nine numbers of `style_colors`, `(1, 9)`, stand for."""
    basis, own = torch.tensor(OPPONENT).double(), part[0].detach().cpu().double()
    factor = torch.zeros(3, 3).double()
    rows, columns = torch.tril_indices(3, 3)
    factor[rows, columns] = own[3:]
    factor = basis.T @ factor
    return basis.T @ own[:3, None], factor @ factor.T


class Recolor(OfWhole):
    """Gives a picture the mean and covariance of a style's colors: `x ← L_s L_c⁻¹ (x − μ_c) + μ_s` with Cholesky
    factors in a basis that has lightness first, so that what is lighter stays lighter.

    Args:
        where: in the style vector the nine numbers of `style_colors` are.
    """

    basis: Tensor
    diagonal: Tensor

    def __init__(self, where: slice) -> None:
        super().__init__()
        self.where = where
        self.register_buffer("basis", torch.tensor(OPPONENT), persistent=False)
        self.register_buffer("diagonal", torch.tensor([3, 5, 8]), persistent=False)  # of the factor

    @in_float32
    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`(B, 3, H, W)`, RGB, to the same, its values in about [0, 1]."""
        centered = x - self.of_whole("mean", x, lambda y: y.mean((2, 3), keepdim=True))
        covariance = self.basis @ self.of_whole("covariance", centered, products) @ self.basis.T
        rows = centered.flatten(2)
        l00, l10, l11, l20, l21, l22 = color_factor(covariance + RIDGE**2 * torch.eye(3).to(x), RIDGE**2)
        # L_c⁻¹ by forward substitution, `(B, 3, 3)`.
        zero, one = torch.zeros_like(l00), torch.ones_like(l00)
        a10, a21 = -l10 / l11, -l21 / l22
        inverse = torch.stack(
            [
                torch.stack([one / l00, zero, zero], 1),
                torch.stack([a10 / l00, one / l11, zero], 1),
                torch.stack([(a21 * a10 - l20 / l22) / l00, a21 / l11, one / l22], 1),
            ],
            1,
        )
        own = style[:, self.where]
        mean = own[:, :3]
        s00, s10, s11, s20, s21, s22 = own[:, 3:].chunk(6, 1)
        none = torch.zeros_like(s00)
        factor = torch.stack([torch.cat(r, 1) for r in ((s00, none, none), (s10, s11, none), (s20, s21, s22))], 1)
        matrix = self.basis.T @ factor @ inverse @ self.basis
        if self.kept is not None:  # one picture's, for a batch of its parts
            matrix = matrix.expand(len(x), 3, 3)
        matched: Tensor = torch.baddbmm((mean @ self.basis)[:, :, None], matrix, rows)
        return matched.view_as(x)

    def unbounded(self, part: Tensor) -> Tensor:
        return part.index_copy(1, self.diagonal, part[:, self.diagonal].clamp_min(1e-4).log())

    def bounded(self, part: Tensor) -> Tensor:
        return part.index_copy(1, self.diagonal, part[:, self.diagonal].exp())


def _conv(inward: int, outward: int, stride: int = 1) -> nn.Conv2d:
    """3×3; beyond the border the picture goes on as it ends, so that no frame is painted."""
    return Conv(inward, outward, 3, stride, padding=1, padding_mode="replicate")


def _folds(cell: int, x: Tensor) -> Tensor:
    """The kernel that moves the pixels of a cell to channels, or back."""
    count = 3 * cell**2
    return torch.eye(count, dtype=x.dtype, device=x.device).view(count, 3, cell, cell)


def folded(x: Tensor) -> Tensor:
    """`(B, 3, H, W)` to `(B, 48, H/4, W/4)`, of about unit size: `pixel_unshuffle`, as a convolution, which is faster
    and leaves channels last, as the one that follows likes them."""
    return F.conv2d(mixed(x).contiguous(memory_format=torch.channels_last), 4 * _folds(4, x), stride=4)


def unfolded(x: Tensor) -> Tensor:
    """`(B, 12, H, W)` to `(B, 3, 2H, 2W)`: `pixel_shuffle`, as a convolution."""
    return F.conv_transpose2d(x, _folds(2, x), stride=2)


class Bottom(nn.Module):
    """Adds to a map what a residual block finds at half of its resolution; nothing at first.

    Args:
        channels: of the map.
        width: of the block.
        slots: of the style vector.
    """

    def __init__(self, channels: int, width: int, slots: Slots) -> None:
        super().__init__()
        self.down = _conv(channels, width, stride=2)
        self.norm = ConditionalNorm(width, slots)
        self.block = Residual(width, slots, padding="replicate")
        self.up = nn.Conv2d(width, 4 * channels, 1)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, style: Tensor | Recorder) -> Tensor:
        """`(B, C, H, W)`, sides even, to the same."""
        h = self.block(torch.relu(self.norm(self.down(x), style)), style)
        added: Tensor = F.pixel_shuffle(self.up(h), 2)
        return x + added


class Quarter(Describing):
    """Pixels are folded into channels (4×4 to a position), worked on there and at half of that, and unfolded in two
    steps: in one step of 4×4 they can only be alike from cell to cell, and a grid shows.

    The picture is first given the style's colors (`Recolor`), and the result once more; the network adds the rest.
    Every normalization, a mixing of channels in each residual block, and how much of the recolored picture shines
    through are the style's.

    Args:
        fine: channels at half of the resolution.
        width: channels at a quarter of the resolution.
        deep: channels at an eighth.
        deepest: channels at a sixteenth, where one residual block adds what is large; 0 for none.
        blocks: residual blocks at an eighth.
        rank: of the mixings; 0 for none.
        front: `pixels`, or `lite`: it sees the packaged encoder's relu3_1, carried over to the style's (`Transport`);
            or `both`, of which nothing comes from the pixels at first.
        front_widths: of the convolutions of such a front.
        prediction: hidden units of what predicts the rest of a painting's vector from its moments (`Prediction`); 0
            for moments as they are.

    Raises:
        InputError: if there is no such front.
    """

    largest = 16e6

    def __init__(
        self,
        width: int = 48,
        deep: int = 96,
        blocks: int = 4,
        rank: int = 16,
        front: str = "pixels",
        fine: int = 24,
        deepest: int = 0,
        front_widths: Sequence[int] = (16, 16, 48, 32, 96),
        prediction: int = 0,
    ) -> None:
        super().__init__()
        if front not in FRONTS:
            raise unknown("front", front, FRONTS)
        slots = Slots()
        self.options: dict[str, Any] = {"width": width, "deep": deep, "blocks": blocks, "rank": rank, "front": front}
        self.options |= {"fine": fine, "deepest": deepest} | ({"prediction": prediction} if prediction else {})
        self.divisor = 16 if deepest else 8
        # Each convolution reaches one position further: front or stem, down and open, blocks, last and head.
        reach = (4 if front == "pixels" else 10) + (4 + 4) + 2 * 8 * blocks + 3 * 2
        reach += 8 + 2 * 16 if deepest else 0  # down and block of the bottom
        self.halo = whole_cells(reach, self.divisor)
        self.held = 80 + width / 2 + deep / 8 + 2 * fine + (0 if front == "pixels" else 4.0 * front_widths[0])
        self.front: Front | None = None
        self.transport: Transport | None = None
        if front == "pixels":
            self.stem = _conv(48, width)
        else:
            self.front = Front(front_widths)
            self.options["front_widths"] = list(front_widths)
            self.transport = Transport(self.front.channels, slots)
            self.stem = nn.Conv2d(self.front.channels, width, 1)
        self.pixel_stem = _conv(48, width) if front == "both" else None
        self.stem_grain, self.down_grain, self.fine_grain = Grain(width, 4), Grain(deep, 8), Grain(fine, 2)
        self.down = _conv(width, deep, stride=2)
        self.down_norm = ConditionalNorm(deep, slots)
        self.bottom = Bottom(deep, deepest, slots) if deepest else None
        self.blocks = nn.ModuleList([Residual(deep, slots, padding="replicate") for _ in range(blocks)])
        self.mixings = nn.ModuleList([Mixing(deep, slots, rank) for _ in range(blocks if rank else 0)])
        self.up = nn.Conv2d(deep, 4 * width, 1)
        self.up_norm = ConditionalNorm(width, slots)
        self.open = _conv(width, 4 * fine)
        self.open_norm = ConditionalNorm(fine, slots)
        self.last = Residual(fine, slots, padding="replicate")
        self.head = _conv(fine, 12)
        self.shine = slots.take(3)
        self.colors = slots.take(9)
        self.recolor = Recolor(self.colors)
        self.finish = Recolor(self.colors)
        self.style_size = slots.size
        #: Of the vector: all but the covariance in front and the colors at the end.
        self.inner = slice(0 if self.transport is None else self.transport.where.stop, self.colors.start)
        self.prediction = self._prediction(prediction) if prediction else None
        self._even_start()

    @torch.no_grad()
    def _even_start(self) -> None:
        """Unfolded pixels that begin alike leave no grid (Aitken et al. 2017, "Checkerboard artifact free")."""
        for conv, fold in ((self.up, 4), (self.open, 4), (self.head, 4)):
            conv.weight.copy_(conv.weight[::fold].repeat_interleave(fold, 0))
            assert conv.bias is not None
            conv.bias.zero_()
        self.head.weight.mul_(0.3)
        for value in self.pixel_stem.parameters() if self.pixel_stem is not None else ():
            value.zero_()

    def _prediction(self, hidden: int) -> Prediction:
        norms = [m.where for m in self.modules() if isinstance(m, ConditionalNorm)]
        start = self.inner.start
        scales = [slice(w.start - start, (w.start + w.stop) // 2 - start) for w in norms]
        return Prediction(self.inner.stop - start, scales, hidden)

    def seeing_pixels(self) -> Self:
        """The same with `front="both"`: `lite`'s features alone lack what is small."""
        return self.grown(front="both") if self.options["front"] == "lite" else self

    def grown(self, **options: Any) -> Self:
        """The same with other options, which add nothing at first: `rank`, `deepest` or `prediction` where there was 0.
        Its style vectors may be longer."""
        found = type(self)(**self.options | options)
        found.load_state_dict(self.state_dict(), strict=False)
        return found

    @torch.no_grad()
    def fit_prediction(self, paintings: Sequence[Tensor]) -> None:
        """Have the prediction tell paintings, `(1, 3, H, W)` each, from one another, before it is trained."""
        assert self.prediction is not None
        self.prediction.fit(torch.cat([self.moments(p) for p in paintings])[:, self.inner])

    def for_own_styles(self) -> Self:
        """The same without what only a painting's moments need."""
        return self.grown(prediction=0) if self.prediction is not None else self

    def plain_style(self) -> Tensor:
        style = torch.zeros(self.style_size)
        gray = torch.tensor([[0.25, 0.25, 0.25]])
        if self.transport is not None:
            columns = torch.arange(self.transport.channels)
            places = self.transport.index[columns, columns] + self.transport.channels
            style[self.transport.where][places] = 1.0
        style[self.colors] = style_colors(gray.T @ gray + 0.05 * torch.eye(3)[None], gray)[0]
        return style

    def first_style(self, painting: Tensor) -> Tensor:
        style = self.plain_style()
        style[self.colors] = self._colors(painting, None)[0].to(style)
        return style

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """As in torch; but the front and the prediction's code are never trained."""
        super().requires_grad_(requires_grad)
        if self.front is not None:
            self.front.requires_grad_(False)
        if self.prediction is not None:
            self.prediction.code.requires_grad_(False)
        return self

    def forward(self, images: Tensor, style: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        whole = padded(images, self.divisor)
        x = self.recolor(whole, style) - 0.5
        h = self._worked(self._seen(whole, x, style), style)
        kept = 0.5 + style[:, self.shine, None, None]
        out: Tensor = self.finish(kept * x + unfolded(self.head(h)), style)
        return out[..., :height, :width]

    def _seen(self, images: Tensor, recolored: Tensor, style: Tensor | Recorder) -> Tensor:
        """What it works on, `(B, width, H/4, W/4)`: of folded pixels `recolored`, around 0, of features of `images`, or
        both."""
        if self.front is None or self.transport is None:
            alone: Tensor = self.stem(folded(recolored))
            return alone
        found: Tensor = self.transport(self.front(images), style, self.stem)
        return found if self.pixel_stem is None else found + self.pixel_stem(folded(recolored))

    def _worked(self, x: Tensor, style: Tensor | Recorder) -> Tensor:
        """`(B, width, H/4, W/4)` to `(B, fine, H/2, W/2)`, all but the last convolution."""
        fine = torch.relu(self.stem_grain(x))
        h = torch.relu(self.down_norm(self.down_grain(self.down(fine)), style))  # (B, deep, H/8, W/8)
        if self.bottom is not None:
            h = self.bottom(h, style)
        for i, block in enumerate(self.blocks):
            h = block(h, style)
            if len(self.mixings):
                h = self.mixings[i](h, style)
        h = torch.relu(self.up_norm(F.pixel_shuffle(self.up(h), 2) + fine, style))
        h = self.fine_grain(F.pixel_shuffle(self.open(h), 2))  # (B, fine, H/2, W/2)
        found: Tensor = self.last(torch.relu(self.open_norm(h, style)), style)
        return found

    def moments(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """A painting's own vector, `(B, P)`: the moments that it has at every normalization, and its colors."""
        whole, place = padded(images, self.divisor), (int(images.shape[2]), int(images.shape[3]))
        part = None if mask is None else resized_mask(mask, place)
        recorder = Recorder(None if part is None else padded(part, self.divisor))
        self._worked(self._seen(whole, whole - 0.5, recorder), recorder)
        found = recorder.vector(self.colors.start)
        if self.prediction is not None:
            found = torch.cat([found[:, : self.inner.start], self.prediction(found[:, self.inner])], 1)
        return torch.cat([found, self._colors(images, part)], 1)

    @in_float32
    def _colors(self, images: Tensor, mask: Tensor | None) -> Tensor:
        pixels = Wasserstein().measure(images, mask).mean()
        return style_colors(pixels[:, :-1], pixels[:, -1])
