"""Other gradients for ReLUs, inside a `with` block."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

Rule = Literal["plain", "deconv", "guided"]

_FUNCTIONS = {F.relu, torch.relu, Tensor.relu}
_IN_PLACE = {F.relu_, torch.relu_, Tensor.relu_}


class _Relu(torch.autograd.Function):
    """ReLU whose backward pass lets gradients through by a rule."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: Rule, in_place: bool) -> Tensor:
        ctx.rule = rule
        if in_place:
            ctx.mark_dirty(x)
            y = x.clamp_(min=0)
        else:
            y = x.clamp(min=0)
        ctx.save_for_backward(y > 0)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (active,) = ctx.saved_tensors
        (grad,) = grads
        if ctx.rule != "plain":
            grad = grad.clamp(min=0)
        return grad if ctx.rule == "deconv" else grad * active, None, None


class relu_rule(TorchFunctionMode):
    """Inside `with relu_rule(rule):` every ReLU, module or function, in place or not, passes gradients by a rule.

    `plain`: where the input was positive. `deconv` (Zeiler and Fergus 2014): where the gradient is positive. `guided`
    (Springenberg et al. 2014, "Striving for simplicity", eq. 5): where both are. Max pooling routes gradients to its
    maxima in all three. Nothing is hooked to the network: outside of the block, also after an error, all is as before.
    The backward pass may come later.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule = rule

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _FUNCTIONS or func in _IN_PLACE:
            x = args[0] if args else kwargs["input"]
            in_place = func in _IN_PLACE or kwargs.get("inplace", args[1] if len(args) > 1 else False)
            return _Relu.apply(x, self.rule, in_place)  # type: ignore[no-untyped-call]
        return func(*args, **kwargs)
