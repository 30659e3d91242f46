"""Large pictures in tiles: the same as in one piece, but for what is measured on a part of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from impasto.errors import InputError
from impasto.networks import tiles
from impasto.networks.generator import Generator
from impasto.networks.registry import build
from impasto.networks.tiles import OVERHEAD, PART, PARTS, PICTURES, held, in_pieces, parts, pieces

SMALL: list[tuple[str, dict[str, Any]]] = [
    ("quarter", {"width": 8, "deep": 8, "blocks": 1, "rank": 0, "fine": 4}),
    ("quarter", {"width": 8, "deep": 8, "blocks": 2, "rank": 2, "fine": 4, "deepest": 4}),
    ("quarter", {"width": 8, "deep": 8, "blocks": 1, "rank": 0, "fine": 4, "deepest": 4, "front": "lite"}),
    ("quarter", {"width": 8, "deep": 8, "blocks": 1, "rank": 0, "fine": 4, "front": "both"}),
    ("johnson", {"width": 4, "blocks": 2}),
    ("johnson", {"width": 4, "blocks": 1, "norm": "batch", "output": "tanh", "upsampling": "transposed"}),
]


def small(kind: str, options: dict[str, Any]) -> Generator:
    """A network with no weight at zero."""
    torch.manual_seed(0)
    network = build(kind, options)
    assert isinstance(network, nn.Module)
    network.eval()
    for value in network.parameters():
        if not value.any():
            nn.init.normal_(value, std=0.1)
    return network


def picture(height: int, width: int) -> torch.Tensor:
    """Different everywhere: bright to dark, calm to busy."""
    torch.manual_seed(1)
    slope = torch.linspace(0.1, 1, width)
    return (torch.rand(1, 3, height, width) * slope + torch.linspace(0, 0.5, height)[:, None]).clamp(0, 1)


@pytest.mark.parametrize(("kind", "options"), SMALL)
def test_tiles_with_the_statistics_of_the_whole_are_the_whole(
    kind: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, image = small(kind, options), picture(170, 405)
    style = network.plain_style()[None]
    whole = in_pieces(network, image, style)
    network.largest = 0
    monkeypatch.setattr(tiles, "parts", lambda image, *_: image)
    told: list[tuple[int, int]] = []
    found = in_pieces(network, image, style, lambda done, total: told.append((done, total)), tile=64)
    torch.testing.assert_close(found, whole, atol=2e-4, rtol=0)
    assert told == [(k, 21) for k in range(1, 22)]


@torch.no_grad()
def test_statistics_of_parts_come_near_to_those_of_the_whole() -> None:
    network, image = small(*SMALL[1]), picture(2048, 2304)
    style = network.plain_style()[None]
    whole = network(image, style)
    network.largest = 0
    found = in_pieces(network, image, style, tile=512)
    alone = network(image[..., :512, :512], style)
    away = [(a - whole[..., :512, :512]).abs().mean() for a in (found[..., :512, :512], alone)]
    assert 0 < away[0] < 0.2 * away[1]


@torch.no_grad()
def test_nothing_is_kept_afterwards_even_after_an_error() -> None:
    network, image = small(*SMALL[1]), picture(64, 80)
    style = network.plain_style()[None]
    before = network(image, style)
    with pytest.raises(ZeroDivisionError), held(network) as origin:
        network(image.flip(3), style)
        origin(32, 48)
        raise ZeroDivisionError
    assert torch.equal(network(image, style), before)


def test_what_cannot_be_divided_stays_whole() -> None:
    network, image = build("pyramid", {"scales": 3, "width": 4}), picture(40, 40)
    network.eval()  # type: ignore[attr-defined]
    network.largest = 0
    with torch.no_grad():
        assert torch.equal(
            in_pieces(network, image, network.plain_style()[None]), network(image, network.plain_style()[None])
        )


@pytest.mark.parametrize("size", [(5000, 4000), (600, 30000), (300, 70000), (4000, 4000)])
def test_parts_are_spread_over_the_picture(size: tuple[int, int]) -> None:
    rows, columns = torch.arange(size[0]).float(), torch.arange(size[1]).float()
    image = torch.stack(torch.broadcast_tensors(rows[:, None], columns[None]))[None].expand(1, 2, *size)
    found = parts(image, 16)
    assert found.shape[1:] == (2, min(PART, size[0]), min(PART, size[1])) and PARTS / 2 < len(found) <= PARTS
    first, last = found[0, :, 0, 0], found[-1, :, -1, -1]
    assert not (found[:, :, 0, 0] % 16).any()
    # As far from one border as from the other, and never in one corner only.
    assert all(abs(int(a) - (n - 1 - int(b))) <= 32 for a, b, n in zip(first, last, size, strict=True))
    assert int(first.min()) == 0


def test_pieces_become_smaller_with_memory_and_then_the_picture_is_refused() -> None:
    network = small(*SMALL[1])

    def chosen(side: int, room: float) -> tuple[int, int] | None:
        """Of a square picture, with so many pixels of a piece."""
        return pieces(network, (side, side), OVERHEAD + PICTURES * side**2 + room * network.held)

    assert pieces(network, (3000, 3000), None) is None and pieces(network, (5000, 5000), None) == (1024, PARTS)
    assert chosen(3000, 9e6) is None and chosen(3000, 8.9e6) == (1024, PARTS)
    assert chosen(3000, (1024 + 2 * network.halo) ** 2) == (1024, 5)
    assert chosen(3000, (1024 + 2 * network.halo) ** 2 - 1)[0] == 512  # type: ignore[index]
    assert chosen(3000, 4 * PART**2) == (512, 4)
    with pytest.raises(InputError, match=r"a picture of 3000x3000 needs 1.\d GB and max-memory is .* smaller size"):
        chosen(3000, 4 * PART**2 - 1)
    with pytest.raises(InputError, match=r"a picture of 32768x32768 needs .* GB and max-memory is 16.0 GB"):
        pieces(network, (32768, 32768), 16e9)
    whole = build("pyramid", {"scales": 3, "width": 4})
    assert pieces(whole, (999, 999), None) is None  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"a picture of 999x999 needs 0.7 GB and max-memory is 0.5 GB"):
        pieces(whole, (999, 999), 5e8)  # type: ignore[arg-type]


def test_statistics_are_of_fewer_parts_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    image = torch.rand(1, 3, 2100, 2300)
    assert [len(parts(image, 16, count)) for count in (16, 9, 4)] == [16, 9, 4]
    network, seen = small(*SMALL[0]), []
    monkeypatch.setattr(tiles, "pieces", lambda *_: (64, 5))
    monkeypatch.setattr(tiles, "parts", lambda image, divisor, count: (seen.append(count), image)[1])
    in_pieces(network, torch.rand(1, 3, 128, 128), network.plain_style()[None], max_memory=1.0)
    assert seen == [5]
