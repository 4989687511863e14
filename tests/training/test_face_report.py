from pathlib import Path

import cv2
import numpy as np
import pytest

from aver.labels import FER2013
from aver.training.face_report import card_tables, describe_data, hash_names, rows, wilson

REPORT = {
    "recipe": {"seed": 3},
    "bytes": 1_500_000,
    "train_faces": 100,
    "validation_faces": 20,
    "test_faces": 1000,
    "validation_accuracy": 0.71,
    "test_accuracy": 0.7,
    "test_unweighted_average_recall": 0.66,
    "test_recall": dict.fromkeys(FER2013, 0.5),
    "test_precision": dict.fromkeys(FER2013, 0.6),
    "test_confusion": [[k] * 7 for k in range(7)],
    "test_faces_without_twin": 900,
    "test_accuracy_without_twin": 0.69,
    "test_accuracy_mirror_mean": 0.71,
    "test_calibration_error": 0.1,
    "test_calibration_error_tempered": 0.02,
    "test_accuracy_under": {"dark": 0.65},
    "data_sha256": "d" * 64,
    "validation_sha256": "v" * 64,
    "test_sha256": "t" * 64,
}


def test_wilsons_interval_on_a_known_case() -> None:
    # 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, table I, method 3).
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0.5, 0) == (0.0, 1.0)


def test_every_figure_becomes_one_row_with_its_split() -> None:
    made = rows(REPORT)
    assert len({(row.experiment, row.metric) for row in made}) == len(made) == 8 + 7 + 1
    first = made[0]
    assert (first.experiment, first.metric, first.value, first.aim) == (
        "test",
        "accuracy",
        0.7,
        0.7,
    )
    assert first.low == pytest.approx(wilson(0.7, 1000)[0], abs=1e-4)
    assert "vvvvvvvvvvvv" in first.protocol
    assert all(row.seed == 3 and row.data_sha256 == "d" * 64 for row in made)


def test_the_cards_tables_name_every_class_and_condition() -> None:
    text = card_tables(REPORT)
    assert "| surprise | 50.0 % | 60.0 % | 35 |" in text
    assert "| dark | 65.0 % |" in text


def test_names_are_hashed_whatever_their_order() -> None:
    assert hash_names(["b", "a"]) == hash_names(["a", "b"]) != hash_names(["ab"])


def test_data_are_described_by_content_and_split(tmp_path: Path) -> None:
    for group in ("train", "test"):
        for n in range(6):
            folder = tmp_path / group / "sad"
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{group}{n}.png"), np.full((48, 48), n, np.uint8))
    one, other = describe_data(tmp_path, 0.5), describe_data(tmp_path, 0.1)
    assert one["data_sha256"] == other["data_sha256"]
    assert one["validation_sha256"] != other["validation_sha256"]
    assert one["test_sha256"] == hash_names(f"test/sad/test{n}.png" for n in range(6))
    cv2.imwrite(str(tmp_path / "train" / "sad" / "train0.png"), np.full((48, 48), 99, np.uint8))
    changed = describe_data(tmp_path, 0.5)
    assert changed["data_sha256"] != one["data_sha256"]
    assert changed["validation_sha256"] == one["validation_sha256"]
