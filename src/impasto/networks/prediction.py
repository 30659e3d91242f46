"""What a painting's moments leave open in its style vector, predicted from them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from impasto.networks.conditioning import in_float32

#: Numbers that stand for a painting's moments: their principal components.
CODE = 48


class Prediction(nn.Module):
    """Changes a vector of moments by what two layers make of its principal components; nothing at first.

    Moments of the painting's own features (adaptive instance normalization) are near to what a style needs, and are not
    learnt; a style prediction network (Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural
    artistic stylization network") learns all of a vector. Here one corrects the other, once for a painting: a frame
    costs nothing more.

    Args:
        size: of the vector.
        scales: where it holds `γ`, with `1 + γ` a deviation above 0; these change by factors, all else by sums.
        hidden: units.
    """

    scales: Tensor

    def __init__(self, size: int, scales: Sequence[slice], hidden: int) -> None:
        super().__init__()
        places = torch.zeros(size, dtype=torch.bool)
        for where in scales:
            places[where] = True
        self.register_buffer("scales", places, persistent=False)
        self.code = nn.Linear(size, CODE)
        self.hidden = nn.Linear(CODE, hidden)
        self.change = nn.Linear(hidden, size)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)
        self.code.requires_grad_(False)

    @torch.no_grad()
    def fit(self, vectors: Tensor) -> None:
        """Take the principal components of many paintings' moments `(N, size)`, each of deviation 1, as the code."""
        values = self._logarithms(vectors)
        mean = values.mean(0)
        _, sizes, directions = torch.linalg.svd(values - mean, full_matrices=False)
        count = min(CODE, len(values) - 1)
        self.code.weight.zero_()
        self.code.weight[:count] = directions[:count] * ((len(values) - 1) ** 0.5 / sizes[:count, None])
        self.code.bias.copy_(-self.code.weight @ mean)

    @in_float32
    def forward(self, vector: Tensor) -> Tensor:
        """`(B, size)`, moments, to the same."""
        change = self.change(torch.relu(self.hidden(self.code(self._logarithms(vector)))))
        return torch.where(self.scales, (1 + vector) * change.exp() - 1, vector + change)

    def _logarithms(self, vector: Tensor) -> Tensor:
        return torch.where(self.scales, (1 + vector).clamp_min(1e-3).log(), vector)
