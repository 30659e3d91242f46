"""Names that options offer."""

#: Decoders of latents, by the canvas that has them.
PRIORS = ("natural", "taef2")
#: What a picture may be optimized as, by the name that users call it; `gray` makes one.
CANVASES = ("pixels", "fourier", *PRIORS)
