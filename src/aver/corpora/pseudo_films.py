"""Pseudo-films: a benchmark for models of emotion in films, made of recordings that can be had.

Films cannot be handed on, so these stand in for them where a protocol is to be tried on real
sound: scenes of several acted recordings (RAVDESS, nEMO, EmoGator) over background (ESC-10) at set
signal-to-noise ratios. They are written as sound with traces in COGNIMUSE's layout, so the loader
of COGNIMUSE and its recipes run on them unchanged.

**Their label is constructed**: nobody rated these films. A trace holds the arousal and valence
that :mod:`aver.corpora.pseudo_films_levels` gives to the acted class and intensity of what is
heard. What a model reaches on them says that it works and how it compares under this protocol, and
nothing about films or their audiences.

No speaker and no background source is heard in two films.
"""

from __future__ import annotations

import hashlib
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from aver.corpora.pseudo_films_cast import Cast, Take, make_casts
from aver.corpora.pseudo_films_sound import Reader, loop_to, mix_at
from aver.corpora.registry import CorpusOptions
from aver.errors import CorpusError, OutputError
from aver.media import SAMPLE_RATE
from aver.report.files import write_files, writer_of

if TYPE_CHECKING:
    from typing import BinaryIO

Tell = Callable[[int, int], None]

RECORD = "pseudo_films.json"
TRACES = Path("Emotion Annotation") / "intended"
FILMS = "films"
TRACE_RATE = 25
VERSION = 1
CONSTRUCTED = "pseudo-films: constructed labels from the acted class and intensity, rated by nobody"


class PseudoFilmsSettings(CorpusOptions):
    """How pseudo-films are made.

    Attributes:
        films: how many (2 to 8: more would need more speakers of nEMO than there are).
        minutes: shortest and longest film.
        seed: of every draw.
        scene_recordings: fewest and most recordings of a scene.
        pause_seconds: shortest and longest pause between two recordings.
        noise_ratios: signal-to-noise ratios in decibels; each scene draws one. The signal is what
            is heard of the scene's recordings.
        mood_share: share of a scene's recordings that are drawn from the level of arousal that
            the scene is about; the rest from anywhere.
        folders: folder of each corpus under the data folder.
    """

    films: int = Field(8, ge=2, le=8)
    minutes: tuple[float, float] = (8.0, 10.0)
    seed: int = 0
    scene_recordings: tuple[int, int] = (4, 9)
    pause_seconds: tuple[float, float] = (0.2, 1.5)
    noise_ratios: tuple[float, ...] = (0.0, 10.0, 20.0)
    mood_share: float = Field(0.75, ge=0.0, le=1.0)
    folders: dict[str, str] = Field(
        default_factory=lambda: {n: n for n in ("ravdess", "nemo", "emogator", "esc10")}
    )

    @field_validator("minutes", "pause_seconds", "scene_recordings")
    @classmethod
    def _rising(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= ends[0] <= ends[1] or not ends[1] > 0:
            raise ValueError("two numbers, the smaller first, above 0")
        return ends

    @field_validator("noise_ratios")
    @classmethod
    def _some(cls, ratios: tuple[float, ...]) -> tuple[float, ...]:
        if not ratios:
            raise ValueError("one ratio at least")
        return ratios


def make_pseudo_films(
    settings: PseudoFilmsSettings, data_root: Path, out: Path, *, tell: Tell | None = None
) -> Path:
    """Make the films under *out*, or leave them if they are there with these settings.

    Leaves ``films/<name>.wav`` (16 kHz, mono),
    ``Emotion Annotation/intended/intended_1_<name>.dat`` (25 Hz: time, valence, arousal) and
    ``pseudo_films.json`` (what is heard when). A film that is there is not made again after a stop.

    Args:
        settings: how.
        data_root: folder of the corpora.
        out: folder to fill.
        tell: called with films done and films in all.

    Returns:
        *out*.

    Raises:
        CorpusError: if a corpus is missing, or has too few speakers for the films.
        OutputError: if *out* holds other films, or cannot be written.
    """
    say = tell or (lambda done, every: None)
    casts = make_casts(
        {name: data_root / folder for name, folder in settings.folders.items()},
        settings.films,
        settings.seed,
    )
    identity = _identity(settings, casts)
    if _done(out, identity):
        say(settings.films, settings.films)
        return out
    reader = Reader()
    films: dict[str, Any] = {}
    for number, cast in enumerate(casts):
        say(number, settings.films)
        name = film_name(number)
        kept = _kept(out / FILMS / f"{name}.json", identity)
        if kept is None:
            sound, trace, heard = make_film(settings, cast, number, reader)
            kept = {"identity": identity, **heard}
            _write_film(out, name, sound, trace, kept)
        films[name] = {key: value for key, value in kept.items() if key != "identity"}
    record = {
        "version": VERSION,
        "label": CONSTRUCTED,
        "identity": identity,
        "settings": settings.model_dump(mode="json"),
        "films": films,
    }
    _write(out / RECORD, json.dumps(record, indent=1).encode())
    say(settings.films, settings.films)
    return out


def film_name(number: int) -> str:
    """``PseudoFilm1`` for the film numbered 0."""
    return f"PseudoFilm{number + 1}"


def make_film(
    settings: PseudoFilmsSettings, cast: Cast, number: int, reader: Reader
) -> tuple[NDArray[np.float32], NDArray[np.float64], dict[str, Any]]:
    """One film.

    Args:
        settings: how.
        cast: who is heard in it, and over what.
        number: of the film, from 0.
        reader: of recordings.

    Returns:
        (samples,) sound at 16 kHz, (frames, 3) time, valence and arousal at 25 Hz, and what is
        heard when.
    """
    random = np.random.default_rng((settings.seed, number))
    wanted = 60.0 * random.uniform(*settings.minutes)
    sounds: list[NDArray[np.float32]] = []
    levels: list[NDArray[np.float64]] = []
    heard: list[dict[str, Any]] = []
    seconds = 0.0
    used: set[str] = set()
    while seconds < wanted:
        sound, level, takes, lengths, background, ratio = _scene(
            settings, cast, random, reader, used
        )
        heard.append(
            {
                "start": round(seconds, 3),
                "end": round(seconds + len(sound) / SAMPLE_RATE, 3),
                "takes": [take.name for take in takes],
                "classes": [take.label for take in takes],
                "begin": _begins(seconds, lengths),
                "background": background,
                "noise_ratio": ratio,
            }
        )
        sounds.append(sound)
        levels.append(level)
        seconds += len(sound) / SAMPLE_RATE
    frames = int(wanted * TRACE_RATE)
    sound = np.concatenate(sounds)[: frames * (SAMPLE_RATE // TRACE_RATE)]
    level = np.concatenate(levels)[: len(sound) : SAMPLE_RATE // TRACE_RATE][:frames]
    trace = np.column_stack([np.arange(frames) / TRACE_RATE, _smooth(level)])
    facts = {"speakers": sorted(cast.speakers), "sources": sorted(cast.sources), "scenes": heard}
    return sound, trace, facts


def _begins(start: float, lengths: list[int]) -> list[float]:
    """When each recording begins in the film: after the one before and its pause."""
    before = np.cumsum([0, *lengths[:-1]]) / SAMPLE_RATE
    return [round(start + float(seconds), 3) for seconds in before]


def _scene(
    settings: PseudoFilmsSettings,
    cast: Cast,
    random: np.random.Generator,
    reader: Reader,
    used: set[str],
) -> tuple[NDArray[np.float32], NDArray[np.float64], list[Take], list[int], list[str], float]:
    """Sound (samples,), valence and arousal (samples, 2), who is heard, how long with the pause
    after it (samples), over what, how loud."""
    mood = cast.moods[random.integers(len(cast.moods))]
    speakers = random.permutation(sorted(cast.speakers))
    takes: list[Take] = []
    count = int(random.integers(settings.scene_recordings[0], settings.scene_recordings[1] + 1))
    for _ in range(count):
        level = mood if random.random() < settings.mood_share else None
        takes.append(cast.draw(level, speakers.tolist(), random, used))
    parts, values = [], []
    for take in takes:
        sound = reader.voice(take, cast.gain(take, reader))
        pause = np.zeros(int(random.uniform(*settings.pause_seconds) * SAMPLE_RATE), np.float32)
        parts += [sound, pause]
        values.append(np.full((len(sound) + len(pause), 2), (take.valence, take.arousal)))
    voices = np.concatenate(parts)
    ratio = float(random.choice(np.array(settings.noise_ratios)))
    noise, names = loop_to(len(voices), cast.backgrounds, random, reader)
    lengths = [len(value) for value in values]
    return mix_at(voices, noise, ratio), np.concatenate(values), takes, lengths, names, ratio


def _smooth(level: NDArray[np.float64], frames: int = TRACE_RATE) -> NDArray[np.float64]:
    """A trace does not jump: mean over a second around, as somebody's hand would draw it."""
    padded = np.pad(level, ((frames // 2, frames - 1 - frames // 2), (0, 0)), mode="edge")
    sums = np.cumsum(np.vstack([np.zeros((1, 2)), padded]), axis=0)
    return np.asarray((sums[frames:] - sums[:-frames]) / frames)


def check_disjoint(root: Path) -> None:
    """Refuse films that share a speaker or a background source.

    Raises:
        CorpusError: naming the films and what they share.
    """
    films = read_record(root)["films"]
    names = sorted(films)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            for what in ("speakers", "sources"):
                both = sorted(set(films[one][what]) & set(films[other][what]))
                if both:
                    raise CorpusError(
                        root, f"{one} and {other} share {what}: {', '.join(both[:3])}", "Make anew"
                    )


def read_record(root: Path) -> dict[str, Any]:
    """What ``pseudo_films.json`` says.

    Raises:
        CorpusError: if it is not there, or damaged.
    """
    try:
        found = json.loads((root / RECORD).read_text(encoding="utf-8"))
        return dict(found)
    except (OSError, ValueError) as error:
        advice = "Make them with: aver reproduce recipes/pseudo_films.toml"
        raise CorpusError(root / RECORD, f"cannot be read ({error})", advice) from error


def _identity(settings: PseudoFilmsSettings, casts: list[Cast]) -> str:
    """A hash of all that the films are made of: settings and names of the recordings."""
    about = {
        "version": VERSION,
        "settings": settings.model_dump(mode="json", exclude={"folders"}),
        "casts": [cast.names() for cast in casts],
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def _done(out: Path, identity: str) -> bool:
    if not (out / RECORD).is_file():
        return False
    if read_record(out).get("identity") != identity:
        raise OutputError(
            out, "holds pseudo-films of other settings or recordings", "Choose another folder"
        )
    return True


def _kept(path: Path, identity: str) -> dict[str, Any] | None:
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    return found if found.get("identity") == identity else None


def _write_film(
    out: Path,
    name: str,
    sound: NDArray[np.float32],
    trace: NDArray[np.float64],
    facts: dict[str, Any],
) -> None:
    """Sound and trace first, what is in them last: its being there says that all is."""

    def wav(stream: BinaryIO) -> None:
        with wave.open(stream, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(np.clip(np.rint(sound * 32767), -32768, 32767).astype("<i2").tobytes())

    def dat(stream: BinaryIO) -> None:
        np.savetxt(stream, trace, fmt="%.6g")

    write_files(
        [(out / FILMS / f"{name}.wav", wav), (out / TRACES / f"intended_1_{name}.dat", dat)]
    )
    _write(out / FILMS / f"{name}.json", json.dumps(facts).encode())


def _write(path: Path, content: bytes) -> None:
    write_files([(path, writer_of(content))])
