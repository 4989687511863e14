"""What is kept of a recording's segments once all of it was read, and under which numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from aver.inference.people import PersonMemory
from aver.timeline import Segment


def final_numbers(people: Mapping[int, PersonMemory], least_seconds: float) -> dict[int, int]:
    """New numbers 1, 2, ... by first appearance, of those seen for *least_seconds* or more."""
    ordered = sorted(people.items(), key=lambda item: (item[1].first_seen, item[0]))
    kept = [old for old, memory in ordered if memory.seconds_seen >= least_seconds]
    return {old: new for new, old in enumerate(kept, start=1)}


def chosen(plain: list[Segment], calibrated: list[Segment], whose: int | None) -> Iterator[Segment]:
    """The segments as they are, but calibrated ones of *whose*."""
    for segment in plain:
        if segment.person != whose:
            yield segment
    for segment in calibrated:
        if segment.person == whose:
            yield segment


def renumbered(segment: Segment, numbers: Mapping[int, int]) -> Iterator[Segment]:
    """The segment under its person's final number; of somebody left out only the voice is kept."""
    if segment.person is None:
        yield segment
    elif segment.person in numbers:
        yield replace(segment, person=numbers[segment.person])
    elif segment.modality == "voice":
        yield replace(segment, person=None)
        yield replace(segment, person=None, modality="fused")
