"""The optimizer that settings name."""

from __future__ import annotations

from collections.abc import Callable

from impasto.methods.settings import StylizeSettings
from impasto.optimize import LBFGS, Adam, Optimizer, Stage
from impasto.options import known


def optimizer(settings: StylizeSettings) -> Callable[[Stage], Optimizer]:
    """What makes the optimizer of each scale."""
    return lambda stage: solver(settings, stage.steps)


def solver(settings: StylizeSettings, steps: int) -> Optimizer:
    """The optimizer of a scale of so many steps."""
    if settings.optimizer == "adam":
        betas = (0.85, 0.95) if settings.jitter else (0.9, 0.99)  # a jittered goal changes every few steps
        cooldown = known(settings.cooldown)
        return Adam(known(settings.rate), betas, levels=known(settings.levels), last=steps, cooldown=cooldown)
    return LBFGS(settings.history, levels=known(settings.levels))
