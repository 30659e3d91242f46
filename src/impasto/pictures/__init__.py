"""Pictures as tensors: colors, sizes, borders, and how close they are."""
