"""Whose voice is it? A window's sound is one; the people in the picture may be several.

One visible person owns the voice. Of several, the one whose mouth moves clearly more than the
others' owns it; where none does, nobody does: the voice is scored for itself and takes part in
nobody's fused score. Somebody who speaks off screen while one silent face is shown is mistaken
for that face: a limit of the method, said in the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aver.inference.people import FaceWindow

CLEAR_RATIO: Final = 1.35
"""The speaker's mouth must move this many times as much as the next one's."""


def owner_of_voice(faces: Mapping[int, FaceWindow], previous: int | None) -> int | None:
    """The person the window's voice belongs to, or None.

    Args:
        faces: the window's visible people.
        previous: who owned the voice in the window before; keeps it in a close call.
    """
    if not faces:
        return None
    if len(faces) == 1:
        return next(iter(faces))
    ranked = sorted(faces, key=lambda p: faces[p].mouth_motion, reverse=True)
    first, second = faces[ranked[0]].mouth_motion, faces[ranked[1]].mouth_motion
    if first > CLEAR_RATIO * second:
        return ranked[0]
    if previous in ranked[:2] and faces[previous].mouth_motion * CLEAR_RATIO > first:
        return previous
    return None
