"""Encoders: names, depth, pooling, projections, foreign modules."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError, WeightsError
from impasto.features import ModuleEncoder, load_encoder, resolve, resolve_precision
from impasto.features.fingerprint import fingerprint
from impasto.features.lite import LITE_LAYERS
from impasto.features.variants import CAFFE, VGG16_WIDTHS, VGG19_WIDTHS
from impasto.features.vgg import VGG
from impasto.objective import Style, gram
from impasto.objective.statistics import Wasserstein


def test_vgg19_has_the_papers_layer_names() -> None:
    with torch.device("meta"):
        deep, shallow = VGG(VGG19_WIDTHS, CAFFE), VGG(VGG16_WIDTHS, CAFFE)
    assert {"conv1_1", "relu1_1", "pool1", "relu4_2", "relu5_4", "pool5"} <= set(deep.layers)
    assert "relu5_3" in shallow.layers and "relu5_4" not in shallow.layers


def test_maps_are_what_the_convolutions_give_by_hand(tiny: VGG) -> None:
    image = torch.rand(1, 3, 12, 10)
    x = (image - 0.5) / 0.25
    conv1 = F.conv2d(x, tiny.convs["conv1_1"].weight, tiny.convs["conv1_1"].bias, padding=1)  # type: ignore[arg-type]
    second = F.conv2d(
        F.relu(conv1),
        tiny.convs["conv1_2"].weight,  # type: ignore[arg-type]
        tiny.convs["conv1_2"].bias,  # type: ignore[arg-type]
        padding=1,
    )
    found = tiny(image, ["pool1", "conv1_1", "relu1_1"])
    torch.testing.assert_close(found["conv1_1"], conv1)
    torch.testing.assert_close(found["relu1_1"], F.relu(conv1))
    torch.testing.assert_close(found["pool1"], F.max_pool2d(F.relu(second), 2))


def test_nothing_is_computed_beyond_the_deepest_layer(tiny: VGG) -> None:
    called: list[str] = []
    hooks = [m.register_forward_hook(lambda *_, n=n: called.append(n)) for n, m in tiny.convs.items()]
    try:
        tiny(torch.rand(1, 3, 8, 8), ["relu1_1", "relu1_2"])
    finally:
        for hook in hooks:
            hook.remove()
    assert called == ["conv1_1", "conv1_2"]


def test_an_unknown_layer_is_refused_with_the_nearest_names(tiny: VGG) -> None:
    with pytest.raises(InputError, match=r"relu9_1.*did you mean.*relu"):
        tiny(torch.rand(1, 3, 8, 8), ["relu9_1"])


def test_a_picture_too_small_for_a_layer_is_refused(tiny: VGG) -> None:
    with pytest.raises(InputError, match="1x9 is too small for pool1"):
        tiny(torch.rand(1, 3, 9, 1), ["pool1"])


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean vgg19"):
        load_encoder("vgg91")


def test_lite_is_looked_for_in_a_folder_of_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"lite\.safetensors"):
        load_encoder("lite", weights=tmp_path)


def test_lite_is_packaged_and_gives_every_layer() -> None:
    encoder = load_encoder("lite")
    found = encoder(torch.rand(1, 3, 64, 48), LITE_LAYERS)
    assert set(found) == set(LITE_LAYERS)
    assert all(maps.isfinite().all() and maps.std() > 0 for maps in found.values())
    assert found["relu5_1"].shape[-2:] == (4, 3)


def test_a_foreign_file_is_no_lite(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"not weights")
    with pytest.raises(WeightsError) as caught:
        load_encoder("lite", weights=file)
    assert "\n" not in str(caught.value)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, padding=1))
        self.after = nn.ReLU(inplace=True)
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.after(x + self.block(x))
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


def test_a_residual_network_serves_as_encoder_and_keeps_no_hooks() -> None:
    network = Residual()
    encoder = ModuleEncoder(network, {"stem": "stem", "deep": "after"}, mean=(0.5,), std=(0.5,))
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    found = encoder(image, ["deep", "stem"])
    x = network.stem((image - 0.5) / 0.5)
    torch.testing.assert_close(found["stem"], x)
    torch.testing.assert_close(found["deep"], F.relu(x + network.block(x)))
    found["deep"].sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    assert not any(m._forward_hooks for m in network.modules())


def test_a_lenet_serves_as_encoder_of_gray_pictures() -> None:
    network = nn.Sequential(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh())
    encoder = ModuleEncoder(network, {"c1": "1", "c3": "4"}, channels=1, name="lenet")
    assert encoder(torch.rand(2, 3, 28, 28), ["c3"])["c3"].shape == (2, 16, 8, 8)
    with pytest.raises(InputError, match="unknown submodule"):
        ModuleEncoder(network, ["nine"])


def test_auto_is_lite_until_a_vgg19_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve() == "lite" == load_encoder().name
    monkeypatch.setenv("IMPASTO_WEIGHTS", str(tmp_path))
    (tmp_path / "vgg16-397923af.pth").touch()
    assert resolve() == "lite"
    (tmp_path / "vgg19-d01eb7cb.pth").touch()
    assert resolve() == "vgg19-caffe"
    (tmp_path / "vgg19-dcbb9e9d.pth").touch()
    assert resolve() == "vgg19"
    assert resolve("lite") == "lite"


def test_weights_that_are_given_tell_the_encoder_by_their_name(tmp_path: Path) -> None:
    for name in ("vgg19-d01eb7cb.pth", "vgg16-397923af.pth", "mine.pth"):
        (tmp_path / name).touch()
    assert resolve("auto", tmp_path) == "vgg19-caffe"
    assert resolve("auto", tmp_path / "vgg16-397923af.pth") == "vgg16"
    (tmp_path / "empty").mkdir()
    for path, rule in (("none.pth", "does not exist"), ("mine.pth", "--encoder"), ("empty", "--encoder")):
        with pytest.raises(WeightsError, match=rule):
            resolve("auto", tmp_path / path)


def test_bfloat16_maps_come_as_float32_and_give_nearly_the_same_loss_and_gradient() -> None:
    torch.manual_seed(0)
    image, style = F.interpolate(torch.rand(2, 3, 16, 16), size=(64, 64), mode="bicubic").clamp(0, 1).split(1)
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
    found = []
    for precision in ("fp32", "bf16"):
        encoder = load_encoder("lite", precision=precision)
        targets = {n: gram(m).mean() for n, m in encoder(style, layers).items()}
        x = image.clone().requires_grad_()
        maps = encoder(x, layers)
        assert all(m.dtype == torch.float32 for m in maps.values())
        loss = Style(targets, dict.fromkeys(layers, 0.25), "relative")(x, maps)
        found.append((loss.item(), torch.autograd.grad(loss, x)[0].flatten(), fingerprint(encoder)))
    (full, gradient, one), (half, other, two) = found
    assert half == pytest.approx(full, rel=0.03)
    assert torch.cosine_similarity(gradient, other, dim=0) > 0.99
    assert one != two


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="precision 'fp16'"):
        load_encoder("lite", precision="fp16")


@pytest.mark.parametrize(
    ("has", "device", "expected"),
    [
        ({"avx512_bf16": True}, "cpu", "bf16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "cpu", "bf16"),
        ({"avx512_f": True}, "cpu", "fp32"),
        ({"avx512_bf16": True}, "cuda", "fp32"),
    ],
)
def test_auto_is_bfloat16_where_the_processor_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, bool], device: str, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    assert resolve_precision("auto", device) == expected
    assert [resolve_precision(name, device) for name in ("fp32", "tf32", "bf16")] == ["fp32", "tf32", "bf16"]
    if device == "cpu":
        assert load_encoder("lite", precision="auto").precision == expected  # type: ignore[attr-defined]


def test_a_torch_that_cannot_tell_what_the_processor_has_means_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert resolve_precision() == "fp32"


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(8).eval(), nn.InstanceNorm2d(8)], ids=lambda n: type(n).__name__)
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_through_normalizations_of_one_picture_are_slopes(norm: nn.Module, masked: bool) -> None:
    torch.manual_seed(0)
    encoder = ModuleEncoder(nn.Sequential(nn.Conv2d(3, 8, 3), norm).double(), ["1"])
    mask = torch.rand(1, 1, 10, 10).double() if masked else None
    images, way = torch.rand(1, 3, 12, 12).double().requires_grad_(), torch.randn(1, 3, 12, 12).double()
    weights = torch.randn(9, 8).double()

    def loss(images: Tensor) -> Tensor:
        return (Wasserstein().measure(encoder(images, ["1"])["1"], mask).total * weights).sum()

    (found,) = torch.autograd.grad(loss(images), images)
    with torch.no_grad():
        slope = (loss(images + 1e-6 * way) - loss(images - 1e-6 * way)) / 2e-6
    torch.testing.assert_close((found * way).sum(), slope, rtol=1e-5, atol=0)
