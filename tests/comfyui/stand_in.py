"""What impasto's nodes need of ComfyUI (0.3.64), as small as its contract allows."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any


class InterruptProcessingException(Exception):
    """ComfyUI's."""


class Input:
    """An input of a node: a socket, or with a widget."""

    io_type = ""

    def __init__(self, id: str, **about: Any) -> None:
        allowed = {"display_name", "optional", "tooltip", *self.takes}
        assert set(about) <= allowed, f"{type(self).__qualname__} takes no {set(about) - allowed}"
        self.id, self.extra_dict = id, dict[str, Any]()
        self.default, self.optional = about.get("default"), about.get("optional", False)
        self.options, self.min, self.max = about.get("options"), about.get("min"), about.get("max")
        self.tooltip = about.get("tooltip")

    takes: frozenset[str] = frozenset()


def _type(name: str, *takes: str) -> Any:
    made = type("Input", (Input,), {"io_type": name, "takes": frozenset(takes)})
    return SimpleNamespace(
        Input=made, io_type=name, Output=lambda display_name: SimpleNamespace(io_type=name, id=display_name)
    )


class Combo(Input):
    io_type, takes = "COMBO", frozenset(("default",))

    def __init__(self, id: str, options: list[str], **about: Any) -> None:
        super().__init__(id, **about)
        self.options = options


class MultiType:
    class Input(Input):
        def __init__(self, widget: Input, types: list[Any]) -> None:
            super().__init__(widget.id, optional=widget.optional, tooltip=widget.tooltip)
            self.input_override = widget
            self.io_type = ",".join((widget.io_type, *(t.io_type for t in types)))


@dataclasses.dataclass
class Schema:
    node_id: str
    display_name: str
    category: str
    inputs: list[Input]
    outputs: list[Any]
    description: str = ""


class ComfyNode:
    """ComfyUI calls classes, which it clones; nodes have no state of their own."""

    @classmethod
    def call(cls, **values: Any) -> Any:
        """Run the node as ComfyUI does: checked against its schema, under inference mode."""
        import torch

        inputs = {i.id: i for i in cls.define_schema().inputs}  # type: ignore[attr-defined]
        assert set(values) <= set(inputs), set(values) - set(inputs)
        assert all(i.optional or i.id in values for i in inputs.values() if i.default is None)
        for name, value in values.items():
            assert inputs[name].options is None or value in inputs[name].options, (name, value)
        widgets = {n: _widget(i).default for n, i in inputs.items() if _widget(i).default is not None}
        with torch.inference_mode():
            return cls.execute(**{**widgets, **values}).args[0]  # type: ignore[attr-defined]


def _widget(made: Input) -> Input:
    return made.input_override if isinstance(made, MultiType.Input) else made


class Bar:
    """A progress bar; all that is told is in `told`."""

    told: list[tuple[int, int, Any]] = []  # noqa: RUF012

    def __init__(self, total: int) -> None:
        self.total = total

    def update_absolute(self, value: int, total: int, preview: Any = None) -> None:
        assert 0 <= value <= total == self.total
        self.told.append((value, total, preview))


class Interrupt:
    """Whether the user has asked to stop, after so many looks; never if None."""

    after: int | None = None
    looks = 0

    @classmethod
    def throw_exception_if_processing_interrupted(cls) -> None:
        cls.looks += 1
        if cls.after is not None and cls.looks > cls.after:
            raise InterruptProcessingException


@contextmanager
def comfyui(models: Any) -> Iterator[None]:
    """With ComfyUI's modules, whose models are in a folder."""
    number = ("default", "min", "max")
    io = SimpleNamespace(
        Image=_type("IMAGE"), Mask=_type("MASK"), Custom=_type, Boolean=_type("BOOLEAN", "default"),
        Int=_type("INT", *number, "control_after_generate"), Float=_type("FLOAT", *number, "step", "round"),
        String=_type("STRING", "default"), Combo=SimpleNamespace(Input=Combo), MultiType=MultiType, Schema=Schema,
        ComfyNode=ComfyNode, NodeOutput=lambda *args: SimpleNamespace(args=args),
    )  # fmt: skip
    folders = {
        "models_dir": str(models),
        "add_model_folder_path": lambda name, path: None,
        "get_filename_list": lambda name: [p.name for p in (models / name).glob("*")],
        "get_full_path_or_raise": lambda name, file: str(models / name / file),
    }
    management = {
        "throw_exception_if_processing_interrupted": Interrupt.throw_exception_if_processing_interrupted,
        "get_torch_device": lambda: "cpu",
    }
    made = {
        "comfy": {},
        "comfy.utils": {"ProgressBar": Bar},
        "comfy.model_management": management,
        "folder_paths": folders,
        "comfy_api": {},
        "comfy_api.v0_0_2": {"io": io, "ComfyExtension": object},
    }
    modules = {name: ModuleType(name) for name in made}
    for name, about in made.items():
        vars(modules[name]).update(about)
    vars(modules["comfy"]).update(utils=modules["comfy.utils"], model_management=modules["comfy.model_management"])
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:  # and no others, as patches of the whole would forget
            del sys.modules[name]
