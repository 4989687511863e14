import numpy as np
import pytest
from corpora.manifests import make_manifest
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.corpora import identity, leaks, make_frame, sounds, takes
from aver.corpora.splits import Fold, Split, SplitSettings, make_split
from aver.errors import CorpusError


def split_of(train, test, validation=()):
    sides = [np.array(side, np.intp) for side in (train, validation, test)]
    return Split("by hand", (Fold("0", *sides),), "")


def segments(*spans, file="/film.mp4", recording=""):
    return make_frame(
        [{"file": file, "start": a, "end": b, "recording": recording} for a, b in spans]
    )


def write_tone(path, frequency=220.0, level=0.5):
    import wave

    samples = level * np.sin(2 * np.pi * frequency * np.arange(8000) / 16_000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def test_a_subject_on_both_sides_is_named_with_fold_and_sides():
    manifest = make_manifest(["a", "b"], takes=1)
    with pytest.raises(CorpusError) as caught:
        leaks.check(manifest, split_of([0, 1, 3], [2, 4, 5]))
    assert str(caught.value) == (
        "split 'by hand': 2 subjects (a, b) stand among both test and training rows of fold 0. "
        'Choose another scheme, or write allow_leak = "reason": the table will carry it.'
    )
    told = leaks.check(manifest, split_of([0, 1, 3], [2, 4, 5]), allow_leak="on purpose")
    assert told == "2 subjects (a, b) stand among both test and training rows of fold 0"
    with pytest.raises(CorpusError, match="2 subjects"):
        leaks.check(manifest, split_of([0, 1, 3], [2, 4, 5]), allow_leak="  ")


def test_validation_rows_are_held_against_both_others():
    manifest = make_manifest(["a", "b", "c"], takes=1)
    assert leaks.check(manifest, split_of([0, 1, 2], [6, 7, 8], [3, 4, 5])) == ""
    with pytest.raises(CorpusError, match="test and validation"):
        leaks.check(manifest, split_of([0, 1, 2], [6, 7], [3, 8]))
    with pytest.raises(CorpusError, match="training and validation"):
        leaks.check(manifest, split_of([0, 1], [6, 7], [2, 5]))


def test_the_recording_of_two_files_is_found():
    manifest = make_manifest(["a", "b"], takes=1)
    manifest.loc[[0, 3], "recording"] = "01-02-03"
    with pytest.raises(CorpusError, match=r"1 recording \(01-02-03\) stands among both"):
        leaks.check(manifest, split_of([0, 1, 2], [3, 4, 5]))


@pytest.mark.parametrize(
    ("one", "other", "leaking"),
    [
        ((0.0, 2.0), (1.5, 3.0), True),
        ((0.0, 2.0), (2.0, 3.0), False),
        ((0.0, 9.0), (4.0, 5.0), True),
        ((float("nan"), float("nan")), (4.0, 5.0), True),
        ((6.0, float("nan")), (4.0, 5.0), False),
    ],
)
def test_stretches_of_a_file_that_overlap(one, other, leaking):
    manifest = segments(one, other)
    for split in (split_of([0], [1]), split_of([1], [0])):
        found = leaks.check(manifest, split, allow_leak="to see")
        assert ("stretch of a file (/film.mp4)" in found) is leaking


def test_stretches_that_only_a_row_of_no_side_connects_do_not_leak():
    manifest = segments((0.0, 2.0), (1.0, 4.0), (3.0, 5.0))
    assert leaks.check(manifest, split_of([0], [2])) == ""
    # A split is to keep them together all the same, as a fold with the middle row could not.
    assert len(set(takes.takes_of(manifest).tolist())) == 1


spans = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 6)).map(lambda p: (float(p[0]), float(sum(p)))),
    min_size=2,
    max_size=12,
)


@settings(deadline=None)
@given(spans, st.data())
def test_overlaps_are_those_of_the_definition(times, data):
    side = data.draw(st.lists(st.integers(0, 2), min_size=len(times), max_size=len(times)))
    manifest = segments(*times)
    rows = [[n for n, s in enumerate(side) if s == which] for which in (1, 2)]
    truth = any(
        times[a][0] < times[b][1] and times[b][0] < times[a][1] for a in rows[0] for b in rows[1]
    )
    found = leaks.check(manifest, split_of(*rows), allow_leak="to see")
    assert bool(found) is truth


def test_the_same_sound_under_another_name_is_found(tmp_path):
    for name, frequency in (("a", 220.0), ("b", 330.0), ("copy", 220.0)):
        write_tone(tmp_path / f"{name}.wav", frequency)
    manifest = make_frame(
        [
            {"file": str(tmp_path / f"{n}.wav"), "subject": n, "label": "happy", "recording": n}
            for n in ("a", "b", "copy")
        ]
    )
    split = split_of([0, 1], [2])
    assert leaks.check(manifest, split) == ""
    with pytest.raises(CorpusError, match=r"1 sound \(.*(a|copy)\.wav\) stands among both"):
        leaks.check(manifest, split, by_sound=True)
    # Where the scheme is free to choose, the two stay together.
    free = make_split(manifest, SplitSettings(folds=2, by_sound=True))
    assert sorted(len(fold.test) for fold in free.folds) == [1, 2]
    assert free.remarks == ()
    (tmp_path / "a.wav").unlink()
    told = make_split(manifest, SplitSettings(folds=2, by_sound=True)).remarks
    assert told == ("Sounds were not compared where files are missing: 1 of them.",)


def test_sounds_are_heard_once_and_silence_is_nobody_s(tmp_path):
    heard = []

    def hasher(path):
        heard.append(path.name)
        return "" if path.stem.startswith("silent") else path.stem

    for name in ("one.wav", "silent1.wav", "silent2.wav"):
        (tmp_path / name).write_bytes(b"x")
    files = [str(tmp_path / n) for n in ("one.wav", "silent1.wav", "silent2.wav", "one.wav")]
    for _ in range(2):
        assert sounds.sound_keys_of(files, hasher) == ["one", "", "", "one"]
    assert heard == ["one.wav", "silent1.wav", "silent2.wav"]
    (tmp_path / "one.wav").write_bytes(b"longer")
    sounds.sound_keys_of(files, hasher)
    assert heard[3:] == ["one.wav"]
    assert sounds.sound_keys_of([str(tmp_path / "gone.wav"), "/all.csv"], hasher) == ["", ""]
    assert sounds.missing_of([*files, str(tmp_path / "gone.wav")]) == 1


def test_sounds_are_remembered_from_run_to_run(tmp_path, monkeypatch):
    heard = []
    monkeypatch.setattr(identity, "sound_hash", lambda path: heard.append(path.name) or "sound")
    clip, kept = tmp_path / "clip.wav", tmp_path / "sounds.json"
    clip.write_bytes(b"x")
    for content in (None, "{", '{"aver": "0.0.0-another", "sounds": {}}'):
        if content is not None:
            kept.write_text(content)
        for _ in range(2):
            monkeypatch.setattr(sounds, "_known", {})  # as a new process would have it
            with sounds.kept_sounds(kept):
                assert sounds.sound_keys_of([str(clip)]) == ["sound"]
        assert heard == ["clip.wav"]
        heard.clear()
    assert [f.name for f in tmp_path.iterdir() if f.suffix != ".wav"] == ["sounds.json"]
    with sounds.kept_sounds(tmp_path / "no folder" / "sounds.json"):
        sounds.sound_keys_of([str(clip)])


def test_ravdess_publishes_one_recording_twice(shared, tmp_path):
    import tarfile

    names = [f"03-01-03-01-02-{n}-07" for n in ("01", "02")]
    with tarfile.open(shared / "data" / "ravdess_speech.tar") as tar:
        found = {name: m for m in tar for name in names if name in m.name}
        for name, member in found.items():
            (tmp_path / f"{name}.flac").write_bytes(tar.extractfile(member).read())
    manifest = make_frame([{"file": str(tmp_path / f"{n}.flac"), "subject": n} for n in names])
    with pytest.raises(CorpusError, match="1 sound"):
        leaks.check(manifest, split_of([0], [1]), by_sound=True)


def test_a_split_that_is_broken_is_refused_whatever_is_allowed():
    manifest = make_manifest(["a", "b"], takes=1)
    with pytest.raises(CorpusError, match="fold 0: has one row twice or on two sides"):
        leaks.check(manifest, split_of([0, 1], [1, 2]), allow_leak="anything")
    with pytest.raises(CorpusError, match="outside the manifest's 6"):
        leaks.check(manifest, split_of([0, 1], [6]), allow_leak="anything")


def test_a_corpus_column_tells_people_of_the_same_number_apart():
    manifest = make_manifest(["1", "2"], takes=1)
    manifest["corpus"] = ["x"] * 3 + ["y"] * 3
    assert takes.subjects_of(manifest) == ["x/1"] * 3 + ["y/2"] * 3
    manifest["subject"] = "1"
    assert leaks.check(manifest, split_of([0, 1, 2], [3, 4, 5])) == ""


def test_an_extractor_that_knows_the_test_subjects_is_refused():
    seen = frozenset({"ravdess/01", "ravdess/02", "nemo/*"})
    leaks.refuse_seen("voices", seen, ["ravdess/03", "crema_d/1001"])
    leaks.refuse_seen("untrained", frozenset(), ["07"])
    with pytest.raises(
        CorpusError, match="voices: was trained on ravdess/02, who are to be tested"
    ):
        leaks.refuse_seen("voices", seen, ["ravdess/02", "ravdess/03"])
    with pytest.raises(CorpusError, match="nemo/WR0"):
        leaks.refuse_seen("voices", seen, ["nemo/WR0"])
    with pytest.raises(CorpusError, match="fer2013/"):
        leaks.refuse_seen("faces", frozenset({"fer2013/*"}), ["fer2013/"])
    with pytest.raises(CorpusError, match="subject '07': is named without its corpus"):
        leaks.refuse_seen("voices", seen, ["07"])


def test_the_shipped_networks_are_refused_on_the_people_they_have_seen():
    from aver import pretrained

    with pytest.raises(CorpusError, match="voice_expression: was trained on ravdess/01"):
        leaks.refuse_seen(
            "voice_expression", pretrained.seen_subjects("voice_expression"), ["ravdess/01"]
        )
    leaks.refuse_seen(
        "face_expression", pretrained.seen_subjects("face_expression"), ["ravdess/01"]
    )
