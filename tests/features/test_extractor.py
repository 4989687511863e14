"""The base of every extractor, and the registry."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aver.errors import SettingError
from aver.features.extractor import (
    _HOMES,
    Clip,
    Extractor,
    Features,
    extractor_class,
    extractor_names,
    make_extractor,
)


def test_clip_of_a_series_a_mapping_and_a_named_tuple():
    frame = pd.DataFrame(
        [{"file": "/a/b.wav", "start": 1.5, "end": math.nan, "recording": "r", "subject": "07"}]
    )
    expected = Clip(Path("/a/b.wav"), 1.5, None, "r", "07")
    assert Clip.of(frame.iloc[0]) == expected
    assert Clip.of(frame.iloc[0].to_dict()) == expected
    assert Clip.of(next(frame.itertuples())) == expected


def test_clip_of_a_row_that_knows_its_file_only():
    assert Clip.of({"file": Path("b.wav")}) == Clip(Path("b.wav"))


def test_clip_is_named_with_its_stretch():
    assert str(Clip(Path("b.wav"))) == "b.wav"
    assert str(Clip(Path("b.wav"), 1.5, None)) == "b.wav [1.5 s to end]"
    assert str(Clip(Path("b.wav"), None, 2.0)) == "b.wav [0 s to 2 s]"


@pytest.mark.parametrize(
    ("values", "times", "present"),
    [
        (np.zeros((2, 3)), np.zeros((2, 2), np.float32), np.ones(2, bool)),
        (np.zeros(3, np.float32), np.zeros((3, 2), np.float32), np.ones(3, bool)),
        (np.zeros((2, 3), np.float32), np.zeros((1, 2), np.float32), np.ones(2, bool)),
        (np.zeros((2, 3), np.float32), np.zeros((2, 2), np.float32), np.ones(3, bool)),
        (np.zeros((2, 3), np.float32), np.zeros((2, 2), np.float32), np.ones(2, int)),
    ],
)
def test_features_that_do_not_fit_together_are_refused(values, times, present):
    with pytest.raises(ValueError, match="must be"):
        Features(values, times, present)


def test_unknown_extractor_is_told_with_the_nearest():
    with pytest.raises(SettingError, match=r"mfc: is not a known extractor.*nearest is 'mfcc'"):
        make_extractor("mfc")


def test_unknown_setting_is_told_with_the_nearest():
    with pytest.raises(SettingError, match=r"windw_seconds: .*nearest is 'window_seconds'"):
        make_extractor("log_mel", windw_seconds=0.5)


def test_value_that_cannot_be_used_names_its_setting():
    with pytest.raises(SettingError, match=r"window_seconds: .*'log_mel', got 'long'"):
        make_extractor("log_mel", window_seconds="long")


def test_settings_are_read_from_text():
    assert make_extractor("log_mel", window_seconds="0.25").settings.window_seconds == 0.25


@pytest.mark.parametrize("name", sorted(_HOMES))
def test_every_home_holds_its_extractor(name):
    kind = extractor_class(name)
    assert issubclass(kind, Extractor)
    assert kind.name == name
    assert name in extractor_names()
    assert kind.modality in ("sound", "picture", "table")
    assert kind.__doc__


def test_extractor_goes_to_another_process():
    extractor = make_extractor("log_mel", window_seconds=0.25, windows=16)
    again = pickle.loads(pickle.dumps(extractor))
    assert type(again) is type(extractor)
    assert again.settings == extractor.settings
