import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from aver.corpora import fer2013
from aver.errors import CorpusError
from aver.labels import FER2013


def _folders(root: Path, each: int = 3) -> Path:
    rng = np.random.default_rng(0)
    for group in ("train", "test"):
        for label in FER2013:
            folder = root / group / label
            folder.mkdir(parents=True)
            for n in range(each):
                face = rng.integers(0, 256, (48, 48), dtype=np.uint8)
                cv2.imwrite(str(folder / f"{group}{label}{n}.png"), face)
    return root


def _csv(root: Path, rows: list[tuple[int, np.ndarray, str]]) -> Path:
    root.mkdir(exist_ok=True)
    lines = ["emotion,pixels,Usage"]
    lines += [f"{e},{' '.join(map(str, face.ravel()))},{usage}" for e, face, usage in rows]
    (root / "fer2013.csv").write_text("\n".join(lines) + "\n")
    return root


def test_folders_are_listed_with_label_and_group(tmp_path: Path) -> None:
    frame = fer2013.load(_folders(tmp_path))
    assert len(frame) == 2 * 7 * 3
    assert set(frame["label"]) == set(FER2013)
    assert (frame["group"] == "test").sum() == 21
    assert frame["recording"].is_unique
    row = frame[frame["recording"] == "train/happy/trainhappy1.png"].iloc[0]
    assert row["label"] == "happy"
    face = fer2013.read_faces(frame[frame["recording"] == row["recording"]])[0]
    assert (face == cv2.imread(row["file"], cv2.IMREAD_GRAYSCALE)).all()


def test_the_challenges_csv_is_read_row_by_row(tmp_path: Path) -> None:
    faces = np.random.default_rng(1).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    rows = [(3, faces[0], "Training"), (6, faces[1], "PublicTest"), (0, faces[2], "PrivateTest")]
    frame = fer2013.load(_csv(tmp_path, rows))
    assert frame["label"].tolist() == ["happy", "neutral", "angry"]
    assert frame["group"].tolist() == ["train", "validation", "test"]
    assert (fer2013.read_faces(frame) == faces).all()
    assert (fer2013.read_faces(frame.iloc[[2, 0]]) == faces[[2, 0]]).all()
    assert fer2013.held_out(frame).tolist() == [False, True, False]


def test_nothing_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no faces for train and test"):
        fer2013.load(tmp_path)


def test_a_csv_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match="not the challenge's CSV"):
        fer2013.load(tmp_path)


@pytest.mark.parametrize(("emotion", "usage"), [(7, "Training"), (0, "Elsewhere")])
def test_an_unknown_emotion_or_usage_is_refused(tmp_path: Path, emotion: int, usage: str) -> None:
    face = np.zeros((48, 48), np.uint8)
    with pytest.raises(CorpusError, match="FER-2013 has not"):
        fer2013.load(_csv(tmp_path, [(emotion, face, usage)]))


def test_a_csv_row_with_too_few_pixels_is_named(tmp_path: Path) -> None:
    face = np.zeros((48, 48), np.uint8)
    rows = [(0, face, "Training"), (0, face[:47], "PrivateTest")]
    with pytest.raises(CorpusError, match="row 1 does not hold 2304"):
        fer2013.read_faces(fer2013.load(_csv(tmp_path, rows)))


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    root = _folders(tmp_path, each=1)
    (root / "train" / "sad" / "trainsad0.png").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"trainsad0\.png: is not a 48 x 48 image"):
        fer2013.read_faces(fer2013.load(root))


def test_what_is_held_out_depends_on_the_name_alone(tmp_path: Path) -> None:
    frame = fer2013.load(_folders(tmp_path, each=40))
    held = fer2013.held_out(frame, 0.2)
    names = set(frame["recording"][held])
    assert 0.1 < held.sum() / (frame["group"] == "train").sum() < 0.3
    assert not any(name.startswith("test/") for name in names)
    half = frame.sample(frac=0.5, random_state=0)
    assert set(half["recording"][fer2013.held_out(half, 0.2)]) == names & set(half["recording"])
    assert names >= set(frame["recording"][fer2013.held_out(frame, 0.1)])


def test_the_real_corpus(shared: Path, tmp_path: Path) -> None:
    archive = shared / "data" / "fer2013.tar.gz"
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(tmp_path)], check=True)
    root = next(p.parent for p in tmp_path.rglob("train") if p.is_dir())
    frame = fer2013.load(root)
    assert len(frame) == 30_923
    assert (frame["group"] == "test").sum() == 3_055
    assert frame["label"].value_counts()["disgust"] == 376 + 41
    held = fer2013.held_out(frame)
    assert held.sum() == 1_371
    some = fer2013.read_faces(frame.iloc[::1000])
    assert some.shape == (31, 48, 48)
    assert some.std() > 40
