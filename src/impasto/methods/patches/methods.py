"""The methods that copy pixels, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from impasto.methods.patches import efros_leung, quilting, wei_levoy
from impasto.methods.patches.synthesis import Synthesis
from impasto.methods.settings import EFROS_LEUNG, QUILTING, WEI_LEVOY

#: Method -> what makes a texture of a sample; arguments as for `efros_leung`.
SYNTHESIZE: Mapping[str, Callable[..., Synthesis]] = {
    EFROS_LEUNG: efros_leung.efros_leung,
    WEI_LEVOY: wei_levoy.wei_levoy,
    QUILTING: quilting.quilt,
}
#: Method -> what fills a hole; arguments as for `efros_leung.fill_hole`.
FILL: Mapping[str, Callable[..., Synthesis]] = {EFROS_LEUNG: efros_leung.fill_hole, QUILTING: quilting.fill_hole}
