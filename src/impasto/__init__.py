"""impasto: neural artistic style transfer, every method on one small core.

What is public stands in `__init__.pyi`; each name is imported when it is first used, so that `import impasto` is quick.
"""

from importlib.metadata import version

import lazy_loader

__version__ = version("impasto")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
