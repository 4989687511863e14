"""Soundscapes: labelled where something is heard, at the ratio set, with nobody on two sides."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from corpora.sounds import RATE, write_wav

from aver.corpora import load_corpus, soundscapes
from aver.corpora.pseudo_films_sound import root_mean_square
from aver.corpora.sound_events import read_event_file
from aver.corpora.soundscapes import (
    LABELS,
    NON_VERBAL,
    SPLITS,
    VERBAL,
    SoundscapesSettings,
    check_soundscapes,
    make_soundscapes,
    read_record,
    settings_of,
)
from aver.corpora.soundscapes_scene import plan
from aver.corpora.soundscapes_sound import (
    Excerpt,
    active_spans,
    babble,
    excerpt,
    in_room,
    mask_of,
    mix,
    reverberation,
)
from aver.errors import CorpusError, OutputError, SettingError
from aver.features.extractor import Clip
from aver.features.windows import read_sound

SETTINGS = SoundscapesSettings(
    counts={"train": 12, "validation": 5, "test": 5},
    seconds=6.0,
    ratios=(0.0, 12.0),
    longest_seconds=2.0,
    crowd_seconds=(1.0, 2.0),
    parts={"ravdess": 3, "nemo": 3, "emogator": 3},
    esc10_folds={"train": ("1",), "validation": ("2",), "test": ("3",)},
)
BACKGROUND_HERTZ = 6000


def tone(hertz: float, seconds: float, before: float = 0.2, after: float = 0.3) -> np.ndarray:
    """A tone between silences, (n,)."""
    time = np.arange(int(RATE * seconds)) / RATE
    sound = 0.3 * np.sin(2 * np.pi * hertz * time)
    return np.pad(sound, (int(before * RATE), int(after * RATE)))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Six actors, six speakers, three who burst out; a cry, a sneeze and rain in three folds."""
    root = tmp_path_factory.mktemp("data")
    for actor in range(1, 7):
        name = f"03-01-05-01-01-01-{actor:02d}.wav"
        write_wav(root / "ravdess" / f"Actor_{actor:02d}" / name, tone(200 + actor, 1.0))
    rows = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for number, speaker in enumerate(("AA0", "BB0", "CC0", "DD0", "EE0", "FF0")):
        sex = "female" if number % 2 else "male"
        write_wav(root / "nemo" / "samples" / f"{speaker}_anger_1.wav", tone(300 + number, 0.8))
        rows.append(f"{speaker}_anger_1.wav\tanger\tt\tt\t{speaker}\t{sex}\t23")
    (root / "nemo" / "data.tsv").write_text("\n".join(rows) + "\n")
    for speaker in (1, 2, 3):
        for category in (2, 3):
            name = f"{speaker:06d}-{category:02d}-1.wav"
            write_wav(root / "emogator" / name, tone(400 + 10 * category + speaker, 0.5))
    for fold in (1, 2, 3):
        for folder, hertz, seconds in (
            ("004 - Baby cry", 500, 3.0),
            ("006 - Person sneeze", 600, 0.4),
            ("002 - Rain", BACKGROUND_HERTZ, 5.0),
        ):
            write_wav(root / "esc10" / folder / f"{fold}-{fold}{hertz}-A.wav", tone(hertz, seconds))
    return root


@pytest.fixture(scope="module")
def made(data, tmp_path_factory) -> Path:
    return make_soundscapes(SETTINGS, data, tmp_path_factory.mktemp("made"))


def digest(root: Path) -> str:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    parts = (str(path.relative_to(root)).encode() + path.read_bytes() for path in files)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def sound_of(root: Path, split: str, scape) -> np.ndarray:
    return read_sound(Clip(root / split / scape["filename"])).samples


def every_scape(root: Path):
    for split, scapes in read_record(root)["scapes"].items():
        for scape in scapes:
            yield split, scape


def test_the_labels_are_verbal_or_not_and_none_is_both():
    assert set(VERBAL) | set(NON_VERBAL) == set(LABELS)
    assert not set(VERBAL) & set(NON_VERBAL)


def test_silence_at_the_ends_of_a_recording_is_no_event():
    found = active_spans(tone(440, 1.0, before=0.25, after=0.5))
    assert found == [(RATE // 4, RATE // 4 + RATE)]


def test_short_pauses_belong_to_an_event_and_long_ones_part_it():
    sound = np.concatenate([tone(440, 0.5, 0.1, 0.2), tone(440, 0.5, 0.2, 0.6), tone(440, 0.5)])
    # From 0.1 s to 1.5 s with a pause of 0.4 s; then 0.8 s of silence.
    assert [(a / RATE, b / RATE) for a, b in active_spans(sound)] == [(0.1, 1.5), (2.3, 2.8)]
    assert len(active_spans(sound, bridge_seconds=0.3)) == 3
    assert len(active_spans(sound, bridge_seconds=0.9)) == 1


def test_clicks_and_hiss_are_no_events():
    random = np.random.default_rng(0)
    hiss = 0.004 * random.normal(size=3 * RATE)
    click = hiss.copy()
    click[RATE] = 1.0
    event = hiss.copy()
    event[RATE : 2 * RATE] += 0.1 * np.sin(np.arange(RATE) / 5)
    event[int(2.6 * RATE)] = 1.0
    assert active_spans(event) == [(RATE, 2 * RATE)]
    # Its floor is taken for no more than a fifth of the loudest: what lasts throughout is heard.
    assert active_spans(hiss) == [(0, 3 * RATE)]
    assert active_spans(np.zeros(RATE)) == []
    assert active_spans(np.zeros(10)) == []


def test_an_excerpt_is_cut_and_of_level_one_where_it_is_active():
    sound = np.concatenate([tone(440, 0.6, 0.3, 0.5), 0.2 * tone(440, 2.0, 0.3, 0.0)])
    one = excerpt(sound.astype(np.float32), longest=2.5, bridge=0.5, name="a/b")
    assert [(a / RATE, b / RATE) for a, b in one.spans] == [(0.0, 0.6), (1.4, 2.5)]
    assert len(one.samples) == 2.5 * RATE
    assert root_mean_square(one.samples[one.active]) == pytest.approx(1.0, abs=1e-4)
    # A second stretch too short to be labelled is not heard either.
    short = excerpt(sound.astype(np.float32), longest=1.45, bridge=0.5)
    assert len(short.samples) == 0.6 * RATE
    assert excerpt(np.zeros(RATE, np.float32), 1.0, 0.5) is None


@pytest.mark.parametrize("ratio", [-5.0, 0.0, 20.0])
def test_mixing_sets_the_ratio_of_every_event_to_the_background(ratio):
    random = np.random.default_rng(1)
    background = (0.01 * random.normal(size=4 * RATE)).astype(np.float32)
    events = [
        (RATE // 2, excerpt(tone(440, 1.0).astype(np.float32), 5, 0.5)),
        (2 * RATE, excerpt((0.1 * tone(800, 0.5)).astype(np.float32), 5, 0.5)),
    ]
    mixed = mix(background, events, ratio, level=-30.0)
    assert 20 * np.log10(root_mean_square(mixed)) == pytest.approx(-30.0, abs=0.01)
    # The background, as loud as it is in the mixture where nobody is heard.
    alone = np.s_[: RATE // 2]
    quiet = background[alone]
    gain = float(np.dot(mixed[alone], quiet) / np.dot(quiet, quiet))
    voices = mixed - gain * background
    for start, one in events:
        heard = voices[start : start + len(one.samples)][one.active]
        found = root_mean_square(heard) / root_mean_square(gain * background)
        assert 20 * np.log10(found) == pytest.approx(ratio, abs=0.01)


def test_mixtures_stay_within_full_scale():
    background = (0.1 * np.sign(np.sin(np.arange(RATE)))).astype(np.float32)
    mixed = mix(background, [], 0.0, level=20.0)
    assert np.abs(mixed).max() == pytest.approx(0.99, abs=1e-3)


def test_a_crowd_has_the_level_of_one_and_is_active_throughout():
    voices = iter(range(100))

    def draw() -> Excerpt:
        number = next(voices)
        return excerpt(tone(300 + 7 * number, 0.7).astype(np.float32), 5, 0.5, f"v/{number}")

    crowd = babble(6, RATE, draw)
    assert crowd.spans == ((0, RATE),)
    assert len(crowd.sources) == 12  # each voice of 0.7 s goes on once
    assert root_mean_square(crowd.samples) == pytest.approx(1.0, abs=1e-5)


def test_a_room_goes_on_after_the_dry_sound_and_leaves_its_labels():
    random = np.random.default_rng(2)
    one = excerpt(tone(440, 1.0).astype(np.float32), 5, 0.5)
    assert in_room(one, reverberation(0.0, random)) is one
    answer = reverberation(0.5, random)
    direct, rest = answer[0] ** 2, np.sum(answer[1:].astype(np.float64) ** 2)
    assert 10 * np.log10(direct / rest) == pytest.approx(5.0, abs=1e-3)
    decay = np.sum(answer[1:4000] ** 2) / np.sum(answer[4001:8000] ** 2)
    assert 10 * np.log10(decay) == pytest.approx(30.0, abs=2.0)  # half of 60 dB in half the time
    wet = in_room(one, answer)
    assert wet.spans == one.spans
    assert len(wet.samples) == len(one.samples) + len(answer) - 1
    heard = wet.samples[: len(one.samples)][one.active]
    assert root_mean_square(heard) == pytest.approx(1, abs=1e-4)
    assert np.abs(wet.samples[len(one.samples) :]).max() > 0.01


def test_plans_are_balanced_and_have_quiet_and_lonely_scapes():
    settings = SoundscapesSettings(counts={"train": 200, "validation": 0, "test": 50})
    labels = plan(settings, "train")
    sizes = Counter(len(some) for some in labels)
    assert sizes[0] == 20
    assert sizes[1] == 40
    assert set(sizes) == {0, 1, 2, 3, 4}
    counts = Counter(label for some in labels for label in some)
    assert set(counts) == set(LABELS)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert plan(settings, "train") == labels
    assert plan(settings, "validation") == []


def test_what_is_left_behind(made):
    names = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    scapes = [f"{s}/{n:05d}.flac" for s in SPLITS for n in range(SETTINGS.counts[s])]
    assert names == sorted([*scapes, "soundscapes.json", *(f"{s}.tsv" for s in SPLITS)])
    check_soundscapes(made)
    for split, scape in every_scape(made):
        sound = sound_of(made, split, scape)
        assert len(sound) == 6 * RATE
        assert np.abs(sound).max() <= 0.991


def test_tables_tell_what_the_record_tells(made):
    record = read_record(made)
    for split in SPLITS:
        found = read_event_file(made / f"{split}.tsv", duration=6.0)
        told = [
            (scape["filename"], e["onset"], e["offset"], e["label"])
            for scape in record["scapes"][split]
            for e in scape["events"]
        ]
        read = [(e.recording, e.start, e.end, e.label) for e in found.events]
        for one, other in zip(sorted(read), sorted(told), strict=True):
            assert (one[0], one[3]) == (other[0], other[3])
            assert one[1:3] == pytest.approx(other[1:3], abs=1e-6)
        assert found.recordings == tuple(scape["filename"] for scape in record["scapes"][split])


def test_labels_are_where_something_is_heard_at_the_ratio_that_was_drawn(made):
    """Backgrounds are of one pitch, voices of others: a file tells their levels apart."""
    measured = 0
    for split, scape in every_scape(made):
        sound = sound_of(made, split, scape)
        spectrum = np.fft.rfft(sound)
        hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
        voices = np.fft.irfft(np.where(hertz < 3000, spectrum, 0))
        noise = root_mean_square(np.fft.irfft(np.where(hertz < 3000, 0, spectrum)))
        spans = [(round(e["onset"] * RATE), round(e["offset"] * RATE)) for e in scape["events"]]
        silent = voices[~mask_of(spans, len(sound))]
        assert root_mean_square(silent) < 0.02 * root_mean_square(sound)
        for number, (start, end) in enumerate(spans):
            others = mask_of([s for n, s in enumerate(spans) if n != number], len(sound))
            if scape["events"][number]["label"] == "crowd" or others[start:end].any():
                continue
            ratio = 20 * np.log10(root_mean_square(voices[start:end]) / noise)
            assert ratio == pytest.approx(scape["ratio"], abs=0.1)
            measured += 1
    assert measured > 10


def test_events_of_one_label_never_overlap_and_never_three_at_a_time(made):
    for _, scape in every_scape(made):
        events = scape["events"]
        for label in LABELS:
            mine = sorted((e["onset"], e["offset"]) for e in events if e["label"] == label)
            assert all(a[1] <= b[0] - 0.29 for a, b in pairwise(mine))
        for event in events:
            at = event["onset"]
            together = [e for e in events if e["onset"] <= at < e["offset"]]
            assert len(together) <= (2 if scape["overlap"] else 1)


def test_no_speaker_and_no_source_is_heard_in_two_parts(made):
    heard: dict[str, set[str]] = {split: set() for split in SPLITS}
    for split, scape in every_scape(made):
        names = [name for event in scape["events"] for name in event["sources"]]
        # A speaker is the last field of RAVDESS, the first of nEMO and EmoGator.
        for corpus, stem in (name.split("/") for name in names):
            if corpus == "esc10":
                heard[split].add(f"esc10/{stem.split('-')[1]}")
            elif corpus == "ravdess":
                heard[split].add(f"ravdess/{stem.split('-')[-1]}")
            else:
                heard[split].add(f"{corpus}/{stem.replace('_', '-').split('-')[0]}")
        heard[split] |= {f"esc10/{stem.split('-')[1]}" for stem in scape["background"]}
    assert all(heard.values())
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not heard[one] & heard[other]
    sources = read_record(made)["sources"]
    assert all(heard[split] <= set(sources[split]) for split in SPLITS)
    for split in SPLITS:  # women and men on every side
        actors = {int(name.split("/")[1]) % 2 for name in sources[split] if "ravdess" in name}
        assert actors == {0, 1}


def test_the_seed_decides_all(made, data, tmp_path):
    again = make_soundscapes(SETTINGS, data, tmp_path / "again")
    assert digest(again) == digest(made)
    other = make_soundscapes(SETTINGS.model_copy(update={"seed": 1}), data, tmp_path / "other")
    assert digest(other) != digest(made)


def test_after_a_stop_it_goes_on_and_ends_alike(made, data, tmp_path, monkeypatch):
    monkeypatch.setattr(soundscapes, "_AT_ONCE", 4)

    def stop(done: int, every: int) -> None:
        assert every == 22
        if done == 8:
            raise KeyboardInterrupt

    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        make_soundscapes(SETTINGS, data, out, stop)
    assert not (out / "soundscapes.json").exists()
    there = {path: path.stat().st_mtime_ns for path in out.rglob("*.flac")}
    assert len(there) == 8
    # One of a finished group is cut off: its group is made again, the other is left alone.
    (out / "train" / "00005.flac").write_bytes(b"fLaC")
    told = []
    make_soundscapes(SETTINGS, data, out, lambda done, every: told.append(done))
    assert told == [0, 4, 8, 12, 16, 17, 21, 22]
    untouched = [path for path in there if int(path.stem) < 4]
    assert all(path.stat().st_mtime_ns == there[path] for path in untouched)
    assert digest(out) == digest(made)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    make_soundscapes(SETTINGS, data, out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_other_soundscapes_are_never_overwritten(made, data, tmp_path):
    before = digest(made)
    with pytest.raises(OutputError, match="other settings or recordings"):
        make_soundscapes(SETTINGS.model_copy(update={"seed": 9}), data, made)
    assert digest(made) == before
    out = tmp_path / "out"
    (out / "unfinished").mkdir(parents=True)
    note = {"identity": "of another", "scapes": [], "bytes": []}
    (out / "unfinished" / "train-00000.json").write_text(json.dumps(note))
    with pytest.raises(OutputError, match="other settings or recordings"):
        make_soundscapes(SETTINGS, data, out)


def test_corpora_that_are_too_small_are_named(data, tmp_path):
    many = SETTINGS.model_copy(update={"parts": {"ravdess": 7, "nemo": 3, "emogator": 3}})
    with pytest.raises(CorpusError, match="ravdess: cannot be dealt to 7 groups of speakers"):
        make_soundscapes(many, data, tmp_path / "out")
    copy = shutil.copytree(data, tmp_path / "data")
    (copy / "esc10" / "006 - Person sneeze" / "3-3600-A.wav").unlink()
    with pytest.raises(CorpusError, match="esc10: leaves the part 'test' without sneeze"):
        make_soundscapes(SETTINGS, copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_records_that_are_damaged_or_not_disjoint_are_refused(made, tmp_path):
    copy = shutil.copytree(made, tmp_path / "copy")
    record = json.loads((copy / "soundscapes.json").read_text())
    record["sources"]["test"].append(record["sources"]["train"][0])
    (copy / "soundscapes.json").write_text(json.dumps(record))
    with pytest.raises(CorpusError, match="train and test share"):
        check_soundscapes(copy)
    (copy / "soundscapes.json").write_text("{")
    with pytest.raises(CorpusError, match="cannot be read"):
        check_soundscapes(copy)
    (copy / "soundscapes.json").write_text('{"identity": "a"}')
    with pytest.raises(CorpusError, match="says nothing of sources, scapes"):
        check_soundscapes(copy)
    shutil.copy(made / "soundscapes.json", copy / "soundscapes.json")
    (copy / "test" / "00001.flac").unlink()
    with pytest.raises(CorpusError, match=r"00001\.flac: is not there"):
        check_soundscapes(copy)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"ration": 1}, "ration: is not a setting of soundscapes. Did you mean 'ratios'?"),
        ({"ratios": "[]"}, "one ratio at least"),
        ({"ratios": "[1,"}, "is not JSON"),
        ({"counts": {"trian": 5}}, "counts must name train, validation, test"),
        ({"esc10_folds": {"test": ["1"]}}, "cannot be in two parts"),
        ({"events": (4, 2)}, "the smaller first"),
        ({"seconds": 4}, "an event cannot be longer than the soundscape"),
        ({"background_only": 0.9}, "together cannot be above 1"),
        ({"seed": "many"}, "seed: cannot be used"),
    ],
)
def test_settings_that_cannot_be_used_are_named(given, problem):
    with pytest.raises(SettingError) as caught:
        settings_of(given)
    assert problem in str(caught.value)


def test_settings_as_text_of_a_command_line():
    made = settings_of({"seed": "3", "counts": '{"test": 7}', "ratios": "[0, 10]"})
    assert made.counts == {"train": 2000, "validation": 200, "test": 7}
    assert (made.seed, made.ratios) == (3, (0.0, 10.0))


def test_folds_of_esc10_keep_the_pieces_of_a_recording_together(shared, tmp_path):
    with tarfile.open(shared / "data" / "esc10.tar") as tar:
        tar.extractall(tmp_path, filter="data")
    frame = load_corpus("esc10", tmp_path / "esc10")
    assert frame.groupby("recording")["fold"].nunique().max() == 1
    human = frame[frame["label"].isin(["baby cry", "person sneeze"])]
    assert human.groupby(["label", "fold"]).size().tolist() == [8] * 10
    # A sneeze lasts less than a second; its file, filled with silence, five.
    files = frame[frame["label"] == "person sneeze"]["file"]
    active = []
    for file in files:
        sound = read_sound(Clip(Path(file))).samples
        assert len(sound) / RATE == pytest.approx(5.0, abs=0.05)
        active.append(sum(end - start for start, end in active_spans(sound)) / RATE)
    assert 0.4 < np.median(active) < 0.9


def test_speech_begins_about_a_second_into_a_real_recording(shared, tmp_path):
    name = "ravdess_speech/Actor_01/03-01-01-01-01-01-01.flac"
    with tarfile.open(shared / "data" / "ravdess_speech.tar") as tar:
        tar.extract(name, tmp_path, filter="data")
    sound = read_sound(Clip(tmp_path / name)).samples
    [(start, end)] = active_spans(sound)
    # "Kids are talking by the door", with a second of silence before and more after.
    assert 0.9 < start / RATE < 1.3
    assert 1.0 < (end - start) / RATE < 1.8
    assert end / RATE < len(sound) / RATE - 0.5
