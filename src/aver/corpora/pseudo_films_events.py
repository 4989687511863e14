"""What is heard when in a pseudo-film, as sound events.

An event lasts from a recording's beginning to the next one's, its pause of 0.2 to 1.5 s with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aver.corpora.sound_event import SoundEvent
from aver.errors import CorpusError

VERBAL: Final = ("speech_english", "speech_polish")
"""Events with words."""
NON_VERBAL: Final = ("vocal_burst", "laughter")
"""Events without; laughter are the bursts whose makers were asked for amusement."""
_KINDS: Final = {"ravdess": VERBAL[0], "nemo": VERBAL[1], "emogator": NON_VERBAL[0]}
_LAUGHED: Final = "amusement"


def film_events(name: str, film: Mapping[str, Any]) -> list[SoundEvent]:
    """The events of one film, in their order.

    Args:
        name: of the film.
        film: what ``pseudo_films.json`` says of it.

    Raises:
        CorpusError: if it does not say when its recordings begin.
    """
    found = []
    for scene in film["scenes"]:
        if "begin" not in scene:
            raise CorpusError(
                name,
                "is a pseudo-film that does not say when its recordings begin",
                "An older aver made it: delete the folder, and make the films again",
            )
        ends = [*scene["begin"][1:], scene["end"]]
        takes = zip(scene["takes"], scene["classes"], scene["begin"], ends, strict=True)
        for take, acted, begin, end in takes:
            label = _KINDS[take.partition("/")[0]]
            if label == NON_VERBAL[0] and acted == _LAUGHED:
                label = NON_VERBAL[1]
            found.append(SoundEvent(float(begin), float(end), label, name))
    return found
