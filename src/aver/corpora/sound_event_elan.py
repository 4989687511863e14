"""Events of ELAN's annotation files (EAF, https://www.mpi.nl/tools/elan/EAFv3.0.xsd)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, Literal
from urllib.parse import unquote
from xml.etree import ElementTree

from aver.corpora.sound_event import SoundEvent
from aver.corpora.sound_event_files import RawEvents, Row, read_bytes, tidy
from aver.corpora.table import nearest
from aver.errors import CorpusError

LabelFrom = Literal["value", "tier"]
_SECONDS: Final = {"milliseconds": 0.001, "PAL-frames": 0.04, "NTSC-frames": 1001 / 30000}
_ADVICE: Final = "Save it with ELAN again"
_Span = tuple[float, float]


def read_eaf(path: Path, tiers: Sequence[str] = (), label_from: LabelFrom = "value") -> RawEvents:
    """Annotations of some tiers.

    Times that ELAN's user left open (a tier with a time subdivision) lie evenly between those
    that are told, as ELAN shows them; annotations of a tier that depends on another (symbolic
    association, symbolic subdivision) have the times of what they refer to.

    Args:
        path: of the file.
        tiers: names of the tiers; none for all tiers with times of their own.
        label_from: the annotation's text is the label (``value``), or its tier's name (``tier``).

    Raises:
        CorpusError: if the file is not EAF, or has no such tier; the nearest is named.
    """
    try:
        root = ElementTree.fromstring(read_bytes(path))
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # also unknown encodings
        raise CorpusError(path, f"is not an ELAN file ({error})", _ADVICE) from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise CorpusError(path, f"is not an ELAN file (it holds <{root.tag}>)", _ADVICE)
    header = root.find("HEADER")
    unit = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if unit not in _SECONDS:
        raise CorpusError(path, f"counts time in '{unit}'", nearest(unit, _SECONDS))
    try:
        slots = {
            slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) * _SECONDS[unit]
            for slot in root.iterfind("TIME_ORDER/TIME_SLOT")
            if "TIME_VALUE" in slot.attrib
        }
        all_tiers = {tier.attrib["TIER_ID"]: tier for tier in root.iterfind("TIER")}
        spans: dict[str, _Span] = {}
        for tier in all_tiers.values():
            spans.update(_aligned(tier, slots))
        _refer(list(all_tiers.values()), spans)
    except (KeyError, ValueError) as error:
        raise CorpusError(path, f"is damaged ({type(error).__name__} {error})", _ADVICE) from error
    for name in tiers:
        if name not in all_tiers:
            advice = nearest(name, all_tiers, "It has")
            raise CorpusError(path, f"has no tier '{name}'", advice)
    recording = _recording(root)
    found = RawEvents(recordings=[recording] if recording else [])
    wanted = tiers or [
        n for n, t in all_tiers.items() if t.find(".//ALIGNABLE_ANNOTATION") is not None
    ]
    for name in wanted:
        for note in _notes(all_tiers[name]):
            identity = note.get("ANNOTATION_ID", "")
            where = f"annotation {identity} of the tier '{name}'"
            if identity not in spans:
                raise CorpusError(path, f"{where} has no time", "Align it in ELAN, or remove it")
            value = tidy(note.findtext("ANNOTATION_VALUE") or "")
            label = tidy(name) if label_from == "tier" else value
            found.rows.append(Row(SoundEvent(*spans[identity], label, recording), where))
    return found


def _recording(root: ElementTree.Element) -> str:
    for media in root.iterfind("HEADER/MEDIA_DESCRIPTOR"):
        for key in ("RELATIVE_MEDIA_URL", "MEDIA_URL"):
            name = PurePosixPath(unquote(media.get(key, "")).replace("\\", "/")).name
            if name:
                return tidy(name)
    return ""


def _notes(tier: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for annotation in tier.iterfind("ANNOTATION"):
        yield from annotation


def _aligned(tier: ElementTree.Element, slots: dict[str, float]) -> dict[str, _Span]:
    """Times of the annotations that have any, by their identity."""
    found: dict[str, _Span] = {}
    chain: list[str] = []
    start = 0.0
    for note in _notes(tier):
        if note.tag != "ALIGNABLE_ANNOTATION":
            continue
        first, last = note.attrib["TIME_SLOT_REF1"], note.attrib["TIME_SLOT_REF2"]
        if first in slots:
            start, chain = slots[first], []
        elif not chain:
            continue  # nothing it could lie after
        chain.append(note.attrib["ANNOTATION_ID"])
        if last in slots:
            step = (slots[last] - start) / len(chain)
            for number, identity in enumerate(chain):
                # The last ends where the file says, not where the steps add up to.
                end = slots[last] if number == len(chain) - 1 else start + (number + 1) * step
                found[identity] = (start + number * step, end)
            chain = []
    return found


def _refer(tiers: Sequence[ElementTree.Element], spans: dict[str, _Span]) -> None:
    """Give annotations that refer to others the others' times; several share them evenly."""
    waiting: dict[str, tuple[str, int, int]] = {}
    for tier in tiers:
        of_tier: dict[str, list[str]] = {}
        for note in _notes(tier):
            if note.tag == "REF_ANNOTATION":
                children = of_tier.setdefault(note.attrib["ANNOTATION_REF"], [])
                children.append(note.attrib["ANNOTATION_ID"])
        for parent, children in of_tier.items():
            for number, child in enumerate(children):
                waiting[child] = (parent, number, len(children))
    while waiting:
        known = {child: told for child, told in waiting.items() if told[0] in spans}
        if not known:
            return  # what is left refers to nothing: it has no time, which is said where it is read
        for child, (parent, number, count) in known.items():
            start, end = spans[parent]
            step = (end - start) / count
            spans[child] = (start + number * step, start + (number + 1) * step)
            del waiting[child]
