#!/bin/sh
# torch 2.13 on a CPU gives BatchNorm2d (in training as in evaluation) and InstanceNorm2d wrong gradients, without a warning, where
# the batch is one picture and what comes back to them lies channels-last: so for the Gram matrix of such a layer's map, a style
# loss, if it is torch.einsum("bchw,bdhw->bcd", maps, maps); and, with InstanceNorm2d, for residual style networks in
# torch.channels_last that are trained on one picture at a time. Two pictures are right, and so is GroupNorm.
# The batch's stride, which means nothing for a size of 1, decides there how memory is read. A hook on the layer's output
# that returns grad.contiguous() mends it.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from torch import nn

print("torch", torch.__version__)
torch.manual_seed(0)
errors = {}
norms = {
    "BatchNorm2d": lambda: nn.BatchNorm2d(8),
    "BatchNorm2d.eval()": lambda: nn.BatchNorm2d(8).eval(),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(8, affine=True),
    "GroupNorm": lambda: nn.GroupNorm(8, 8),
}


def gram(maps):
    """Gram matrices (B, C, C)."""
    return torch.einsum("bchw,bdhw->bcd", maps, maps)


for name, norm in norms.items():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), norm()).double()
    for count in (1, 2):
        pictures = torch.rand(count, 3, 12, 12, dtype=torch.float64, requires_grad=True)
        weights = torch.randn(8, 8, dtype=torch.float64)
        (found,) = torch.autograd.grad((gram(network(pictures)) * weights).sum(), pictures)
        maps = network(pictures)
        maps.register_hook(lambda grad: grad.contiguous())
        (cloned,) = torch.autograd.grad((gram(maps) * weights).sum(), pictures)
        way, step = torch.randn_like(pictures), 1e-6
        with torch.no_grad():
            ahead, behind = ((gram(network(pictures + s * way)) * weights).sum() for s in (step, -step))
        slope = (ahead - behind) / (2 * step)
        assert torch.allclose((cloned * way).sum(), slope, rtol=1e-4)
        errors["Gram", name, count] = float((found - cloned).norm() / cloned.norm())
        print(f"Gram matrix after {name}, {count} in the batch: gradient off by {errors['Gram', name, count]:.1g}")


class Block(nn.Module):
    """A residual block of a style network."""

    def __init__(self, norm):
        super().__init__()
        convolutions = [nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in range(2)]
        self.body = nn.Sequential(convolutions[0], norm(), nn.ReLU(), convolutions[1], norm())

    def forward(self, x):
        return x + self.body(x)


for name in ("InstanceNorm2d", "GroupNorm"):
    blocks = Block(norms[name]), Block(norms[name])
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *blocks, nn.Conv2d(8, 3, 3, padding=1)).double()
    for count in (1, 2):
        pictures, aim = torch.rand(2, count, 3, 16, 16, dtype=torch.float64)
        losses, gradients = [], []
        for layout in (torch.contiguous_format, torch.channels_last):
            network.to(memory_format=layout).zero_grad()
            loss = (network(pictures.contiguous(memory_format=layout)) - aim).square().mean()
            loss.backward()
            losses.append(loss.detach())
            gradients.append([p.grad.clone() for p in network.parameters()])
        assert torch.allclose(*losses, rtol=1e-12)
        errors["train", name, count] = max(float((b - a).norm() / a.norm()) for a, b in zip(*gradients))
        print(f"{name} trained, {count} in the batch, channels-last: gradients off by up to {errors['train', name, count]:.1g}")
wrong = {key for key, error in errors.items() if error > 0.1}
assert all(error < 1e-6 for key, error in errors.items() if key not in wrong)
expected = {("Gram", name, 1) for name in norms if name != "GroupNorm"} | {("train", "InstanceNorm2d", 1)}
sys.exit(0 if wrong == expected else 1)
PYTHON
