"""What is heard when in a pseudo-film."""

import pytest

from aver.corpora.pseudo_films_events import film_events
from aver.errors import CorpusError

SCENES = [
    {
        "start": 0.0,
        "end": 6.0,
        "takes": ["ravdess/03-01-05-01-01-01-07", "emogator/000001-02-1"],
        "classes": ["angry", "amusement"],
        "begin": [0.0, 4.0],
    },
    {
        "start": 6.0,
        "end": 10.5,
        "takes": ["emogator/000001-19-1", "nemo/SM0_anger_0001"],
        "classes": ["pain", "angry"],
        "begin": [6.0, 7.25],
    },
]


def test_an_event_lasts_until_the_next_recording_or_the_end_of_the_scene():
    found = film_events("PseudoFilm1", {"scenes": SCENES})
    assert [(e.start, e.end, e.label) for e in found] == [
        (0.0, 4.0, "speech_english"),
        (4.0, 6.0, "laughter"),
        (6.0, 7.25, "vocal_burst"),
        (7.25, 10.5, "speech_polish"),
    ]
    assert {e.recording for e in found} == {"PseudoFilm1"}


def test_films_of_an_older_aver_are_refused_in_one_line():
    scene = {key: value for key, value in SCENES[0].items() if key != "begin"}
    with pytest.raises(CorpusError, match=r"PseudoFilm1.*does not say when.*make the films again"):
        film_events("PseudoFilm1", {"scenes": [scene]})
