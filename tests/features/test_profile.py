"""What an encoder decides stands in its profile."""

from __future__ import annotations

import pytest

from impasto.features import PROFILES, Profile, profile_of
from impasto.methods.settings import StylizeSettings


def test_a_profile_of_one_s_own_decides_what_settings_leave_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "mine", Profile(("block2",), 10, {"jitter": 8, "rate": 0.05}, 0.25))
    assert profile_of("other") == Profile()
    few, many = (StylizeSettings(steps=steps).resolved("mine") for steps in (9, 10))
    assert (few.optimizer, few.jitter, few.balance, few.content_layers) == ("lbfgs", 0, 1.0, ("block2",))
    assert (many.optimizer, many.jitter, many.rate, many.balance) == ("adam", 8, 0.05, 0.25)
