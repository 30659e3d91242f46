"""Ctrl-C from the command's first moment on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.cli.signals import heeding_afterwards

CODE = """
import os, signal, sys
class Pressed:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == MODULE:
            sys.meta_path.remove(Pressed)
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
MODULE = sys.argv.pop(1)
sys.meta_path.insert(0, Pressed)
from impasto.cli import main
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT for a process alone")
@pytest.mark.parametrize("module", ["click", "impasto.jobs.batch", "numpy", "torch"])
def test_ctrl_c_while_a_module_is_imported_ends_with_one_line(
    module: str, pictures: dict[str, Path], tmp_path: Path
) -> None:
    words = ["texture", pictures["style"], "-o", tmp_path / "out.png", "--size", "48", "--steps", "2", "--quiet"]
    command = [sys.executable, "-c", CODE, module, *map(str, words)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr.strip()) == (130, "interrupted")
    assert not (tmp_path / "out.png").exists()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as in a terminal; where the tests run in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_is_heeded_when_a_block_has_ended() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), heeding_afterwards():
        signal.raise_signal(signal.SIGINT)
        done.append(1)
    assert done
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)  # as before
