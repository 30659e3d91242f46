"""What the pages say to type works: every block of README and guide is run, with small pictures and few steps."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from impasto.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
#: Pages that CI runs; the others take a minute each, in `make test-slow`.
QUICK = ("README", "start", "python", "extend")
LANGUAGES = ("bash", "console", "python")
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>not run|slow): (?P<reason>.*?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S
)
#: Page -> how many of its blocks are not run; a number that grows is to be justified here.
NOT_RUN = {"start.md": 3, "batch.md": 1, "live.md": 1, "looking-inside.md": 1, "python.md": 1, "README.md": 1}


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: it is in.
        line: of its first line of code.
        language: of `LANGUAGES`.
        code: its text.
        mark: `not run`, `slow` or nothing: a comment before the block, with the reason.
        reason: that the comment gives.
    """

    page: Path
    line: int
    language: str
    code: str
    mark: str
    reason: str

    def commands(self) -> list[list[str]]:
        """The words of its commands; of a console's block, of the lines with a prompt."""
        lines = self.code.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that are code to run."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        if match["language"] in LANGUAGES:
            line = text.count("\n", 0, match.start("code")) + 1
            found.append(
                Block(page, line, match["language"], match["code"], match["mark"] or "", match["reason"] or "")
            )
    return found


def run(block: Block, names: dict[str, Any]) -> None:
    """Run a block in the working folder."""
    if block.language == "python":
        exec(compile("\n" * (block.line - 1) + block.code, str(block.page), "exec"), names)
        return
    for words in block.commands():
        assert words[0] == "impasto", f"{block.page.name}:{block.line}: {words[0]} is not run; mark the block"
        app([*words[1:], *(["--quiet"] if "--quiet" in offered(words[1:]) else [])], standalone_mode=False)


def offered(words: list[str]) -> set[str]:
    """The options of the command that words begin with."""
    command: Any = app
    for word in words:
        commands: Mapping[str, Any] = getattr(command, "commands", {})
        if word not in commands:
            break
        command = commands[word]
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("slow", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["quick", "slow"])
@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=() if p.stem in QUICK else pytest.mark.slow, id=p.stem) for p in PAGES]
)
def test_what_a_page_says_to_type_works(
    page: Path, slow: bool, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [block for block in blocks(page) if block.mark == "" or (slow and block.mark == "slow")]
    if slow and len(found) == len([block for block in blocks(page) if block.mark == ""]):
        pytest.skip("all of it is quick")
    folder = tmp_path / "files"
    shutil.copytree(files, folder)
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    for block in found:
        try:
            run(block, names)
        except BaseException as error:
            error.add_note(f"in {block.page.relative_to(ROOT)}, the block of line {block.line}")
            raise


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    marked = [block for page in PAGES for block in blocks(page) if block.mark == "not run"]
    assert all(block.reason for block in marked)
    counts = {page.name: sum(block.page == page for block in marked) for page in PAGES}
    assert {name: count for name, count in counts.items() if count} == NOT_RUN


def test_every_page_s_commands_are_in_blocks_that_are_run() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert "\n    impasto " not in text, f"{page.name}: an indented block is not run; fence it"
