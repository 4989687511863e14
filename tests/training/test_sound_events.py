"""Training the sound event detector: targets, disturbances, decoding, a whole tiny run."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("dcase_util")

from aver.corpora.sound_event import SoundEvent  # noqa: E402
from aver.errors import CorpusError, RecipeError  # noqa: E402
from aver.features.sound_events import (  # noqa: E402
    Decoding,
    DetectorSettings,
    LogMelSettings,
    decode,
    log_mel,
)
from aver.models.sed_crnn import SedCrnn, SedCrnnSettings  # noqa: E402
from aver.pretrained.session import open_session  # noqa: E402
from aver.training.export import parity  # noqa: E402
from aver.training.fit_data import TensorBatches  # noqa: E402
from aver.training.recipe import load_recipe  # noqa: E402
from aver.training.sound_event_data import (  # noqa: E402
    Names,
    Scapes,
    band_statistics,
    batches_of,
    list_part,
    step_targets,
)
from aver.training.sound_event_decode import Judge, choose_decoding  # noqa: E402
from aver.training.sound_event_export import export_detector  # noqa: E402
from aver.training.sound_event_loss import (  # noqa: E402
    DisturbSettings,
    SoundEventLoss,
    disturbed,
    masked_bands,
)

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
NAMES = Names(("speech", "crowd", "sneeze"), ("speech", "crowd"), ("sneeze",))
FLOOR = float(np.log(1e-9))


# ---- targets


def test_a_step_is_asked_for_by_the_share_that_is_covered():
    found = step_targets([(0.1, 0.25), (0.3, 0.4)], 5, 0.1)
    assert found == pytest.approx([0.0, 1.0, 0.5, 1.0, 0.0], abs=1e-6)
    assert step_targets([], 3, 0.1).tolist() == [0.0, 0.0, 0.0]


def test_a_binary_detector_hears_the_union_of_its_labels():
    events = [
        SoundEvent(0.0, 1.0, "speech"),
        SoundEvent(0.5, 2.0, "crowd"),
        SoundEvent(3.0, 4.0, "speech"),
        SoundEvent(0.2, 0.4, "sneeze"),
    ]
    assert NAMES.all == ("verbal", "non_verbal", "speech", "crowd", "sneeze")
    assert NAMES.spans(events, "verbal") == [(0.0, 2.0), (3.0, 4.0)]
    assert NAMES.spans(events, "crowd") == [(0.5, 2.0)]
    assert NAMES.reference(events, "non_verbal") == [SoundEvent(0.2, 0.4, "non_verbal")]


def scapes_of(frames: np.ndarray, events: list[list[SoundEvent]], hop: float) -> Scapes:
    files = [Path(f"{n}.wav") for n in range(len(frames))]
    by_name = {file.name: some for file, some in zip(files, events, strict=True)}
    seconds = np.full(len(frames), frames.shape[1] * hop)
    return Scapes(files, by_name, seconds, frames.astype(np.float16))


def test_rows_for_the_engine():
    scapes = scapes_of(np.zeros((2, 9, 16)), [[SoundEvent(0.0, 0.04, "crowd")], []], 0.02)
    rows = batches_of(scapes, NAMES, LogMelSettings(bands=16), 2)
    assert rows.streams["log_mel"].shape == (2, 9, 16)
    targets = rows.extra["targets"]
    assert targets.shape == (2, 5, 5)
    assert targets[0, 0].tolist() == [1.0, 0.0, 0.0, 1.0, 0.0]
    assert not targets[0, 1:].any()
    assert not targets[1].any()


def test_band_statistics_are_those_of_all_frames():
    frames = np.random.default_rng(0).normal(3, 2, (4, 50, 8)).astype(np.float16)
    mean, std = band_statistics(frames)
    flat = frames.reshape(-1, 8).astype(np.float64)
    assert mean == pytest.approx(flat.mean(axis=0).tolist(), abs=1e-4)
    assert std == pytest.approx(flat.std(axis=0).tolist(), abs=1e-4)


# ---- disturbances


def marked(rows: int = 6, steps: int = 20, step: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames that are loud exactly where the only target is 1."""
    torch.manual_seed(1)
    targets = (torch.rand(rows, steps, 1) < 0.3).float()
    loud = targets.repeat_interleave(step, dim=1)
    return torch.where(loud > 0, -2.0, -18.0).expand(-1, -1, 16).clone(), targets


def test_frames_and_targets_are_turned_together():
    frames, targets = marked()
    still = DisturbSettings(mix=0, gain_decibels=0, colour_decibels=0)
    moved, asked = disturbed(frames, targets, still, FLOOR, 2)
    assert not torch.equal(asked, targets)
    assert torch.equal(asked.sum(dim=1), targets.sum(dim=1))
    assert torch.equal(moved[:, ::2, 0] > -10, asked[:, :, 0] > 0)


def test_faster_and_slower_frames_and_targets_stay_together():
    frames, targets = marked(rows=20, steps=60)
    settings = DisturbSettings(mix=0, gain_decibels=0, colour_decibels=0, stretch=0.3)
    moved, asked = disturbed(frames, targets, settings, FLOOR, 2)
    sure = (asked[:, :, 0] == 0) | (asked[:, :, 0] == 1)
    agree = (moved[:, ::2, 0] > -10) == (asked[:, :, 0] > 0.5)
    assert agree[sure].float().mean() > 0.98
    assert 0.3 < sure.float().mean() < 1.0
    # At another speed for each row: more or less of it is heard, here and there something twice.
    assert not torch.equal(asked.sum(dim=1), targets.sum(dim=1))
    assert torch.allclose(asked.mean(), targets.mean(), atol=0.05)


def test_warped_bands_move_in_proportion():
    torch.manual_seed(0)
    frames = torch.full((40, 2, 64), -18.0)
    frames[:, :, 40] = 0.0
    settings = DisturbSettings(mix=0, gain_decibels=0, colour_decibels=0, shift=False, warp=0.1)
    moved, _ = disturbed(frames, torch.zeros(40, 1, 1), settings, FLOOR, 2)
    peaks = moved[:, 0].argmax(dim=1)
    assert peaks.min() >= 40 / 1.1 - 1
    assert peaks.max() <= 40 / 0.9 + 1
    assert len(peaks.unique()) > 4


def test_two_soundscapes_in_one_have_the_events_of_both():
    frames, targets = marked()
    both = DisturbSettings(mix=1, mix_decibels=0, gain_decibels=0, colour_decibels=0, shift=False)
    torch.manual_seed(0)
    other = torch.randperm(6)
    torch.manual_seed(0)
    moved, asked = disturbed(frames, targets, both, FLOOR, 2)
    assert torch.equal(asked, torch.maximum(targets, targets[other]))
    power = frames.exp() + frames[other].exp()
    assert torch.allclose(moved.exp(), power, rtol=1e-3, atol=1e-8)


def test_gain_and_colour_stay_within_their_bounds_and_above_the_floor():
    frames, targets = marked()
    settings = DisturbSettings(mix=0, gain_decibels=10, colour_decibels=6, shift=False)
    moved, asked = disturbed(frames, targets, settings, FLOOR, 2)
    assert torch.equal(asked, targets)
    loud = frames > -10
    decibels = (moved - frames)[loud] * 10 / np.log(10)
    assert decibels.abs().max() <= 16.01
    assert decibels.std() > 1
    assert (moved >= FLOOR).all()


def test_masked_bands_are_whole_and_few():
    torch.manual_seed(0)
    x = masked_bands(torch.ones(50, 4, 64), DisturbSettings(mask=1.0, mask_bands=10))
    assert torch.equal(x[:, :1].expand_as(x), x)
    gone = (x[:, 0] == 0).sum(dim=1)
    assert gone.min() >= 1
    assert gone.max() <= 20


def test_disturbances_are_for_training_alone():
    torch.manual_seed(0)
    net = SedCrnn(SedCrnnSettings(bands=16, classes=1, channels=(4,), joint=4, recurrent=2))
    frames, targets = marked()
    rows = TensorBatches(
        {"log_mel": frames.half()},
        {},
        torch.zeros(6, dtype=torch.int64),
        {"targets": targets.expand(-1, -1, 3).half()},
    )
    loss = SoundEventLoss(torch.zeros(16), torch.ones(16), FLOOR, disturb=DisturbSettings())
    net.eval()
    assert loss(net, rows).item() == loss(net, rows).item()
    plain = SoundEventLoss(torch.zeros(16), torch.ones(16), FLOOR)
    assert loss(net, rows).item() == plain(net, rows).item()
    net.train()
    torch.manual_seed(0)
    first = loss(net, rows).item()
    torch.manual_seed(0)
    assert loss(net, rows).item() == first
    assert loss(net, rows).item() != first


# ---- decoding


def test_decoding_is_chosen_by_event_based_f1():
    hop = 0.02
    events = [[SoundEvent(1.0, 2.0, "sneeze")], [SoundEvent(0.5, 1.5, "sneeze")]]
    scapes = scapes_of(np.zeros((2, 150, 8)), events, hop)
    judge = Judge(scapes, NAMES, LogMelSettings(bands=8))
    scores = np.full((2, 150), 0.3, np.float32)
    for row, some in zip(scores, events, strict=True):
        row[round(some[0].start / hop) : round(some[0].end / hop)] = 0.45
    scores[:, 120] = 0.9  # a click
    scores[0, 70:74] = 0.3  # a short breath within
    chosen = choose_decoding(judge, "sneeze", scores)
    assert judge.figures("sneeze", scores, chosen).f1 == 1.0
    assert 0.3 < chosen.threshold <= 0.45
    assert judge.figures("sneeze", scores, Decoding()).f1 < 1.0


# ---- files


def test_tables_of_another_folder_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="holds no recording"):
        list_part(tmp_path, "train")
    write_sound(tmp_path / "train" / "0.wav", np.zeros(16_000))
    write_table(tmp_path / "train.tsv", [("1.wav", 0.0, 1.0, "sneeze")])
    with pytest.raises(CorpusError, match=r"names 1\.wav, which is not in"):
        list_part(tmp_path, "train")


@pytest.mark.parametrize("step", [1, 2])
def test_the_file_computes_what_the_network_does_for_any_length(tmp_path, step):
    torch.manual_seed(0)
    settings = SedCrnnSettings(classes=3, channels=(8, 40, 48), time_step=step)
    path = tmp_path / "detector.onnx"
    about = DetectorSettings(labels=NAMES.labels, seen_subjects=("ravdess/01",))
    computed = export_detector(SedCrnn(settings).eval(), about, path)
    for frames in (1, 2, 49, 400):
        assert parity(path, computed, (torch.randn(1, frames, 64),)) < 1e-5
    session = open_session(path)
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    assert DetectorSettings.from_metadata(metadata) == about
    assert [entry.name for entry in session.get_outputs()] == [
        "scores",
        "verbal",
        "non_verbal",
        "semantics_verbal",
        "semantics_non_verbal",
    ]
    assert str(tmp_path).encode() not in path.read_bytes()


# ---- a whole run


def write_sound(path: Path, sound: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((sound * 32_767).astype("<i2").tobytes())


def write_table(path: Path, rows: list[tuple[str, float, float, str]]) -> None:
    lines = ["filename\tonset\toffset\tevent_label"]
    lines += [f"{name}\t{start:.3f}\t{end:.3f}\t{label}" for name, start, end, label in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


HERTZ = {"speech": 400.0, "crowd": 1_000.0, "sneeze": 4_000.0}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Tones that stand for labels, in noise: what any detector can tell apart."""
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    time = np.arange(3 * 16_000) / 16_000
    for part, count in (("train", 48), ("validation", 12), ("test", 12)):
        rows = []
        for number in range(count):
            name = f"{number}.wav"
            sound = random.normal(0, 0.003, len(time))
            start = random.uniform(0.2, 0.6)
            for label in random.permutation(list(HERTZ))[:2]:
                end = start + random.uniform(0.5, 0.9)
                inside = (time >= start) & (time < end)
                sound += 0.2 * np.sin(2 * np.pi * HERTZ[label] * time) * inside
                rows.append((name, start, end, str(label)))
                start = end + random.uniform(0.3, 0.5)
            write_sound(root / "tones" / part / name, sound)
        write_table(root / "tones" / f"{part}.tsv", rows)
    return root


RECIPE = """
task = "sound_events"
name = "tones"
folder = "tones"
labels = ["speech", "crowd", "sneeze"]
verbal = ["speech", "crowd"]
non_verbal = ["sneeze"]

[model]
channels = [8, 12, 16]
joint = 16
recurrent = 8
hidden = 8
dropout = 0.0

[training]
epochs = 14
batch = 8
learning_rate = 1e-2
gradient_clip = 5.0
threads = 1

[refine.training]
epochs = 1
batch = 8
learning_rate = 1e-4
threads = 1

[refine.disturb]
stretch = 0.1
warp = 0.02

[[spectrograms]]
name = "fine"

[[spectrograms]]
name = "text_360"
time_step = 1
epochs = 1
[spectrograms.log_mel]
window = 0.4
hop = 0.36
"""


def test_a_whole_run(corpus, tmp_path, capsys):
    path = tmp_path / "tones.toml"
    path.write_text(RECIPE)
    recipe, task = load_recipe(path)
    task(recipe, corpus, tmp_path / "out")
    with (tmp_path / "out" / "tones.csv").open(newline="") as stream:
        rows = {(r["experiment"], r["metric"]): r for r in csv.DictReader(stream)}
    for detector in ("verbal", "non_verbal", "labels"):
        assert float(rows[f"tones/{detector}", "event_f1"]["value"]) > 0.8
        assert f"tones_text_360/{detector}" in {experiment for experiment, _ in rows}
    assert rows["tones/verbal", "event_f1"]["paper"] == "0.8532"
    assert rows["tones/non_verbal", "event_error_rate"]["aim"] == "0.31"
    assert float(rows["tones/labels", "event_f1_sneeze"]["value"]) > 0.8
    # What ships hears a tone in a sound of its own.
    session = open_session(tmp_path / "out" / "sound_events.onnx")
    about = DetectorSettings.from_metadata(dict(session.get_modelmeta().custom_metadata_map))
    time = np.arange(2 * 16_000) / 16_000
    sound = np.random.default_rng(5).normal(0, 0.003, len(time))
    sound += 0.2 * np.sin(2 * np.pi * 4_000 * time) * ((time > 0.8) & (time < 1.4))
    frames = log_mel(sound.astype(np.float32), about.log_mel)
    _, verbal, non_verbal = session.run(
        ["scores", "verbal", "non_verbal"], {"log_mel": frames[None]}
    )
    found = decode({"verbal": verbal[0], "non_verbal": non_verbal[0]}, about)
    assert [event.label for event in found] == ["non_verbal"]
    assert found[0].start == pytest.approx(0.8, abs=0.1)
    assert found[0].end == pytest.approx(1.4, abs=0.1)
    # Run again, nothing is trained or chosen again, and the figures are the same.
    first = capsys.readouterr().out
    assert "fine_refined: epoch 1 of 1" in first
    assert "text_360_refined" not in first
    assert "validation F1" in first
    task(recipe, corpus, tmp_path / "out")
    again = capsys.readouterr().out
    assert "validation F1" not in again
    assert [line for line in again.splitlines() if line.startswith("tones/")] == [
        line for line in first.splitlines() if line.startswith("tones/")
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('name = "text_360"', 'name = "fine"'), "name of its own"),
        (('folder = "tones"', 'ship = "coarse"\nfolder = "tones"'), "no spectrogram"),
        (('non_verbal = ["sneeze"]', 'non_verbal = ["sneze"]'), "must be labels"),
        (("[model]", "[soundscapes]\nseed = 1\n[model]"), "either soundscapes are made"),
        (("time_step = 1", "time_stepp = 1"), "time_step"),
        (("window = 0.4", "window = 0.3"), "hop"),
    ],
)
def test_recipes_that_cannot_be_are_refused(tmp_path, change, said):
    path = tmp_path / "r.toml"
    path.write_text(RECIPE.replace(*change))
    with pytest.raises(RecipeError, match=said):
        load_recipe(path)


def test_the_recipe_trains_the_readings_of_the_text_too():
    recipe, _ = load_recipe(RECIPES / "sound_events.toml")
    read = {one.name: (one.log_mel.window, one.log_mel.hop) for one in recipe.spectrograms}
    assert read == {"fine": (0.04, 0.02), "text_360": (0.4, 0.36), "text_40": (0.4, 0.04)}
    assert recipe.ship == "fine"
    assert recipe.to_make == recipe.soundscapes
