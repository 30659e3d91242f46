"""Networks by their import path: taken from whoever starts a job, and from no file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import impasto
from impasto.errors import InputError, WeightsError
from impasto.features import ModuleEncoder, layers_of, load_encoder
from impasto.jobs.base import job_of

CODE = """
import pathlib, torch, warnings
from torch import nn

pathlib.Path(__file__).with_name("ran").touch()


class Net(nn.Module):
    layers, name = 3, "not an encoder"

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.body = nn.Sequential(nn.Conv2d(6, 8, 3, 2), self.relu)
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.pool(self.body(self.relu(self.conv(x)))).flatten(1))


class Own:
    name, layers = "own", ("a",)

    def __call__(self, images, layers):
        return {"a": images}


class Wide(Net):
    def __init__(self):
        super().__init__()
        self.double()


class Whole(Net):
    # Layers that are no maps of floats, one without a gradient, and a picture that must have a size.

    def __init__(self):
        super().__init__()
        self.pair, self.places = Pair(), Places()

    def forward(self, x):
        assert x.shape[-1] == 224
        self.pair(x), self.places(x)
        with torch.no_grad():
            x = self.conv(x)
        return self.body(x)


class Pair(nn.Module):
    def forward(self, x):
        return x, x


class Places(nn.Module):
    def forward(self, x):
        return x.long()


class Odd(Net):
    def forward(self, x):
        return self.conv(x)[:, 100]


ready, number = Net(), 3


def lazy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.LazyConv2d(4, 3)


def broken():
    raise KeyError("no such thing")
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that lies here."""
    name = f"net_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return name


def test_layers_are_submodules_that_are_called_once_in_the_order_of_a_picture(net: str) -> None:
    expected = ("conv", "body.0", "body", "pool", "head", "logits")
    assert layers_of(f"{net}:Net") == layers_of(f"{net}:ready") == expected
    encoder, again = (load_encoder(f"{net}:Net") for _ in range(2))
    picture = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    maps = encoder(picture, ["conv", "logits"])
    assert maps["conv"].shape == (1, 6, 40, 40) and maps["logits"].shape == (1, 5, 1, 1)
    assert torch.equal(maps["conv"], again(picture, ["conv"])["conv"])
    assert load_encoder(f"{net}:Own").layers == ("a",)


def test_weights_are_those_of_the_file(net: str, tmp_path: Path) -> None:
    encoder = load_encoder(f"{net}:Net")
    state = {name: torch.ones_like(value) for name, value in encoder.network.state_dict().items()}  # type: ignore[attr-defined]
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    filled = load_encoder(f"{net}:Net", weights=tmp_path / "w.pth")
    assert float(filled(torch.ones(1, 3, 40, 40), ["conv"])["conv"][0, 0, 9, 9]) != 0
    assert filled.network.conv.weight.eq(1).all()  # type: ignore[attr-defined]
    del state["conv.bias"]
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(WeightsError, match=r"holds no weights of .*conv\.bias"):
        load_encoder(f"{net}:Net", weights=tmp_path / "less.pth")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere_at_all:Net", "ModuleNotFoundError"),
        ("{net}:nothing", "AttributeError"),
        ("{net}:broken", "KeyError"),
        ("{net}:number", "TypeError"),
        ("{net}:pathlib.Path", "it must be a torch.nn.Module"),
        ("{net}:Odd", "cannot take a picture of 224x224: IndexError"),
        ("{net}:lazy", "cannot be frozen"),
    ],
)
def test_what_is_no_network_is_one_line(net: str, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load_encoder(name.format(net=net))
    assert "\n" not in str(caught.value)


def test_a_network_of_other_numbers_computes_in_float32(net: str) -> None:
    picture = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    encoder = load_encoder(f"{net}:Wide")
    maps = encoder(picture, encoder.layers)
    assert {values.dtype for values in maps.values()} == {torch.float32} and maps["conv"].std() > 0


def test_what_a_network_cannot_do_is_one_line(net: str) -> None:
    encoder = load_encoder(f"{net}:Whole")
    assert encoder.layers == ("conv", "body.0", "relu", "body")
    with pytest.raises(InputError, match=r"cannot take a picture of 40x40: AssertionError$"):
        encoder(torch.rand(1, 3, 40, 40), ["conv"])
    picture = torch.rand(1, 3, 40, 224)
    assert encoder(picture, ["conv"])["conv"].shape == (1, 6, 40, 224)
    with pytest.raises(InputError, match="computes the layer body without gradients"):
        encoder(picture.requires_grad_(), ["body"])
    other = ModuleEncoder(encoder.network, ["pair", "places"])  # type: ignore[attr-defined]
    for layer in other.layers:
        with pytest.raises(InputError, match=f"the layer {layer} of module gives no map"):
            other(picture.detach(), [layer])


def test_every_command_takes_one_and_no_file_does(
    net: str, tmp_path: Path, pair: tuple[Path, Path], ok: Callable[..., object], refused: Callable[..., str]
) -> None:
    name, out, ran = f"{net}:Net", tmp_path / "out.png", tmp_path / "ran"
    layers = ("--style-layer", "conv", "--content-layer", "body", "--size", 48, "--steps", 2, "--scales", 1)
    words = ("stylize", *pair, "--encoder", name, *layers)
    assert name in refused("run", _saved(ok, words, tmp_path)) and not ran.exists()
    ok(*words, "-o", out, "--quiet", "--save-every", 1)
    ok("visualize", "guided", pair[0], "--unit", "body:2", "--encoder", name, "-o", tmp_path / "g.png", "--quiet")
    ok("dream", pair[0], "--layer", "body", "--encoder", name, "--steps", 1, "--octaves", 1, "-o", tmp_path / "d.png")
    assert ran.exists()
    assert "no file may run" in refused("again", out, "-o", tmp_path / "b.png", "--inputs", pair[0].parent)
    ok("again", out, "-o", tmp_path / "b.png", "--inputs", pair[0].parent, "--encoder", name, "--quiet")
    assert (tmp_path / "b.png").is_file()
    state = tmp_path / "out.png.state.safetensors"
    assert "no file may run" in refused("stylize", "--resume", state, "-o", tmp_path / "c.png")
    with pytest.raises(InputError, match="no file may run"):
        impasto.resume(state)
    with pytest.raises(InputError, match="no file may run"):
        job_of({"job": "stylize", "content": "a", "style": "b", "warmup_encoder": name})


def test_every_layer_of_it_is_inverted(net: str, pair: tuple[Path, Path]) -> None:
    result = impasto.run(impasto.Invert(str(pair[0]), encoder=f"{net}:Net", all_layers=True, size=32, steps=1))
    assert {entry["cell"] for entry in result.curve} == set(layers_of(f"{net}:Net"))


def _saved(ok: Callable[..., object], words: tuple[object, ...], folder: Path) -> Path:
    """A job's file, as `--save-job` writes it."""
    file = folder / "job.json"
    ok(*words, "-o", folder / "x.png", "--save-job", file)
    assert json.loads(file.read_text())["encoder"]
    return file
