"""The loaders of the voice corpora: file names read as the publishers define them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.corpora import COLUMNS, corpus_names, load_corpus
from aver.corpora.ravdess import parse_name, recording_of
from aver.errors import CorpusError


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def test_the_publishers_own_example_of_a_name():
    take = parse_name("02-01-06-01-02-01-12")
    assert take.modality == "video"
    assert take.channel == "speech"
    assert take.emotion == "fearful"
    assert take.intensity == "normal"
    assert take.statement == "dogs"
    assert (take.repetition, take.actor, take.sex) == (1, 12, "female")


@pytest.mark.parametrize(
    "stem",
    [
        "03-01-09-01-01-01-01",
        "03-01-01-01-01-03-01",
        "03-01-01-01-01-01-25",
        "03-01-01-01-01-01",
        "hello",
    ],
)
def test_names_outside_the_scheme_are_refused(stem):
    with pytest.raises(ValueError, match=stem):
        parse_name(stem)


def test_the_take_that_was_published_twice_is_one_recording():
    assert recording_of("03-01-03-01-02-01-07") == recording_of("03-01-03-01-02-02-07")
    assert recording_of("03-01-02-01-02-01-07") != recording_of("03-01-02-01-02-02-07")


@given(
    st.tuples(
        st.sampled_from([1, 2, 3]),
        st.sampled_from([1, 2]),
        st.integers(1, 8),
        st.integers(1, 2),
        st.integers(1, 2),
        st.integers(1, 2),
        st.integers(1, 24),
    )
)
def test_picture_and_sound_of_a_take_share_their_recording(fields):
    stem = "-".join(f"{f:02d}" for f in fields)
    sound_only = f"03-{stem[3:]}"
    parse_name(stem)
    assert recording_of(stem) == recording_of(sound_only)


def test_songs_are_left_out(tmp_path):
    touch(tmp_path / "Actor_05" / "03-01-05-02-01-01-05.wav")
    touch(tmp_path / "Actor_05" / "03-02-05-02-01-01-05.wav")
    frame = load_corpus("ravdess", tmp_path)
    row = frame.iloc[0]
    assert len(frame) == 1
    assert (row.label, row.intensity, row.subject, row.group) == ("angry", "strong", "05", "male")


def test_emogator_speaker_and_category(tmp_path):
    touch(tmp_path / "000031-27-1.mp3")
    row = load_corpus("emogator", tmp_path).iloc[0]
    assert (row.subject, row.label, row.source_label) == ("000031", "surprise_negative", "27")


def test_nemo_reads_its_table_and_takes_what_is_there(tmp_path):
    head = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
    rows = (
        "WR0_fear_3.wav\tfear\tA\ta\t  WR0\tmale\t23\nWR0_fear_4.wav\tfear\tB\tb\tWR0\tmale\t23\n"
    )
    (tmp_path / "data.tsv").write_text(head + rows, encoding="utf-8")
    touch(tmp_path / "samples" / "WR0_fear_3.opus")
    frame = load_corpus("nemo", tmp_path)
    assert frame.subject.tolist() == ["WR0"]
    assert frame.label.tolist() == ["fearful"]
    assert Path(frame.file[0]).name == "WR0_fear_3.opus"


@pytest.mark.parametrize("name", ["ravdess", "nemo", "emogator", "esc10"])
def test_an_empty_folder_is_named_with_what_was_wanted(name, tmp_path):
    with pytest.raises(CorpusError, match="Give the folder") as caught:
        load_corpus(name, tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistyped_corpus_is_answered_with_the_nearest():
    with pytest.raises(CorpusError, match="Did you mean 'ravdess'"):
        load_corpus("ravdes", Path())


def test_all_corpora_are_known_by_name():
    assert {"ravdess", "nemo", "emogator", "esc10", "fer2013"} <= set(corpus_names())


@pytest.fixture(scope="module")
def names(shared, tmp_path_factory):
    """Empty files under the real corpora's names (reading them needs no sound)."""
    root = tmp_path_factory.mktemp("names")
    for corpus in ("ravdess_speech", "emogator", "esc10"):
        listing = subprocess.run(
            ["tar", "tf", str(shared / "data" / f"{corpus}.tar")],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for line in listing.splitlines():
            if Path(line).suffix in {".flac", ".opus", ".wav"}:
                touch(root / line)
    return root


def test_the_real_corpora_have_their_published_sizes(names):
    ravdess = load_corpus("ravdess", names / "ravdess_speech")
    assert tuple(ravdess.columns[: len(COLUMNS)]) == COLUMNS
    assert len(ravdess) == 1440
    assert ravdess.recording.nunique() == 1439
    assert ravdess.groupby("subject").size().unique().tolist() == [60]
    assert ravdess.label.value_counts()["neutral"] == 96
    assert (ravdess.label.value_counts().drop("neutral") == 192).all()
    emogator = load_corpus("emogator", names / "emogator")
    assert emogator.groupby("subject").label.nunique().unique().tolist() == [30]
    assert emogator.subject.nunique() == 160
    esc10 = load_corpus("esc10", names / "esc10")
    assert (esc10.label.value_counts() == 40).all()
