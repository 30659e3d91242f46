"""ONNX files paint what PyTorch paints, and hold the styles."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import InputError, WeightsError
from impasto.export import FORMAT, OPSET, export_measure, export_onnx, load_onnx, onnx_run
from impasto.half import halved_graph
from impasto.methods.instant import Painter, instant, painting_vector
from impasto.methods.regions import StyleImage
from impasto.methods.settings import StylizeSettings
from impasto.networks.models import PACKAGED, Model, is_packaged, load_model
from impasto.networks.registry import build

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

#: Kind -> options of a small network.
SMALL = {"quarter": {"width": 8, "deep": 12, "blocks": 2, "rank": 3}}
SIZES = [(48, 64), (43, 53), (7, 90), (200, 260)]


def random_model(kind: str) -> Model:
    torch.manual_seed(0)
    generator = build(kind, SMALL[kind]).eval().requires_grad_(False)
    for parameter in generator.parameters():
        parameter.copy_((torch.randn_like(parameter) * 0.2).half())  # as in files
    plain = generator.plain_style()
    styles = {name: (plain + 0.1 * torch.randn_like(plain)).half().float() for name in ("dots", "lines")}
    return Model(
        kind, generator, styles, any_style=kind == "quarter", thumbnails={"dots": "AAAA"}, about={"licence": "none"}
    )


@pytest.fixture(scope="module", params=SMALL)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A model and its ONNX file."""
    model, path = random_model(request.param), tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(model, path)
    return model, path


@pytest.mark.parametrize("size", SIZES)  # the noise of the largest is wrong here and there if it is made by float32
def test_onnx_runtime_paints_what_pytorch_paints(pair: tuple[Model, Path], size: tuple[int, int]) -> None:
    model, path = pair
    run = onnx_run(path)
    for batch, count in ((1, 1), (3, 1), (3, 3)):
        images = torch.rand(batch, 3, *size)
        style = torch.stack(list(model.styles.values())).repeat(2, 1)[:count]
        expected = model(images, style)
        assert expected.std() > 0.01
        torch.testing.assert_close(run(images, style), expected, atol=1e-3, rtol=0)


def test_openvino_paints_what_pytorch_paints(pair: tuple[Model, Path]) -> None:
    openvino = pytest.importorskip("openvino", reason="openvino is not installed; it is no part of impasto")
    model, path = pair
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for batch, size in ((1, SIZES[1]), (2, SIZES[3])):
        images, style = torch.rand(batch, 3, *size), model.styles["lines"][None]
        expected = model(images, style)
        assert expected.std() > 0.01
        found = torch.from_numpy(compiled([images.numpy(), style.numpy()])[0])
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_half_precision_is_for_convolutions_alone(pair: tuple[Model, Path], tmp_path: Path) -> None:
    model, path = pair
    proto = onnx.load(path)
    halved_graph(proto)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, tmp_path / "half.onnx")
    weights = [w for n in proto.graph.node if n.op_type == "Conv" for w in n.input[1:] if w]
    kinds = {i.name: i.data_type for i in proto.graph.initializer}
    assert {kinds[w] for w in weights if w in kinds} == {onnx.TensorProto.FLOAT16}
    assert all(v.type.tensor_type.elem_type == 1 for v in (*proto.graph.input, *proto.graph.output))
    images, style = torch.rand(2, 3, 61, 70), model.styles["lines"][None]
    difference = (onnx_run(tmp_path / "half.onnx")(images, style) - model(images, style)).abs()
    assert 0 < difference.mean() < 1e-3 and difference.max() < 0.05


def test_a_file_says_what_it_is_and_nothing_of_the_machine_it_was_made_on(pair: tuple[Model, Path]) -> None:
    proto = onnx.load(pair[1])
    onnx.checker.check_model(proto)
    assert [o.version for o in proto.opset_import] == [OPSET] and proto.ir_version == FORMAT
    sides = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in proto.graph.input}
    assert sides["images"] == ["batch", 3, "height", "width"] and sides["style"][0] == "styles"
    data = pair[1].read_bytes()
    assert b".py" not in data and str(Path(__file__).parents[1]).encode() not in data


def test_styles_are_read_from_the_file_alone(pair: tuple[Model, Path]) -> None:
    model, path = pair
    found = load_onnx(path)
    assert list(found.styles) == ["dots", "lines"] and found.thumbnails == model.thumbnails
    assert found.about == model.about and found.kind == model.kind
    photo, shares, settings = torch.rand(1, 3, 60, 50), {"dots": 1.0, "lines": 2.0}, StylizeSettings(size=40)
    pictures = [instant(Painter(m), photo, m.blended(shares), settings) for m in (model, found)]
    torch.testing.assert_close(pictures[0], pictures[1], atol=1e-3, rtol=0)


def test_a_style_that_is_built_in_leaves_one_input(tmp_path: Path) -> None:
    model = random_model("quarter")
    export_onnx(model, tmp_path / "one.onnx", "lines")
    found, images = load_onnx(tmp_path / "one.onnx"), torch.rand(1, 3, 30, 45)
    assert list(found.styles) == ["lines"] and len(onnx.load(tmp_path / "one.onnx").graph.input) == 1
    expected = model(images, model.styles["lines"][None])
    torch.testing.assert_close(found(images, found.styles["lines"][None]), expected, atol=1e-3, rtol=0)
    with pytest.raises(InputError, match="did you mean lines"):
        export_onnx(model, tmp_path / "two.onnx", "line")


def test_a_file_paints_in_the_manner_of_any_painting(pair: tuple[Model, Path]) -> None:
    painting, photo, pictures = torch.rand(1, 3, 40, 40), torch.rand(1, 3, 33, 47), []
    for model in (pair[0], load_onnx(pair[1])):
        painter = Painter(model)
        pictures.append(painter(photo, painting_vector(painter, [StyleImage(painting)])))
    torch.testing.assert_close(pictures[0], pictures[1], atol=1e-3, rtol=0)


@pytest.fixture(scope="module", params=[None, pytest.param("any", marks=pytest.mark.slow)])
def measure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A model and the file of what measures its paintings."""
    model = load_model(request.param) if request.param else random_model("quarter")
    path = tmp_path_factory.mktemp("onnx") / "measure.onnx"
    export_measure(model, path)
    return model, path


@pytest.mark.parametrize("size", SIZES)
def test_onnx_runtime_measures_what_pytorch_measures(measure: tuple[Model, Path], size: tuple[int, int]) -> None:
    import onnxruntime

    model, path = measure
    session = onnxruntime.InferenceSession(path)
    sides = [d.dim_param or d.dim_value for d in onnx.load(path).graph.output[0].type.tensor_type.shape.dim]
    assert sides[0] == "batch" and sides[1] == model.generator.style_size
    for count in (1, 2):
        paintings = torch.rand(count, 3, *size)
        found = session.run(["style"], {"paintings": paintings.numpy()})[0]
        expected = model.predict(paintings)
        assert expected.std() > 0.01
        torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "options"), [("johnson", {"width": 4, "blocks": 1}), ("pyramid", {"scales": 3, "width": 4, "noise": 0})]
)
def test_networks_of_the_papers_are_the_same_in_a_file(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    generator = build(kind, options).eval().requires_grad_(False)
    styles = {"dots": generator.plain_style() + 0.1 * torch.randn(generator.style_size)}
    export_onnx(Model(kind, generator, styles), tmp_path / "m.onnx")
    found, style = load_onnx(tmp_path / "m.onnx"), styles["dots"][None]
    for size in SIZES:
        images = torch.rand(1, 3, *size)
        torch.testing.assert_close(found(images, style), generator(images, style).clamp(0, 1), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("source", "way"), [("picture", "--option noise=0"), ("noise", "it makes textures here only")])
def test_noise_for_each_size_fits_into_no_file(source: str, way: str, tmp_path: Path) -> None:
    model = Model("pyramid", build("pyramid", {"scales": 3, "width": 4, "source": source}))
    with pytest.raises(InputError, match=f"draws noise for each size of picture.*{way}"):
        export_onnx(model, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_what_measures_nothing_is_refused(tmp_path: Path) -> None:
    model = random_model("quarter")
    model.any_style = False
    with pytest.raises(InputError, match="measures no paintings"):
        export_measure(model, tmp_path / "m.onnx")


#: An export takes half a minute: CI makes the smallest network's.
EXPORTED = [name if name == "live" else pytest.param(name, marks=pytest.mark.slow) for name in PACKAGED]


@pytest.mark.parametrize("name", EXPORTED)
def test_a_packaged_network_paints_the_same(name: str, tmp_path: Path) -> None:
    if not is_packaged(name):
        pytest.skip(f"there is no packaged network {name} yet")
    model = load_model(name)
    export_onnx(model, tmp_path / "model.onnx")
    run = onnx_run(tmp_path / "model.onnx")
    style = next(iter(model.styles.values()), model.generator.plain_style())[None]
    for size in SIZES:
        images = torch.rand(1, 3, *size)
        torch.testing.assert_close(run(images, style), model(images, style), atol=1e-3, rtol=0)


def other_graph() -> bytes:
    """An ONNX file that is no model of ours."""
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "g", [value], [result])
    opset = onnx.helper.make_opsetid("", OPSET)
    data: bytes = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [(None, "there is no file"), (b"no protobuf", "is no ONNX file"), (b"", "damaged"), (other_graph(), "no impasto")],
)
def test_other_files_are_refused_in_one_line(data: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    if data is not None:
        path.write_bytes(data)
    for use in (load_onnx, onnx_run):
        with pytest.raises(InputError, match=message) as caught:
            use(path)
        assert "\n" not in str(caught.value)


def test_a_file_with_damaged_styles_is_refused(pair: tuple[Model, Path], tmp_path: Path) -> None:
    proto = onnx.load(pair[1])
    next(p for p in proto.metadata_props if p.key == "impasto-tensors").value = "####"
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(WeightsError, match="its styles cannot be read"):
        load_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_an_absent_package_is_named_with_the_way_to_install_it(
    package: str, monkeypatch: pytest.MonkeyPatch, pair: tuple[Model, Path], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"package {package}, .*pip install .*{package}>=.*the extra onnx"):
        if package == "onnxruntime":
            load_onnx(pair[1])
        else:
            export_onnx(pair[0], tmp_path / "m.onnx")
