"""Who has been seen in a recording, and whether a face is one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aver.faces.crop import Placement
from aver.faces.describe import Describer, Vector
from aver.faces.detect import Image

_VIEWS = 6


class People:
    """Everybody seen in a recording: a few descriptors of each, so that memory stays constant.

    Args:
        describer: how people are told apart.
    """

    def __init__(self, describer: Describer):
        self.describer = describer
        self._views: dict[int, list[Vector]] = {}

    @property
    def ids(self) -> list[int]:
        """All ids given so far, in the order of first appearance."""
        return list(self._views)

    def describe(self, image: Image, placement: Placement) -> Vector:
        """The unit descriptor of the face at *placement*."""
        return self.describer.describe(image, placement)

    def views(self, person: int) -> list[Vector]:
        """The unit descriptors that are kept of the person, oldest first."""
        return list(self._views[person])

    def likeness(self, person: int, descriptor: Vector) -> float:
        """Greatest scalar product of *descriptor* with the person's views, in [-1, 1]."""
        return max(float(view @ descriptor) for view in self._views[person])

    def is_same(self, person: int, descriptor: Vector) -> bool:
        """Whether *descriptor* is surely the person's."""
        return self.likeness(person, descriptor) >= self.describer.same_person

    def is_stranger(self, person: int, descriptor: Vector) -> bool:
        """Whether *descriptor* is surely somebody else's."""
        return self.likeness(person, descriptor) < self.describer.stranger

    def recognise(self, descriptor: Vector, absent: Sequence[int]) -> int:
        """The id of the person: the one of *absent* who is most alike if surely so, else a new."""
        alike = [(self.likeness(person, descriptor), person) for person in absent]
        if alike:
            likeness, person = max(alike)
            if likeness >= self.describer.same_person:
                self.remember(person, descriptor)
                return person
        person = len(self._views) + 1
        self._views[person] = [descriptor]
        return person

    def confirm(self, person: int, descriptor: Vector) -> None:
        """Keep another view of a person who was followed here, if it is surely theirs.

        Half-way views, as in a dissolve, would lead from one person to the next.
        """
        if self.is_same(person, descriptor):
            self.remember(person, descriptor)

    def remember(self, person: int, descriptor: Vector) -> None:
        """Keep another view of a person; of too many, the one most like another goes."""
        views = self._views[person]
        views.append(descriptor)
        if len(views) > _VIEWS:
            alike = np.stack(views) @ np.stack(views).T
            np.fill_diagonal(alike, -1.0)
            # The newest stays: it is what the person looks like now.
            views.pop(int(alike.max(axis=1)[:-1].argmax()))
