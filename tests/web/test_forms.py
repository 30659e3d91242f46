"""Forms are made of the jobs' fields, and none is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from impasto.jobs.every import JOBS
from impasto.options import options_of
from impasto.web.forms import FORMS, forms
from impasto.web.store import safe_name


def test_every_field_is_in_its_form_with_help() -> None:
    for form in forms()["forms"]:
        fields = {field["name"]: field for field in form["fields"]}
        names = set(options_of(JOBS[form["name"]]))
        assert set(fields) <= names and {"output", "device", "weights", "resume"}.isdisjoint(fields)
        missing = {name for name in names - set(fields) if options_of(JOBS[form["name"]])[name].decides}
        assert missing <= {"style_map", "zoom", "model", "style_name", "layer_losses"}
        assert all(field["help"] and field["label"] for field in fields.values())
        assert set(FORMS[form["name"]]) - set(fields) <= {"method"}
    assert len(forms()["styles"]) == 12


def test_ranges_choices_and_modes_are_the_fields() -> None:
    fields = {field["name"]: field for field in forms()["forms"][0]["fields"]}
    assert (fields["strength"]["least"], fields["strength"]["most"], fields["strength"]["widget"]) == (0, 1, "number")
    assert fields["quality"]["choices"][:2] == ["auto", "best"] and fields["quality"]["widget"] == "choice"
    assert fields["strength"]["modes"] == ["one pass"] and forms()["forms"][0]["modes"]["instant"] == "one pass"
    assert fields["masks"]["widget"] == "masks" and fields["style"]["widget"] == "pictures"


def test_no_torch_until_it_is_needed(in_process: Callable[..., str]) -> None:
    pytest.importorskip("starlette", reason="the extra web is not installed")
    code = "import sys, impasto.web.app as app; app.forms(); print('torch' in sys.modules)"
    assert in_process(code).strip() == "False"


def test_names_are_made_safe() -> None:
    names = {
        "../../etc/passwd": "passwd",
        "C:\\a\\b.jpg": "b.jpg",
        "": "picture",
        "..": "picture",
        "a\x00\nb.png": "ab.png",
    }
    assert {name: safe_name(name) for name in names} == names
    assert all(len(safe_name(c * 500 + ".png").encode()) < 200 for c in "xé🎨")  # file systems count bytes
    assert Path(safe_name("ein Bild.png")).suffix == ".png"
