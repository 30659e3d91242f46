"""Model files, blends, and style vectors."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import impasto
from impasto.errors import InputError, WeightsError
from impasto.files import read_tensors
from impasto.networks.models import (
    PACKAGED,
    Model,
    UpscaleModel,
    default_model,
    distribution,
    load_model,
    load_upscaler,
    read_about,
    save_model,
)
from impasto.networks.quarter import Quarter
from impasto.networks.superres import SuperResolution


def test_a_file_holds_the_whole_model(small_model: Model, tmp_path: Path) -> None:
    small_model.thumbnails["dots"] = "abc"
    save_model(small_model, tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    assert list(loaded.styles) == ["waves", "dots"] and loaded.thumbnails == {"dots": "abc"}
    assert loaded.about == {"licence": "test"}
    x, painting = torch.rand(1, 3, 40, 40), torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(
        loaded(x, loaded.predict(painting)),
        small_model(x, small_model.predict(painting)),
        atol=0.03,
        rtol=0,
    )
    a, b = loaded.sample(torch.Generator().manual_seed(3)), small_model.sample(torch.Generator().manual_seed(3))
    torch.testing.assert_close(a, b, atol=0.01, rtol=0.01)


def test_a_blend_is_the_mean_of_vectors(small_model: Model) -> None:
    mixed = small_model.blended({"waves": 1, "dots": 3})
    torch.testing.assert_close(mixed[0], 0.25 * small_model.styles["waves"] + 0.75 * small_model.styles["dots"])


def test_what_a_model_cannot_do_is_one_line(small_model: Model) -> None:
    with pytest.raises(InputError, match="did you mean waves"):
        small_model.blended({"wave": 1})
    with pytest.raises(InputError, match="no blend"):
        small_model.blended({"waves": 0})
    with pytest.raises(InputError, match="no styles of its own"):
        Model("quarter", small_model.generator).blended({"waves": 1})
    with pytest.raises(InputError, match="its own styles only: waves, dots"):
        Model("quarter", small_model.generator, small_model.styles).predict(torch.rand(1, 3, 32, 32))
    with pytest.raises(InputError, match="no distribution"):
        Model("quarter", small_model.generator).sample()


def damaged(folder: Path, kind: str, model: Model) -> Path:
    path = folder / "m.safetensors"
    save_model(model, path)
    content = path.read_bytes()
    if kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "absent":
        path.unlink()
    elif kind == "foreign":
        save_file({"a": torch.zeros(3)}, path)
    else:
        about = read_about(path)
        about |= {"newer": {"version": 99}, "other network": {"network": {"kind": "quarter", "options": {"width": 9}}}}[
            kind
        ]
        save_file({"generator.stem.weight": torch.zeros(3)}, path, {"impasto-model": json.dumps(about)})
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut", "damaged"),
        ("text", "no model file"),
        ("empty", "no model file"),
        ("absent", "there is no model .*any, gallery, live"),
        ("foreign", "no impasto model"),
        ("newer", "newer impasto"),
        ("other network", "do not fit"),
    ],
)
def test_a_bad_file_is_one_line(small_model: Model, tmp_path: Path, kind: str, message: str) -> None:
    path = damaged(tmp_path, kind, small_model)
    with pytest.raises(WeightsError, match=message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_model_that_cannot_be_written_is_one_line(small_model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the model"):
        save_model(small_model, tmp_path / "file" / "m.safetensors")


def test_what_is_drawn_has_the_moments_of_the_vectors() -> None:
    random = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = Quarter(8, 12, 1, 2, "lite", front_widths=(4, 4, 6, 6, 8)).eval()
    factors = torch.randn(80, 8, 12, generator=random)
    vectors = generator.plain_style().repeat(80, 1) + 0.1 * torch.randn(80, generator.style_size, generator=random)
    assert generator.transport is not None
    place, (rows, columns) = generator.transport.where, torch.tril_indices(8, 8)
    vectors[:, place.start + 8 : place.stop] = (factors @ factors.mT)[:, rows, columns]
    model = Model("quarter", generator, distribution=distribution(generator, vectors, rank=80))
    expected = generator.unbounded(vectors)
    found = generator.unbounded(torch.cat([model.sample(random) for _ in range(600)]))
    assert ((found.mean(0) - expected.mean(0)) / expected.std(0)).abs().max() < 0.3
    assert (found.std(0) / expected.std(0)).log().abs().max() < 0.3


def test_few_directions_still_know_colors() -> None:
    """Nine numbers of color beside thousands of a covariance."""
    random = torch.Generator().manual_seed(0)
    generator = Quarter(8, 12, 1, 2)
    vectors = generator.plain_style() + 0.1 * torch.randn(200, generator.style_size, generator=random)
    vectors[:, generator.colors] += 0.02 * torch.randn(200, 1, generator=random)
    mean, factor = distribution(generator, vectors, rank=12)
    share = factor[generator.colors].square().sum() / generator.unbounded(vectors)[:, generator.colors].var(0).sum()
    assert share > 0.5 and mean.shape == (generator.style_size,)


def test_a_file_of_before_has_no_distribution(small_model: Model, tmp_path: Path) -> None:
    save_model(small_model, tmp_path / "m.safetensors")
    about, tensors = read_tensors(tmp_path / "m.safetensors")
    tensors["distribution.mean"] = tensors.pop("unbounded.mean")
    tensors["distribution.factor"] = tensors.pop("unbounded.factor")
    save_file(tensors, tmp_path / "m.safetensors", about)
    with pytest.raises(InputError, match="no distribution"):
        load_model(tmp_path / "m.safetensors").sample()


def test_styles_by_name_find_the_packaged_model_that_knows_them() -> None:
    assert default_model() == "any"
    assert default_model(["storm"]) == default_model(["storm", "mosaic"]) == "gallery"
    assert default_model(["storm"], ("live", "gallery")) == "live"
    assert default_model(["storm", "mosaic"], ("live", "gallery")) == "gallery"
    with pytest.raises(InputError, match="did you mean mosaic"):
        default_model(["storm", "mosaik"])


def test_the_packaged_data_stays_small() -> None:
    sizes = [p.stat().st_size for p in (Path(impasto.__file__).parent / "data").iterdir()]
    assert sum(sizes) < 12e6


def test_packaged_models_are_known_by_name() -> None:
    models = {name: load_model(name) for name in PACKAGED}
    assert models["any"].any_style and "mosaic" in models["gallery"].styles and models["live"].styles


def test_models_that_enlarge_and_models_that_paint_are_told_apart(small_model: Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SuperResolution(2, 8, 1)
    torch.nn.init.normal_(network.head.weight, std=0.2)
    large, style = tmp_path / "x2.safetensors", tmp_path / "m.safetensors"
    save_model(UpscaleModel(network.half().float(), {"licence": "test"}), large)
    save_model(small_model, style)
    found, image = load_upscaler(large), torch.rand(1, 3, 9, 14)
    assert found.about == {"licence": "test"} and found.generator.options == network.options
    torch.testing.assert_close(found(image), UpscaleModel(network)(image), atol=1e-5, rtol=0)
    with pytest.raises(InputError, match=r"x2.safetensors enlarges pictures and paints none; use impasto upscale"):
        load_model(large)
    with pytest.raises(InputError, match=r"m.safetensors paints and does not enlarge"):
        load_upscaler(style)


def test_a_model_has_the_permissions_of_other_files(small_model: Model, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save_model(small_model, tmp_path / "m.safetensors")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m.safetensors").stat().st_mode) == 0o640
