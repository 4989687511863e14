"""The picture of a confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest

from aver.errors import OutputError, SettingError
from aver.evaluation import confusion

pytest.importorskip("matplotlib")
COUNTS = np.array([[9, 1, 0], [0, 5, 5], [0, 0, 0]])
CLASSES = ("sad", "angry", "happy")


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_cells_hold_percent_and_count():
    figure = confusion._figure(COUNTS, list(CLASSES), "tiny")
    assert texts(figure) == ["90", "9", "10", "1", "50", "5", "50", "5"]
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "sad  (10)",
        "angry  (10)",
        "happy  (0)",
    ]
    assert [t.get_text() for t in axes.get_xticklabels()] == list(CLASSES)
    shown = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(shown, [[0.9, 0.1, 0], [0, 0.5, 0.5], [0, 0, 0]])
    assert axes.get_title(loc="left").startswith("tiny\n")


def test_the_diagonal_is_dark_and_its_text_light(tmp_path):
    confusion.draw_confusion(np.diag([7, 7, 7]), CLASSES, tmp_path / "new" / "c.png")
    from matplotlib.image import imread

    picture = imread(tmp_path / "new" / "c.png")[:, :, :3]
    assert min(picture.shape[:2]) > 200
    assert picture[0, 0].min() > 0.98  # light ground
    blue = (picture[:, :, 2] - picture[:, :, 0] > 0.2).mean()
    assert 0.05 < blue < 0.5  # three of nine cells are filled
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["c.png"]


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(SettingError, match=r"Name a \.png file"):
        confusion.draw_confusion(COUNTS, CLASSES, tmp_path / "c.txt")
    with pytest.raises(SettingError, match=r"3, 3.* for 2 classes"):
        confusion.draw_confusion(COUNTS, CLASSES[:2], tmp_path / "c.png")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot"):
        confusion.draw_confusion(COUNTS, CLASSES, tmp_path / "file" / "c.png")
