"""Help, versions, usage errors and completion are quick: they import no torch."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import impasto

CODE = """
import sys
sys.argv = ["impasto", *sys.argv[1:]]
try:
    from impasto.cli import main
    main()
except SystemExit:
    pass
sys.stdout.write(f"torch: {'torch' in sys.modules}")
"""


@pytest.mark.parametrize("words", ["--help", "-h", "--version", "stylize --help", "weights list", "stylize --stpes 3",
                                   "stylize a.png b.png -o c.png --steps x", "visualize -h"])  # fmt: skip
def test_no_torch(words: str, in_process: Callable[..., str]) -> None:
    assert in_process(CODE, *words.split()).endswith("torch: False")


def test_completion_needs_no_torch(in_process: Callable[..., str]) -> None:
    found = in_process(CODE, _IMPASTO_COMPLETE="bash_complete", COMP_WORDS="impasto sty", COMP_CWORD="1")
    assert "stylize" in found and found.endswith("torch: False")


def test_everything_public_is_there() -> None:
    assert {"stylize", "Result", "Step", "Encoder", "open_painter", "__version__"} <= set(impasto.__all__)
    for name in impasto.__all__:
        assert getattr(impasto, name) is not None
