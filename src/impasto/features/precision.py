"""In which precision an encoder computes its maps."""

from __future__ import annotations

from typing import Literal, cast, get_args

from impasto.errors import unknown

Precision = Literal["fp32", "tf32", "bf16"]
#: The names that users may give: `auto` stands for one of the others.
PRECISIONS = ("auto", *get_args(Precision))

#: Processors that multiply bfloat16 twice as fast as float32; others imitate it. As torch names them.
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def resolve_precision(name: str = "auto", device: str = "cpu") -> Precision:
    """The precision that a name stands for: `auto` is `bf16` on processors with instructions for it, and else `fp32`.

    Args:
        name: one of `PRECISIONS`.
        device: where the encoder will run, as torch names it; on all but `cpu`, where nothing was measured, `auto` is
            `fp32`.

    Raises:
        InputError: if there is no such precision.
    """
    if name not in PRECISIONS:
        raise unknown("precision", name, PRECISIONS)
    if name == "auto":
        return "bf16" if device == "cpu" and multiplies_bf16() else "fp32"
    return cast(Precision, name)


def multiplies_bf16() -> bool:
    """Whether this machine's processor has instructions for bfloat16, and torch can tell and use them."""
    import torch

    if not hasattr(torch.cpu, "get_capabilities"):  # older versions of torch cannot tell
        return False
    has = torch.cpu.get_capabilities()
    return torch.backends.mkldnn.is_available() and any(has.get(name, False) for name in BF16_INSTRUCTIONS)  # type: ignore[no-untyped-call]
