"""In tiles: the same loss, parts and gradient as at once, whatever the size, the statistic, the mask and the tile."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.features import ModuleEncoder, load_encoder
from impasto.features.gray import GrayEncoder
from impasto.features.variants import Normalization
from impasto.features.vgg import VGG
from impasto.media import read_image
from impasto.methods.regions import scaled
from impasto.objective import Activation, Content, Match, Objective, Style, Term, TotalVariation
from impasto.objective.matching import NEAREST
from impasto.objective.statistics import Gram, Moments, Statistic, Wasserstein
from impasto.objective.tiled import TiledObjective, measured, tiles, whole_maps

STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
#: The statistics that come with impasto.
STATISTICS: dict[str, Statistic] = {"gram": Gram(), "wasserstein": Wasserstein(), "moments": Moments()}
CONTENT = ("conv2_2", "relu3_2", "pool3")
SIZES = ((40, 40), (41, 67), (19, 130), (131, 23))


def toy(pooling: str = "max") -> VGG:
    """Four blocks with fixed random weights, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        widths = ((4, 4), (5, 6), (6, 6, 6), (8, 8))
        network = VGG(widths, Normalization((0.5,) * 3, (0.25,) * 3), pooling=pooling, name="toy")  # type: ignore[arg-type]
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return network.double().eval().requires_grad_(False)


def terms(encoder: VGG, image: Tensor, kind: str, *, masks: bool = False) -> list[tuple[float, Term]]:
    """One of each kind of term; with masks two styles, each in its part of the picture."""
    statistic, painting = STATISTICS[kind], torch.rand(1, 3, 50, 44).to(image) ** 2
    part = torch.linspace(0, 1, image.shape[-1]).to(image).expand(1, 1, 30, -1).contiguous()
    targets = measured(encoder, painting, STYLE, statistic)
    maps = whole_maps(encoder, torch.rand(image.shape).to(image), CONTENT)
    return [
        *[
            (share, Style(targets, dict.fromkeys(STYLE, 0.25), "relative", statistic, mask))
            for share, mask in ((6.0, part), (4.0, 1 - part))[: 2 if masks else 1]
        ],
        (1.0, Content(maps, dict.fromkeys(CONTENT, 0.5), "relative")),
        (0.1, TotalVariation()),
        (0.3, Activation("relu2_2", 3)),
        (0.0, Activation("relu4_2")),
    ]


def both(encoder: VGG, found: list[tuple[float, Term]], image: Tensor, workspace: float) -> list[tuple[Tensor, Tensor]]:
    """Loss and gradient at once and in tiles; the parts are compared here."""
    results, named = [], []
    for goal in (Objective(encoder, found), TiledObjective(encoder, found, workspace)):
        pixels = image.clone().requires_grad_()
        loss, parts = goal(pixels)
        (gradient,) = torch.autograd.grad(loss, pixels)
        results.append((loss.detach(), gradient))
        named.append(parts)
    torch.testing.assert_close(named[1], named[0])
    torch.testing.assert_close(sum(named[1].values()), results[1][0])
    return results


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", STATISTICS)
@pytest.mark.parametrize("masks", [False, True])
def test_a_tiled_objective_equals_the_whole_one(kind: str, size: tuple[int, int], masks: bool) -> None:
    torch.manual_seed(1)
    encoder, image = toy(), torch.rand(1, 3, *size, dtype=torch.float64)
    assert len(tiles(encoder.spans(STYLE, size)[0], size, 1e4)) > 3
    (loss, gradient), (tiled_loss, tiled_gradient) = both(encoder, terms(encoder, image, kind, masks=masks), image, 1e4)
    torch.testing.assert_close(tiled_loss, loss, rtol=1e-10, atol=0)
    torch.testing.assert_close(tiled_gradient, gradient, rtol=1e-8, atol=1e-10 * gradient.abs().max().item())


@pytest.mark.parametrize("workspace", [1.0, 3e4, 1e5, 1e9])
def test_the_size_of_tiles_changes_nothing_also_for_a_batch_and_average_pooling(workspace: float) -> None:
    torch.manual_seed(2)
    encoder, image = toy("avg"), torch.rand(2, 3, 45, 38, dtype=torch.float64)
    (_, gradient), (_, tiled) = both(encoder, terms(encoder, image, "gram"), image, workspace)
    torch.testing.assert_close(tiled, gradient, rtol=1e-8, atol=1e-10 * gradient.abs().max().item())


def test_an_encoder_in_gray_can_be_tiled() -> None:
    torch.manual_seed(3)
    encoder, image = GrayEncoder(toy()), torch.rand(1, 3, 45, 38, dtype=torch.float64)
    (_, gradient), (_, tiled) = both(encoder, terms(encoder, image, "moments"), image, 1e4)  # type: ignore[arg-type]
    torch.testing.assert_close(tiled, gradient, rtol=1e-8, atol=1e-10 * gradient.abs().max().item())


def test_an_objective_of_the_image_alone_needs_no_tiles() -> None:
    image = torch.rand(1, 3, 9, 7, dtype=torch.float64)
    (_, gradient), (_, tiled) = both(toy(), [(2.0, TotalVariation())], image, 1e4)
    torch.testing.assert_close(tiled, gradient)


def test_the_gradient_is_scaled_by_what_comes_after_the_loss() -> None:
    encoder, image = toy(), torch.rand(1, 3, 40, 40, dtype=torch.float64, requires_grad=True)
    loss, _ = TiledObjective(encoder, terms(encoder, image.detach(), "gram"), 1e4)(image)
    once, thrice = (torch.autograd.grad(k * loss, image, retain_graph=True)[0] for k in (1, 3))
    torch.testing.assert_close(thrice, 3 * once)


def test_statistics_and_maps_in_tiles_equal_those_of_the_whole_picture() -> None:
    torch.manual_seed(4)
    encoder, image, mask = toy(), torch.rand(1, 3, 61, 47).double(), torch.rand(1, 1, 20, 30).double()
    for kind in STATISTICS.values():
        torch.testing.assert_close(
            measured(encoder, image, STYLE, kind, mask, 1e4), measured(encoder, image, STYLE, kind, mask)
        )
    torch.testing.assert_close(whole_maps(encoder, image, CONTENT, 1e4), dict(encoder(image, CONTENT)))


@pytest.mark.parametrize("size", [*SIZES, (16, 16), (8, 500), (1024, 1024)])
@pytest.mark.parametrize("workspace", [1.0, 1e5, 1e6])
def test_tiles_cover_each_cell_once_and_keep_to_the_grid(size: tuple[int, int], workspace: float) -> None:
    for span in toy().spans(STYLE, size):
        found = tiles(span, size, workspace)
        rows, columns = (list(dict.fromkeys(sides)) for sides in ([t.rows for t in found], [t.columns for t in found]))
        assert [(t.rows, t.columns) for t in found] == list(itertools.product(rows, columns))
        for sides, length in zip((rows, columns), size, strict=True):
            assert [i for side in sides for i in range(side.start, side.stop)] == list(range(length))
            for side in sides:
                assert side.start % span.unit == 0 and side.low % span.unit == 0 and side.stop > side.start
                assert side.low in (0, side.start - span.halo)
                assert side.high in (side.length, side.stop + span.halo)
        size = (size[0] >> span.output.halvings, size[1] >> span.output.halvings)


@pytest.mark.parametrize("kind", STATISTICS)
def test_the_packaged_encoder_on_a_picture(shared: Path, kind: str) -> None:
    """To rounding in double precision. In single, rounding turns a maximum or a ReLU over here and there, which moves
    the gradient of the whole picture by as much (2e-3 here, against the one in double)."""
    figures, statistic = shared / "data" / "seed_figures", STATISTICS[kind]
    image, painting = (scaled(read_image(figures / n).pixels, 131) for n in ("tubingen.jpg", "starry_night.jpg"))
    layers = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    for kind_of_number, most in ((torch.float64, 1e-9), (torch.float32, 1e-2)):
        encoder = load_encoder("lite").to(kind_of_number)  # type: ignore[attr-defined]
        targets = measured(encoder, painting.to(kind_of_number), layers, statistic)
        style = Style(targets, dict.fromkeys(layers, 0.2), "relative", statistic)
        (_, gradient), (_, tiled) = both(encoder, [(1.0, style)], image.to(kind_of_number), 5e6)
        assert (tiled - gradient).norm() < most * gradient.norm()


def test_borders_of_tiles_are_like_elsewhere() -> None:
    """The gradient's magnitude on the first rows and columns of tiles is its magnitude inside of them."""
    torch.manual_seed(5)
    encoder, image = toy(), torch.rand(1, 3, 256, 256, dtype=torch.float64)
    found = [term for term in terms(encoder, image, "gram") if term[1].name == "style"]
    _, (_, gradient) = both(encoder, found, image, 4e5)
    grid = tiles(encoder.spans(STYLE, (256, 256))[0], (256, 256), 4e5)
    border = torch.zeros(256, dtype=torch.bool)
    border[
        [s for tile in grid for side in (tile.rows, tile.columns) for s in (side.start, side.start - 1) if s > 0]
    ] = True
    assert 20 < border.sum() < 128
    inside = torch.zeros_like(border)
    inside[4:-4] = True
    size = gradient.abs().mean((0, 1))[inside][:, inside]
    seam = (border[:, None] | border)[inside][:, inside]
    assert math.isclose(size[seam].mean(), size[~seam].mean(), rel_tol=0.02)


def test_what_cannot_be_tiled_is_refused_in_a_line() -> None:
    encoder, image = toy(), torch.rand(1, 3, 40, 40).double()
    maps = [encoder(image, ["relu2_1"])["relu2_1"]]
    bank = NEAREST.bank(maps, [1.0], [None], [None])
    match = Match({"relu2_1": bank}, {"relu2_1": 1.0}, NEAREST)
    with pytest.raises(InputError, match=r"style term compares whole maps.*gram, moments or wasserstein"):
        TiledObjective(encoder, [(1.0, match)], 1e6)
    TiledObjective(encoder, [(0.0, match)], 1e6)
    foreign = ModuleEncoder(torch.nn.Conv2d(3, 4, 3), [""], name="mine")
    with pytest.raises(InputError, match=r"encoder mine cannot be run in tiles"):
        whole_maps(foreign, image, [""], 1e6)
    encoder.padding = "circular"
    with pytest.raises(InputError, match=r"encoder toy cannot be run in tiles.*padding zeros"):
        whole_maps(encoder, image, CONTENT, 1e6)
    encoder.padding = "zeros"
    with pytest.raises(InputError, match=r"7x7 is too small for pool3"):
        whole_maps(encoder, image[..., :7, :7], CONTENT, 1e6)
