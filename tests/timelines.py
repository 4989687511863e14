"""Made-up timelines for the tests: one worked by hand, and a hypothesis strategy for all others."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from aver.labels import RAVDESS
from aver.timeline import MODALITIES, Event, Person, Segment, Thumbnail, Timeline, order_segments

# The smallest JPEG that is one: start and end of image.
JPEG = b"\xff\xd8\xff\xd9"


def scores(label: int, height: float, labels: int = 8) -> tuple[float, ...]:
    """*height* for one label, the rest shared evenly."""
    rest = (1 - height) / (labels - 1)
    return tuple(height if i == label else rest for i in range(labels))


def worked() -> Timeline:
    """Four seconds: person 1 happy, happy, (gap), sad; person 2 neutral; a voice off; laughter."""
    happy, sad = RAVDESS.index("happy"), RAVDESS.index("sad")
    segments = [
        Segment(0.0, 1.0, 1, "fused", scores(happy, 0.6)),
        Segment(1.0, 2.0, 1, "fused", scores(happy, 0.8), weak=True),
        Segment(3.0, 4.0, 1, "fused", scores(sad, 0.5)),
        Segment(0.0, 1.0, 1, "face", scores(happy, 0.7)),
        Segment(1.0, 2.0, 1, "voice", scores(sad, 0.4)),
        Segment(0.0, 1.0, 2, "fused", scores(0, 0.9)),
        Segment(2.0, 3.0, None, "fused", scores(happy, 0.5), weak=True),
        Segment(2.0, 3.0, None, "voice", scores(happy, 0.5), weak=True),
    ]
    return Timeline(
        media={
            "name": "two.mp4",
            "path": "/films/two.mp4",
            "duration": 4.0,
            "has_video": True,
            "has_audio": True,
            "width": 640,
            "height": 480,
            "frames_per_second": 25.0,
            "sample_rate": 48000,
            "channels": 2,
        },
        labels=RAVDESS,
        people=[
            Person(1, 0.0, 4.0, 3.0, 0.8, (Thumbnail(1.0, "happy", 0.8, JPEG),)),
            Person(2, 0.0, 1.0, 1.0, 0.3),
        ],
        segments=order_segments(segments),
        events=[Event(0.5, 2.5, "laughter", 0.9), Event(1.0, 1.5, "door", 0.4)],
        warnings=["The last 0.3 s could not be read."],
        model={"name": "mater", "version": "1", "temperature": 1.25},
    )


def empty() -> Timeline:
    """A recording in which nothing was found."""
    return Timeline(media={"name": "dark.mp4", "duration": 2.0}, labels=RAVDESS)


_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
_TIME = st.integers(0, 40_000).map(lambda ms: ms / 1000)


@st.composite
def _distribution(draw: st.DrawFn, labels: int) -> tuple[float, ...]:
    raw = draw(st.lists(st.integers(1, 1000), min_size=labels, max_size=labels))
    return tuple(value / sum(raw) for value in raw)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Any timeline that an analysis may make: gaps, missing modalities, odd names and times."""
    labels = draw(st.sampled_from([RAVDESS, ("angry", "happy"), ("a", 'b"<&', "c d")]))
    step = draw(st.sampled_from([0.25, 0.3, 0.5, 1.0]))
    people = draw(st.integers(0, 3))
    segments = []
    for person in [*range(1, people + 1), None]:
        for modality in MODALITIES:
            if person is None and modality == "face":
                continue
            present = draw(st.lists(st.booleans(), max_size=8))
            segments += [
                Segment(
                    k * step,
                    (k + 1) * step,
                    person,
                    modality,
                    draw(_distribution(len(labels))),
                    draw(st.booleans()),
                )
                for k, here in enumerate(present)
                if here
            ]
    events = draw(
        st.lists(
            st.builds(
                lambda start, length, label: Event(start, start + length, label, 0.5),
                _TIME,
                st.integers(1, 3000).map(lambda ms: ms / 1000),
                _TEXT,
            ),
            max_size=4,
        )
    )
    return Timeline(
        media={"name": draw(_TEXT), "duration": draw(st.none() | _TIME)},
        labels=labels,
        people=[
            Person(p, 0.0, 4.0, 2.5, 0.5, (Thumbnail(0.5, labels[0], 0.5, JPEG),))
            for p in range(1, people + 1)
        ],
        segments=order_segments(segments),
        events=events,
        warnings=draw(st.lists(_TEXT, max_size=2)),
        model=draw(st.sampled_from([{}, {"name": "mater", "card": "# x\n\n## Limits\n\n- y"}])),
    )


def long_recording(seconds: int, people: int) -> Timeline:
    """Half-second windows of several people in all three modalities, with a gap every minute."""
    segments = []
    for k in range(2 * seconds):
        for person in range(1, people + 1):
            if (k + 17 * person) % 120 < 10:
                continue
            label = int(4 + 3.9 * math.sin(k / (31 + 7 * person)))
            row = scores(label, 0.45 + 0.4 * math.sin(k / 5 + person) ** 2)
            segments += [
                Segment(k / 2, k / 2 + 0.5, person, m, row, k % 90 < 9) for m in MODALITIES
            ]
    return Timeline(
        media={"name": "long.mp4", "duration": float(seconds)},
        labels=RAVDESS,
        people=[Person(p, 0.0, float(seconds), seconds * 0.9, 0.7) for p in range(1, people + 1)],
        segments=segments,
    )
