"""Average the weights of two networks of the same shape, as `any` was made of two sittings.

    python tools/average_models.py build/models/anyT.safetensors before.safetensors --share 0.7 -o average.safetensors

A network without the photograph's pixels joins one that has them as if it gave them no weight. The styles of what is
written, and for any style their distribution, are the first one's, measured with other weights: a step of
`impasto train --body average.safetensors --steps 1 --rate 1e-12` measures them anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from impasto.networks.models import load_model, save_model


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("first", type=Path)
    a.add_argument("second", type=Path)
    a.add_argument("--share", type=float, default=0.5, help="of the first")
    a.add_argument("-o", "--out", type=Path, required=True)
    args = a.parse_args()
    model, other = load_model(args.first), load_model(args.second).generator
    model.generator, other = model.generator.seeing_pixels(), other.seeing_pixels()
    state = other.state_dict()
    for name, value in model.generator.state_dict().items():  # shares memory with the generator
        if value.is_floating_point():
            value.mul_(args.share).add_(state[name], alpha=1 - args.share)
    save_model(model, args.out)


if __name__ == "__main__":
    main()
