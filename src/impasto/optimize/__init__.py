"""The one loop: a canvas is changed until an objective is small, as a generator of small records."""

from typing import TYPE_CHECKING

from impasto.lazy import attributes

if TYPE_CHECKING:
    from impasto.optimize.adam import Adam as Adam
    from impasto.optimize.lbfgs import LARGE as LARGE
    from impasto.optimize.lbfgs import LARGE_HISTORY as LARGE_HISTORY
    from impasto.optimize.lbfgs import LBFGS as LBFGS
    from impasto.optimize.levels import collapsed as collapsed
    from impasto.optimize.levels import pyramid as pyramid
    from impasto.optimize.loop import minimize as minimize
    from impasto.optimize.normalized import NormalizedSteps as NormalizedSteps
    from impasto.optimize.records import Evaluate as Evaluate
    from impasto.optimize.records import Evaluation as Evaluation
    from impasto.optimize.records import Goal as Goal
    from impasto.optimize.records import Optimizer as Optimizer
    from impasto.optimize.records import Parts as Parts
    from impasto.optimize.records import Stage as Stage
    from impasto.optimize.records import State as State
    from impasto.optimize.records import Step as Step
    from impasto.optimize.records import StepGoals as StepGoals
else:
    __getattr__ = attributes(
        __name__,
        adam="Adam",
        lbfgs="LBFGS LARGE LARGE_HISTORY",
        levels="pyramid collapsed",
        loop="minimize",
        normalized="NormalizedSteps",
        records="Evaluate Evaluation Goal Optimizer Parts Stage State Step StepGoals",
    )

#: The optimizers that users choose from: `LBFGS` and `Adam`.
OPTIMIZERS = ("lbfgs", "adam")
