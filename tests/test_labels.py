"""Label sets: the publishers' orders, and maps that lead somewhere."""

from __future__ import annotations

from aver import labels


def test_ravdess_order_is_the_file_name_field():
    # 01 = neutral, 02 = calm, 03 = happy, 04 = sad, 05 = angry, 06 = fearful, 07 = disgust,
    # 08 = surprised (Livingstone & Russo 2018).
    assert labels.RAVDESS[0] == "neutral"
    assert labels.RAVDESS[4] == "angry"
    assert labels.RAVDESS[7] == "surprised"


def test_fer2013_order_is_the_csv_column():
    assert labels.FER2013.index("happy") == 3
    assert labels.FER2013.index("neutral") == 6


def test_sets_hold_no_label_twice():
    for name, values in labels.SETS.items():
        assert len(set(values)) == len(values), name


def test_sizes():
    sizes = {name: len(values) for name, values in labels.SETS.items()}
    voices = {"ravdess": 8, "crema_d": 6, "nemo": 6, "emogator": 30, "savee": 7, "emo_db": 7}
    assert sizes == voices | {"fer2013": 7, "enjoyment": 5}


def test_maps_lead_from_one_set_into_the_other():
    assert set(labels.FER2013_TO_RAVDESS) == set(labels.FER2013)
    assert set(labels.RAVDESS) - set(labels.FER2013_TO_RAVDESS.values()) == {"calm"}
    assert set(labels.EMOGATOR_TO_RAVDESS) <= set(labels.EMOGATOR)
    assert set(labels.EMOGATOR_TO_RAVDESS.values()) == set(labels.RAVDESS)
    assert set(labels.CREMA_D) < set(labels.RAVDESS)
    assert set(labels.NEMO) < set(labels.RAVDESS)
