"""The one loop: a canvas is changed until an objective is small, as a generator of small records."""

from typing import TYPE_CHECKING

import lazy_loader

#: The optimizers that users choose from: `LBFGS` and `Adam`.
OPTIMIZERS = ("lbfgs", "adam")

if TYPE_CHECKING:
    from impasto.optimize.adam import Adam
    from impasto.optimize.lbfgs import LARGE, LARGE_HISTORY, LBFGS
    from impasto.optimize.levels import collapsed, pyramid
    from impasto.optimize.loop import minimize
    from impasto.optimize.normalized import NormalizedSteps
    from impasto.optimize.records import Evaluate, Evaluation, Goal, Optimizer, Parts, Stage, State, Step, StepGoals

__all__ = [
    "LARGE", "LARGE_HISTORY", "LBFGS", "OPTIMIZERS", "Adam", "Evaluate", "Evaluation", "Goal", "NormalizedSteps",
    "Optimizer", "Parts", "Stage", "State", "Step", "StepGoals", "collapsed", "minimize", "pyramid",
]  # fmt: skip

_RECORDS = ["Evaluate", "Evaluation", "Goal", "Optimizer", "Parts", "Stage", "State", "Step", "StepGoals"]
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "adam": ["Adam"],
        "lbfgs": ["LARGE", "LARGE_HISTORY", "LBFGS"],
        "levels": ["collapsed", "pyramid"],
        "loop": ["minimize"],
        "normalized": ["NormalizedSteps"],
        "records": _RECORDS,
    },
)
