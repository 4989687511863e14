"""The voice network in torch: shapes, and export."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from aver.models.voice_expression import VoiceExpressionNet, VoiceExpressionSettings


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return VoiceExpressionNet(VoiceExpressionSettings()).eval()


@pytest.mark.parametrize("frames", [48, 24])
def test_half_and_quarter_seconds_give_512_numbers_of_length_1(net, frames):
    out = net(torch.randn(3, frames, 64))
    assert out.embedding.shape == (3, 512)
    assert out.logits.shape == (3, 8)
    torch.testing.assert_close(out.embedding.norm(dim=1), torch.ones(3))


def test_windows_of_a_batch_do_not_touch_each_other(net):
    x = torch.randn(4, 48, 64)
    torch.testing.assert_close(net(x).embedding[2:3], net(x[2:3]).embedding, atol=1e-5, rtol=0)


def test_the_network_is_a_tenth_of_vggish(net):
    assert sum(p.numel() for p in net.parameters()) < 7_200_000


def test_the_exported_file_equals_torch_with_rounded_weights(net, tmp_path):
    from aver.training.voice_expression import export_voice

    file = tmp_path / "voice.onnx"
    rounded = export_voice(net, file, "test")
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    x = torch.randn(5, 48, 64)
    embedding, logits = session.run(["embedding", "logits"], {"log_mel": x.numpy()})
    with torch.no_grad():
        ours = rounded(x)
    np.testing.assert_allclose(embedding, ours.embedding.numpy(), atol=1e-4)
    np.testing.assert_allclose(logits, ours.logits.numpy(), atol=1e-4)
    assert file.stat().st_size < 3_000_000
