"""The bidirectional LSTM is torch's own, on the windows that are there."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from aver.models.lstm import Bidirectional, LstmSettings  # noqa: E402


def test_two_layers_are_torchs_bidirectional_lstm_of_the_windows_there():
    torch.manual_seed(0)
    ours = Bidirectional(3, LstmSettings(hidden=5, layers=2)).eval()
    theirs = torch.nn.LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    with torch.no_grad():
        for suffix, parts in (("", ours.onwards), ("_reverse", ours.backwards)):
            for layer, part in enumerate(parts):
                for weight in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    target = getattr(theirs, f"{weight}_l{layer}{suffix}")
                    target.copy_(getattr(part, f"{weight}_l0"))
    x = torch.randn(2, 6, 3)
    present = torch.tensor(
        [[True, False, True, True, False, True], [True, True, False, False, False, False]]
    )
    states, there = ours(x, present)
    assert there.sum(1).tolist() == [4, 2]
    for row in range(2):
        expected = theirs(x[row : row + 1, present[row]])[0]
        assert torch.allclose(states[row : row + 1, : expected.shape[1]], expected, atol=1e-6)
