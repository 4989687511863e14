"""Your own recordings, in folders or named by a CSV."""

from __future__ import annotations

import pytest

from aver.corpora import load_corpus
from aver.errors import CorpusError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def write(root, text, name="labels.csv"):
    (root / name).write_text(text, encoding="utf-8")
    return root


def test_a_folder_a_label(tmp_path):
    touch(tmp_path, "happy/a.wav", "happy/b.mp4", "sad/a.wav", "sad/notes.txt", ".hidden/x.wav")
    frame = load_corpus("folder", tmp_path)
    assert frame["label"].tolist() == ["happy", "happy", "sad"]
    assert frame["subject"].unique().tolist() == [""]
    assert frame["recording"].tolist() == ["happy/a.wav", "happy/b.mp4", "sad/a.wav"]


def test_a_folder_a_subject_within(tmp_path):
    touch(tmp_path, "happy/ann/a.wav", "sad/bob/a.wav", "sad/ann/c.wav")
    frame = load_corpus("folder", tmp_path)
    assert list(zip(frame["label"], frame["subject"], strict=True)) == [
        ("happy", "ann"),
        ("sad", "ann"),
        ("sad", "bob"),
    ]


def test_subjects_of_some_only_are_refused(tmp_path):
    touch(tmp_path, "happy/ann/a.wav", "sad/b.wav")
    with pytest.raises(CorpusError, match="of all of them or of none"):
        load_corpus("folder", tmp_path)


def test_a_file_too_deep_or_too_high_is_named(tmp_path):
    touch(tmp_path, "happy/ann/a.wav", "loose.wav")
    with pytest.raises(CorpusError, match=r"loose\.wav: lies neither"):
        load_corpus("folder", tmp_path)


def test_a_table_with_stretches_of_one_file(tmp_path):
    touch(tmp_path, "long.mp4", "sub/b.wav")
    write(
        tmp_path,
        "file,label,subject,start,end,age\nlong.mp4,happy,ann,0,2.5,31\n"
        "long.mp4,sad,ann,2.5,4,31\nsub/b.wav,sad,007,,,8\n",
    )
    frame = load_corpus("folder", tmp_path)
    assert frame["recording"].tolist() == ["long.mp4", "long.mp4", "sub/b.wav"]
    assert frame["end"].tolist()[:2] == [2.5, 4.0]
    assert frame["start"].isna().tolist() == [False, False, True]
    assert frame["subject"].tolist() == ["ann", "ann", "007"]
    assert frame["age"].tolist() == [31, 31, 8]
    assert frame["file"][2] == str(tmp_path / "sub" / "b.wav")
    assert load_corpus("folder", tmp_path / "labels.csv").equals(frame)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,emotion\na.wav,x\n", "has no column 'label'"),
        ("file,label,subjet\na.wav,x,ann\n", "Did you mean 'subject'?"),
        ("file,label\na.wav,\n", "line 2 has no label"),
        ("file,label\na.wav,x,y\n", "line 2 has not as many fields"),
        ("file,label\na.wav,x\nb.wav,x\n", "a file that is not there: b.wav (line 3)"),
        ("file,label,start,end\na.wav,x,3,1\n", "line 2 ends before it starts"),
        ("file,label,start\na.wav,x,one\n", "line 2: could not convert"),
        ("file,label\n", "no labelled recording"),
        ("", "has no column 'file'"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(tmp_path, text, words):
    write(touch(tmp_path, "a.wav"), text)
    with pytest.raises(CorpusError) as caught:
        load_corpus("folder", tmp_path)
    assert words in str(caught.value)
    assert "labels.csv" in str(caught.value)


def test_columns_of_ones_own_are_kept_when_named(tmp_path):
    write(touch(tmp_path, "a.wav"), "file,label,mood\na.wav,x,7\n")
    with pytest.raises(CorpusError, match="columns = 'mood'"):
        load_corpus("folder", tmp_path)
    assert load_corpus("folder", tmp_path, columns="mood")["mood"].tolist() == [7]


def test_a_wrong_spelling_is_refused_with_the_nearest_label(tmp_path):
    touch(tmp_path, "happy/a.wav", "hapy/b.wav")
    with pytest.raises(CorpusError, match=r"'hapy' \(b\.wav\).*Did you mean 'happy'?"):
        load_corpus("folder", tmp_path, labels="happy, sad")
    assert len(load_corpus("folder", tmp_path)) == 2


def test_another_table_by_name(tmp_path):
    write(touch(tmp_path, "a.wav"), "file\tlabel\na.wav\tx\n", "mine.tsv")
    assert load_corpus("folder", tmp_path, table="mine.tsv")["label"].tolist() == ["x"]
    with pytest.raises(CorpusError, match=r"yours\.csv: there is no such file"):
        load_corpus("folder", tmp_path, table="yours.csv")
