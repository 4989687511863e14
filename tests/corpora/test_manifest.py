"""Manifests come back as they were written, move with their corpus, and say what is wrong."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from aver.corpora import load_corpus
from aver.corpora.manifest import VERSION, read_manifest, write_manifest
from aver.errors import CorpusError, OutputError


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


@pytest.fixture
def corpus(tmp_path):
    root = tmp_path / "here" / "ravdess"
    for actor in ("01", "07"):
        for repetition in ("01", "02"):
            touch(root / f"Actor_{actor}" / f"03-01-05-02-01-{repetition}-{actor}.wav")
    return root


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_what_is_read_is_what_was_written(corpus, tmp_path, suffix):
    frame = load_corpus("ravdess", corpus)
    path = write_manifest(frame, tmp_path / f"m{suffix}")
    back = read_manifest(path)
    pd.testing.assert_frame_equal(back, frame, check_dtype=False)
    assert back["subject"].tolist() == ["01", "01", "07", "07"]
    assert back["repetition"].tolist() == [1, 2, 1, 2]
    assert back["start"].isna().all()
    assert back.attrs == {"corpus": "ravdess", "root": str(corpus), "options": {}}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_corpus_and_manifest_move_together(corpus, tmp_path, suffix):
    write_manifest(load_corpus("ravdess", corpus), corpus.parent / f"m{suffix}")
    shutil.move(corpus.parent, tmp_path / "there")
    back = read_manifest(tmp_path / "there" / f"m{suffix}")
    first = tmp_path / "there" / "ravdess" / "Actor_01" / "03-01-05-02-01-01-01.wav"
    assert back["file"][0] == str(first)


def test_a_root_of_ones_own_goes_before_the_recorded(corpus, tmp_path):
    path = write_manifest(load_corpus("ravdess", corpus), tmp_path / "m.parquet")
    shutil.move(corpus, tmp_path / "moved")
    assert read_manifest(path, root=tmp_path / "moved")["file"].str.contains("moved").all()
    with pytest.raises(CorpusError, match="which is not there"):
        read_manifest(path)


def test_files_are_stored_from_the_root(corpus, tmp_path):
    path = write_manifest(load_corpus("ravdess", corpus), tmp_path / "m.csv")
    assert "\nActor_01/03-01-05-02-01-01-01.wav," in path.read_text()


def test_a_csv_written_by_hand_needs_no_record(tmp_path):
    touch(tmp_path / "a.wav")
    path = tmp_path / "mine.csv"
    path.write_text("\ufefffile,label,subject,start,end\na.wav,NA,007,0.5,1.25\n", encoding="utf-8")
    row = read_manifest(path).iloc[0]
    assert (row.file, row.label, row.subject) == (str(tmp_path / "a.wav"), "NA", "007")
    assert (row.start, row.end, row.recording) == (0.5, 1.25, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,lable\na.wav,x\n", "unknown column 'lable'. Did you mean 'label'?"),
        ("file,subject\na.wav,x\n", "has no column 'label'"),
        ("file,label\na.wav,x\na.wav,\n", "row 2 has no file or no label"),
        ("file,label,start,end\na.wav,x,2,1\n", "row 1 ends before it starts"),
        ("file,label,start\na.wav,x,soon\n", "column 'start'"),
        ("file,label\nb.wav,x\na.wav,x\nc.wav,y\n", "2 of its 3 files are not under"),
        ('# {"aver_manifest": 99}\nfile,label\na.wav,x\n', "newer version (manifest 99"),
        ("# [1]\nfile,label\na.wav,x\n", "is not a manifest"),
        ("", "is not a manifest"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, words):
    touch(tmp_path / "a.wav")
    path = tmp_path / "m.csv"
    path.write_text(text)
    with pytest.raises(CorpusError) as caught:
        read_manifest(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_are_named_or_kept(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("file,label\nclips/b.wav,x\n")
    with pytest.raises(CorpusError, match=r"clips/b\.wav"):
        read_manifest(path)
    assert len(read_manifest(path, missing="keep")) == 1


def test_columns_of_ones_own_are_remembered_but_none_may_be_added_behind(corpus, tmp_path):
    frame = load_corpus("ravdess", corpus).assign(mood=[0.5, 1.5, 2.5, 3.5])
    for suffix in (".csv", ".parquet"):
        back = read_manifest(write_manifest(frame, tmp_path / f"m{suffix}"))
        assert back["mood"].tolist() == [0.5, 1.5, 2.5, 3.5]
    path = tmp_path / "m.csv"
    path.write_text(path.read_text().replace(",mood\n", ",moood\n"))
    with pytest.raises(CorpusError, match="unknown column 'moood'"):
        read_manifest(path)


def test_a_newer_parquet_and_a_text_called_parquet_are_refused(corpus, tmp_path):
    import pyarrow.parquet as pq

    path = write_manifest(load_corpus("ravdess", corpus), tmp_path / "m.parquet")
    table = pq.read_table(path)
    record = json.loads(table.schema.metadata[b"aver_manifest"]) | {"aver_manifest": VERSION + 1}
    newer = {b"aver_manifest": json.dumps(record).encode()}
    pq.write_table(table.replace_schema_metadata(newer), path)
    with pytest.raises(CorpusError, match="newer version"):
        read_manifest(path)
    path.write_text("no parquet")
    with pytest.raises(CorpusError, match="is not a manifest"):
        read_manifest(path)


def test_a_write_that_fails_leaves_the_old_manifest(corpus, tmp_path, monkeypatch):
    frame = load_corpus("ravdess", corpus)
    path = write_manifest(frame, tmp_path / "m.csv")
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_manifest(frame, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["m.csv"]


def test_other_suffixes_and_folders_are_refused(corpus, tmp_path):
    with pytest.raises(OutputError, match="Parquet or CSV"):
        write_manifest(load_corpus("ravdess", corpus), tmp_path / "m.json")
    with pytest.raises(CorpusError, match="is a folder"):
        read_manifest(tmp_path)
    with pytest.raises(CorpusError, match="no such file"):
        read_manifest(tmp_path / "none.csv")
    with pytest.raises(OutputError, match="cannot be written"):
        write_manifest(load_corpus("ravdess", corpus), tmp_path / "no" / "folder.csv")


def test_a_file_in_place_of_the_folder_is_one_line(corpus, tmp_path):
    (tmp_path / "there").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_manifest(load_corpus("folder", corpus), tmp_path / "there" / "clips.csv")
