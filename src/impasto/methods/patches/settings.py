"""Options of the methods that copy pixels."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.errors import InputError
from impasto.methods.settings import EFROS_LEUNG, PICTURE, QUILTING, SEARCH, WEI_LEVOY
from impasto.options import AUTO, NUMBER, TEXT, WHOLE, Auto, Settings, option

#: The methods that fill holes.
FILLING = (EFROS_LEUNG, QUILTING)


@dataclass(frozen=True, kw_only=True)
class QuiltSettings(Settings):
    """What decides which blocks are laid where."""

    # fmt: off
    block: int | Auto = option(AUTO, WHOLE, 
        "Side of the blocks in pixels: about that of the texture's largest element.",
        group=SEARCH, least=4, modes=(QUILTING,), auto="a fifth of the sample, 8 to 64")
    overlap: float = option(1 / 6, NUMBER, "Part of a block by which blocks overlap.", group=SEARCH, above=0, most=0.5,
        modes=(QUILTING,))
    tolerance: float = option(0.1, NUMBER,
        "How much worse than the best a match may be, as a fraction: one of these is taken at random.", group=SEARCH,
        least=0, modes=FILLING)
    # fmt: on


@dataclass(frozen=True, kw_only=True)
class TransferSettings(QuiltSettings):
    """What decides which blocks of a painting become a photograph."""

    # fmt: off
    block: int | Auto = option(AUTO, WHOLE, "Side of the first round's blocks in pixels.", group=SEARCH, least=4,
        modes=(QUILTING,), auto="a twenty-fourth of the picture's long side")
    rounds: int = option(3, WHOLE, "Rounds, each with blocks two thirds as large and nearer to what was there before.",
        group=SEARCH, least=1, modes=(QUILTING,))
    # fmt: on


@dataclass(frozen=True, kw_only=True)
class PatchSettings(QuiltSettings):
    """What decides what is copied where."""

    # fmt: off
    window: int = option(11, WHOLE,
        "Side of the neighborhoods that are compared, in pixels, odd: about that of the texture's largest element; of "
        "wei-levoy 7 if not given.",
        group=SEARCH, least=3, modes=(EFROS_LEUNG, WEI_LEVOY))
    max_error: float = option(0.3, NUMBER,
        "Mean squared difference above which a match waits until more is known around it.", group=SEARCH, above=0,
        modes=(EFROS_LEUNG,))
    levels: int = option(4, WHOLE, "Levels of the pyramid, as many as the sample has room for.", group=SEARCH, least=1,
        modes=(WEI_LEVOY,))
    search: str = option("tree", TEXT, "How neighborhoods are looked for: in a tree, or exhaustive.", group=SEARCH,
        choices=("tree", "exhaustive"), modes=(WEI_LEVOY,))
    reach: int = option(64, WHOLE, "Pixels around a hole from which it is filled.", group=PICTURE, least=1,
        modes=FILLING)
    # fmt: on

    def check(self) -> None:
        if self.window % 2 == 0:
            raise InputError(f"window is {self.window}; it must be odd, so that it has a middle: {self.window + 1}")
