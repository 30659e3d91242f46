"""Any style: vectors of paintings, and the batches."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from impasto.errors import InputError
from impasto.features.encoder import Encoder
from impasto.networks.models import Model
from impasto.networks.quarter import Quarter
from impasto.networks.styled import AnyStyle, StyledNetwork
from impasto.training.anystyle import AnyStyleTask, random_style, square
from impasto.training.loop import TrainSettings, train
from impasto.training.loss import LossSettings
from impasto.training.photos import opened
from impasto.training.recipes import Material, any_recipe, apart, style_names, styles_recipe


@pytest.fixture
def network() -> AnyStyle:
    torch.manual_seed(0)
    return AnyStyle(Quarter(8, 8, 1, 2)).eval()


def task(network: AnyStyle, lite: Encoder, paintings: list[Path], seed: int = 0) -> AnyStyleTask:
    loss = LossSettings(content_layers=("relu3_1",), style_layers=("relu1_1", "relu2_1"), soft=True)
    return AnyStyleTask(network, [], paintings, ([], paintings), lite, loss, batch=2, side=64, seed=seed, window=2)


@torch.no_grad()
def test_the_vector_ends_in_the_colors_of_the_painting(network: AnyStyle, paintings: list[Path]) -> None:
    painting = opened(paintings[0], 64)[None]
    vector = network.generator.moments(painting)
    assert vector.shape == (1, network.generator.style_size)
    found = network.generator.recolor(torch.rand(1, 3, 32, 32), vector).mean((2, 3))
    torch.testing.assert_close(found, painting.mean((2, 3)), rtol=1e-3, atol=1e-3)
    assert network(torch.rand(1, 3, 5, 9), painting).shape == (1, 3, 5, 9)


def test_what_is_too_small_is_repeated_in_a_mirror() -> None:
    picture = torch.rand(3, 5, 40)
    found = square(picture, 16, np.random.default_rng(0))
    assert found.shape == (3, 16, 16)
    rows = {tuple(r) for r in found.unfold(2, 4, 4)[0, :, 0].tolist()}
    assert len(rows) <= 5


def test_a_batch_is_the_same_for_the_same_number_whatever_came_before(
    network: AnyStyle, lite: Encoder, paintings: list[Path]
) -> None:
    one, other = task(network, lite, paintings), task(network, lite, paintings)
    one.batch(1)
    for number in (2, -1):
        a, b = one.batch(number), other.batch(number)
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.styles, b.styles)
        assert all(torch.equal(a.targets[n], b.targets[n]) for n in a.targets)
    assert not torch.equal(one.batch(1).images, one.batch(-1).images)


def test_a_training_resumed_is_one_never_stopped(
    network: AnyStyle, lite: Encoder, paintings: list[Path], tmp_path: Path
) -> None:
    start = {k: v.clone() for k, v in network.state_dict().items()}
    settings = TrainSettings(steps=3, warmup=0, held_out_batches=1, look_every=3, save_every=2)
    whole = task(network, lite, paintings)
    losses = [s.loss for s in train(whole, settings)]
    expected = {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(start)
    steps = train(task(network, lite, paintings), settings, checkpoint=tmp_path / "run.pt")
    found = [next(steps).loss]
    steps.close()  # type: ignore[attr-defined]
    found += [s.loss for s in train(task(network, lite, paintings), settings, checkpoint=tmp_path / "run.pt")]
    assert found == losses
    assert all(torch.equal(v, expected[k]) for k, v in network.state_dict().items())


def test_random_styles_are_pictures(paintings: list[Path]) -> None:
    for number in range(12):
        found = random_style(paintings, np.random.default_rng(number))
        assert found.shape[0] == 3 and min(found.shape[1:]) >= 32 and found.min() >= 0 and found.max() <= 1


def test_a_body_that_goes_on_sees_pixels(lite: Encoder, paintings: list[Path]) -> None:
    body = Model("quarter", Quarter(8, 8, 1, 0, front="lite", front_widths=(2, 2, 2, 2, 4)), any_style=True)
    found = any_recipe(paintings, Material([], [], lite, side=64), body=body)
    network = found.task.network
    assert isinstance(network, AnyStyle) and network.generator.options["front"] == "both"
    assert not any(p.requires_grad for p in network.generator.front.parameters())


def test_trainings_predict_every_painting_and_drop_that_for_known_ones(lite: Encoder, paintings: list[Path]) -> None:
    options = {"width": 8, "deep": 8, "blocks": 1, "rank": 2, "fine": 4, "prediction": 5}
    material = Material([], [], lite, side=64)
    network = any_recipe(paintings, material, options=options).task.network
    assert isinstance(network, AnyStyle) and isinstance(network.generator, Quarter)
    assert network.generator.prediction is not None and network.generator.prediction.code.weight.any()
    body = Model("quarter", network.generator, any_style=True)
    trained = styles_recipe(paintings, material, body=body).task.network
    assert isinstance(trained, StyledNetwork) and isinstance(trained.generator, Quarter)
    assert trained.generator.prediction is None and "prediction" not in trained.generator.options


def test_a_damaged_painting_is_skipped_with_a_notice(
    network: AnyStyle, lite: Encoder, paintings: list[Path], tmp_path: Path
) -> None:
    damaged, notes = tmp_path / "damaged.png", list[str]()
    damaged.write_bytes(b"no picture")
    files, loss = [paintings[0], damaged], LossSettings(style_layers=("relu1_1",), spectrum_weight=0.0)
    works = [
        AnyStyleTask(network, [], files, ([], files), lite, loss, batch=4, side=32, notice=notes.append)
        for _ in range(2)
    ]
    for number in (1, -1):
        a, b = (work.batch(number).styles for work in works)
        assert torch.equal(a, b)
    assert len(notes) == 2 and all("skipped: " in n and "damaged.png" in n for n in notes)
    with pytest.raises(InputError, match="20 pictures in a row"):
        AnyStyleTask(network, [], [damaged], ([], []), lite, loss).batch(1)


def test_panoramas_can_be_trained_on(lite: Encoder, tmp_path: Path) -> None:
    files = []
    for name, size in (("wide", (2000, 60)), ("high", (40, 1500)), ("dot", (1, 1))):
        files.append(tmp_path / f"{name}.png")
        PIL.Image.effect_noise(size, 80).convert("RGB").save(files[-1])
    tiny = {"width": 8, "deep": 8, "blocks": 1, "rank": 0, "front": "both"}
    recipe = any_recipe(files, Material(files, files, lite, batch=2, side=32), options=tiny)
    steps = list(train(recipe.task, TrainSettings(steps=2, held_out_batches=1)))
    assert all(math.isfinite(s.loss) for s in steps) and steps[-1].held_out


def test_recipes_know_what_they_are_of(lite: Encoder, paintings: list[Path]) -> None:
    body = Model("quarter", Quarter(8, 8, 1, 0), any_style=True)
    made = [any_recipe(p, Material([], [], lite, side=64), body=body).identity for p in (paintings, paintings[:2])]
    assert [n for n in made[0] if made[0][n] != made[1][n]] == ["paintings"]
    assert made[0]["task"] == "any-style" and made[0]["style_weight"] == 5.0 and made[0]["encoder"].startswith("lite, ")


@pytest.mark.parametrize(("changes", "complaint"), [({"side": 8}, "side 8"), ({"batch": 0}, "batch is 0")])
def test_material_that_cannot_be_trained_on_is_refused(lite: Encoder, changes: dict[str, int], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Material([], [], lite, **changes)  # type: ignore[arg-type]


def test_one_file_in_ten_is_kept_apart() -> None:
    files = [Path(f"{n}.jpg") for n in range(100_000)]
    kept, held = apart(files)
    assert held == files[::10] and len(kept) == 90_000 and kept[:10] == [*files[1:10], files[11]]
    assert apart(files[:9]) == (files[:9], [])
    assert style_names([Path("a/x.png"), Path("b/x.png"), Path("x-2.png")]) == ["x", "x-2", "x-2-2"]
