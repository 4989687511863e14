"""Sources of live pictures and sound: a camera, a microphone, a file played in real time."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import MediaError, SettingError
from aver.inference.live_pace import Sources
from aver.media import SAMPLE_RATE, MediaLimits, VideoFrame, read_windows

_CHUNK_SAMPLES = SAMPLE_RATE // 10


def play(
    path: Path,
    sources: Sources,
    stop: threading.Event,
    *,
    frames_per_second: float = 10.0,
    max_side: int = 640,
    limits: MediaLimits | None = None,
) -> None:
    """Hand over a recording's pictures and sound when their time has come, as a camera would.

    Raises:
        MediaError: if the file cannot be read.
    """
    windows = read_windows(
        path, frames_per_second=frames_per_second, max_side=max_side, limits=limits
    )
    began: float | None = None
    for window in windows:
        if began is None:
            began = time.perf_counter()
        pieces: list[tuple[float, Any]] = [(frame.time, frame) for frame in window.frames]
        if window.samples is not None:
            for at in range(0, len(window.samples), _CHUNK_SAMPLES):
                part = window.samples[at : at + _CHUNK_SAMPLES]
                start = window.start + at / SAMPLE_RATE
                pieces.append((start + len(part) / SAMPLE_RATE, (start, part)))
        for due, piece in sorted(pieces, key=lambda entry: entry[0]):
            if stop.wait(max(0.0, due - (time.perf_counter() - began))):
                return
            if isinstance(piece, VideoFrame):
                sources.picture(piece)
            else:
                sources.sound(*piece)


def film(
    camera: int,
    sources: Sources,
    stop: threading.Event,
    *,
    frames_per_second: float = 10.0,
    max_side: int = 640,
) -> None:
    """Hand over a local camera's pictures.

    Args:
        camera: its number, 0 for the first.
        sources: where to.
        stop: ends it.
        frames_per_second: at most so many are handed over.
        max_side: pictures are scaled down so that no side is longer.

    Raises:
        MediaError: if there is no such camera, or it stops giving pictures.
    """
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    capture = cv2.VideoCapture(camera)
    try:
        if not capture.isOpened():
            raise MediaError(
                f"camera {camera}",
                "cannot be opened",
                "Check that it is plugged in, that no other program uses it, and your rights to it",
            )
        # Old pictures in the driver's buffer would be late before they are looked at.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        due, misses = 0.0, 0
        while not stop.is_set():
            there, picture = capture.read()
            now = time.perf_counter()
            if not there:
                misses += 1
                if misses > 50:
                    raise MediaError(f"camera {camera}", "gives no pictures any more", "Plug it in")
                stop.wait(0.02)
                continue
            misses = 0
            if now < due:
                continue
            due = max(due + 1.0 / frames_per_second, now)
            picture, scale = shrink(picture, max_side)
            image = np.ascontiguousarray(picture[..., ::-1])
            sources.picture(VideoFrame(time=now, image=image, scale=scale))
    finally:
        capture.release()


def shrink(picture: NDArray[np.uint8], max_side: int) -> tuple[NDArray[np.uint8], float]:
    """A picture no side of which is longer than *max_side*, and pixels it had for each it has."""
    import cv2

    height, width = picture.shape[:2]
    scale = max(1.0, max(height, width) / max_side)
    if scale > 1.0:
        size = max(1, round(width / scale)), max(1, round(height / scale))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return picture, scale


def listen(sources: Sources, stop: threading.Event, device: str | None = None) -> None:
    """Hand over a microphone's sound, on the clock of :func:`film`.

    Raises:
        SettingError: if the extra ``live`` is not installed.
        MediaError: if there is no microphone.
    """
    try:
        import sounddevice  # type: ignore[import-not-found]
    except (ImportError, OSError) as error:
        raise SettingError(
            "microphone", f"needs the package sounddevice ({error})", 'pip install "aver[live]"'
        ) from None

    def heard(samples: Any, count: int, times: Any, status: Any) -> None:
        del times, status
        start = time.perf_counter() - count / SAMPLE_RATE
        sources.sound(start, samples[:, 0].astype(np.float32).copy())

    try:
        with sounddevice.InputStream(
            samplerate=SAMPLE_RATE,
            channels=1,
            blocksize=_CHUNK_SAMPLES,
            dtype="float32",
            device=device,
            callback=heard,
        ):
            stop.wait()
    except (sounddevice.PortAudioError, ValueError) as error:
        raise MediaError(
            "microphone", f"cannot be opened ({error})", "Check that there is one, or leave it out"
        ) from None
