"""Names that options offer."""

#: The optimizers that users choose from: `LBFGS` and `Adam`.
OPTIMIZERS = ("lbfgs", "adam")
