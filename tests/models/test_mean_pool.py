"""Pooling by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from aver.models.mean_pool import mean_and_spread  # noqa: E402
from aver.models.streams import PooledStreams  # noqa: E402


def test_mean_and_population_spread_of_the_windows_there():
    x = torch.tensor([[[2.0], [6.0], [0.0]], [[5.0], [0.0], [0.0]]])
    present = torch.tensor([[True, True, False], [True, False, False]])
    found = mean_and_spread(x, present)
    # Mean 4, deviations -2 and 2: spread 2. One window: spread (almost) 0, and no NaN gradient.
    assert found[0].tolist() == pytest.approx([4.0, 2.0])
    assert found[1].tolist() == pytest.approx([5.0, 0.0], abs=1e-3)


def test_a_missing_stream_is_its_learned_vector():
    pool = PooledStreams({"voice": 1, "face": 2})
    with torch.no_grad():
        pool.missing["face"].copy_(torch.tensor([7.0, 8.0]))
    features = {"voice": torch.tensor([[[3.0]]]), "face": torch.tensor([[[1.0, 1.0]]])}
    masks = {"voice": torch.tensor([[True]]), "face": torch.tensor([[False]])}
    assert pool(features, masks).tolist() == [[3.0, 7.0, 8.0]]
