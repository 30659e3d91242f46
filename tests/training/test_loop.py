"""The training loop: it falls, resumes exactly, and ends right however it ends."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from impasto.errors import InputError, NonFiniteError
from impasto.optimize import Goal
from impasto.training import loop as module
from impasto.training.loop import Average, TrainSettings, schedule, train


class Line:
    """Learns `2x` from random numbers through dropout and a batch normalization.

    Args:
        spoil: what is done to the loss of a step.
    """

    def __init__(self, spoil: Callable[[int, Tensor], Tensor] = lambda number, loss: loss) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layers = [nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.2), nn.Conv2d(4, 3, 1)]
            self.network: nn.Module = nn.Sequential(*layers)
        self.spoil = spoil
        self.asked: list[int] = []

    def batch(self, number: int) -> tuple[int, Tensor]:
        self.asked.append(number)
        return number, torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(2 * abs(number) + (number < 0)))

    def output(self, batch: tuple[int, Tensor]) -> Tensor:
        found: Tensor = self.network(batch[1])
        return found

    def goal(self, batch: tuple[int, Tensor]) -> Goal:
        def goal(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            loss = self.spoil(batch[0], (image - 2 * batch[1]).square().mean())
            return loss, {"error": loss.detach()}

        return goal


SETTINGS = TrainSettings(
    steps=12, rate=0.02, warmup=3, decay=0.01, average=0.8, held_out_batches=2, look_every=4, save_every=5, seed=3
)


def changed(**changes: Any) -> TrainSettings:
    return replace(SETTINGS, **changes)


def same(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_the_loss_falls_and_the_record_says_so() -> None:
    steps = list(train(Line(), changed(steps=150, look_every=50)))
    assert [s.step for s in steps] == list(range(1, 151))
    looks = [s.held_out["loss"] for s in steps if s.held_out]
    assert len(looks) == 3 and looks[-1] < 0.3 * looks[0]
    assert all(s.loss == sum(s.losses.values()) and math.isfinite(s.loss) for s in steps)


class OneOfTwo(module.Plain):
    """The second of two processes, which is told that the first had no time left."""

    is_main_process, num_processes, process_index = False, 2, 1

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        assert reduction == "mean"
        return tensor + 1e6


def test_several_processes_learn_from_batches_of_their_own_and_stop_together(tmp_path: Path) -> None:
    first, second, short = Line(), Line(), Line()
    list(train(first, changed(steps=5)))
    list(train(second, changed(steps=5), device=OneOfTwo(), checkpoint=tmp_path / "run.pt"))
    learnt = [{n for n in line.asked if n > 0} for line in (first, second)]
    assert len(learnt[0]) == len(learnt[1]) == 5 and not learnt[0] & learnt[1]
    assert not (tmp_path / "run.pt").exists()
    assert len(list(train(short, changed(minutes=60), device=OneOfTwo()))) == 1


@pytest.mark.parametrize("stop", [5, 7, 12])
def test_a_training_resumed_is_one_never_stopped(tmp_path: Path, stop: int) -> None:
    whole, first, second = Line(), Line(), Line()
    steps = list(train(whole, SETTINGS))
    file = tmp_path / "run.pt"
    before = train(first, SETTINGS, checkpoint=file)
    found = [next(before) for _ in range(stop)]
    before.close()
    torch.rand(3)  # the caller's own chance has no say
    found += list(train(second, SETTINGS, checkpoint=file))
    assert same(whole.network, second.network)
    assert [(s.step, s.loss, s.rate, s.held_out) for s in found] == [
        (s.step, s.loss, s.rate, s.held_out) for s in steps
    ]
    assert [n for n in first.asked + second.asked if n > 0] == list(range(1, 13))


def test_a_training_goes_on_where_no_gradients_are_recorded() -> None:
    usual = [s.loss for s in train(Line(), SETTINGS)]
    for mode in (torch.inference_mode, torch.no_grad):
        task = Line()
        with mode():
            assert [s.loss for s in train(task, SETTINGS)] == usual
    with torch.inference_mode():
        made_there = Line()
    with pytest.raises(InputError, match="the network was made in inference mode"):
        next(train(made_there, SETTINGS))


def test_a_training_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    list(train(Line(), changed(steps=2)))
    assert torch.equal(torch.rand(3), expected)


def test_whoever_stops_asking_has_the_averaged_network_and_a_checkpoint(tmp_path: Path) -> None:
    task, file = Line(), tmp_path / "run.pt"
    steps = train(task, SETTINGS, checkpoint=file)
    third = list(islice(steps, 3))[-1]
    averaged = third.network()
    steps.close()  # type: ignore[attr-defined]
    assert same(task.network, averaged) and not task.network.training
    assert torch.load(file, weights_only=True)["progress"][0] == 3


@pytest.mark.parametrize("stop", [1, 3, 7])
@pytest.mark.parametrize("where", ["loss", "average", "snapshot"])
def test_an_interrupt_in_the_middle_of_a_step_keeps_the_last_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, where: str
) -> None:
    def interrupt(number: int, loss: Tensor) -> Tensor:
        if number == stop and where == "loss":  # a batch normalization has seen the batch
            raise KeyboardInterrupt
        return loss

    file, update, copied, calls = tmp_path / "run.pt", Average.update, module.copy.deepcopy, iter(range(100))

    def half(average: Average, network: nn.Module, step: int) -> None:
        update(average, network, step)
        if step == stop:
            raise KeyboardInterrupt

    def no_copy(state: Any) -> Any:
        if next(calls) == stop:
            raise KeyboardInterrupt
        return copied(state)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if where == "average":
            patch.setattr(Average, "update", half)
        if where == "snapshot":
            patch.setattr(module, "copy", SimpleNamespace(deepcopy=no_copy))
        list(train(Line(interrupt), SETTINGS, checkpoint=file))
    assert torch.load(file, weights_only=True)["progress"][0] == stop - 1
    whole, second = Line(), Line()
    list(train(whole, SETTINGS))
    list(train(second, SETTINGS, checkpoint=file))
    assert same(whole.network, second.network)


@pytest.mark.parametrize("steps", [12, 8])
def test_a_complete_training_is_not_trained_again(tmp_path: Path, steps: int) -> None:
    file, task = tmp_path / "run.pt", Line()
    list(train(Line(), SETTINGS, checkpoint=file))
    before = file.read_bytes()
    whole = Line()
    list(train(whole, SETTINGS))
    assert list(train(task, changed(steps=steps), checkpoint=file)) == []
    assert file.read_bytes() == before and same(task.network, whole.network)


def test_minutes_end_a_training_after_the_step_they_ran_out_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def tick() -> float:
        clock[0] += 1.0
        return clock[0]

    monkeypatch.setattr(module.time, "perf_counter", tick)
    file = tmp_path / "run.pt"
    steps = list(train(Line(), changed(minutes=0.1, steps=1000, save_every=1000), checkpoint=file))
    assert 1 <= len(steps) <= 6
    assert torch.load(file, weights_only=True)["progress"][0] == len(steps)
    assert steps[-1].rate < steps[1].rate  # the schedule follows the clock
    assert list(train(Line(), changed(minutes=0.1, steps=1000), checkpoint=file)) == []
    more = list(train(Line(), changed(minutes=0.2, steps=1000), checkpoint=file))
    assert more[0].step == len(steps) + 1


def test_a_training_without_improvement_stops_and_stays_stopped(tmp_path: Path) -> None:
    file, settings = tmp_path / "run.pt", changed(steps=100, look_every=2, patience=3)

    def worse(number: int, loss: Tensor) -> Tensor:
        return loss if number > 0 else loss.detach() * 0 + next(values)

    values = iter([3.0, 3.0, 2.0, 2.0, *[2.5] * 20])  # two held-out batches a look: it improves once
    steps = list(train(Line(worse), settings, checkpoint=file))
    assert len(steps) == 2 * (2 + 3)
    assert [s.held_out["error"] for s in steps if s.held_out] == pytest.approx([3, 2, 2.5, 2.5, 2.5])
    assert list(train(Line(worse), settings, checkpoint=file)) == []


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_that_is_not_finite_stops_the_training_before_it_does_harm(tmp_path: Path, where: str) -> None:
    def spoil(number: int, loss: Tensor) -> Tensor:
        if number != 7:
            return loss
        return loss * math.nan if where == "loss" else loss + (0 * loss).sqrt()  # a root's slope at 0

    file, task = tmp_path / "run.pt", Line(spoil)
    with pytest.raises(NonFiniteError, match=r"loss is no longer finite at step 7: the last checkpoint is kept"):
        list(train(task, SETTINGS, checkpoint=file))
    assert torch.load(file, weights_only=True)["progress"][0] == 5
    assert all(v.isfinite().all() for v in task.network.state_dict().values())


def test_looking_changes_nothing_that_is_trained() -> None:
    looked, not_looked = Line(), Line()
    list(train(looked, SETTINGS))
    list(train(not_looked, changed(held_out_batches=0)))
    assert same(looked.network, not_looked.network)


def test_frozen_parameters_stay() -> None:
    task = Line()
    frozen = task.network[0].weight.requires_grad_(False)  # type: ignore[index]
    before = frozen.detach().clone()
    list(train(task, SETTINGS))
    assert torch.equal(frozen, before)


def test_the_schedule_rises_falls_and_follows_what_is_behind() -> None:
    settings = TrainSettings(rate=2.0, warmup=4)
    assert [schedule(settings, n, 0.0) for n in (1, 2, 4, 9)] == [0.5, 1.0, 2.0, 2.0]
    assert schedule(settings, 100, 0.5) == pytest.approx(2 * (0.01 + 0.99 / 2))
    assert schedule(settings, 100, 1.0) == pytest.approx(0.02)
    assert schedule(TrainSettings(rate=2.0, warmup=0), 1, 0.0) == 2.0


def test_the_average_by_hand() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 0.0)
    average = Average(network, 0.6)
    for step, value in enumerate((1.0, 2.0, 4.0), 1):
        nn.init.constant_(network.weight, value)
        average.update(network, step)
    # Plain means while there are few: 0, 1 -> 0.5; 2 -> 0.5 + 0.4 · 1.5 = 1.1; 4 -> 1.1 + 0.4 · 2.9.
    assert average.state["weight"].item() == pytest.approx(2.26)


def other_network(file: Path) -> None:
    task = Line()
    task.network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))
    list(train(task, changed(steps=1), checkpoint=file))


def other_rate(file: Path) -> None:
    list(train(Line(), changed(steps=1, rate=0.5), checkpoint=file))


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (other_network, "is no checkpoint of this training"),
        (other_rate, r"rate is 0.02, and .*run.pt was trained with 0.5; give that, or remove it"),
        (lambda file: file.write_bytes(b"hello"), "is no checkpoint of this training"),
        (lambda file: file.write_bytes(b""), "is no checkpoint of this training"),
        (lambda file: torch.save([1], file), "is no checkpoint of this training"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(
    tmp_path: Path, write: Callable[[Path], object], complaint: str
) -> None:
    file = tmp_path / "run.pt"
    write(file)
    with pytest.raises(InputError, match=complaint):
        next(train(Line(), SETTINGS, checkpoint=file))


def test_bf16_trains_too() -> None:
    steps = list(train(Line(), changed(precision="bf16", steps=40)))
    assert steps[-1].loss < steps[0].loss


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"rate": 0.0}, "rate is 0; it must be above 0"),
        ({"average": 1.0}, "average is 1; it must be at least 0 and below 1"),
        ({"minutes": math.inf}, "minutes is inf"),
        ({"precision": "fp16"}, "unknown precision 'fp16'"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        changed(**changes)


def test_any_error_keeps_the_last_whole_step(tmp_path: Path) -> None:
    def unreadable(number: int, loss: Tensor) -> Tensor:
        if number == 7:
            raise InputError("20 pictures in a row cannot be read")
        return loss

    with pytest.raises(InputError, match="20 pictures"):
        list(train(Line(unreadable), SETTINGS, checkpoint=tmp_path / "run.pt"))
    assert torch.load(tmp_path / "run.pt", weights_only=True)["progress"][0] == 6


@pytest.mark.parametrize(("steps", "looks"), [(3, [3]), (4, [4]), (9, [4, 8, 9])])
def test_the_last_step_looks_and_all_is_done(steps: int, looks: list[int]) -> None:
    found = list(train(Line(), changed(steps=steps)))
    assert [s.step for s in found if s.held_out] == looks
    assert [s.done for s in found] == [n / steps for n in range(1, steps + 1)]


def test_the_last_step_of_a_time_and_of_a_patience_is_done_and_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = list(train(Line(lambda number, loss: loss * 0 + 1), changed(steps=100, look_every=2, patience=2)))
    assert len(stuck) == 6 and stuck[-1].done == 1 and stuck[-1].held_out and stuck[-2].done < 1
    clock = iter(range(1000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))
    found = list(train(Line(), changed(minutes=0.1, steps=1000, look_every=1000)))
    assert 1 <= len(found) <= 7 and found[-1].done == 1 and found[-1].held_out
    assert all(s.done < 1 and s.held_out is None for s in found[:-1])


@pytest.mark.parametrize("at", [0, 2])
def test_a_checkpoint_that_cannot_be_written_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    sync, calls = os.fsync, iter(range(100))

    def full(file: int) -> None:
        if next(calls) >= at:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write the checkpoint .*run.pt': No space left on device") as caught:
        list(train(Line(), SETTINGS, checkpoint=tmp_path / "run.pt"))
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == (["run.pt"] if at else [])
    monkeypatch.undo()
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="cannot write"):
        next(train(Line(), SETTINGS, checkpoint=tmp_path / "file" / "run.pt"))


def test_a_checkpoint_of_other_paintings_is_refused_by_name(tmp_path: Path) -> None:
    file, about = tmp_path / "run.pt", {"paintings": "1 files, 0123", "style_weight": 5.0, "layers": ("relu1_1",)}
    next(train(Line(), SETTINGS, checkpoint=file, identity=about))
    next(train(Line(), SETTINGS, checkpoint=file, identity=about))
    for name, value in (("paintings", "1 files, 4567"), ("style_weight", 8.0), ("layers", ("relu2_1",))):
        with pytest.raises(InputError, match=rf"{name} is .*run.pt was trained with .*remove it to begin anew"):
            next(train(Line(), SETTINGS, checkpoint=file, identity=about | {name: value}))
