"""Tables of styles: batches, training, and styles added to what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.features.encoder import Encoder
from impasto.networks.johnson import Johnson
from impasto.networks.models import Model
from impasto.networks.pyramid import Pyramid
from impasto.networks.quarter import Quarter
from impasto.networks.styled import StyledNetwork
from impasto.training.fixed import FixedStylesTask, TextureTask, first_vectors, measured
from impasto.training.loop import Average, TrainSettings, look, train
from impasto.training.loss import LossSettings
from impasto.training.recipes import Material, body_vectors, styles_recipe

QUICK = TrainSettings(steps=4, rate=3e-3, warmup=0, held_out_batches=0, look_every=1000, save_every=1000, average=0.0)
LOSS = LossSettings(content_layers=("relu3_1",), style_layers=("relu1_1", "relu2_1", "relu3_1"))
CPU: dict[str, Any] = {"batch": 2, "side": 64, "style_size": 80}


def table(generator: Any, names: str) -> StyledNetwork:
    vectors = generator.plain_style() + 0.1 * torch.randn(len(names), generator.style_size)
    return StyledNetwork(generator, vectors, list(names))


@pytest.fixture
def network() -> StyledNetwork:
    torch.manual_seed(0)
    return table(Johnson(4, 1), "abc")


def task(network: StyledNetwork, encoder: Encoder, paintings: list[Path], **changes: Any) -> FixedStylesTask:
    return FixedStylesTask(network, [], paintings, [], encoder, LOSS, **(CPU | changes))


def test_a_batch_is_the_same_for_the_same_number(network: StyledNetwork, lite: Encoder, paintings: list[Path]) -> None:
    one, other = task(network, lite, paintings), task(network, lite, paintings)
    for number in (1, 5, -1):
        a, b = one.batch(number), other.batch(number)
        assert isinstance(a.images, Tensor) and isinstance(b.images, Tensor)
        assert torch.equal(a.images, b.images) and torch.equal(a.styles, b.styles)
        assert a.images.shape == (2, 3, 64, 64)
    images = [one.batch(n).images for n in (1, 2, -1, -2)]
    assert all(not torch.equal(a, b) for i, a in enumerate(images) for b in images[:i])  # type: ignore[arg-type]
    assert not torch.equal(task(network, lite, paintings, seed=1).batch(1).images, images[0])  # type: ignore[arg-type]


def test_all_styles_have_their_turn(network: StyledNetwork, lite: Encoder, paintings: list[Path]) -> None:
    styles = task(network, lite, paintings).styles
    assert {int(n) for k in range(1, 20) for n in styles.chosen(k)[0]} == {0, 1, 2}
    assert [styles.chosen(-k)[0].tolist() for k in (1, 2, 3)] == [[0, 1], [2, 0], [1, 2]]
    numbers, targets = styles.chosen(-2)
    all_of_them = measured(lite, paintings, LOSS, 80)
    assert all(torch.equal(targets[n], all_of_them[n][numbers]) for n in LOSS.style_layers)


def test_a_short_training_makes_the_loss_fall(lite: Encoder, paintings: list[Path]) -> None:
    torch.manual_seed(0)
    generator = Johnson(8, 1)
    work = task(StyledNetwork(generator, first_vectors(generator, paintings), list("abc")), lite, paintings)
    before = look(work, Average(work.network, 0.0), 2)
    settings = TrainSettings(steps=20, rate=1e-2, warmup=5, held_out_batches=2, look_every=20, average=0.8)
    looks = [s.held_out for s in train(work, settings) if s.held_out]
    assert looks[-1]["loss"] < 0.85 * before["loss"]
    assert looks[-1].keys() == {"content", "style", "grid", "blocks", "spectrum", "loss"}


def test_training_starts_from_a_trained_body(lite: Encoder, paintings: list[Path]) -> None:
    torch.manual_seed(0)
    trained, fresh = Quarter(8, 8, 1, 2), Quarter(8, 8, 1, 2)
    fresh.load_state_dict(trained.state_dict())
    vectors = first_vectors(fresh, paintings)
    start = StyledNetwork(fresh, vectors, ["a", "b", "c"]).eval()
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        expected = trained.eval()(image, vectors[1:2])
        assert torch.equal(start(image, torch.tensor([1])), expected)
    assert len(list(train(task(start, lite, paintings), QUICK))) == 4
    assert not torch.equal(start.styles, vectors)


def test_a_body_gives_the_styles_that_it_knows_as_they_are(paintings: list[Path]) -> None:
    torch.manual_seed(0)
    network = Quarter(8, 8, 1, 2)
    known = {n: network.plain_style() + torch.randn(network.style_size) for n in ("stripes", "other")}
    found = body_vectors(Model("quarter", network, known), network, paintings[:2])
    assert torch.equal(found[0], known["stripes"])
    colors = network.recolor.where
    torch.testing.assert_close(found[1, : colors.start], (known["stripes"] + known["other"])[: colors.start] / 2)
    assert torch.equal(found[1, colors], first_vectors(network, paintings)[1, colors])


def test_first_vectors_have_the_colors_of_the_paintings(paintings: list[Path], tmp_path: Path) -> None:
    red = tmp_path / "red.png"
    PIL.Image.new("RGB", (64, 64), (255, 0, 0)).save(red)
    network = Quarter(8, 8, 1, 2).eval()
    vectors = first_vectors(network, [red, paintings[0]])
    assert torch.equal(vectors[0, : network.recolor.where.start], vectors[1, : network.recolor.where.start])
    found = network.recolor(torch.rand(1, 3, 32, 32), vectors[:1]).mean((2, 3))
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.0, 0.0]]), atol=0.01, rtol=0)
    plain = Johnson(4, 1)
    assert torch.equal(first_vectors(plain, paintings), torch.zeros(3, plain.style_size))


def test_a_style_added_to_eight_trains_less_than_a_hundredth_and_changes_no_other(
    lite: Encoder, paintings: list[Path]
) -> None:
    torch.manual_seed(0)
    eight = table(Johnson(), "abcdefgh").eval()
    image, numbers = torch.rand(1, 3, 32, 32), torch.arange(8)
    with torch.no_grad():
        before = eight(image.expand(8, 3, 32, 32), numbers)
    nine = eight.with_styles(eight.table()[:1], ["new"])
    trained = sum(p.numel() for p in nine.parameters() if p.requires_grad)
    assert trained < 0.01 * sum(p.numel() for p in nine.parameters())
    work = task(nine, lite, paintings[:1], batch=1)
    assert work.batch(1).styles.tolist() == work.batch(2).styles.tolist() == [8]
    list(train(work, QUICK))
    assert nine.names == [*"abcdefgh", "new"]
    with torch.no_grad():
        assert torch.equal(nine(image.expand(8, 3, 32, 32), numbers), before)
        assert not torch.equal(nine(image, torch.tensor([8])), before[:1])


@pytest.mark.parametrize("generator", [Johnson(4, 1, norm="batch"), Pyramid(2, 4, norm="batch", noise=0)])
def test_the_running_statistics_of_a_frozen_generator_stay(
    generator: nn.Module, lite: Encoder, paintings: list[Path]
) -> None:
    two = table(generator, "ab")
    list(train(task(two, lite, paintings[:2]), QUICK))
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    three = two.with_styles(two.table()[:1], ["c"])
    list(train(task(three, lite, paintings[:1]), QUICK))
    assert all(torch.equal(v, before[k]) for k, v in generator.state_dict().items())


@torch.no_grad()
def test_blends_are_mixtures_of_vectors(network: StyledNetwork) -> None:
    network = network.with_styles(torch.randn(1, network.styles.shape[1]), ["d"]).eval()
    image = torch.rand(1, 3, 16, 16)
    alone = network.blend(torch.tensor([0.0, 0.0, 0.0, 2.0]))
    torch.testing.assert_close(network.generator(image, alone), network(image, torch.tensor([3])))
    mixed = network.blend(torch.tensor([1.0, 0.0, 3.0, 0.0]))
    torch.testing.assert_close(mixed[0], network.styles[0] / 4 + 3 * network.styles[2] / 4)


def test_a_table_survives_its_file(network: StyledNetwork) -> None:
    more = network.with_styles(torch.randn(2, network.styles.shape[1]), ["d", "e"])
    again = StyledNetwork(Johnson(4, 1), more.table(), more.names)
    again.generator.load_state_dict(more.generator.state_dict())
    image, number = torch.rand(1, 3, 16, 16), torch.tensor([4])
    with torch.no_grad():
        assert torch.equal(again.eval()(image, number), more.eval()(image, number))


@pytest.mark.parametrize(
    ("vectors", "names", "complaint"),
    [
        (torch.zeros(2, 5), "ab", r"table of styles is \(2, 5\); this generator needs \(styles, "),
        (torch.zeros(0, 110), "", "table of styles is"),
        (None, "ab", "there are 3 styles and the names a, b"),
        (None, "aba", "a name of its own"),
    ],
)
def test_tables_that_do_not_fit_are_refused(vectors: Tensor | None, names: str, complaint: str) -> None:
    generator = Johnson(4, 1)
    with pytest.raises(InputError, match=complaint):
        StyledNetwork(generator, torch.zeros(3, generator.style_size) if vectors is None else vectors, list(names))


def test_a_new_style_needs_a_name_and_a_vector_that_fit(network: StyledNetwork) -> None:
    with pytest.raises(InputError, match="there are 4 styles and the names a, b, c, b; give each a name of its own"):
        network.with_styles(network.table()[:1], ["b"])
    with pytest.raises(InputError, match=r"the table of styles is \(1, 3\)"):
        network.with_styles(torch.zeros(1, 3), ["d"])
    assert all(p.requires_grad for n, p in network.named_parameters() if n != "added")


def test_more_paintings_than_styles_are_refused(network: StyledNetwork, lite: Encoder, paintings: list[Path]) -> None:
    with pytest.raises(InputError, match="there are 6 paintings for 3 styles"):
        task(network, lite, paintings * 2)
    with pytest.raises(InputError, match="there are 0 paintings"):
        task(network, lite, [])


def test_a_painting_that_cannot_be_read_is_named(network: StyledNetwork, lite: Encoder, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no picture")
    for path in (damaged, tmp_path / "absent.png"):
        with pytest.raises(InputError, match=path.name):
            task(network, lite, [path])


def test_textures_are_trained_from_noise(lite: Encoder, paintings: list[Path]) -> None:
    torch.manual_seed(0)
    network = table(Pyramid(3, 8, source="noise"), "ab")
    work = TextureTask(network, paintings[:2], lite, LOSS, **CPU)
    a, b, apart = work.batch(3), work.batch(3), work.batch(-3)
    assert all(torch.equal(x, y) for x, y in zip(a.noise, b.noise, strict=True))
    assert [m.shape for m in a.noise] == [(2, 3, 64, 64), (2, 3, 32, 32), (2, 3, 16, 16)]
    assert not torch.equal(a.noise[0], apart.noise[0])
    settings = TrainSettings(steps=20, rate=5e-3, warmup=2, held_out_batches=2, look_every=5, average=0.5)
    looks = [s.held_out for s in train(work, settings) if s.held_out]
    assert looks[-1]["loss"] < 0.8 * looks[0]["loss"] and set(looks[0]) == {
        "style",
        "grid",
        "blocks",
        "spectrum",
        "loss",
    }
    made = network.generator.texture((20, 50), network.table())
    assert made.shape == (2, 3, 20, 50)


def test_textures_need_a_network_of_noise(network: StyledNetwork, lite: Encoder, paintings: list[Path]) -> None:
    with pytest.raises(InputError, match="source='noise'"):
        TextureTask(network, paintings, lite, LOSS)


@pytest.mark.parametrize(("add", "front"), [(False, "both"), (True, "lite")])
def test_a_body_sees_pixels_unless_its_styles_stay(lite: Encoder, paintings: list[Path], add: bool, front: str) -> None:
    network = Quarter(8, 8, 1, 0, "lite", 8, 0, (4, 4, 4, 4, 6))
    body = Model("quarter", network, {"other": network.plain_style()})
    task = styles_recipe(paintings[:1], Material([], [], lite), body=body, add=add).task
    assert isinstance(task.network, StyledNetwork)
    assert task.network.generator.options["front"] == front


def test_a_style_whose_name_is_taken_has_a_number(lite: Encoder, paintings: list[Path]) -> None:
    said: list[str] = []
    generator = Quarter(8, 12, 1, 2)
    body = Model("quarter", generator, {"stripes": generator.plain_style(), "stripes-2": generator.plain_style()})
    material = Material([], [], lite, side=32, notice=said.append)
    recipe = styles_recipe(paintings[:2], material, body=body, add=True)
    assert isinstance(recipe.task.network, StyledNetwork)
    assert list(recipe.task.network.names) == ["stripes", "stripes-2", "stripes-3", "checks"]
    assert said == ["the style of stripes.png is called stripes-3, as there is a stripes already"]
