#!/bin/sh
# torch 2.13 on a CPU gives InstanceNorm2d a wrong gradient, without a warning, where the batch is one picture and the gradient
# that comes back is channels-last: so a residual style network after .to(memory_format=torch.channels_last), trained on one
# picture at a time, has the right loss and none of its gradients but the last right. Two pictures, GroupNorm(C, C) and
# BatchNorm2d are right. BatchNorm2d alone is wrong, too, for array(H, W, C).permute(2, 0, 1)[None] and a plain gradient.
# The cause is the batch's stride, which is not C * H * W there: that means nothing for a size of 1, and some checks heed it.
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
last = torch.channels_last


class Block(nn.Module):
    """A residual block of a style network."""

    def __init__(self, norm):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, bias=False), norm(), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, bias=False), norm()
        )

    def forward(self, x):
        return x + self.body(x)


errors = {}
norms = {"InstanceNorm2d": lambda: nn.InstanceNorm2d(8, affine=True), "GroupNorm": lambda: nn.GroupNorm(8, 8)}
for name, norm in norms.items():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), Block(norm), Block(norm), nn.Conv2d(8, 3, 3, padding=1))
    network.double()
    for count in (1, 2):
        pictures, aim = torch.rand(2, count, 3, 16, 16, dtype=torch.float64)
        losses, gradients = [], []
        for layout in (torch.contiguous_format, last):
            network.to(memory_format=layout).zero_grad()
            loss = (network(pictures.contiguous(memory_format=layout)) - aim).square().mean()
            loss.backward()
            losses.append(loss.detach())
            gradients.append([p.grad.clone() for p in network.parameters()])
        assert torch.allclose(*losses, rtol=1e-12)
        off = [float((b - a).norm() / a.norm()) for a, b in zip(*gradients)]
        errors[name, count] = max(off)
        print(f"{name}, {count} in the batch: gradients of a channels-last network are off by {min(off):.1g} to {max(off):.1g}")

picture = torch.rand(16, 16, 8, dtype=torch.float64)
upstream = torch.randn(1, 8, 16, 16, dtype=torch.float64)
turned = picture.permute(2, 0, 1)[None].requires_grad_()
copied = turned.detach().contiguous().requires_grad_()
found, right = (torch.autograd.grad(nn.BatchNorm2d(8).double()(x), x, upstream)[0] for x in (turned, copied))
errors["BatchNorm2d"] = float((found - right).norm() / right.norm())
print(f"BatchNorm2d of a turned array with strides {turned.stride()}: gradient off by {errors['BatchNorm2d']:.1g}")
wrong = {name for name, error in errors.items() if error > 0.1}
right = {name for name, error in errors.items() if error < 1e-9}
print("right:", sorted(map(str, right)))
sys.exit(0 if wrong == {("InstanceNorm2d", 1), "BatchNorm2d"} and len(right) == 3 else 1)
PYTHON
