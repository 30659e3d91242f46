"""Encoders: images in, feature maps by layer name out. Names and profiles need no torch; loading imports it.

What is public stands in `__init__.pyi`; each name is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
