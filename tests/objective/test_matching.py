"""Patch matching by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.objective.matching import NEAREST, PATCHES, Match, Matching, _counts, best_match


def bank_of(matching: Matching, *maps: Tensor, shares: tuple[float, ...] = (1.0,), **more: object):  # type: ignore[no-untyped-def]
    nothing = [None] * len(maps)
    arguments = {"masks": nothing, "guides": nothing} | more
    return matching.bank(list(maps), shares, **arguments)  # type: ignore[arg-type]


def test_the_match_is_by_correlation_with_patches_of_length_1() -> None:
    keys = torch.nn.functional.normalize(torch.tensor([[10.0, 0.0], [1.0, 1.0]]), dim=1)
    assert best_match(torch.tensor([[3.0, 2.0], [5.0, 0.1]]), keys).tolist() == [1, 0]


def test_matching_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, keys = torch.rand(37, 5), torch.rand(11, 5)
    whole = best_match(rows, keys)
    monkeypatch.setattr("impasto.objective.matching.CHUNK", 23)
    assert torch.equal(best_match(rows, keys), whole)


def test_patch_loss_by_hand() -> None:
    # One channel, single positions: the style has 1 and −2; 3 matches 1 and −1 matches −2.
    matching = Matching(1, 1, cosine=False)
    bank = bank_of(matching, torch.tensor([[[[1.0, -2.0]]]]))
    x = torch.tensor([[[[3.0, -1.0]]]], requires_grad=True)
    loss = matching.loss(x, bank)
    assert loss.item() == pytest.approx((4 + 1) / 2)
    (gradient,) = torch.autograd.grad(loss, x)
    torch.testing.assert_close(gradient, torch.tensor([[[[2.0, 1.0]]]]))
    assert Match({"l": bank}, {"l": 1.0}, matching)(x, {"l": x}).item() == pytest.approx(2.5 / 2.5)


def test_cosine_loss_by_hand() -> None:
    style = torch.tensor([[1.0, -1.0], [0.0, 0.0]])[None, :, None]  # centered already
    bank = bank_of(NEAREST, style)
    x = torch.tensor([[1.0, -3.0], [1.0, 0.0]])[None, :, None]
    assert NEAREST.loss(x, bank).item() == pytest.approx(((1 - 2**-0.5) + 0) / 2, rel=1e-5)


@pytest.mark.parametrize("matching", [PATCHES, NEAREST], ids=["patches", "nearest"])
def test_a_style_matches_itself(matching: Matching) -> None:
    maps = torch.rand(1, 4, 9, 7)
    assert matching.loss(maps, bank_of(matching, maps)).item() == pytest.approx(0, abs=1e-6)


def test_shares_decide_how_many_patches_and_the_limit_holds() -> None:
    assert _counts([100, 100], [0.3, 0.7], 1000) == [43, 100]
    assert _counts([100, 25], [1, 1], 50) == [40, 10]
    assert _counts([100, 100], [0, 1], 1000) == [0, 100]


def test_a_style_mask_keeps_its_patches_and_a_picture_mask_its_positions() -> None:
    style = torch.cat([torch.full((1, 1, 4, 4), 1.0), torch.full((1, 1, 4, 4), 5.0)], 3)
    right = torch.cat([torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)], 3)
    matching = Matching(1, 1, cosine=False)
    bank = bank_of(matching, style, masks=[right])
    assert bank.patches.unique().tolist() == [5.0]
    x = torch.cat([torch.full((1, 1, 4, 4), 9.0), torch.full((1, 1, 4, 4), 6.0)], 3)
    assert matching.loss(x, bank, right).item() == pytest.approx(1.0)


def test_a_semantic_map_decides_between_patches_that_look_alike() -> None:
    style = torch.tensor([[1.0, 1.0], [0.0, 0.1]])[None, :, None]
    guide = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[None, :, None]
    matching = Matching(1, 1, cosine=False)
    bank = bank_of(matching, style, guides=[guide])
    x = torch.tensor([[1.0, 1.0], [0.0, 0.0]])[None, :, None]
    assert matching.loss(x, bank, guide=guide).item() == pytest.approx(0.01 / 4)
    assert matching.loss(x, bank_of(matching, style)).item() == 0


def test_a_map_smaller_than_a_patch_is_used_all_the_same() -> None:
    bank = bank_of(PATCHES, torch.rand(1, 2, 1, 2))
    assert PATCHES.loss(torch.rand(1, 2, 2, 1), bank).isfinite()


def test_best_matches_of_many_chunks_share_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heap that keeps freed memory would otherwise have one for each, as results lie in between."""
    tables: set[int] = set()
    real = torch.mm
    monkeypatch.setattr(
        torch, "mm", lambda a, b, out: (tables.add(out.untyped_storage().data_ptr()), real(a, b, out=out))[1]
    )
    monkeypatch.setattr("impasto.objective.matching.CHUNK", 64)
    rows, keys = torch.rand(50, 4), torch.rand(16, 4)
    assert torch.equal(best_match(rows, keys), (rows @ keys.T).argmax(1)) and len(tables) == 1
