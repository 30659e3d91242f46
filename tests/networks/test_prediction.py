"""Style vectors that are predicted from a painting's moments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from impasto.networks.prediction import CODE, Prediction
from impasto.networks.quarter import Quarter

SMALL = {"width": 8, "deep": 8, "blocks": 1, "fine": 4, "deepest": 4}


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def described(network: Quarter) -> Quarter:
    """The network with a prediction that does something."""
    assert network.prediction is not None
    network.fit_prediction([torch.rand(1, 3, 32, 32) * i / 9 for i in range(10)])
    torch.nn.init.normal_(network.prediction.change.weight, std=0.1)
    return network


def test_it_begins_as_nothing_and_changes_deviations_by_factors() -> None:
    prediction = Prediction(6, [slice(0, 2)], 3)
    vector = torch.tensor([[-0.9, 3.0, -2.0, 0.0, 1.0, 5.0]])
    torch.testing.assert_close(prediction(vector), vector)
    prediction.change.bias.copy_(torch.tensor([-9.0, 0.5, -9.0, 0.5, 0.0, 0.0]))
    found = prediction(vector)[0]
    assert found[0] > -1 and found[1] == pytest.approx(4 * 1.6487 - 1, abs=1e-3)
    torch.testing.assert_close(found[2:], vector[0, 2:] + torch.tensor([-9.0, 0.5, 0.0, 0.0]))


def test_its_code_tells_paintings_apart_alike_in_every_direction() -> None:
    prediction = Prediction(60, [slice(0, 20)], 4)
    vectors = torch.randn(90, 60) * torch.linspace(0.1, 3, 60)
    vectors[:, :20] = vectors[:, :20].exp() - 1
    prediction.fit(vectors)
    code = prediction.code(prediction._logarithms(vectors))
    torch.testing.assert_close(code.T @ code / 89, torch.eye(CODE), atol=1e-2, rtol=0)
    prediction.fit(vectors[:3])  # as many as there are
    assert prediction.code(prediction._logarithms(vectors[:3])).isfinite().all()


def test_growing_changes_nothing_at_first_and_frames_stay_as_they_are() -> None:
    before = Quarter(**SMALL, rank=0).eval()
    after = before.grown(rank=2, prediction=5).eval()
    photo, painting = torch.rand(1, 3, 32, 48), torch.rand(1, 3, 48, 32)
    torch.testing.assert_close(after(photo, after.moments(painting)), before(photo, before.moments(painting)))
    described(after)
    moments, predicted = before.moments(painting), after.moments(painting)
    assert not torch.allclose(after(photo, predicted), before(photo, moments), atol=1e-3)
    torch.testing.assert_close(predicted[:, after.colors], moments[:, before.colors])
    assert after.bounded(after.unbounded(predicted)).allclose(predicted, atol=1e-4)


def test_a_part_of_a_painting_is_predicted_for_as_that_part_alone() -> None:
    network = described(Quarter(**SMALL, rank=2, prediction=5).eval())
    painting, mask = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    torch.testing.assert_close(network.moments(painting, mask), network.moments(painting), atol=1e-4, rtol=1e-4)


def test_the_code_is_not_trained_and_the_rest_is() -> None:
    network = described(Quarter(**SMALL, rank=2, prediction=5)).requires_grad_()
    assert network.prediction is not None
    with torch.enable_grad():
        network(torch.rand(1, 3, 32, 32), network.moments(torch.rand(1, 3, 32, 32))).square().sum().backward()
    assert network.prediction.code.weight.grad is None
    assert network.prediction.change.weight.grad.abs().sum() > 0  # type: ignore[union-attr]
