"""Several processes on the CPU (gloo), as `accelerate launch` sets them up."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

pytest.importorskip("accelerate", reason="accelerate is not installed")

#: One step of a small network; each process says what it learnt from, and what came of it.
CODE = """
import json, sys
import torch
from impasto.jobs.train import accelerator
from impasto.objective import Objective
from impasto.training.loop import APART, train
from impasto.training.settings import TrainSettings

def pictures(number):
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(number % APART + 7 * (number // APART)))

class Task:
    def __init__(self):
        torch.manual_seed(0)
        self.network, self.asked = torch.nn.Conv2d(3, 3, 3), []

    def batch(self, number):
        self.asked.append(number)
        return pictures(number) if len(sys.argv) == 1 else torch.cat([pictures(number), pictures(number + APART)])

    def output(self, batch):
        return self.network(batch)

    def goal(self, batch):
        def goal(output):
            loss = (output - batch[..., 1:-1, 1:-1]).square().mean()
            return loss, {"loss": loss}
        return goal

task = Task()
device = accelerator("fp32") if len(sys.argv) == 1 else None
settings = TrainSettings(steps=2, rate=1e-2, optimizer="adam", held_out_batches=0, average=0.0)
for step in train(task, settings, device=device):
    pass
weights = torch.cat([p.flatten() for p in task.network.parameters()]).tolist()
print(json.dumps({"asked": task.asked, "weights": weights}))
"""


def processes(count: int, *words: str) -> list[dict[str, list[float]]]:
    """What each of so many processes prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    for rank in map(str, range(count)):
        about = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
        about |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "ignore", "-c", CODE, *words]
        started.append(subprocess.Popen(command, env=os.environ | about, stdout=subprocess.PIPE, text=True))
    return [json.loads(process.communicate(timeout=100)[0].splitlines()[-1]) for process in started]


@pytest.mark.slow
def test_two_processes_are_one_with_twice_the_batch() -> None:
    first, second = processes(2)
    (whole,) = processes(1, "whole")
    assert first["weights"] == second["weights"]
    assert not set(first["asked"]) & set(second["asked"]) and len(first["asked"]) == len(second["asked"]) == 2
    assert first["weights"] == pytest.approx(whole["weights"], abs=1e-6)
