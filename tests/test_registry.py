"""Names cost nothing: what stands behind them is imported when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import impasto
from impasto.registry import Registry


def test_names_import_nothing_and_a_row_is_resolved_once() -> None:
    table: Registry[object] = Registry({"gone": "no.such.module:thing", "ordered": "collections:OrderedDict"})
    assert list(table) == ["gone", "ordered"] and len(table) == 2
    assert "gone" in table and "other" not in table
    with pytest.raises(ModuleNotFoundError):
        table["gone"]
    made = table["ordered"]
    assert made == {} and table["ordered"] is made, "one instance of a class"
    table["mine"] = 3
    del table["gone"]
    assert dict(table) == {"ordered": made, "mine": 3}


@pytest.mark.parametrize(
    "code",
    [
        "import impasto.features.weights as w; w.status(); w.find('lite')",
        "from impasto.features import ENCODERS, PRECISIONS, resolve, profile_of; list(ENCODERS), profile_of(resolve())",
        "from impasto.objective import CONVENTIONS, STYLE_LOSSES; list(STYLE_LOSSES), list(CONVENTIONS)",
        "import impasto, impasto.devices, impasto.registry, impasto.optional; dir(impasto)",
    ],
)
def test_names_weights_and_profiles_need_no_torch(code: str) -> None:
    subprocess.run([sys.executable, "-c", f"{code}\nimport sys; assert 'torch' not in sys.modules"], check=True)


def test_every_public_name_is_listed_and_can_be_imported() -> None:
    for package in (impasto, impasto.features, impasto.objective):
        assert set(package.__all__) <= set(dir(package))
        assert all(getattr(package, name) is not None for name in package.__all__)
        with pytest.raises(AttributeError, match="attribute nothing"):
            package.nothing  # noqa: B018
