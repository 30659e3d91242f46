"""Every field of every job is an option of every front."""

from __future__ import annotations

import dataclasses
import pickle
from dataclasses import dataclass
from typing import Any, ClassVar

import click
import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.cli.command import command_of
from impasto.errors import InputError
from impasto.jobs.base import Job, job_of
from impasto.jobs.every import JOBS
from impasto.methods.settings import StylizeSettings
from impasto.options import AUTO, FLAG, NUMBER, option, options_of

#: What each job must be given.
NEEDED: dict[str, dict[str, Any]] = {
    "stylize": {"content": "a.png", "style": "b.png"},
    "batch": {"content": "photos", "style": "b.png", "output": "out"},
    "doodle": {"map": "a.png", "style": "b.png", "style_map": "c.png"},
    "video": {"content": "a.mp4", "style": "b.png"},
    "live": {"source": "0"},
    "texture": {"sample": "a.png"},
    "textures": {"sample": ("a.png", "b.png")},
    "dream": {"image": "a.png"},
    "invert": {"image": "a.png"},
    "reconstruct": {"image": "a.png"},
    "grid": {"content": "a.png", "style": "b.png"},
    "train": {"painting": "a.png", "output": "m.safetensors"},
    "upscale": {"picture": "a.png", "model": "m.safetensors"},
    "export": {"model": "any", "output": "m.onnx"},
    "visualize filters": {},
    "visualize activations": {"image": "a.png", "layer": "relu1_1"},
    "visualize unit": {"units": "relu4_1:17"},
    "visualize patches": {"units": "relu4_1:17", "photos": "photos"},
} | {
    f"visualize {kind}": {"image": "a.png", "unit": "relu4_1:3"}
    for kind in ("saliency", "deconv", "guided", "smoothgrad")
}


def check(job: type[Job]) -> None:
    """Each field says what a front needs, and each front has it."""
    parameters = {p.name: p for p in command_of(job).params}
    for name, about in options_of(job).items():
        assert about.help.endswith(".") and len(about.help.split()) >= 2, f"{job.name}: {name} has no help"
        assert about.group and about.kind.rule and name in parameters, f"{job.name}: {name}"


@pytest.mark.parametrize("job", JOBS.values(), ids=lambda job: job.name)
def test_every_field_of_every_job_is_in_every_front(job: type[Job]) -> None:
    check(job)
    made = job(**NEEDED[job.name])
    data = made.as_json()
    missing = {n for n, o in made.active().items() if n not in data and getattr(made, n) not in (None, (), "")}
    assert data["job"] == job.name and not {n for n in missing if made.active()[n].in_json}
    assert job_of(data) == made and pickle.loads(pickle.dumps(made)) == made
    for name in options_of(job):  # Python's constructor takes each
        assert name in {f.name for f in dataclasses.fields(job) if f.init}


def test_a_field_without_help_fails() -> None:
    @dataclass(frozen=True, eq=False, repr=False)
    class Bad(Job):
        name: ClassVar[str] = "bad"
        blur: float = option(1.0, NUMBER, "")

    with pytest.raises(AssertionError, match="bad: blur has no help"):
        check(Bad)


def test_all_settings_of_stylize_are_options() -> None:
    settings = set(options_of(StylizeSettings))
    assert len(settings) >= 38 and settings <= set(options_of(impasto.Stylize))


@pytest.mark.parametrize(
    "name", [n for n, o in options_of(impasto.Stylize).items() if o.modes and "one pass" not in o.modes]
)
def test_an_option_of_optimization_is_refused_in_one_pass(name: str) -> None:
    about, value = options_of(impasto.Stylize)[name], impasto.Stylize("a", "b").as_dict()[name]
    given = (not value) if about.kind is FLAG else {"resume": "x", "weights": "x", "plot": "x.png"}.get(name, value)
    with pytest.raises(InputError, match=f"{name.replace('_', ' ')} has no effect with quality instant"):
        impasto.Stylize("a.png", "b.png", quality="instant", **{name: given})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quality": "best", "model": "any"}, "model has no effect with quality best"),
        ({"quality": "best", "strength": 0.5}, "strength has no effect"),
        ({"quality": "refined", "init": "noise"}, "init has no effect with quality refined"),
        ({"steps": 2.5}, "steps is 2.5; it must be a whole number"),
        ({"masks": "sky.png"}, "masks is 'sky.png'; it must be pairs"),
        ({"stpes": 3}, "unknown option 'stpes'; did you mean steps"),
        ({"quality": "fast"}, "unknown quality 'fast'"),
        ({"preset": "gatys"}, "preset is called quality now"),
    ],
)
def test_what_does_not_fit_is_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        impasto.Stylize("a.png", "b.png", **options)
    assert "\n" not in str(error.value)


def test_values_are_taken_as_people_give_them() -> None:
    job = impasto.Stylize(
        "a.png", "b.png", size="512", style_scales=0.5, content_layers="relu4_1", blend=1.0, max_memory="4GB"
    )
    assert (job.size, job.style_scales, job.content_layers, job.blend) == (512, (0.5,), ("relu4_1",), (1.0,))
    assert job.max_memory == 4e9 and impasto.Texture("a.png", size=512).size == (512, 512)
    lite = impasto.Stylize("a.png", "b.png", jitter=0, rate=0.02, levels=5).resolved("lite")
    assert (lite.jitter, lite.rate, lite.levels) == (0, 0.02, 5)
    assert impasto.Stylize("a.png", "b.png").resolved("lite").jitter == 16


@pytest.mark.parametrize("job", JOBS.values(), ids=lambda job: job.name)
def test_auto_has_one_spelling_and_none_is_a_value(job: type[Job]) -> None:
    made = job(**NEEDED[job.name])
    for name, about in made.active().items():
        default = made.changed().as_dict()[name] if name in made.given else getattr(made, name)
        if about.auto:
            assert about.checked(name, "auto", default) == "auto"
            with pytest.raises(InputError, match=r"; it must be .*, or auto"):
                about.checked(name, None, "auto")
        elif default is None and not about.required:
            assert made.changed(**{name: None}).as_dict()[name] is None  # given, and not dropped
            assert name in made.changed(**{name: None}).given


def test_pictures_in_memory_stand_in_json() -> None:
    array = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for picture in (b"bytes", array, torch.from_numpy(array).permute(2, 0, 1), Image.fromarray(array)):
        job = impasto.Stylize(picture, "b.png", masks=[(picture, 1)])
        again = job_of(job.as_json())
        assert again == job and pickle.loads(pickle.dumps(job)) == job
        assert job != impasto.Stylize("a.png", "b.png", masks=[(picture, 1)])


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_help_tells_the_values_that_are_used(name: str) -> None:
    job = JOBS[name]
    made, defaults = job(**NEEDED[name]), job.defaults()
    decided = {n for n in options_of(job) if n in NEEDED[name] or defaults[n] == AUTO}
    assert {n: getattr(made, n) for n in options_of(job) if n not in decided} == {
        n: defaults[n] for n in options_of(job) if n not in decided
    }


def test_help_of_a_command_tells_its_own_defaults() -> None:
    for name, field, said in (("train", "steps", "4000"), ("textures", "size", "160x160"), ("doodle", "scales", "3")):
        (shown,) = (p for p in command_of(JOBS[name]).params if p.name == field)
        assert isinstance(shown, click.Option) and str(shown.help).endswith(f"[default: {said}]")


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_default_in_the_help_may_be_typed(name: str) -> None:
    job = JOBS[name]
    told = {
        p.name: str(p.help).rpartition("[default: ")[2].rstrip("]")
        for p in command_of(job).params
        if isinstance(p, click.Option)
    }
    for field, about in options_of(job).items():
        default = job.defaults()[field]
        if isinstance(default, int | tuple) and not isinstance(default, bool) and default != () and not about.required:
            assert about.checked(field, told[field], default) == default, field
