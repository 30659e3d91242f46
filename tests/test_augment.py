"""Random styles over training sets."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import impasto
from impasto.errors import InputError
from impasto.networks.models import Model, save_model


@pytest.fixture
def model_file(small_model: Model, tmp_path: Path) -> str:
    save_model(small_model, tmp_path / "small.safetensors")
    return str(tmp_path / "small.safetensors")


def test_labels_and_what_is_not_drawn_stay_as_they_are(model_file: str) -> None:
    images, labels = torch.rand(16, 3, 24, 32), torch.arange(16)
    found, same = impasto.StyleAugment(p=0.5, strength=(0.5, 1), model=model_file, seed=1)(images, labels)
    assert same is labels and found.shape == images.shape and float(found.min()) >= 0 and float(found.max()) <= 1
    changed = (found != images).flatten(1).any(1)
    assert 3 <= int(changed.sum()) <= 13
    assert torch.equal(impasto.StyleAugment(p=0.0, model=model_file)(images), images)
    assert torch.equal(impasto.StyleAugment(p=1.0, strength=(0, 0), model=model_file)(images), images)


def test_the_seed_decides_or_torchs(model_file: str) -> None:
    images = torch.rand(4, 3, 24, 24)
    one, two = (impasto.StyleAugment(p=1, model=model_file, seed=5)(images) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, impasto.StyleAugment(p=1, model=model_file, seed=6)(images))
    transform = impasto.StyleAugment(p=1, model=model_file)
    torch.manual_seed(3)
    first = transform(images)
    torch.manual_seed(3)
    assert torch.equal(transform(images), first)


def test_every_style_that_is_drawn_paints_numbers() -> None:
    images = torch.rand(100, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    made = impasto.StyleAugment(p=1, strength=(1, 1), seed=0)(images)
    assert made.isfinite().all()
    lightness = made.mean((1, 2, 3))
    # As of paintings: few are nearly black or white.
    assert 0.3 < float(lightness.mean()) < 0.65 and 0.08 < float(lightness.std()) < 0.25


def test_what_it_paints_can_be_trained_on(model_file: str) -> None:
    network = torch.nn.Conv2d(3, 2, 3)
    for size in (None, 16):
        made = impasto.StyleAugment(p=1, model=model_file, seed=0, size=size)(torch.rand(2, 3, 24, 24))
        network(made).sum().backward()
    assert network.weight.grad is not None and bool(network.weight.grad.count_nonzero())


def test_single_pictures_integers_and_sizes(model_file: str) -> None:
    transform = impasto.StyleAugment(p=1, strength=(1, 1), model=model_file, seed=0, size=16)
    found = transform(torch.randint(0, 256, (3, 33, 20), dtype=torch.uint8))
    assert found.dtype == torch.uint8 and found.shape == (3, 33, 20)


def test_styles_from_a_folder(model_file: str, tmp_path: Path) -> None:
    folder = tmp_path / "paintings"
    folder.mkdir()
    for number, color in enumerate(("red", "blue")):
        Image.new("RGB", (40, 40), color).save(folder / f"{number}.png")
    images = torch.rand(8, 3, 24, 24)
    found = impasto.StyleAugment(p=1, strength=(1, 1), styles=folder, model=model_file, seed=0)(images)
    assert found.shape == images.shape and not torch.equal(found, images)
    (folder / "2.png").write_bytes(b"damaged")
    again = impasto.StyleAugment(p=1, strength=(1, 1), styles=folder, model=model_file, seed=0)(
        images.repeat(4, 1, 1, 1)
    )
    assert len(again) == 32 and bool((again != images.repeat(4, 1, 1, 1)).flatten(1).any(1).all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.uint8])
def test_pictures_keep_their_type_and_those_not_drawn_their_bits(model_file: str, dtype: torch.dtype) -> None:
    images = torch.rand(16, 3, 16, 16, dtype=torch.float64)
    images = (images * 255 if dtype == torch.uint8 else images).to(dtype)
    found = impasto.StyleAugment(p=0.5, strength=(0.5, 1), model=model_file, seed=1)(images)
    assert found.dtype == dtype and 3 <= int((found == images).flatten(1).all(1).sum()) <= 13
    assert torch.equal(impasto.StyleAugment(p=1, strength=(0, 0), model=model_file)(images), images)


def test_the_network_is_opened_where_the_pictures_are(model_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        pass

    def opened(model: object, device: str) -> None:
        raise Stopped(device)

    monkeypatch.setattr("impasto.augment.open_painter", opened)
    for device in ("cpu", "meta"):
        with pytest.raises(Stopped, match=device):
            impasto.StyleAugment(p=1, model=model_file)(torch.zeros(2, 3, 16, 16, device=device))


class Set(Dataset[Tensor]):
    def __init__(self, transform: impasto.StyleAugment) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        found: Tensor = self.transform(torch.full((3, 16, 16), index / 4))
        return found


def test_it_works_in_workers_each_with_its_own_numbers(model_file: str) -> None:
    transform = impasto.StyleAugment(p=1, strength=(1, 1), model=model_file, seed=0)
    transform(torch.rand(3, 16, 16))  # what was loaded here does not travel
    assert len(pickle.dumps(transform)) < 2000

    def epochs() -> list[Tensor]:
        torch.manual_seed(7)
        return [torch.cat(list(DataLoader(Set(transform), num_workers=2))) for _ in range(2)]

    first, second = epochs()
    assert not torch.equal(first, second) and not torch.equal(first[0], first[1])
    assert all(torch.equal(a, b) for a, b in zip(epochs(), (first, second), strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 1.5}, "probability"),
        ({"strength": (0.8, 0.2)}, "smaller first"),
        ({"strength": 0.5}, "two numbers"),
        ({"strength": (0.5,)}, "two numbers"),
        ({"styles": "nowhere"}, "no folder"),
        ({"size": 0}, "at least 1 pixel"),
        ({"seed": -1}, "seed is -1"),  # it drew the same at every call
    ],
)
def test_bad_arguments_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        impasto.StyleAugment(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "images",
    [torch.rand(1, 4, 4), torch.rand(3, 0, 4), torch.zeros(3, 4, 4, dtype=torch.int64), Image.new("RGB", (4, 4))],
)
def test_what_is_no_batch_of_pictures_is_refused(images: Tensor) -> None:
    with pytest.raises(InputError, match="they must be"):
        impasto.StyleAugment(p=1)(images)
