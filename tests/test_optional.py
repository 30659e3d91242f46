"""The hint of a missing package is a command that works, from a checkout too."""

from __future__ import annotations

from importlib import metadata

import pytest

from impasto.errors import InputError
from impasto.optional import needed

REQUIRES = ["torch>=2.4", "av>=16; extra == 'video'", 'open-cv[big] ; extra == "video"', "onnx>=1; extra == 'onnx'"]


@pytest.mark.parametrize(
    ("extra", "hint"),
    [("video", "pip install 'av>=16' 'open-cv[big]' (the extra video)"), ("onnx", "pip install 'onnx>=1' (the")],
)
def test_a_missing_package_names_what_its_extra_holds(monkeypatch: pytest.MonkeyPatch, extra: str, hint: str) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRES)
    with pytest.raises(InputError) as caught:
        needed("no_such_package", extra)
    assert hint in str(caught.value) and "no_such_package" in str(caught.value)
    assert "impasto[" not in str(caught.value), "impasto is in no index"


def test_without_an_installed_impasto_the_hint_is_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", gone)
    with pytest.raises(InputError, match=r"extra video.*pyproject\.toml"):
        needed("no_such_package", "video")


def test_a_package_that_is_there_is_imported() -> None:
    assert needed("json", "video").loads("3") == 3
