"""Options of the methods that copy pixels."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.errors import InputError
from impasto.methods.settings import EFROS_LEUNG, PICTURE, SEARCH
from impasto.options import NUMBER, WHOLE, Settings, option

#: The methods that fill holes.
FILLING = (EFROS_LEUNG,)


@dataclass(frozen=True, kw_only=True)
class PatchSettings(Settings):
    """What decides what is copied where."""

    # fmt: off
    window: int = option(11, WHOLE, 
        "Side of the neighborhoods that are compared, in pixels, odd: about that of the texture's largest element.",
        group=SEARCH, least=3, modes=(EFROS_LEUNG,))
    tolerance: float = option(0.1, NUMBER,
        "How much worse than the best a match may be, as a fraction: one of these is taken at random.", group=SEARCH,
        least=0, modes=(EFROS_LEUNG,))
    max_error: float = option(0.3, NUMBER,
        "Mean squared difference above which a match waits until more is known around it.", group=SEARCH, above=0,
        modes=(EFROS_LEUNG,))
    reach: int = option(64, WHOLE, "Pixels around a hole from which it is filled.", group=PICTURE, least=1,
        modes=FILLING)
    # fmt: on

    def check(self) -> None:
        if self.window % 2 == 0:
            raise InputError(f"window is {self.window}; it must be odd, so that it has a middle: {self.window + 1}")
