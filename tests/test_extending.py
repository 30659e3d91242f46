"""What the page on extending says works, word by word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.features import PROFILES
from impasto.media import write_image
from impasto.objective import STATISTICS

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"


def test_the_page_s_code_runs_as_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for table, name in ((STATISTICS, "skew"), (PROFILES, "mine")):
        monkeypatch.setitem(table, name, None)  # type: ignore[arg-type]  # so that what is entered is taken out again
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "painting.jpg"):
        write_image(tmp_path / name, torch.rand(1, 3, 64, 64))
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 3
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert names["result"].settings.style_layers == names["Skew"].default_layers
    assert names["step"].losses["gray"] < 0.02
