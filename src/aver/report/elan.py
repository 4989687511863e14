"""ELAN annotation files (EAF 3.0, https://www.mpi.nl/tools/elan/EAFv3.0.xsd)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from mimetypes import guess_type
from typing import BinaryIO
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from aver._version import __version__
from aver.report.affect import affect_lanes
from aver.report.runs import event_lanes, file_name, person_name, printable, runs_of, tracks
from aver.timeline import Timeline

_VOCABULARY = "expressed emotion"


@dataclass
class _Tier:
    name: str
    participant: str
    type: str
    notes: list[tuple[int, int, str, str]] = field(default_factory=list)
    """Start and end in milliseconds, the value, and the score as text."""


def write_eaf(timeline: Timeline, out: BinaryIO) -> None:
    """Write one tier per person and modality, with runs of equal labels as annotations.

    The values come from a controlled vocabulary of the timeline's labels. A dependent tier beside
    each says the mean score of every run, and where it is weak. Sounds that belong to nobody have
    a tier of their own. The recording is linked relative to the file, so both can move together.
    """
    tiers = _collect(timeline)
    slots: list[tuple[int, int, int]] = []
    for t, tier in enumerate(tiers):
        for start, end, _, _ in tier.notes:
            slots += [(start, t, len(slots)), (end, t, len(slots) + 1)]
    slot_id = {s[2]: f"ts{n}" for n, s in enumerate(sorted(slots), start=1)}
    annotations = sum(len(tier.notes) for tier in tiers)

    def line(text: str) -> None:
        out.write(f"{text}\n".encode())

    line('<?xml version="1.0" encoding="UTF-8"?>')
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line(
        f'<ANNOTATION_DOCUMENT AUTHOR="aver {__version__}" DATE="{now}" FORMAT="3.0" '
        'VERSION="3.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">'
    )
    for text in _header(timeline, 2 * annotations):
        line(text)
    line("  <TIME_ORDER>")
    for time, _, number in sorted(slots):
        line(f'    <TIME_SLOT TIME_SLOT_ID="{slot_id[number]}" TIME_VALUE="{time}"/>')
    line("  </TIME_ORDER>")

    entry = {label: f"cve{n}" for n, label in enumerate(timeline.labels, start=1)}
    first = 0  # number of the tier's first time slot
    note_id = 0
    for tier in tiers:
        head = f"TIER_ID={_attribute(tier.name)} PARTICIPANT={_attribute(tier.participant)}"
        line(f'  <TIER {head} ANNOTATOR="aver" LINGUISTIC_TYPE_REF="{tier.type}">')
        ids = range(note_id + 1, note_id + 1 + len(tier.notes))
        for n, (identity, (_, _, value, _)) in enumerate(zip(ids, tier.notes, strict=True)):
            begin, stop = slot_id[first + 2 * n], slot_id[first + 2 * n + 1]
            reference = f' CVE_REF="{entry[value]}"' if tier.type == "emotion" else ""
            line("    <ANNOTATION>")
            line(
                f'      <ALIGNABLE_ANNOTATION ANNOTATION_ID="a{identity}"{reference} '
                f'TIME_SLOT_REF1="{begin}" TIME_SLOT_REF2="{stop}">'
            )
            line(f"        <ANNOTATION_VALUE>{_text(value)}</ANNOTATION_VALUE>")
            line("      </ALIGNABLE_ANNOTATION>")
            line("    </ANNOTATION>")
        line("  </TIER>")
        line(
            f"  <TIER TIER_ID={_attribute(tier.name + ' score')} "
            f"PARTICIPANT={_attribute(tier.participant)} "
            f'ANNOTATOR="aver" LINGUISTIC_TYPE_REF="score" PARENT_REF={_attribute(tier.name)}>'
        )
        for identity, (_, _, _, score) in zip(ids, tier.notes, strict=True):
            line("    <ANNOTATION>")
            line(
                f'      <REF_ANNOTATION ANNOTATION_ID="a{annotations + identity}" '
                f'ANNOTATION_REF="a{identity}">'
            )
            line(f"        <ANNOTATION_VALUE>{score}</ANNOTATION_VALUE>")
            line("      </REF_ANNOTATION>")
            line("    </ANNOTATION>")
        line("  </TIER>")
        first += 2 * len(tier.notes)
        note_id += len(tier.notes)
    for text in _footer(timeline):
        line(text)
    line("</ANNOTATION_DOCUMENT>")


def _collect(timeline: Timeline) -> list[_Tier]:
    tiers: list[_Tier] = []
    for person, by_modality in tracks(timeline).items():
        name = person_name(person, timeline)
        for modality, segments in by_modality.items():
            tier = _Tier(f"{name} {modality}", name, "emotion")
            for run in runs_of(segments):
                score = f"{run.score:.2f}{' weak' if run.weak else ''}"
                _append(tier, run.start, run.end, timeline.labels[run.label], score)
            tiers.append(tier)
    for number, lane in enumerate(event_lanes(timeline.events), start=1):
        tier = _Tier("Sounds" if number == 1 else f"Sounds {number}", "", "sound")
        for event in lane:
            _append(tier, event.start, event.end, event.label, f"{event.score:.2f}")
        tiers.append(tier)
    for name, runs in affect_lanes(timeline):
        tier = _Tier(name, "", "sound")
        for span in runs:
            _append(tier, span.start, span.end, span.level, f"{span.score:.2f}")
        tiers.append(tier)
    return tiers


def _append(tier: _Tier, start: float, end: float, value: str, score: str) -> None:
    """Add an annotation, unless nothing of it remains in whole milliseconds."""
    earliest = tier.notes[-1][1] if tier.notes else 0
    first, last = max(earliest, round(start * 1000)), round(end * 1000)
    if last > first:
        tier.notes.append((first, last, value, score))


def _header(timeline: Timeline, last_annotation: int) -> Iterable[str]:
    name = file_name(timeline)
    # The recording may have moved; ELAN looks beside the .eaf when the relative URL says so.
    relative = "./" + quote(name.encode("utf-8", "surrogateescape"))
    video = timeline.media.get("has_video")
    fallback = "audio/x-wav" if video is False else "video/mp4"
    mime = guess_type(name)[0] or fallback
    yield '  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">'
    yield (
        f"    <MEDIA_DESCRIPTOR MEDIA_URL={_attribute(relative)} "
        f"MIME_TYPE={_attribute(mime)} RELATIVE_MEDIA_URL={_attribute(relative)}/>"
    )
    yield f'    <PROPERTY NAME="lastUsedAnnotationId">{last_annotation}</PROPERTY>'
    yield (
        '    <PROPERTY NAME="note">Scores are estimates of expressed emotion, not of what a '
        "person feels.</PROPERTY>"
    )
    yield "  </HEADER>"


def _footer(timeline: Timeline) -> Iterable[str]:
    common = 'GRAPHIC_REFERENCES="false" TIME_ALIGNABLE'
    yield (
        f'  <LINGUISTIC_TYPE CONTROLLED_VOCABULARY_REF="{_VOCABULARY}" {common}="true" '
        'LINGUISTIC_TYPE_ID="emotion"/>'
    )
    yield f'  <LINGUISTIC_TYPE {common}="true" LINGUISTIC_TYPE_ID="sound"/>'
    yield (
        f'  <LINGUISTIC_TYPE CONSTRAINTS="Symbolic_Association" {common}="false" '
        'LINGUISTIC_TYPE_ID="score"/>'
    )
    yield (
        '  <LANGUAGE LANG_DEF="http://cdb.iso.org/lg/CDB-00138502-001" LANG_ID="eng" '
        'LANG_LABEL="English (eng)"/>'
    )
    yield (
        '  <CONSTRAINT DESCRIPTION="1-1 association with a parent annotation" '
        'STEREOTYPE="Symbolic_Association"/>'
    )
    yield f'  <CONTROLLED_VOCABULARY CV_ID="{_VOCABULARY}">'
    yield '    <DESCRIPTION LANG_REF="eng">Labels of the recogniser</DESCRIPTION>'
    for number, label in enumerate(timeline.labels, start=1):
        yield f'    <CV_ENTRY_ML CVE_ID="cve{number}">'
        yield f'      <CVE_VALUE DESCRIPTION="" LANG_REF="eng">{_text(label)}</CVE_VALUE>'
        yield "    </CV_ENTRY_ML>"
    yield "  </CONTROLLED_VOCABULARY>"


def _text(text: str) -> str:
    return escape(printable(text))


def _attribute(text: str) -> str:
    return quoteattr(printable(text))
