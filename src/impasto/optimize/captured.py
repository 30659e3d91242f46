"""Work that is recorded once and replayed: on a fast GPU Python asks for kernels more slowly than they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

#: What computes tensors by name from others, which stay where they are in memory while their values change.
Work = Callable[[], Mapping[str, Tensor]]
#: From work to what does it again: it fills the same tensors anew each time.
Capture = Callable[[Work], Work]

#: Calls before the recording, in which libraries choose their kernels and what is kept beside weights is made.
WARM = 3
#: How far a first replay may be from the plain call, relative to it: kernels may sum in another order.
NEAR = 0.02


def cuda_graph(work: Work) -> Work:
    """A recording as a CUDA graph (`torch.cuda.CUDAGraph`), which the GPU runs at one request.

    Raises:
        RuntimeError: if the work asks the GPU for a value, or otherwise cannot be recorded.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = work()

    def again() -> Mapping[str, Tensor]:
        graph.replay()
        return found

    return again


class Replayed:
    """`work`, recorded at its fourth call and replayed from then on.

    It goes on as plain calls where a recording fails, where its first replay gives other values than a plain call, and
    as soon as a tensor that it reads is no longer where it was.

    Args:
        work: what is computed.
        reads: the tensors whose values change between calls.
        capture: how it is recorded, such as `cuda_graph`.
        notice: told in a sentence why it is not replayed.
    """

    def __init__(
        self,
        work: Work,
        reads: Callable[[], Mapping[str, Tensor]],
        capture: Capture,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.work, self.reads, self.capture, self.notice = work, reads, capture, notice
        self._calls = 0
        self._places: dict[str, int] = {}
        self._again: Work | None = None

    def __call__(self) -> Mapping[str, Tensor]:
        self._calls += 1
        if self._calls == WARM + 1:
            return self._recorded()
        if self._again is not None and self._places == self._where():
            return {name: value.clone() for name, value in self._again().items()}
        self._again = None
        return self.work()

    def _where(self) -> dict[str, int]:
        return {name: value.data_ptr() for name, value in self.reads().items()}

    def _recorded(self) -> Mapping[str, Tensor]:
        plain, self._places = self.work(), self._where()
        try:
            again = self.capture(self.work)
            found = again()
        except RuntimeError as error:  # whatever a driver, a library or a network's own code says
            self.notice(f"steps are not replayed: {str(error).splitlines()[0]}")
            return plain
        if plain.keys() == found.keys() and all(_near(found[name], value) for name, value in plain.items()):
            self._again = again
        else:
            self.notice("steps are not replayed: a replay gave other values")
        return plain


def _near(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).float().norm() <= NEAR * b.float().norm())
