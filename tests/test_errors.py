"""Errors: one line each, whatever the name of the file."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver import errors


def test_message_names_file_problem_and_way_out():
    error = errors.MediaError("a b.mp4", "is empty", "Copy it again")
    assert str(error) == "a b.mp4: is empty. Copy it again."


def test_without_advice_and_without_subject():
    assert str(errors.AverError("nothing to do")) == "nothing to do."


@given(st.text())
def test_always_one_line(name):
    text = str(errors.MediaError(name, "is empty"))
    assert len(text.splitlines()) == 1
    assert text.isprintable()


KINDS = [
    errors.MediaError,
    errors.OutputError,
    errors.ModelError,
    errors.RecipeError,
    errors.CorpusError,
    errors.TrainingError,
    errors.SettingError,
    errors.TimelineError,
]


@pytest.mark.parametrize("kind", KINDS)
def test_errors_travel_between_processes(kind):
    error = kind("name", "problem", "advice")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert isinstance(again, errors.AverError)
