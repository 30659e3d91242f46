"""impasto's nodes against ComfyUI's contract, without ComfyUI."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import impasto
from impasto.networks.models import Model, save_model

ROOT = Path(__file__).parents[2]
PACK = ROOT / "comfyui"


def opened(name: str, path: Path, **about: Any) -> Any:
    """A module of a file."""
    spec = importlib.util.spec_from_file_location(name, path, **about)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


stand_in = opened("comfyui_stand_in", Path(__file__).with_name("stand_in.py"))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Name -> node, as ComfyUI loads the pack."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "impasto").mkdir()
    with stand_in.comfyui(folder):
        pack = opened("impasto_pack", PACK / "__init__.py", submodule_search_locations=[str(PACK)])
        listed = asyncio.run(asyncio.run(pack.comfy_entrypoint()).get_node_list())
        yield {"folder": folder / "impasto", **{node.define_schema().node_id: node for node in listed}}


@pytest.fixture(autouse=True)
def undisturbed() -> None:
    stand_in.Bar.told.clear()
    stand_in.Interrupt.after, stand_in.Interrupt.looks = None, 0


@pytest.fixture
def photos() -> Tensor:
    """An IMAGE of two photographs with odd sides."""
    return torch.rand(2, 41, 57, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def painting() -> Tensor:
    return torch.rand(1, 40, 40, 3, generator=torch.Generator().manual_seed(1))


def first(batch: Tensor, number: int = 0) -> Tensor:
    """A picture of an IMAGE, as impasto has it."""
    return batch[number].movedim(-1, 0)


def test_every_input_is_a_field_of_a_job_with_its_default(nodes: dict[str, Any]) -> None:
    from impasto.jobs.every import JOBS
    from impasto.options import defaults_of, options_of

    for node in (n for n in nodes.values() if hasattr(n, "face")):
        fields, defaults = options_of(JOBS[node.face.job.name]), defaults_of(node.face.job)
        *inputs, options = node.define_schema().inputs
        assert options.id == "options"
        inputs += nodes[f"Impasto{node.face.name}Options"].define_schema().inputs
        assert len({i.id for i in inputs}) == len(inputs) and {i.id for i in inputs} <= set(fields)
        for made in inputs:
            assert made.tooltip and made.optional != fields[made.id].required
            if made.options:
                assert made.default in made.options and len(set(made.options)) == len(made.options)
            if made.min is not None:
                assert made.default == defaults[made.id] and made.min <= made.default <= made.max


def inputs_of(node: Any) -> list[str]:
    return [i.id for i in node.define_schema().inputs if i.id != "options"]


def test_the_order_of_inputs_is_kept_as_workflows_save_values_by_position(nodes: dict[str, Any]) -> None:
    for name, order in json.loads((PACK / "order.json").read_text()).items():
        pair = [inputs_of(nodes[f"Impasto{name}{more}"]) for more in ("", "Options")]
        assert set(order) <= {n for found in pair for n in found}, "an input was lost: saved workflows break"
        for found in pair:
            kept = [n for n in order if n in found]
            assert found[: len(kept)] == kept


#: Node -> values that make it quick.
SMALL = {"ImpastoOptimize": {"steps": "2", "size": "48"}, "ImpastoTexture": {"size": "48x32"}}


def test_example_workflows_run(nodes: dict[str, Any]) -> None:
    tool = opened("try_comfyui", ROOT / "tools" / "try_comfyui.py")
    sockets = {"IMAGE", "MASK", "IMPASTO_MODEL", "IMPASTO_OPTIONS"}
    schemas = {name: node.define_schema() for name, node in nodes.items() if name != "folder"}
    widgets = {n: [i.id for i in s.inputs if i.io_type not in sockets] for n, s in schemas.items()}
    widgets |= {"LoadImage": ["image"], "SaveImage": ["filename_prefix"]}
    photo = torch.rand(1, 48, 64, 3, generator=torch.Generator().manual_seed(0))
    ran = set()
    for path in sorted((PACK / "example_workflows").glob("*.json")):
        workflow = json.loads(path.read_text())
        made: dict[str, Any] = {}
        for number, step in tool.prompt_of(workflow, widgets).items():
            kind, inputs = step["class_type"], step["inputs"]
            values = {n: made[v[0]] if isinstance(v, list) else v for n, v in inputs.items()}
            if kind in ("LoadImage", "SaveImage"):
                made[number] = photo if kind == "LoadImage" else values["images"]
                continue
            assert [n for n in widgets[kind] if n not in inputs] == []
            made[number] = nodes[kind].call(**{**values, **SMALL.get(kind, {})})
            ran.add(kind)
        assert made[number].shape[0] == 1 and path.stem in tool.JOBS
    assert ran == {"ImpastoLoadModel", "ImpastoInstant", "ImpastoOptimize", "ImpastoTexture", "ImpastoOptimizeOptions"}


def test_instant_paints_a_batch_as_the_command_does(
    nodes: dict[str, Any], photos: Tensor, painting: Tensor, tmp_path: Path, ok: Callable[..., Any]
) -> None:
    levels = (photos * 255).round() / 255
    made = nodes["ImpastoInstant"].call(content=levels, style=painting, size=57)
    for number in range(2):
        exact = impasto.instant(first(levels, number), first(painting), size=57).pixels
        assert torch.equal(made[number], exact[0].movedim(0, -1))
    paths = [tmp_path / f"{name}.png" for name in ("photo", "painting", "out")]
    for path, batch in zip(paths, (levels, (painting * 255).round() / 255), strict=False):
        Image.fromarray((batch[0] * 255).round().byte().numpy()).save(path)
    ok("stylize", paths[0], paths[1], "-o", paths[2], "--quality", "instant", "--size", 57, "--quiet")
    rounded = nodes["ImpastoInstant"].call(content=levels[:1], style=(painting * 255).round() / 255, size=57)
    assert np.array_equal(np.asarray(Image.open(paths[2])), (rounded[0] * 255).round().byte().numpy())


def test_instant_takes_names_blends_masks_strength_and_transparency(nodes: dict[str, Any], photos: Tensor) -> None:
    instant, photo = nodes["ImpastoInstant"], photos[:1]
    whole = instant.call(content=photo, style_name="waves", size=57)
    assert torch.equal(whole, instant.call(content=photo, blend="waves=1", size=57))
    left = torch.zeros(1, 41, 57)
    left[..., :28] = 1
    half = instant.call(content=photo, style_name="waves", size=57, masks=left, options={"feather": 0.0})
    torch.testing.assert_close(half[:, :, :28], whole[:, :, :28])
    torch.testing.assert_close(half[:, :, 28:], photo[:, :, 28:])
    each = instant.call(
        content=photos, style_name="waves", size=57, masks=torch.cat([left, 0 * left]), options={"feather": 0.0}
    )
    torch.testing.assert_close(each[:1], half)
    torch.testing.assert_close(each[1:], photos[1:])
    everywhere = instant.call(content=photo, style_name="waves", size=57, masks=torch.ones(1, 41, 57))
    assert torch.equal(everywhere, whole)
    torch.testing.assert_close(instant.call(content=photo, style_name="waves", size=57, strength=0.0), photo)
    cut = torch.cat([photo, left[..., None]], -1)
    assert instant.call(content=cut, style_name="waves", size=57).shape == (1, 41, 57, 4)
    with pytest.raises(impasto.InputError, match="3 masks for 2 pictures"):
        instant.call(content=photos, style_name="waves", masks=torch.zeros(3, 41, 57))


def test_optimize_paints_as_impasto_does_shows_steps_and_stops(
    nodes: dict[str, Any], photos: Tensor, painting: Tensor
) -> None:
    options: dict[str, Any] = {"encoder": "lite", "steps": "3", "size": "48", "content_weight": "2"}
    made = nodes["ImpastoOptimize"].call(content=photos[:1], style=painting, **options)
    exact = impasto.stylize(first(photos), first(painting), **options).pixels
    assert torch.equal(made[0], exact[0].movedim(0, -1))
    values, totals, previews = zip(*stand_in.Bar.told, strict=True)
    assert list(values) == sorted(values) and values[-1] == totals[-1]
    (kind, picture, side), *_ = [p for p in previews if p is not None]
    assert (kind, picture.size) == ("JPEG", (48, 35)) and side > 0
    options["steps"] = "1000"
    stand_in.Interrupt.after, stand_in.Interrupt.looks = 4, 0
    with pytest.raises(stand_in.InterruptProcessingException):
        nodes["ImpastoOptimize"].call(content=photos[:1], style=painting, **options)
    assert stand_in.Interrupt.looks == 5


def test_a_quality_decides_what_is_left_at_auto(nodes: dict[str, Any]) -> None:
    more, face = nodes["ImpastoOptimizeOptions"], nodes["ImpastoOptimize"].face
    assert more.call() == {}
    options = more.call(tv_weight=0.5, jitter="8", style_loss="gram")
    assert options == {"tv_weight": 0.5, "jitter": "8", "style_loss": "gram"}
    shown = {"quality": "gatys", "steps": "auto", "size": 40, "seed": 0, "encoder": ""}
    assert face.given({**shown, "options": options}) == {"quality": "gatys", "size": 40, **options}


def test_texture_makes_and_fills(nodes: dict[str, Any], painting: Tensor) -> None:
    texture = nodes["ImpastoTexture"]
    made = texture.call(sample=painting, size="48x32", steps=2, tileable=True, options={"scales": 1, "encoder": "lite"})
    options: dict[str, Any] = {"size": (48, 32), "steps": 2, "scales": 1, "encoder": "lite", "tileable": True}
    assert torch.equal(made[0], impasto.texture(first(painting), **options).pixels[0].movedim(0, -1))
    hole = torch.zeros(1, 40, 40)
    hole[:, 16:24, 16:24] = 1
    filled = texture.call(sample=painting, method="quilting", mask=hole)
    assert torch.equal(filled[:, :16], painting[:, :16]) and not torch.equal(filled, painting)


def test_a_model_s_file_is_opened_once_for_many(nodes: dict[str, Any], small_model: Model, photos: Tensor) -> None:
    save_model(small_model, nodes["folder"] / "mine.safetensors")
    with torch.inference_mode():
        (model,) = nodes["ImpastoLoadModel"].execute("mine.safetensors").args
    name = next(iter(small_model.styles))
    made = nodes["ImpastoInstant"].call(content=photos, model=model, blend=f"{name}=1", size=57)
    exact = impasto.instant(
        first(photos), model=str(nodes["folder"] / "mine.safetensors"), style_name=name, size=57
    ).pixels
    assert torch.equal(made[0], exact[0].movedim(0, -1))


def test_the_pack_is_imported_without_torch_s_time_or_a_network(in_process: Callable[..., str], tmp_path: Path) -> None:
    code = """
import sys, socket, torch
def refuse(*a, **k): raise AssertionError("a connection")
socket.socket.connect = socket.getaddrinfo = refuse
sys.path[:0] = sys.argv[1:3]
import pathlib, stand_in
with stand_in.comfyui(pathlib.Path(sys.argv[3])):
    before = set(sys.modules)
    from comfyui import nodes
    for node in (nodes.Instant, nodes.Optimize, nodes.Texture, nodes.LoadModel):
        node.define_schema()
    new = {m.split(".")[0] for m in set(sys.modules) - before}
    print(sorted(new & {"requests", "pooch", "starlette", "cv2", "av"}))
"""
    assert in_process(code, ROOT, Path(__file__).parent, tmp_path).strip() == "[]"
