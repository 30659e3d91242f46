"""Crops to train on: the same in every run, of any file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from impasto.errors import InputError
from impasto.media import pictures_in, read_image
from impasto.pictures.resample import lanczos
from impasto.training.photos import Photos, Stream, fingerprint, opened, random_crop, scene


def test_crops_and_scenes_are_the_same_for_the_same_number(paintings: list[Path]) -> None:
    for files in (paintings, []):
        one, other = Photos(files, 32, seed=1), Photos(files, 32, seed=1)
        assert torch.equal(one[3], other[3])
        assert not torch.equal(one[3], one[4])
        assert not torch.equal(one[3], Photos(files, 32, seed=2)[3])
        assert one[3].shape == (3, 32, 32) and one[3].min() >= 0 and one[3].max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (700, 20), (64, 64)])
def test_a_crop_of_any_picture_fits(size: tuple[int, int]) -> None:
    image = torch.tensor([1.0, 0.0, 0.2]).view(1, 3, 1, 1).expand(1, 3, size[1], size[0])
    rng = np.random.default_rng(0)
    for _ in range(5):
        found = random_crop(image, 64, rng, (0.5, 2.0))
        torch.testing.assert_close(found, torch.tensor([1.0, 0.0, 0.2]).view(3, 1, 1).expand(3, 64, 64))


def test_batches_decoded_ahead_are_the_same_and_go_on_where_they_stopped(paintings: list[Path]) -> None:
    photos = Photos(paintings, 16)
    plain, ahead = Stream(photos, 2), Stream(photos, 2, workers=1)
    for number in (0, 1, 2, 7, 8):
        found = ahead(number)
        assert found.shape == (2, 3, 16, 16) and torch.equal(found, plain(number))


def test_a_scene_is_no_plain_color() -> None:
    for number in range(5):
        assert scene(48, np.random.default_rng(number)).std() > 0.02


def test_one_damaged_file_does_not_stop_a_training_but_nothing_else_would_be_left(
    paintings: list[Path], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"no picture")
    photos = Photos([paintings[0], damaged], 16)
    assert all(photos[i].shape == (3, 16, 16) for i in range(6))
    with pytest.raises(InputError, match=r"20 pictures in a row cannot be read, the last because .*damaged.jpg"):
        Photos([damaged], 16)[0]


def test_folders_without_pictures_are_refused(tmp_path: Path, paintings: list[Path]) -> None:
    assert pictures_in(paintings[0].parent, recursive=True) == sorted(paintings)
    with pytest.raises(InputError, match="there is no folder"):
        pictures_in(tmp_path / "absent", recursive=True)
    with pytest.raises(InputError, match="holds no pictures"):
        pictures_in(tmp_path, recursive=True)


def turned_jpeg(path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # a phone held upright
    half = np.zeros((48, 64, 3), np.uint8)
    half[:, :32] = 255
    PIL.Image.fromarray(half).save(path, exif=exif, quality=95)


def deep_gray_png(path: Path) -> None:
    PIL.Image.fromarray(np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)).save(path)


def float_tiff(path: Path) -> None:
    PIL.Image.fromarray(np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(48, 64)).save(path)


def hidden_colors(path: Path) -> None:
    pixels = np.full((48, 64, 4), (255, 0, 255, 0), np.uint8)
    pixels[10:30, 10:30] = (0, 200, 0, 255)
    PIL.Image.fromarray(pixels).save(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.jpg", turned_jpeg), ("b.png", deep_gray_png), ("c.tif", float_tiff), ("d.png", hidden_colors)],
)
def test_trainings_see_files_as_everything_else_does(name: str, write: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / name
    write(path)
    seen = read_image(path).pixels
    assert 0.1 < float(seen.mean()) < 0.9
    assert torch.equal(opened(path, max(seen.shape[2:])), seen[0])
    whole = Photos([path], 48, scales=(1e-3, 1e-3))  # as small as a cut can be: all of the short side
    rows = [whole[i].mean((1, 2)) for i in range(8)]
    cuts = [seen[..., y : y + 48, x : x + 48].mean((2, 3)) for y in range(17) for x in range(17)]
    near = [min(float((row - cut).abs().max()) for cut in cuts) for row in rows]
    assert max(near) < 0.02
    if name == "a.jpg":
        assert opened(path, 64).shape == (3, 64, 48)


def test_a_crop_is_a_part_of_the_picture_resized(paintings: list[Path]) -> None:
    picture = read_image(paintings[0]).pixels
    large = lanczos(picture, (384, 512))[0]
    found = random_crop(picture, 128, np.random.default_rng(3), (1.0, 1.0))
    rng = np.random.default_rng(3)
    rng.uniform(0, 0)
    left, top = int(rng.integers(0, 385)), int(rng.integers(0, 257))
    expected = large[:, top : top + 128, left : left + 128]
    expected = expected.flip(2) if rng.random() < 0.5 else expected
    assert float((found - expected).abs().mean()) < 0.05 < float((found.flip(1) - expected).abs().mean())


def test_a_fingerprint_tells_lists_of_files_apart(paintings: list[Path], tmp_path: Path) -> None:
    known = fingerprint(paintings)
    assert known == fingerprint(paintings) and known.startswith("3 files, ")
    other = tmp_path / paintings[0].name
    other.write_bytes(paintings[0].read_bytes()[:-1] + b"x")
    assert len({known, fingerprint(paintings[:2]), fingerprint([other, *paintings[1:]])}) == 3
    with pytest.raises(InputError, match=r"absent.png cannot be read: No such file"):
        fingerprint([tmp_path / "absent.png"])
