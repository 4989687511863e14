"""How sound events go with valence: Table I of the paper on sound semantics (Upadhyay et al.).

For every label the table tells, over all films,

* the duration in minutes: the sum of its events' lengths;
* the instances: how many events;
* the mean valence: over all frames in which it is heard, as annotated, in [-1, 1];
* the co-occurrence with the extreme levels of valence, 1, 2, 6 and 7 of seven, in percent.

The paper does not say what its percentages are of. ``of_event`` takes the frames in which the event
is heard, and tells how many of them are at an extreme level: "over 25% occur in the extreme cases
of valence", it says of male speech, whose figure is 26.76. ``of_extremes`` takes the frames at an
extreme level, and tells in how many of them the event is heard.

Frames are those of the traces, 25 a second; an event is heard in a frame if it is heard in the
middle of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from aver.corpora.affect_traces import RATE, VALENCE, Floats, read_trace, rescale, to_levels
from aver.corpora.cognimuse import CognimuseOptions, read_films
from aver.corpora.cognimuse_files import find_companions
from aver.corpora.sound_event import SoundEvent
from aver.corpora.sound_events import COGNIMUSE_LABELS, EventSettings, read_events
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

CoOccur = Literal["of_event", "of_extremes"]
LEVELS: Final = 7
EXTREMES: Final = (1, 2, 6, 7)
"""The levels of valence that are called extreme, of 1 to 7."""
COLUMNS: Final = ("label", "minutes", "instances", "mean_valence", "co_occurring")


@dataclass(frozen=True, eq=False)
class AnnotatedFilm:
    """A film's events beside its valence.

    Attributes:
        film: its name.
        events: what is heard in it.
        valence: (frames,) as annotated, in [-1, 1], at 25 Hz; none where nobody annotated it.
        levels: (frames,) 1 to 7.
    """

    film: str
    events: tuple[SoundEvent, ...]
    valence: Floats
    levels: NDArray[np.intp]


def activity(
    events: Sequence[SoundEvent], labels: Sequence[str], frames: int, rate: float = RATE
) -> NDArray[np.bool_]:
    """In which frames each label is heard.

    Args:
        events: of one recording; those of other labels count for nothing.
        labels: wanted.
        frames: how many there are; what is later is cut off.
        rate: frames a second.

    Returns:
        (frames, labels): whether one of the label's events covers the middle of the frame.
    """
    heard = np.zeros((frames, len(labels)), np.bool_)
    places = {label: number for number, label in enumerate(labels)}
    for event in events:
        if event.label in places:
            # Middles are at (k + 0.5) / rate: the first that is not before the start, and the
            # first that is not before the end, which is no longer of it.
            first, last = (max(0, int(np.ceil(t * rate - 0.5 - 1e-9))) for t in _ends(event))
            heard[first:last, places[event.label]] = True
    return heard


def _ends(event: SoundEvent) -> tuple[float, float]:
    return event.start, event.end


def event_statistics(
    films: Sequence[AnnotatedFilm],
    *,
    co_occur: CoOccur = "of_event",
    labels: Sequence[str] = (),
) -> pd.DataFrame:
    """The paper's Table I.

    Args:
        films: events and valence of each.
        co_occur: what the percentages are of; see above.
        labels: rows wanted, in order; none for all there are, the longest first.

    Returns:
        Columns :data:`COLUMNS`: ``label``, ``minutes``, ``instances``, ``mean_valence`` (NaN where
        no annotated frame is covered) and ``co_occurring`` (percent; NaN where there is nothing
        it could be of).
    """
    import pandas as pd

    seconds: dict[str, float] = {}
    for film in films:
        for event in film.events:
            seconds[event.label] = seconds.get(event.label, 0.0) + event.seconds
    wanted = list(labels) or sorted(seconds, key=lambda label: (-seconds[label], label))
    total = {label: _Sums() for label in wanted}
    extreme_frames = 0
    for film in films:
        extreme = np.isin(film.levels, EXTREMES)
        extreme_frames += int(extreme.sum())
        heard = activity(film.events, wanted, len(film.levels))
        for number, label in enumerate(wanted):
            total[label].add(film, label, heard[:, number], extreme)
    rows = [
        (
            label,
            sums.seconds / 60,
            sums.instances,
            sums.mean,
            sums.percent(co_occur, extreme_frames),
        )
        for label, sums in total.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass
class _Sums:
    """What is added up of one label."""

    seconds: float = 0.0
    instances: int = 0
    frames: int = 0
    valence: float = 0.0
    extreme: int = 0

    def add(
        self,
        film: AnnotatedFilm,
        label: str,
        heard: NDArray[np.bool_],
        extreme: NDArray[np.bool_],
    ) -> None:
        lengths = [event.seconds for event in film.events if event.label == label]
        self.seconds += sum(lengths)
        self.instances += len(lengths)
        self.frames += int(heard.sum())
        self.valence += float(film.valence[heard].sum())
        self.extreme += int((heard & extreme).sum())

    @property
    def mean(self) -> float:
        return self.valence / self.frames if self.frames else float("nan")

    def percent(self, co_occur: CoOccur, extreme_frames: int) -> float:
        whole = self.frames if co_occur == "of_event" else extreme_frames
        return 100.0 * self.extreme / whole if whole else float("nan")


def film_of_trace(
    events: Path,
    trace: Path,
    labels: Mapping[str, str] | None = None,
    settings: EventSettings | None = None,
    recording: str = "",
) -> AnnotatedFilm:
    """A film's events beside the trace of one annotator, whose values are taken as they are.

    Args:
        events: file of the events.
        trace: see :func:`aver.corpora.affect_traces.read_trace`. No event may reach further beyond
            its end than ``tolerance_seconds``; what does less is cut there.
        labels: as in :func:`aver.corpora.sound_events.read_events`.
        settings: what is done with doubtful events.
        recording: whose events are wanted.

    Raises:
        CorpusError: if the trace or the events cannot be used, or are of several recordings.
    """
    valence = read_trace(trace).values[:, VALENCE]
    found = read_events(
        events,
        labels=labels,
        duration=len(valence) / RATE,
        recording=recording,
        settings=settings,
    )
    names = {event.recording for event in found}
    if len(names) > 1:
        problem = f"tells the events of {len(names)} recordings, and a trace is of one"
        raise CorpusError(events, problem, "Choose one with --recording")
    return AnnotatedFilm(events.stem, tuple(found), valence, to_levels(valence, LEVELS) + 1)


def without_trace(name: str, events: Sequence[SoundEvent]) -> AnnotatedFilm:
    """A film that nobody rated: its events are counted, and that is all."""
    return AnnotatedFilm(name, tuple(events), np.zeros(0), np.zeros(0, np.intp))


def cognimuse_films(
    root: str | Path,
    options: CognimuseOptions | None = None,
    *,
    labels: Mapping[str, str] = COGNIMUSE_LABELS,
    settings: EventSettings | None = None,
    remarks: list[str] | None = None,
) -> list[AnnotatedFilm]:
    """COGNIMUSE's films that have events, with their valence.

    Valence is the mean of the annotators, ``lag_seconds`` corrected; its levels are made of what
    ``rescale`` makes of it, as the options say (:class:`CognimuseOptions`; experienced emotion is
    rescaled unless they say otherwise).

    Args:
        root: folder of COGNIMUSE; the events of a film are a file that names it, in a folder or
            with a name that says ``event``.
        options: which emotion, films and rescaling; the levels are seven whatever they say.
        labels: as in :func:`aver.corpora.sound_events.read_events`. What they do not name (music,
            machines, nature) is left out, and a remark says so.
        settings: what is done with doubtful events.
        remarks: told what a reader should know.

    Raises:
        CorpusError: if there are no traces or no events, or some cannot be used.
    """
    root = Path(root).resolve()
    options = options or CognimuseOptions(emotion="experienced")
    settings = settings or EventSettings()
    remarks = [] if remarks is None else remarks
    traces = read_films(root, options, remarks)
    scaled = rescale({one.film: one.values for one in traces}, options.rescaling)
    own = set(labels.values())
    found = []
    for one in traces:
        path = find_companions(root, one.film)["events"]
        if not path:
            remarks.append(f"{one.film}: has no file of events, and is left out")
            continue
        kept = settings.model_copy(
            update={"unknown": "keep", "tolerance_seconds": options.mismatch_seconds}
        )
        duration = len(one.values) / RATE
        events = read_events(path, labels=labels, duration=duration, settings=kept)
        others = sorted({event.label for event in events} - own)
        if others:
            remarks.append(f"{one.film}: left out, as no human sounds: {', '.join(others)}")
        levels = to_levels(scaled[one.film][:, VALENCE], LEVELS) + 1
        human = tuple(event for event in events if event.label in own)
        found.append(AnnotatedFilm(one.film, human, one.values[:, VALENCE], levels))
    if not found:
        advice = "Bring them as events/<Film>.eaf (or .tsv, .csv, .txt)"
        raise CorpusError(root, "holds no files of events of its films", advice)
    return found
