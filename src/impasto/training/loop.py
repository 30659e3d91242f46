"""The one training loop: a network is changed until an objective is small on average."""

from __future__ import annotations

import copy
import functools
import io
import json
import math
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from impasto.errors import InputError, NonFiniteError
from impasto.files import write_bytes
from impasto.optimize import Goal, Parts
from impasto.training.muon import Muon
from impasto.training.settings import TrainSettings


class Task(Protocol):
    """What is trained, on what, and for what.

    Attributes:
        network: what is trained; parameters that ask for no gradient stay as they are.
    """

    network: nn.Module

    def batch(self, number: int) -> Any:
        """The batch of that number, the same in every run; numbers below 0 are held out."""
        ...

    def output(self, batch: Any) -> Tensor:
        """What the network makes of a batch, `(B, 3, H, W)`."""
        ...

    def goal(self, batch: Any) -> Goal:
        """The objective for a batch: an `Objective` with the batch's targets."""
        ...


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"muon": Muon, "adam": torch.optim.AdamW}
#: Weights of the past in Adam's means of gradients and of their squares.
BETAS = (0.9, 0.99)


@dataclass(frozen=True)
class TrainStep:
    """What one training step did.

    Attributes:
        step, steps: counted from 1, and at most how many.
        loss: of the batch.
        losses: its weighted parts by name.
        held_out: the mean parts on the held-out batches, where this step measured them, with their sum as `loss`.
        rate: learning rate.
        seconds: of training so far, over all sittings.
        done: part of the schedule behind with this step, 0 to 1.
        network: the averaged network; call it when it is wanted.
    """

    step: int
    steps: int
    loss: float
    losses: Parts
    held_out: Parts | None
    rate: float
    seconds: float
    done: float
    network: Callable[[], nn.Module]


class Device(Protocol):
    """Where a training runs: the part of Hugging Face's `Accelerator` that the loop uses."""

    def prepare(self, *objects: Any) -> Any: ...
    def backward(self, loss: Tensor) -> None: ...
    def autocast(self) -> AbstractContextManager[None]: ...

    def reduce(self, tensor: Tensor, reduction: str) -> Any: ...

    @property
    def is_main_process(self) -> bool: ...

    @property
    def num_processes(self) -> int: ...

    @property
    def process_index(self) -> int: ...


class Plain:
    """One device, whatever the network lies on.

    Args:
        precision: `bf16` for automatic mixed precision.
        kind: of the device, as torch names it.
    """

    is_main_process, num_processes, process_index = True, 1, 0

    def __init__(self, precision: str = "fp32", kind: str = "cpu") -> None:
        self.precision, self.kind = precision, kind

    def prepare(self, *objects: Any) -> Any:
        return objects

    def backward(self, loss: Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        return tensor

    def autocast(self) -> AbstractContextManager[None]:
        return torch.autocast(self.kind, torch.bfloat16) if self.precision == "bf16" else nullcontext()


def schedule(settings: TrainSettings, step: int, done: float) -> float:
    """The learning rate of step `step` (from 1) when `done` of the training is behind."""
    return settings.rate * min(1.0, step / max(1, settings.warmup)) * (0.01 + 0.99 * math.cos(math.pi / 2 * done) ** 2)


class Average:
    """A running average of a network's parameters and buffers (exponential, unbiased at the start)."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        weight = max(1 - self.decay, 1 / (1 + step))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, weight)
            else:
                self.state[name].copy_(value)


#: Batches of one of several processes begin at its index times this, so that each learns from others.
APART = 2**32


def agreed(device: Device, value: float, on: torch.device) -> float:
    """The mean of a number over all processes, which would else decide for themselves when to stop."""
    if device.num_processes == 1:
        return value
    return float(device.reduce(torch.tensor(value, device=on), "mean"))


#: Seconds between checkpoints at most, whatever the number of steps.
SAVED = 20.0
#: Settings that a training keeps when it goes on from a checkpoint; the others say only for how long, and who looks.
KEPT = ("optimizer", "rate", "warmup", "decay", "average", "clip", "precision", "seed")


@torch.inference_mode(False)
@torch.enable_grad()
def train(
    task: Task,
    settings: TrainSettings,
    *,
    checkpoint: Path | None = None,
    device: Device | None = None,
    identity: Mapping[str, Any] | None = None,
    anew: bool = False,
) -> Iterator[TrainStep]:
    """Train `task.network`, from its last checkpoint if there is one; stop asking for steps at any time. It may be
    called under `torch.inference_mode()` or `torch.no_grad()`; the network may not be made in inference mode.

    At the end, also when the generator is closed before, the checkpoint is written and the network is the averaged one.
    An error or an interrupt, wherever it arises, leaves the state of the last whole step in the checkpoint. The last
    step looks at what is held out, too, and its `done` is 1.

    Args:
        task: network, batches and objectives.
        settings: how.
        checkpoint: a file for the full state, written at the start, every `save_every` steps or `SAVED` seconds and at
            the end.
        device: an `accelerate.Accelerator`, or a `Plain` one; the network's own device if not given.
        identity: what is trained on and for, name -> value for JSON; a checkpoint of another is refused.
        anew: begin from nothing, and replace a checkpoint that is there.

    Yields:
        A record after each step.

    Raises:
        NonFiniteError: if a loss or its gradient is no longer finite; the checkpoint holds the last state it was given.
        InputError: if the checkpoint is of another network, other settings or another identity, or cannot be written,
            or the network was made in inference mode.
    """
    if any(p.is_inference() for p in task.network.parameters()):
        raise InputError("the network was made in inference mode: make it inside of torch.inference_mode(False)")
    run = _Run(task, settings, device, checkpoint, identity or {}, anew)
    try:
        while run.done < 1:
            yield run.advance()
    except NonFiniteError:
        raise
    except GeneratorExit:
        pass
    except BaseException:
        run.save()
        raise
    if run.step != run.saved:
        run.save()
    task.network.load_state_dict(run.average.state)
    task.network.eval()


class _Run:
    """A training under way; arguments as those of `train`.

    Attributes:
        step: whole steps that are behind.
        done: part of the schedule that is behind.
        saved: the step whose state is in the checkpoint.
        average: of the network.
    """

    def __init__(
        self,
        task: Task,
        settings: TrainSettings,
        device: Device | None,
        checkpoint: Path | None,
        identity: Mapping[str, Any],
        anew: bool,
    ) -> None:
        self.task, self.settings, self.own = task, settings, task.network
        self.on = next(self.own.parameters()).device
        self.device = device or Plain(settings.precision, self.on.type)
        trained = [p for p in self.own.parameters() if p.requires_grad]
        optimizer = OPTIMIZERS[settings.optimizer](trained, lr=settings.rate, betas=BETAS, weight_decay=settings.decay)
        # On several devices, what averages their gradients.
        self.wrapped, self.optimizer = self.device.prepare(self.own, optimizer)
        self.average = Average(self.own, settings.average)
        self.checkpoint, self.about = checkpoint, json.dumps(asdict(settings) | dict(identity))
        fresh = anew or checkpoint is None or not checkpoint.exists()
        found = _restore(None if fresh else checkpoint, task, self.optimizer, self.average, settings, identity)
        self.step, self.seconds, self.best, self.waited = found
        self.began, self.when = time.perf_counter() - self.seconds, self.seconds
        self.whole, self.done, self.saved = self._snapshot(), self._behind(), self.step
        if fresh:
            self.save()

    def _snapshot(self) -> dict[str, Any]:
        """The state of the last whole step: an interrupt may come in the middle of the next."""
        if self.checkpoint is None or not self.device.is_main_process:
            return {}
        network, optimizer = self.own.state_dict(), self.optimizer.state_dict()
        found = copy.deepcopy({"network": network, "optimizer": optimizer, "average": self.average.state})
        return found | {"progress": (self.step, self.seconds, self.best, self.waited), "settings": self.about}

    def _behind(self) -> float:
        settings = self.settings
        if settings.patience and self.waited >= settings.patience:
            return 1.0
        minutes = self.seconds / 60 / settings.minutes if settings.minutes else 0.0
        return min(1.0, max(self.step / settings.steps, minutes))

    def save(self) -> None:
        """Write the state of the last whole step."""
        _save(self.checkpoint, self.whole)

    def advance(self) -> TrainStep:
        """One step, and what belongs to it."""
        task, settings, rate = self.task, self.settings, schedule(self.settings, self.step + 1, self.done)
        task.network = self.wrapped
        try:
            number = self.step + 1 + self.device.process_index * APART
            loss, parts = _advance(task, self.optimizer, self.device, settings, rate, number)
        finally:
            task.network = self.own
        self.step += 1
        self.average.update(self.own, self.step)
        self.seconds, held = agreed(self.device, time.perf_counter() - self.began, self.on), None
        if settings.held_out_batches and (self.step % settings.look_every == 0 or self._behind() == 1):
            held = look(task, self.average, settings.held_out_batches)
            held["loss"] = agreed(self.device, held["loss"], self.on)
            better = held["loss"] < self.best
            self.best, self.waited = (held["loss"], 0) if better else (self.best, self.waited + 1)
        self.whole, self.done = self._snapshot(), self._behind()
        if self.step % settings.save_every == 0 or self.seconds - self.when > SAVED:
            self.save()
            self.saved, self.when = self.step, self.seconds
        network = functools.partial(averaged, self.own, self.average)
        return TrainStep(self.step, settings.steps, loss, parts, held, rate, self.seconds, self.done, network)


def _advance(
    task: Task, optimizer: torch.optim.Optimizer, device: Device, settings: TrainSettings, rate: float, number: int
) -> tuple[float, Parts]:
    for group in optimizer.param_groups:
        group["lr"] = rate
    task.network.train()
    batch = task.batch(number)
    with _seeded(task.network, settings.seed, number), device.autocast():
        output = task.output(batch)
    total, parts = task.goal(batch)(output.float())
    values = {name: part.item() for name, part in parts.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise NonFiniteError(name, number % APART, "the last checkpoint is kept")
    optimizer.zero_grad()
    device.backward(total)
    norm = nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], settings.clip)
    if not torch.isfinite(norm):
        raise NonFiniteError("gradient of the", number % APART, "the last checkpoint is kept")
    optimizer.step()
    return sum(values.values()), values


@contextmanager
def _seeded(network: nn.Module, seed: int, number: int) -> Iterator[None]:
    """What the network draws at random depends on the batch alone, so that a training goes on as if never stopped; the
    caller's generators are left as they were."""
    device = next(network.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed * 2**32 + number)
        yield


@torch.no_grad()
def look(task: Task, average: Average, count: int) -> dict[str, float]:
    """The averaged network's mean losses on the held-out batches."""
    now = {k: v.clone() for k, v in task.network.state_dict().items()}
    task.network.load_state_dict(average.state)
    task.network.eval()
    sums: dict[str, float] = {}
    for number in range(1, count + 1):
        batch = task.batch(-number)
        _, parts = task.goal(batch)(task.output(batch).float())
        for name, part in parts.items():
            sums[name] = sums.get(name, 0.0) + part.item() / count
    task.network.load_state_dict(now)
    return sums | {"loss": sum(sums.values())}


@torch.no_grad()
def sample(task: Task, network: nn.Module, number: int = -1) -> tuple[Tensor | None, Tensor]:
    """The pictures of a batch, where there are any, cut in the middle to the size of what `network` makes of them; and
    that, `(B, 3, H, W)` in [0, 1]."""
    now, task.network = task.network, network
    batch = task.batch(number)
    made = task.output(batch).float().clamp(0, 1)
    task.network = now
    images = getattr(batch, "images", None)
    if images is None:
        return None, made
    made = made[: len(images)]  # what is painted twice shows once
    top, left = ((images.shape[i] - made.shape[i]) // 2 for i in (2, 3))
    return images[..., top : top + made.shape[2], left : left + made.shape[3]], made


def averaged(network: nn.Module, average: Average) -> nn.Module:
    """A copy of `network` with the averaged parameters, for samples and files."""
    twin = copy.deepcopy(network)
    twin.load_state_dict(average.state)
    return twin.eval()


def _save(path: Path | None, state: Mapping[str, Any]) -> None:
    if path is not None and state:
        data = io.BytesIO()
        torch.save(state, data)
        write_bytes(path, data.getvalue(), "the checkpoint")


def _restore(
    path: Path | None,
    task: Task,
    optimizer: torch.optim.Optimizer,
    average: Average,
    settings: TrainSettings,
    identity: Mapping[str, Any],
) -> tuple[int, float, float, int]:
    """Take everything back from a checkpoint: steps done, seconds spent, best held-out loss, looks without it."""
    if path is None:
        return 0, 0.0, math.inf, 0
    try:
        saved: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        _check_same(path, json.loads(saved["settings"]), _told(settings, identity))
        task.network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        for name, value in average.state.items():
            value.copy_(saved["average"][name])
        step, seconds, best, waited = saved["progress"]
    except InputError:
        raise
    except (RuntimeError, KeyError, TypeError, ValueError, OSError, EOFError, pickle.UnpicklingError) as error:
        detail = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        raise InputError(f"{path} is no checkpoint of this training: {detail}; remove it to begin anew") from error
    return int(step), float(seconds), float(best), int(waited)


def goes_on(path: Path, settings: TrainSettings, identity: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is of such a training."""
    try:
        saved: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        _check_same(path, json.loads(saved["settings"]), _told(settings, identity))
    except (RuntimeError, KeyError, TypeError, ValueError, OSError, EOFError, pickle.UnpicklingError):
        return False
    return True


def _told(settings: TrainSettings, identity: Mapping[str, Any]) -> dict[str, Any]:
    """All that must be the same for a training to go on."""
    found: dict[str, Any] = json.loads(json.dumps(identity))
    return {name: getattr(settings, name) for name in KEPT} | found


def _check_same(path: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    for name, value in ours.items():
        if theirs.get(name, value) != value:
            raise InputError(
                f"{name} is {value}, and {path} was trained with {theirs[name]}; give that, or remove it to begin anew"
            )
