"""Crops to train on: the same in every run, of any file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from impasto.errors import InputError
from impasto.training.photos import Photos, Stream, pictures_in, random_crop, scene


def test_crops_and_scenes_are_the_same_for_the_same_number(paintings: list[Path]) -> None:
    for files in (paintings, []):
        one, other = Photos(files, 32, seed=1), Photos(files, 32, seed=1)
        assert torch.equal(one[3], other[3])
        assert not torch.equal(one[3], one[4])
        assert not torch.equal(one[3], Photos(files, 32, seed=2)[3])
        assert one[3].shape == (3, 32, 32) and one[3].min() >= 0 and one[3].max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (700, 20), (64, 64)])
def test_a_crop_of_any_picture_fits(size: tuple[int, int]) -> None:
    image = PIL.Image.new("RGB", size, (255, 0, 51))
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
    with pytest.raises(InputError, match="20 photographs in a row cannot be read"):
        Photos([damaged], 16)[0]


def test_folders_without_pictures_are_refused(tmp_path: Path, paintings: list[Path]) -> None:
    assert pictures_in(paintings[0].parent) == sorted(paintings)
    with pytest.raises(InputError, match="is no folder"):
        pictures_in(tmp_path / "absent")
    with pytest.raises(InputError, match="there is no picture in"):
        pictures_in(tmp_path)
