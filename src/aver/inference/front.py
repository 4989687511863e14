"""The front end of the analysis: from a recording to embeddings of its windows."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.faces import FaceObservation, FaceTracker, make_detector
from aver.features.face_embedding import EMBEDDING, FaceEmbedder, window_embedding
from aver.features.voice_embedding import VoiceEmbedder
from aver.inference.networks import locate
from aver.inference.people import FaceWindow, PersonMemory
from aver.inference.settings import WINDOW_SECONDS, AnalysisSettings
from aver.inference.speaker import owner_of_voice
from aver.media import MediaInfo, Window, probe, read_windows


class FrontEnd:
    """Detector and embedding networks, loaded once; serves any number of recordings.

    Raises:
        ModelError: if a network is missing or damaged.
    """

    def __init__(self, settings: AnalysisSettings):
        import cv2

        self.settings = settings
        s = settings
        # The decoder has threads of its own; OpenCV's would only get in their way.
        cv2.setNumThreads(s.threads)
        self.face = FaceEmbedder(locate(s.face_network), threads=s.threads)
        self.voice = VoiceEmbedder(locate(s.voice_network), threads=s.threads)
        self.detector = make_detector(s.detector) if s.picture else None


@dataclass(slots=True)
class Heard:
    """A window's voice: its embedding, whose it is, and whether that could not be told.

    ``plain`` is the embedding before it was moved by the recording's own voice, ``log_mel``
    (48, 64) what the voice network took.
    """

    embedding: NDArray[np.float32]
    owner: int | None
    shared: bool
    plain: NDArray[np.float32] | None = None
    log_mel: NDArray[np.float32] | None = None


class Reading:
    """One recording being read, window by window.

    Args:
        front: detector and networks.
        path: the file.
        adapt_voice: move voice embeddings by what the recording's own voice is like.

    Attributes:
        info: facts of the file.
        warnings: what could not be read.
        people: what is remembered of each person, by raw number.
        heard: voice by window.
        spans: (start, end) by window.
        seconds: how far the recording was read.
        any_voice: whether a voice was heard at all.

    Raises:
        MediaError: if the file cannot be read at all.
    """

    def __init__(self, front: FrontEnd, path: str | Path, *, adapt_voice: bool = True):
        self.front = front
        self.settings = front.settings
        self.path = Path(path)
        self.info: MediaInfo = probe(path, self.settings.limits)
        self.warnings: list[str] = []
        self.people: dict[int, PersonMemory] = {}
        self.heard: dict[int, Heard] = {}
        self.spans: dict[int, tuple[float, float]] = {}
        self.seconds = 0.0
        self.any_voice = False
        self._owner: int | None = None
        self._voice = front.voice.start(adapt=adapt_voice)
        self.tracker: FaceTracker | None = None
        if front.detector is not None and self.info.has_video:
            self.tracker = FaceTracker(front.detector, settings=self.settings.faces)

    def windows(self) -> Iterator[Window]:
        """Read the file's windows, decoding a little ahead in a thread of its own."""
        s = self.settings
        windows = read_windows(
            self.path,
            window_seconds=WINDOW_SECONDS,
            frames_per_second=s.frames_per_second,
            max_side=s.max_side,
            picture=s.picture,
            sound=s.sound,
            limits=s.limits,
            warn=self.warnings.append,
        )
        # Decoding and looking at faces run side by side; the queue bounds what waits between.
        return prefetch(windows, size=3)

    def take(self, window: Window) -> None:
        """Look at and listen to one window, and remember it."""
        self.spans[window.index] = (window.start, window.end)
        self.seconds = window.end
        faces = self._look(window)
        embedding = None
        if window.samples is not None and self.settings.sound:
            embedding = self._voice.embed_window(window.samples)
        if embedding is not None:
            self.any_voice = True
            self._owner = owner_of_voice(faces, self._owner)
            shared = self._owner is None and len(faces) > 1
            plain, log_mel = self._voice.plain, self._voice.log_mel
            self.heard[window.index] = Heard(embedding, self._owner, shared, plain, log_mel)

    def forget_before(self, index: int) -> None:
        """Drop what no context reaches any more."""
        for memory in self.people.values():
            memory.forget_before(index)
        for old in [i for i in self.heard if i < index]:
            del self.heard[old]
        for old in [i for i in self.spans if i < index]:
            del self.spans[old]

    def _look(self, window: Window) -> dict[int, FaceWindow]:
        if self.tracker is None:
            return {}
        seen: dict[int, list[FaceObservation]] = {}
        for frame in window.frames:
            for observation in self.tracker.update(frame):
                seen.setdefault(observation.person, []).append(observation)
        if not seen:
            return {}
        crops = [o.crop for observations in seen.values() for o in observations]
        embeddings = self.front.face.embed(np.stack(crops))
        found: dict[int, FaceWindow] = {}
        at = 0
        for person, observations in seen.items():
            mean = window_embedding(embeddings[at : at + len(observations)])
            at += len(observations)
            found[person] = FaceWindow.of(observations, mean)
            memory = self.people.setdefault(
                person, PersonMemory(first_seen=observations[0].time, last_seen=window.end)
            )
            memory.add(window.index, window.start, window.end, found[person])
        return found


def embed_clip(
    front: FrontEnd, path: str | Path, windows: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32], NDArray[np.bool_]]:
    """Embed the first *windows* windows of a clip of one person: what networks are trained on.

    Where several people are seen, the one seen longest counts, and the voice is theirs.

    Returns:
        Face (windows, dimensions), its mask (windows,), voice and its mask; at most *windows*
        long, shorter for a shorter clip.

    Raises:
        MediaError: if the file cannot be read.
    """
    # What fuses voices is trained on embeddings as they are, see VoiceEmbedder.start.
    reading = Reading(front, path, adapt_voice=False)
    last = -1
    source = reading.windows()
    for window in source:
        if window.index >= windows:
            break
        reading.take(window)
        last = window.index
    close = getattr(source, "close", None)
    if close is not None:
        close()
    count = last + 1
    width = EMBEDDING
    face, voice = np.zeros((count, width), np.float32), np.zeros((count, width), np.float32)
    face_mask, voice_mask = np.zeros(count, bool), np.zeros(count, bool)
    if reading.people:
        main = max(reading.people.values(), key=lambda memory: memory.seconds_seen)
        for index, seen in main.windows.items():
            face[index], face_mask[index] = seen.embedding, True
    for index, heard in reading.heard.items():
        voice[index], voice_mask[index] = heard.embedding, True
    return face, face_mask, voice, voice_mask


def prefetch(windows: Iterator[Window], size: int) -> Iterator[Window]:
    """Read *windows* in a thread of its own, at most *size* ahead.

    An exception of the reader comes out here; closing this iterator stops the reader.
    """
    waiting: queue.Queue[Any] = queue.Queue(maxsize=size)
    stop = threading.Event()
    end = object()

    def put(item: Any) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for window in windows:
                if not put(window):
                    break
            put(end)
        except BaseException as error:  # handed to the reader of the queue, whatever it is
            put(error)
        finally:
            close = getattr(windows, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=read, name="aver-decode", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not end:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join(timeout=10.0)
