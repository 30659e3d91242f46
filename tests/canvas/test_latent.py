"""The canvas of latents, with tiny decoders of random weights and with the packaged one."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data
from torch import Tensor, nn

from impasto.canvas import PRIORS, Detail, Latent, gray, likely
from impasto.canvas import decoder as decoders
from impasto.canvas.decoder import CHANNELS, Prior, check_decoder, open_prior, student, taef2_decoder
from impasto.canvas.latent import cells, decoded, fit
from impasto.errors import InputError, WeightsError
from impasto.features.weights import DECODERS
from impasto.optimize import Adam, Stage, minimize


def prior(network: nn.Module | None = None) -> Prior:
    """Random weights, and a covariance that is not 1."""
    torch.manual_seed(0)
    found = Prior(student((8, 6, 4, 4), (1, 0, 0, 0)) if network is None else network)
    found.mean.copy_(0.1 * torch.randn(CHANNELS))
    found.root.copy_(torch.linalg.cholesky(torch.cov(torch.randn(CHANNELS, 200))))
    return found.eval().requires_grad_(False)


def photo() -> Tensor:
    return torch.from_numpy(data.astronaut()[:240:4, 100:340:4].copy()).permute(2, 0, 1)[None] / 255


def test_white_latents_have_the_mean_and_covariance_of_photographs_when_they_are_mixed() -> None:
    made = prior().latents(torch.randn(1, CHANNELS, 200, 200))
    flat = made[0].flatten(1)
    torch.testing.assert_close(flat.mean(1), prior().mean, atol=0.02, rtol=0)
    torch.testing.assert_close(torch.cov(flat), prior().root @ prior().root.T, atol=0.05, rtol=0)
    torch.testing.assert_close(prior().latents(prior().white(made)), made, atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (17, 40)])
def test_latents_make_a_picture_of_any_size_and_come_back(size: tuple[int, int]) -> None:
    white = 0.3 * torch.randn(2, CHANNELS, *cells(size))
    canvas = Latent(prior(), size, white)
    torch.testing.assert_close(canvas.white(), white, atol=1e-5, rtol=0)
    latents = canvas.parameters["latents"].requires_grad_()
    image = canvas.image()
    assert image.shape == (2, 3, *size) and image.min() >= 0 and image.max() <= 1
    (gradient,) = torch.autograd.grad(image.square().sum(), latents)
    assert gradient.isfinite().all() and gradient.any()


def test_latents_are_kept_as_near_to_the_mean_as_those_of_photographs() -> None:
    near, far = 0.5 * torch.randn(1, CHANNELS, 4, 4), 3 * torch.randn(1, CHANNELS, 4, 4)
    canvas = Latent(prior(), (32, 32), torch.cat([near, far]))
    canvas.keep_in_range()
    torch.testing.assert_close(canvas.white()[:1], near, atol=1e-5, rtol=0)
    assert canvas.white()[1].square().mean().item() == pytest.approx(1, abs=1e-4)


def test_a_goal_that_wants_likely_latents_adds_their_mean_square() -> None:
    canvas = Latent(prior(), (16, 16), torch.full((1, CHANNELS, 2, 2), 0.5))
    total, parts = likely(lambda image: (image.sum() * 0 + 2, {"unit": torch.tensor(2.0)}), canvas, 8.0)(canvas.image())
    assert (total.item(), parts["prior"].item()) == (pytest.approx(4), pytest.approx(2))

    def goal(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return image.sum(), {}

    assert likely(goal, None, 8.0) is goal


def test_the_weight_of_the_prior_shortens_latents() -> None:
    lengths = []
    for weight in (0.0, 100.0):
        canvas = Latent(prior(), (16, 16), torch.full((1, CHANNELS, 2, 2), 0.5))
        goal = likely(lambda image: (image.mean(), {"mean": image.mean().detach()}), canvas, weight)
        list(minimize(canvas, [Stage((16, 16), 10, lambda goal=goal: goal)], lambda _: Adam(0.05)))  # type: ignore[misc]
        lengths.append(canvas.white().square().mean().item())
    assert lengths[1] < 0.8 * lengths[0]


def test_a_canvas_of_a_picture_shows_it_exactly_and_is_resized() -> None:
    picture = photo()[..., :45, :50]
    canvas = Latent.of(prior(), picture)
    torch.testing.assert_close(canvas.image(), picture, atol=1e-5, rtol=0)
    canvas.resize((24, 32))
    assert canvas.image().shape == (1, 3, 24, 32)


def test_detail_of_latents_is_the_same_whenever_it_is_built() -> None:
    """A run that is resumed builds its canvas from the picture alone."""
    made = prior()
    found = []
    for sizes in [((24, 24), (48, 48)), ((48, 48),)]:
        canvas = Detail(photo()[..., :48, :48], lambda base, shown: Latent.of(made, base, shown))
        for size in sizes:
            canvas.resize(size)
        latent = canvas.canvas
        assert isinstance(latent, Latent) and latent.rest is not None
        found.append((latent.rest, latent.length))
        torch.testing.assert_close(canvas.image(), photo()[..., :48, :48], atol=1e-5, rtol=0)
    assert torch.equal(found[0][0], found[1][0]) and found[0][1] == found[1][1]


def test_the_packaged_decoder_is_small_and_knows_photographs() -> None:
    path = Path(str(files("impasto"))) / "data" / "natural.safetensors"
    assert path.stat().st_size <= 1.7e6
    made = open_prior()
    white = fit(made, photo(), steps=40)
    with torch.no_grad():
        error = (decoded(made, white, (60, 60)) - photo()).square().mean()
    assert error < 0.1 * photo().var()


def test_noise_of_the_canvas_is_the_same_for_the_same_seed() -> None:
    first, second = (gray("natural", (40, 24), torch.Generator().manual_seed(3), batch=2) for _ in range(2))
    assert torch.equal(first.image(), second.image()) and first.image().shape == (2, 3, 40, 24)
    assert not torch.equal(*first.image())


# --- the fetched decoder ---------------------------------------------------------------------------------------------


def test_a_decoder_that_was_not_fetched_says_how() -> None:
    with pytest.raises(WeightsError, match=r"taef2_decoder\.pth.*impasto weights fetch taef2"):
        open_prior("taef2")
    with pytest.raises(InputError, match="unknown decoder 'oil'"):
        open_prior("oil")


def test_a_fetched_decoder_is_checked_and_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = taef2_decoder()
    monkeypatch.setattr(decoders, "verify", lambda path, entry: "0" * 64)
    path = tmp_path / DECODERS["taef2"].filenames[0]
    torch.save({name: values.half() for name, values in network.state_dict().items()}, path)
    monkeypatch.setenv("IMPASTO_WEIGHTS", str(tmp_path))
    opened = open_prior("taef2")
    assert torch.equal(opened.mean, open_prior().mean)
    x = torch.randn(1, CHANNELS, 2, 3)
    torch.testing.assert_close(opened.network(x), network(x), atol=0.02, rtol=0)
    assert check_decoder("taef2") == (path, "0" * 64)


def test_another_file_under_the_decoders_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / DECODERS["taef2"].filenames[0]
    torch.save(student().state_dict(), path)
    monkeypatch.setenv("IMPASTO_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="SHA-256"):
        open_prior("taef2")
    monkeypatch.setattr(decoders, "verify", lambda path, entry: None)
    with pytest.raises(WeightsError, match="does not hold the weights of this decoder"):
        open_prior("taef2")


def test_every_decoder_but_the_packaged_one_can_be_fetched() -> None:
    assert {"natural", *DECODERS} == set(PRIORS)


def test_the_published_decoder_is_known(
    shared: Path, monkeypatch: pytest.MonkeyPatch, ok: Callable[..., Any], refused: Callable[..., str]
) -> None:
    monkeypatch.setenv("IMPASTO_WEIGHTS", str(shared / "weights"))
    path, digest = check_decoder("taef2")
    assert digest == DECODERS["taef2"].sha256 and path.stat().st_size == DECODERS["taef2"].size
    assert "SHA-256 0a44a31e" in ok("weights", "verify", "taef2").out
    encoder = shared / "weights" / "taef2_encoder.pth"
    assert "does not hold the weights of this decoder" in refused("weights", "verify", "taef2", "--path", encoder)
