"""Tests of the program that makes the packaged encoder, on networks of a few channels."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from impasto.features import load_encoder
from impasto.features.lite import LITE_LAYERS, LITE_WIDTHS
from impasto.features.variants import Normalization
from impasto.features.vgg import VGG

ROOT = Path(__file__).resolve().parents[2]
PACKAGED = ROOT / "src" / "impasto" / "data" / "lite.safetensors"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("impasto_make_lite", ROOT / "tools" / "make_lite.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def network(*widths: tuple[int, ...]) -> VGG:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return VGG(widths, Normalization((0.5,) * 3, (0.25,) * 3), name="student").requires_grad_(False)


def weights(student: VGG) -> dict[str, Tensor]:
    return {n: layer.weights() for n, layer in student.convs.items()}  # type: ignore[operator]


def test_a_regression_finds_the_matrix_that_made_its_data(tool: ModuleType) -> None:
    x, w = torch.randn(200, 5), torch.randn(3, 5)
    fit = tool.LeastSquares()
    for rows in x.split(40):
        fit.add(rows, rows @ w.T)
    torch.testing.assert_close(fit.solve(1e-8), w, atol=1e-4, rtol=1e-4)


def test_the_channels_that_span_the_others_are_chosen(tool: ModuleType) -> None:
    two = torch.randn(500, 2)
    maps = torch.stack([two[:, 0], 0.5 * two[:, 0], two[:, 1], two.sum(1), 0.5 * two[:, 1]], 1)
    chosen = tool.spanning_channels(maps.T @ maps, 2)
    left = tool.unexplained(maps, maps[:, chosen]).trace() / maps.square().sum()
    assert len(set(chosen.tolist())) == 2 and left < 1e-4


def test_whitened_weights_are_the_weights(tool: ModuleType) -> None:
    patches, w = torch.rand(400, 28), torch.randn(4, 28)
    layer = tool.Whitened(patches.T @ patches / 400, w)
    torch.testing.assert_close(layer.weights(), w, atol=1e-3, rtol=1e-3)
    x = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(layer(x), layer.convolution()(x))


def test_a_student_begins_nearer_to_its_teacher_than_by_chance(tool: ModuleType, tiny: VGG) -> None:
    images, layers = torch.rand(16, 3, 32, 32), ("relu1_1", "relu2_2")
    student = network((3, 3), (4, 4))

    def left() -> list[float]:
        lifts = tool.fit_lifts(student, tiny, images, layers)
        return [of_map for of_map, _ in tool.held_out(student, lifts, tiny, images).values()]

    before = left()
    tool.start_from_least_squares(student, tiny, images)
    assert all(now < 0.7 * then for now, then in zip(left(), before, strict=True))


def test_a_trained_network_is_gone_on_from_or_widened(tool: ModuleType, tiny: VGG) -> None:
    images = torch.rand(16, 3, 32, 32)
    first, same, wider = network((2, 2), (3, 3)), network((2, 2), (3, 3)), network((3, 3), (4, 4))
    tool.start_from_least_squares(first, tiny, images)
    trained = weights(first)
    tool.start_from_least_squares(same, tiny, images, trained)
    tool.start_from_least_squares(wider, tiny, images, trained)
    for name, w in weights(same).items():
        torch.testing.assert_close(w, trained[name], atol=1e-3, rtol=1e-2)
    maps, narrow = wider(images, ("relu2_2",))["relu2_2"], first(images, ("relu2_2",))["relu2_2"]
    torch.testing.assert_close(maps[:, :3], narrow, atol=1e-2, rtol=1e-2)


def test_a_packaged_file_and_a_checkpoint_can_be_begun_with(tool: ModuleType, tmp_path: Path) -> None:
    packaged, nothing = tool.begun(PACKAGED)
    assert not nothing and [len(w) for w in packaged.values()] == [n for block in LITE_WIDTHS for n in block]
    assert packaged["conv2_1"].shape[1] == 9 * LITE_WIDTHS[0][-1] + 1
    eye = torch.eye(28)
    model = {
        "student.convs.conv1_1.v": packaged["conv1_1"],
        "student.convs.conv1_1.root": 2 * eye,
        "lifts.relu1_1": eye,
    }
    tool.save(tmp_path / "checkpoint.pt", {"model": model, "step": 3, "own": torch.ones(2)})
    found, rest = tool.begun(tmp_path / "checkpoint.pt")
    torch.testing.assert_close(found["conv1_1"], 2 * packaged["conv1_1"])
    assert list(rest) == ["own"]


def test_convolutions_before_the_first_that_learns_and_their_lifts_stay(tool: ModuleType) -> None:
    model = tool.Distillation()
    model.keep("conv3_2")
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name for name in learning if "lifts" in name} == {f"lifts.relu{n}" for n in ("4_1", "4_2", "5_1")}
    first = min(name for name in learning if "convs" in name)
    assert first.startswith("student.convs.conv3_2")


def test_a_packaged_file_is_the_student_with_its_projections_all_but_rounding(tool: ModuleType, tmp_path: Path) -> None:
    student = network((3, 3), (4, 4), (5,) * 4, (6,) * 4, (7,))
    lifts = {name: torch.randn(12, student.convs[name.replace("relu", "conv")].out_channels) for name in LITE_LAYERS}
    file = tmp_path / "lite.safetensors"
    tool.export(student, lifts, file, {"steps": 1})
    packaged = load_encoder("lite", weights=file)
    images = torch.rand(1, 3, 32, 32)
    # The tests' network expects other means than `lite`.
    assert isinstance(packaged, VGG)
    packaged.mean, packaged.std = student.mean, student.std
    found, wanted = packaged(images, LITE_LAYERS), student(images, LITE_LAYERS)
    for name, maps in wanted.items():
        projected = torch.einsum("dc,bchw->bdhw", tool.projection(lifts[name]), maps)
        error = (found[name] - projected).square().sum() / projected.square().sum()
        assert 0 < error < 2e-3, name


def test_the_student_s_own_pictures_have_more_of_their_styles(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tool.Distillation()
    for name, w in tool.begun(PACKAGED)[0].items():
        conv = model.student.convs[name]
        conv.weight.data, conv.bias.data = w[:, :-1].view_as(conv.weight), w[:, -1]
    for lift in model.lifts.values():
        nn.init.orthogonal_(lift)
    monkeypatch.setattr(model, "plain", lambda: model.student.requires_grad_(False))
    monkeypatch.setattr(tool, "CROP", 64)
    generator = torch.Generator().manual_seed(0)
    contents, styles = (torch.rand(2, 3, 64, 64, generator=generator) * scale for scale in (1.0, 0.5))
    # 14 steps and a weight of a quarter for the content.
    made = tool.half_stylized(model, contents, styles, np.random.default_rng(6))
    assert made.shape == contents.shape and made.min() >= 0 and made.max() <= 1

    @torch.no_grad()
    def unlike(images: Tensor) -> float:
        ours, theirs = (tool.gram(model.student(x, ["relu3_1"])["relu3_1"]) for x in (images, styles))
        return float(tool.unlike(ours, theirs).mean())

    assert unlike(made) < 0.5 * unlike(contents)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("side", [2, 9])
def test_errors_are_those_of_the_lifted_map(tool: ModuleType, side: int) -> None:
    generator = torch.Generator().manual_seed(0)
    maps, lift, noise = (torch.randn(*n, generator=generator) for n in ((2, 5, side, side), (7, 5), (2, 7, side, side)))
    lifted = torch.einsum("tc,bchw->bthw", lift, maps)
    target = lifted + 0.3 * noise
    of_map, of_gram = tool.errors(maps, lift, target)
    torch.testing.assert_close(of_map, (lifted - target).square().sum() / target.square().sum())
    torch.testing.assert_close(of_gram, tool.unlike(tool.gram(lifted), tool.gram(target)).mean())
    assert 0 < of_map < 0.1 and of_gram > 1e-3


def test_files_apart_are_always_the_same(tool: ModuleType, tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"{number:02}.png").touch()
    trained, apart = tool.split([tmp_path])
    assert [p.stem for p in apart] == ["00", "10", "20"] and not {*trained} & {*apart}
    assert tool.split([tmp_path]) == (trained, apart)


def test_projection_keeps_distances_between_lifted_grams(tool: ModuleType) -> None:
    torch.manual_seed(1)
    lift = torch.randn(12, 5, dtype=torch.float64)
    f, g = torch.rand(5, 30, dtype=torch.float64), torch.rand(5, 30, dtype=torch.float64)
    r = tool.projection(lift)
    full = (lift @ (f @ f.T - g @ g.T) @ lift.T).square().sum() / 12**2
    small = (r @ (f @ f.T - g @ g.T) @ r.T).square().sum() / 5**2
    torch.testing.assert_close(small, full)
    torch.testing.assert_close((r @ (f - g)).square().sum() / 5, (lift @ (f - g)).square().sum() / 12)


def test_a_projection_in_a_file_is_its_triangle(tool: ModuleType) -> None:
    r = tool.projection(torch.randn(12, 5))
    found = tool.unpacked(
        {"projections.relu1_1": tool.packed(r), "projections.relu1_2": torch.zeros(4), "other": torch.ones(6)}
    )
    assert torch.equal(found["projections.relu1_1"], r.view(5, 5, 1, 1))
    assert found["projections.relu1_2"].shape == (4,)  # no triangle: the network will refuse it
    assert found["other"].shape == (6,)


def test_weights_in_8_bits_are_unpacked_within_half_a_step_of_their_channel(tool: ModuleType) -> None:
    weight = torch.randn(5, 3, 3, 3) * torch.tensor([0.0, 1e-3, 1.0, 10.0, 1.0]).view(5, 1, 1, 1)
    small, step = tool.rounded(weight)
    assert small.dtype == torch.int8
    found = tool.unpacked(
        {"convs.conv1_1.weight": small, "convs.conv1_1.weight.step": step, "other.step": torch.ones(1)}
    )
    assert set(found) == {"convs.conv1_1.weight"}
    error = (found["convs.conv1_1.weight"] - weight).abs().flatten(1).amax(1)
    assert (error <= 0.501 * step).all() and (step[2:] > 1e-3).all()


def test_a_lift_has_the_teacher_s_channels(tool: ModuleType) -> None:
    assert [tool.teacher_channels(name) for name in ("relu1_1", "relu4_2")] == [64, 512]
