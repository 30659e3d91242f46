"""impasto: neural artistic style transfer, every method on one small core.

What is public stands in `__init__.pyi`; each name is imported when it is first used, so that `import impasto` is quick.
"""

from typing import Any

import lazy_loader

_find, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


def __dir__() -> list[str]:
    return list(__all__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("impasto")
    return _find(name)
