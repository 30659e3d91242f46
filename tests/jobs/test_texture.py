"""Textures by every method: one job, whose modes refuse what has no effect in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

import impasto
from impasto.errors import InputError
from impasto.jobs.base import job_of
from impasto.media import read_image
from impasto.methods.settings import CLASSIC

SMALL = {"size": (24, 16)}


@pytest.mark.parametrize("method", CLASSIC)
def test_a_classic_texture_is_of_the_sample_s_pixels(method: str, pictures: dict[str, Path], tmp_path: Path) -> None:
    sample, where = pictures["style"], tmp_path / "where.png"
    job = impasto.Texture(str(sample), method=method, sample_size=40, coherence=str(where), **SMALL)
    made = impasto.run(job)
    assert made.pixels.shape == (1, 3, 16, 24) and read_image(where).pixels.shape == made.pixels.shape
    assert torch.equal(made.pixels, impasto.run(job.changed(force=True)).pixels)
    assert not torch.equal(made.pixels, impasto.run(job.changed(force=True, seed=1)).pixels)


@pytest.mark.parametrize("method", CLASSIC)
def test_it_is_made_again_from_its_manifest(
    method: str, ok: Callable, pictures: dict[str, Path], tmp_path: Path
) -> None:  # type: ignore[type-arg]
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    ok("texture", pictures["style"], "-o", first, "--method", method, "--size", "24x16", "--sample-size", 40)
    ok("again", first, "-o", second, "--inputs", pictures["style"].parent)
    assert torch.equal(read_image(first).pixels, read_image(second).pixels)


@pytest.mark.parametrize("options", [("efros-leung", "--window", 5), ("quilting", "--block", 8)])
def test_a_hole_is_filled_by_the_command(
    options: tuple, ok: Callable, pictures: dict[str, Path], tmp_path: Path
) -> None:  # type: ignore[type-arg]
    hole = Image.new("L", (96, 80))
    hole.paste(255, (40, 30, 48, 38))
    hole.save(tmp_path / "hole.png")
    words = ("--mask", tmp_path / "hole.png", "--reach", 12, "--method", *options)
    ok("texture", pictures["content"], "-o", tmp_path / "out.png", *words)
    same = (read_image(tmp_path / "out.png").pixels == read_image(pictures["content"]).pixels).all(1)[0]
    same[30:38, 40:48] = True
    assert same.all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "efros"}, "did you mean efros-leung"),
        ({"window": 7}, "window has no effect with method gatys, as none is given"),
        ({"method": "efros-leung", "steps": 3}, "steps has no effect with method efros-leung"),
        ({"method": "efros-leung", "own_size": True}, "own size has no effect"),
        ({"method": "efros-leung", "resume": "a"}, "resume has no effect"),
        ({"method": "gatys", "mask": "a.png"}, "mask has no effect with method gatys"),
        ({"method": "network"}, "model is missing"),
        ({"method": "efros-leung", "mask": "a.png", "size": 64}, "leave size"),
        ({"method": "efros-leung", "device": "cuda"}, "leave device out"),
        ({"method": "quilting", "window": 7}, "window has no effect with method quilting"),
        ({"method": "quilting", "max_error": 1}, "max error has no effect"),
        ({"method": "efros-leung", "block": 7}, "block has no effect"),
        ({"method": "gatys", "model": "a"}, "model has no effect with method gatys"),
    ],
)
def test_an_option_without_effect_is_refused(options: dict, said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=said):
        impasto.Texture("a.png", **options)


def test_a_method_without_its_input_is_refused() -> None:
    for options, said in (
        ({"method": "network"}, "model is missing"),
        ({"method": "efros-leung"}, "sample is missing"),
    ):
        with pytest.raises(InputError, match=said):
            impasto.Texture(**options)


def test_a_mask_of_another_size_is_refused(pictures: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="the mask is 48x40 and the picture 96x80"):
        impasto.texture(str(pictures["content"]), method="efros-leung", mask=str(pictures["small"]))


def test_filled_pixels_bring_their_opacity_and_all_others_keep_theirs(pictures: dict[str, Path]) -> None:
    photo = torch.cat([read_image(pictures["content"]).pixels[0], torch.ones(1, 80, 96)])
    photo[3, :, :40], photo[3, :, 60:] = 0.0, 0.75
    read, hole = read_image(photo).channels[0], torch.zeros(80, 96)
    hole[30:40, 36:66] = 1
    for method, options in (("efros-leung", {"window": 5}), ("quilting", {"block": 8})):
        made = impasto.texture(photo, method=method, mask=hole[None], reach=16, **options)
        assert made.alpha is not None and torch.equal(made.alpha[0, 0, hole == 0], photo[3, hole == 0])
        assert torch.equal(made.pixels[0][:, hole == 0], read[:3, hole == 0])
        assert set(made.alpha[0, 0, hole == 1].unique().tolist()) <= {0.75, 1.0}


@pytest.mark.parametrize("role", ["coherence", "output"])
def test_what_is_read_is_not_written_over(role: str, pictures: dict[str, Path], tmp_path: Path) -> None:
    read = {name: tmp_path / f"{name}.png" for name in ("sample", "mask")}
    for path in read.values():
        path.write_bytes(pictures["content"].read_bytes())
    options = {name: str(path) for name, path in read.items()} | {"method": "quilting", "force": True}
    for path in read.values():
        with pytest.raises(InputError, match=f"the {role} .* is a picture that is read"):
            impasto.run(impasto.Texture(**options, **{role: str(path)}))
        assert path.read_bytes() == pictures["content"].read_bytes()


def test_a_small_texture_of_copied_pixels_needs_no_scales(pictures: dict[str, Path]) -> None:
    assert impasto.Texture("a.png", method="efros-leung", size=8).size == (8, 8)
    with pytest.raises(InputError, match="both sides must be 32 or more"):
        impasto.Texture("a.png", size=8)


def test_a_photograph_is_quilted_of_a_painting(ok: Callable, pictures: dict[str, Path], tmp_path: Path) -> None:  # type: ignore[type-arg]
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    ok(
        "stylize",
        pictures["content"],
        pictures["style"],
        "-o",
        first,
        "--quality",
        "quilting",
        "--size",
        48,
        "--rounds",
        2,
    )
    ok("again", first, "-o", second, "--inputs", pictures["style"].parent)
    assert torch.equal(read_image(first).pixels, read_image(second).pixels)
    assert read_image(first).pixels.shape == (1, 3, 40, 48)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"masks": [("m.png", 1)]}, "masks has no effect with quality quilting"),
        ({"color": "histogram"}, "color has no effect with quality quilting"),
        ({"steps": 3}, "steps has no effect with quality quilting"),
        ({"style": ("a.png", "b.png")}, "give one style"),
        ({"device": "cuda"}, "leave device out"),
        ({"quality": "best", "rounds": 3}, "rounds has no effect with quality best"),
    ],
)
def test_quilting_refuses_what_has_no_effect(options: dict, said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=said):
        impasto.Stylize("a.png", **{"style": "b.png", "quality": "quilting"} | options)


def test_the_former_name_of_an_option_says_the_present_one(refused: Callable) -> None:  # type: ignore[type-arg]
    said = refused("stylize", "a.png", "b.png", "-o", "c.png", "--method", "quilting")
    assert "--method is called --quality now" in said
    assert "--style-folder is called STYLE now" in refused("stylize", "a.png", "--style-folder=b")
    assert "--statistic is called --style-loss now" in refused("texture", "a.png", "--statistic", "gram")


def test_a_sheet_of_textures_has_a_row_for_each_sample(ok: Callable, pictures: dict[str, Path], tmp_path: Path) -> None:  # type: ignore[type-arg]
    words = ("--size", "40x32", "--sample-size", 36, "--windows", "5,7", "--steps", 2, "--encoder", "lite")
    ok("textures", pictures["style"], pictures["other"], "-o", tmp_path / "sheet.png", *words)
    made = read_image(tmp_path / "sheet.png").pixels
    assert made.shape[3] >= 6 * 40 and 2 * 32 <= made.shape[2] < 4 * 32
    with pytest.raises(InputError, match="window is 6; it must be odd"):
        impasto.run(job_of({"job": "textures", "sample": ["a.png"], "windows": [6]}))


def test_a_large_sample_is_read_at_512_pixels_unless_more_are_asked_for() -> None:
    from impasto.jobs.texture import copied

    job = impasto.Texture(torch.rand(3, 24, 600), method="quilting", size=16, block=8)
    assert copied(job, lambda *_: None).shape == (20, 512)
    assert copied(job.changed(sample_size=600), lambda *_: None).shape == (24, 600)
