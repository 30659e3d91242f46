"""A Ray cluster as workers: tasks, each in a process that keeps its networks for the next one.

Ray's own data sets are not used: their pools of actors stall where these hold all processors, and a picture that ends
its process is tried for ever.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import InputError
from impasto.jobs.pool import Outcome, called
from impasto.optional import needed
from impasto.options import AUTO, known

if TYPE_CHECKING:
    from impasto.jobs.batch import Batch
    from impasto.jobs.many import Plan


#: Processes that are made ready before there is work for them.
MOST_READIED = 256


def ready(_: None) -> None:
    """Import what painting needs, while paintings are measured elsewhere."""
    import impasto.jobs.work  # noqa: F401


class Cluster:
    """Tasks on a cluster.

    Args:
        ray: the package, connected.
        width: how many tasks at once.
        cpus, gpus: of each.
    """

    def __init__(self, ray: Any, width: int, cpus: float, gpus: float) -> None:
        self._ray, self.width = ray, width
        # What is tried again, and how often, is the batch's to say.
        self._task = ray.remote(called).options(max_retries=0, num_cpus=cpus, num_gpus=gpus)
        self._flying: dict[Any, int] = {}
        for _ in range(min(width, MOST_READIED)):
            self._task.remote(ready, None)

    def submit(self, key: int, function: Callable[[Any], Any], task: Any) -> None:
        self._flying[self._task.remote(function, task)] = key

    def wait(self, seconds: float) -> tuple[int, Outcome] | None:
        ready, _ = self._ray.wait(list(self._flying), num_returns=1, timeout=seconds)
        if not ready:
            return None
        try:
            outcome: Outcome = self._ray.get(ready[0])
        except self._ray.exceptions.RayError as error:
            outcome = Outcome(error=(str(error).split("\n")[0] or type(error).__name__)[:200], died=True)
        return self._flying.pop(ready[0]), outcome

    def close(self) -> None:
        for reference in self._flying:
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(reference, force=True)
        self._ray.shutdown()


def opened_cluster(job: Batch, count: int) -> tuple[Cluster, Plan]:
    """A cluster for so many items that sees the job's folders from each of its nodes.

    Raises:
        InputError: if Ray is not installed, there is no such cluster, or a node does not see them.
    """
    from impasto.jobs.many import Plan, batch_of

    ray = connected(str(job.ray))
    nodes = [node for node in ray.nodes() if node["Alive"]]
    try:
        probed(ray, nodes, job)
        cpus = 1 if job.threads == AUTO else known(job.threads)
        gpus = 1 if job.device in (AUTO, "cuda") and all(node["Resources"].get("GPU") for node in nodes) else 0
        each = [int(n["Resources"]["GPU"] if gpus else n["Resources"].get("CPU", 0) // cpus) for n in nodes]
        width = min(count, max(1, sum(each)) if job.workers == AUTO else known(job.workers))
        return Cluster(ray, width, cpus, gpus), Plan(cpus, max(1, *each), batch=batch_of(job, gpu=bool(gpus)))
    except BaseException:
        ray.shutdown()
        raise


def connected(address: str) -> Any:
    """Ray, connected to a cluster; `auto` starts one here if none runs.

    Raises:
        InputError: if that fails.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray = needed("ray", "ray")
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    try:
        try:
            ray.init(address=address, **quiet)
        except ConnectionError:
            if address != AUTO:
                raise
            ray.init(include_dashboard=False, **quiet)
    except Exception as error:  # it has many: its processes may be slow to start, of another version, or out of memory
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        what = "cannot be started here" if address == AUTO else f"cannot be reached at {address}"
        raise InputError(f"Ray {what}: {reason}") from error
    return ray


def seen(task: tuple[str, str, str]) -> str:
    """What a node does not see: the input, the mark that another one left in the output; or that it cannot write there.
    Empty if all is well."""
    source, mark, own = task
    if not os.path.exists(source):
        return f"{source} is not there"
    if not os.path.exists(mark):
        return f"{os.path.dirname(mark)} is another folder there"
    try:
        Path(own).touch()
    except OSError as error:
        return f"{os.path.dirname(own)} cannot be written to there ({error.strerror})"
    return ""


def probed(ray: Any, nodes: list[dict[str, Any]], job: Batch) -> None:
    """Raise InputError unless each node sees the job's folders, as it needs a file system that all share."""
    strategy = needed("ray.util.scheduling_strategies", "ray").NodeAffinitySchedulingStrategy
    output, token = os.path.abspath(job.output), secrets.token_hex(4)
    os.makedirs(output, exist_ok=True)
    marks = [os.path.join(output, f".impasto-{token}-{number}") for number in range(len(nodes) + 1)]
    try:
        Path(marks[0]).touch()
        look = ray.remote(seen)
        there = [os.path.abspath(job.content), marks[0]]
        answers = [
            look.options(num_cpus=0, scheduling_strategy=strategy(node["NodeID"], soft=False)).remote((*there, mark))
            for node, mark in zip(nodes, marks[1:], strict=True)
        ]
        for node, answer, mark in zip(nodes, answers, marks[1:], strict=True):
            wrong = ray.get(answer) or ("" if os.path.exists(mark) else f"{output} is another folder there")
            if wrong:
                raise InputError(
                    f"the node {node['NodeManagerAddress']} does not share this machine's files: {wrong}; give paths "
                    "on storage that all nodes mount"
                )
    finally:
        for mark in marks:
            with suppress(OSError):
                os.unlink(mark)
