"""Checkpoints and logs: a run that is killed, stopped or out of disk loses nothing."""

from __future__ import annotations

import csv
import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from safetensors.torch import load_file, save_file  # noqa: E402
from training.fitting import EVERYTHING, network, rows, run  # noqa: E402

from aver.errors import AverError, ModelError, OutputError, SettingError, TrainingError  # noqa: E402
from aver.training import fit_checkpoint  # noqa: E402
from aver.training.fit import CrossEntropy, FitSettings, fit  # noqa: E402

CHECKPOINT, WEIGHTS = "checkpoint.safetensors", "model.safetensors"


def same(one, two):
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def figures(out):
    """The log without its times."""
    with (out / "log.csv").open(newline="") as lines:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(lines)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_and_started_again_ends_bit_for_bit_the_same(tmp_path):
    settings = EVERYTHING.model_copy(update={"epochs": 40, "checkpoint_every": 0})
    straight = run(tmp_path / "straight", settings)
    out = tmp_path / "killed"
    script = Path(__file__).with_name("fitting.py")
    with subprocess.Popen([sys.executable, str(script), str(out)], stdout=subprocess.PIPE) as child:
        while child.poll() is None and not (out / CHECKPOINT).exists():
            time.sleep(0.01)
        time.sleep(0.15)
        child.send_signal(signal.SIGKILL)
    state, _ = fit_checkpoint.read(out / CHECKPOINT)
    assert 0 < state.epoch < 40
    assert same(run(out, settings), straight)
    assert not (out / CHECKPOINT).exists()
    one, two = load_file(out / WEIGHTS), load_file(tmp_path / "straight" / WEIGHTS)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert figures(out) == figures(tmp_path / "straight")
    assert [row["epoch"] for row in figures(out)] == [f"{n}.0" for n in range(1, 41)]


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_interrupted_in_an_epoch_goes_on_from_that_step(tmp_path, schedule):
    settings = EVERYTHING.model_copy(
        update={
            "schedule": schedule,
            "plateau_patience": 0,
            "optimiser": "sgd",
            "checkpoint_every": 0,
        }
    )
    steps = []

    def interrupting(module, batch):
        steps.append(1)
        if len(steps) == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return CrossEntropy.of(settings, batch.labels)(module, batch)

    before = signal.getsignal(signal.SIGINT)
    net = network()
    with pytest.raises(KeyboardInterrupt):
        fit(net, interrupting, rows(100), rows(30, seed=1), settings, 7, tmp_path)
    assert signal.getsignal(signal.SIGINT) is before
    state, tensors = fit_checkpoint.read(tmp_path / CHECKPOINT)
    # Each epoch calls the loss in 7 steps and for validation once.
    assert (state.epoch, state.step) == (2, 20 - 2 * 8)
    assert "best/out.bias" in tensors
    assert same(run(tmp_path, settings), run(None, settings))


def test_how_often_is_kept_does_not_change_the_result(tmp_path):
    seldom = run(tmp_path / "seldom", EVERYTHING.model_copy(update={"checkpoint_every": 5}))
    assert same(run(tmp_path / "often"), seldom)


def test_a_run_that_is_over_is_not_run_again(tmp_path):
    net = run(tmp_path, about={"model": "net"})
    other, calls = network(seed=9), []

    def loss(module, batch):
        calls.append(1)
        return CrossEntropy()(module, batch)

    result = fit(other, loss, rows(100), rows(30, seed=1), EVERYTHING, 7, tmp_path)
    assert not calls
    assert same(net, other)
    assert result.epochs_run == 6
    assert len(result.history) == 6
    state, _ = fit_checkpoint.read(tmp_path / WEIGHTS)
    assert state.about == {"model": "net"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.csv", WEIGHTS]


@dataclass
class Told:
    """Settings of a network."""

    dropout: float


ONE_EPOCH = FitSettings(epochs=1, logger="none")


def test_another_run_in_the_folder_is_refused(tmp_path):
    run(tmp_path)
    other = EVERYTHING.model_copy(update={"batch": 8})
    with pytest.raises(SettingError, match=r"other settings \(batch was 16, is 8\)"):
        run(tmp_path, other)
    with pytest.raises(SettingError, match="training rows was"):
        fit(network(), None, rows(99), rows(30, seed=1), EVERYTHING, 7, tmp_path)
    # Settings that change no weight's shape, and those of the loss, count as well.
    for other, loss, words in (
        (Told(0.5), CrossEntropy(), "network settings was"),
        (Told(0.0), CrossEntropy(label_smoothing=0.2), "loss was"),
    ):
        net = network()
        net.settings = Told(0.0)
        fit(net, CrossEntropy(), rows(8), None, ONE_EPOCH, 7, tmp_path / "told")
        net.settings = other
        with pytest.raises(SettingError, match=words):
            fit(net, loss, rows(8), None, ONE_EPOCH, 7, tmp_path / "told")
    # Where and how often it is kept may change.
    run(tmp_path, EVERYTHING.model_copy(update={"logger": "none", "checkpoint_every": 3}))


def stop_at(step, value):
    calls = []

    def loss(module, batch):
        if module.training:
            calls.append(1)
        found = CrossEntropy()(module, batch)
        return found * value if len(calls) == step else found

    return loss


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_with_the_last_good_checkpoint(tmp_path, value):
    with pytest.raises(TrainingError) as caught:
        fit(network(), stop_at(24, value), rows(100), None, EVERYTHING, 7, tmp_path)
    message = str(caught.value)
    assert message.startswith("epoch 4, step 3 of 7: the loss is not finite")
    assert "learning_rate" in message
    assert CHECKPOINT in message
    state, tensors = fit_checkpoint.read(tmp_path / CHECKPOINT)
    assert state.epoch == 3
    assert all(torch.isfinite(value).all() for value in tensors.values())


def test_weights_that_are_not_finite_are_never_kept(tmp_path):
    """The last step of an epoch may spoil the weights while its own loss is fine."""

    class Spoilt(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float("nan")

    calls = []

    def loss(module, batch):
        calls.append(1)
        found = CrossEntropy()(module, batch)
        return Spoilt.apply(found) if len(calls) == 14 else found

    with pytest.raises(TrainingError, match="epoch 2, step 7 of 7: a weight is not finite"):
        fit(network(), loss, rows(100), None, EVERYTHING, 7, tmp_path)
    assert fit_checkpoint.read(tmp_path / CHECKPOINT)[0].epoch == 1


def test_disk_full_is_one_line_and_the_checkpoint_before_is_kept(tmp_path, monkeypatch):
    flush, calls = os.fsync, []

    def full(descriptor):
        calls.append(1)
        if len(calls) > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError) as caught:
        run(tmp_path)
    assert "the disk is full" in str(caught.value)
    assert "checkpoint before is kept" in str(caught.value)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == [CHECKPOINT, "log.csv"]
    assert 0 < fit_checkpoint.read(tmp_path / CHECKPOINT)[0].epoch < 6
    assert same(run(tmp_path), run(None))


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def hostile(folder: Path) -> dict[str, bytes]:
    run(folder / "good")
    good = (folder / "good" / WEIGHTS).read_bytes()
    save_file({"x": torch.zeros(2)}, folder / "foreign")
    torch.save(Bomb(folder / "went off"), folder / "torch")
    header = json.dumps({"__metadata__": {"format": "aver training 99"}}).encode()
    broken = json.dumps({"__metadata__": {"format": fit_checkpoint.FORMAT, "state": "{"}}).encode()
    return {
        "empty": b"",
        "cut off": good[: len(good) // 2],
        "text": b"epoch 3\n",
        "pickle": pickle.dumps(Bomb(folder / "went off")),
        "torch": (folder / "torch").read_bytes(),
        "foreign": (folder / "foreign").read_bytes(),
        "header longer than the file": (1 << 40).to_bytes(8, "little") + b"{}",
        "newer": len(header).to_bytes(8, "little") + header,
        "state cut off": len(broken).to_bytes(8, "little") + broken,
        "another network": good.replace(b'"hidden.bias"', b'"hidden.boat"'),
    }


def test_hostile_checkpoints_are_refused_in_one_line_and_run_nothing(tmp_path):
    for name, content in hostile(tmp_path).items():
        for file in (CHECKPOINT, WEIGHTS):
            out = tmp_path / "runs" / name / file
            out.mkdir(parents=True)
            (out / file).write_bytes(content)
            with pytest.raises((ModelError, SettingError)) as caught:
                run(out)
            assert str(out) in str(caught.value), name
            assert "\n" not in str(caught.value)
            assert (out / file).read_bytes() == content
    assert not (tmp_path / "went off").exists()


# ---- logs


def test_tensorboard_without_its_package_is_one_line(tmp_path, monkeypatch):
    for name in ("tensorboard", "tensorboardX"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(
        "lightning.fabric.loggers.tensorboard._TENSORBOARD_AVAILABLE", False, raising=False
    )
    monkeypatch.setattr(
        "lightning.fabric.loggers.tensorboard._TENSORBOARDX_AVAILABLE", False, raising=False
    )
    with pytest.raises(AverError, match=r"aver\[tensorboard\]"):
        run(tmp_path, EVERYTHING.model_copy(update={"logger": "tensorboard"}))


def test_tensorboard_events(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path, EVERYTHING.model_copy(update={"logger": "tensorboard"}))
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("validation_loss")] == [1, 2, 3, 4, 5, 6]


def test_log_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "log.csv").mkdir()
    with pytest.raises(OutputError, match=r"log\.csv: cannot be written"):
        run(tmp_path)


def test_no_log_and_no_folder_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(None, FitSettings(epochs=1))
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        run(tmp_path / "file" / "out")
