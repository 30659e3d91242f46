"""Names that options offer."""

#: What a picture may be optimized as, by the name that users call it; `gray` makes one.
CANVASES = ("pixels", "fourier")
