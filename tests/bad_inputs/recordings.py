"""Writes small recordings by code, each with a known picture at every time and a known sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

Picture = Callable[[float], np.ndarray]
Sound = Callable[[np.ndarray], np.ndarray]

CORNERS = {"top left": (230, 30, 30), "top right": (30, 200, 30), "bottom left": (30, 30, 230)}
"""Colours of three corners of every picture made here; the fourth corner is light grey."""


def corner_picture(width: int, height: int, level: float = 0.0) -> np.ndarray:
    """Picture whose corners tell which way up it is; *level* in [0, 1] is the brightness inside.

    Returns:
        uint8 (height, width, 3) RGB.
    """
    image = np.empty((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    image[:top, :left] = CORNERS["top left"]
    image[:top, left:] = CORNERS["top right"]
    image[top:, :left] = CORNERS["bottom left"]
    image[top:, left:] = (200, 200, 200)
    image[height // 4 : -height // 4 or None, width // 4 : -width // 4 or None] = round(level * 255)
    return image


def moving(time: float) -> np.ndarray:
    """Picture whose brightness moves, so that every frame costs bytes."""
    rng = np.random.default_rng(round(time * 1000))
    image = corner_picture(160, 120, 0.5 + 0.5 * np.sin(time))
    image[30:90, 40:120] = rng.integers(0, 255, (60, 80, 3), np.uint8)
    return image


def flashes(width: int, height: int, times: Sequence[float], seconds: float = 0.02) -> Picture:
    """Corner picture that is dark inside, and white within *seconds* after each of *times*."""
    dark, light = corner_picture(width, height, 0.0), corner_picture(width, height, 1.0)
    return lambda time: light if any(0 <= time + 1e-9 - at < seconds for at in times) else dark


def tone(hertz: float = 440.0, level: float = 0.5) -> Sound:
    """Sine tone without end."""
    return lambda times: level * np.sin(2 * np.pi * hertz * times)


def beeps(times: Sequence[float], seconds: float = 0.05, hertz: float = 1000.0) -> Sound:
    """Tone of *seconds* that starts at each of *times*, silence elsewhere."""

    def sound(clock: np.ndarray) -> np.ndarray:
        on = np.zeros(len(clock), bool)
        for at in times:
            on |= (clock >= at) & (clock < at + seconds)
        return np.where(on, 0.5 * np.sin(2 * np.pi * hertz * clock), 0.0)

    return sound


def silence(times: np.ndarray) -> np.ndarray:
    """Nothing to be heard."""
    return np.zeros(len(times))


def write(
    path: Path,
    *,
    seconds: float = 2.0,
    size: tuple[int, int] = (64, 48),
    rate: int = 30,
    picture: Picture | str | None = "corners",
    frame_times: Sequence[float] | None = None,
    picture_start: float = 0.0,
    video_codec: str = "libx264",
    pixel_format: str = "yuv420p",
    video_options: dict[str, str] | None = None,
    rotation: int = 0,
    sound: Sound | None = None,
    sound_start: float = 0.0,
    sound_seconds: float | None = None,
    sample_rate: int = 44100,
    layout: str = "mono",
    audio_codec: str = "aac",
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a recording.

    Args:
        path: file to write.
        seconds: length of picture and sound.
        size: width and height in pixels.
        rate: frames per second.
        picture: time (seconds) to picture; "corners" for a still corner picture, None for none.
        frame_times: times of the frames instead of a fixed rate, in seconds (milliseconds kept).
        picture_start: seconds at which the picture starts.
        video_codec: FFmpeg's name of the encoder.
        pixel_format: FFmpeg's name.
        video_options: options of the encoder.
        rotation: clockwise degrees by which players turn the stored picture.
        sound: times (samples,) to samples in [-1, 1]; None for no sound.
        sound_start: seconds at which the sound starts.
        sound_seconds: length of the sound where it differs from *seconds*.
        sample_rate: Hz.
        layout: FFmpeg's name of the channel layout; all channels get the same sound.
        audio_codec: FFmpeg's name of the encoder.
        container: FFmpeg's name of the muxer, where the file name does not tell it.
        options: options of the muxer.
    """
    if picture == "corners":
        still = corner_picture(*size)
        picture = lambda _: still  # noqa: E731
    with (
        path.open("wb") as file,
        av.open(file, "w", format=container or _muxer(path), options=options or {}) as out,
    ):
        video = audio = None
        if callable(picture):
            video = out.add_stream(video_codec, rate=rate, options=video_options or {})
            video.width, video.height, video.pix_fmt = *size, pixel_format
            if frame_times:
                video.codec_context.time_base = Fraction(1, 1000)
        if sound is not None:
            audio = out.add_stream(audio_codec, rate=sample_rate)
            audio.layout = layout
        jobs: list[tuple[float, Any, Any]] = []
        if video is not None and callable(picture):
            times = frame_times or [n / rate for n in range(max(1, round(seconds * rate)))]
            jobs += [
                (
                    picture_start + time,
                    video,
                    lambda time=time: _frame(picture, time, frame_times, rate, picture_start),
                )
                for time in times
            ]
        if audio is not None and sound is not None:
            total = round((seconds if sound_seconds is None else sound_seconds) * sample_rate)
            step = 1024
            jobs += [
                (
                    sound_start + first / sample_rate,
                    audio,
                    lambda first=first: _sound_frame(
                        sound, first, min(step, total - first), sample_rate, layout, sound_start
                    ),
                )
                for first in range(0, total, step)
            ]
        for _, stream, make in sorted(jobs, key=lambda job: job[0]):
            out.mux(stream.encode(make()))
        for stream in (video, audio):
            if stream is not None:
                out.mux(stream.encode(None))
    if rotation:
        turns = {90: [0, 1, -1, 0], 180: [-1, 0, 0, -1], 270: [0, -1, 1, 0]}
        set_display_matrix(path, turns[rotation])
    return path


def set_display_matrix(path: Path, matrix: Sequence[int]) -> None:
    """Set a, b, c, d of the display matrix of an MP4 or MOV file (ISO/IEC 14496-12, 8.3.2)."""
    a, b, c, d = (value << 16 for value in matrix)
    rows = [a, b, 0, c, d, 0, 0, 0, 1 << 30]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in rows)
    path.write_bytes(data)


def write_image(path: Path, image: np.ndarray, codec: str, pixel_format: str) -> Path:
    """Write one picture; *image* is RGB, RGBA or grey uint8 (or grey uint16) as its shape says."""
    kinds = {(2, 1): "gray", (2, 2): "gray16le", (3, 3): "rgb24", (3, 4): "rgba"}
    last = image.itemsize if image.ndim == 2 else image.shape[2]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), kinds[image.ndim, last])
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, pixel_format
    context.time_base = Fraction(1, 25)
    frame = frame.reformat(format=pixel_format)
    frame.pts = 0
    packets = context.encode(frame) + context.encode(None)
    path.write_bytes(b"".join(bytes(packet) for packet in packets))
    return path


def _muxer(path: Path) -> str:
    names = {
        ".mkv": "matroska", ".ts": "mpegts", ".m4a": "ipod", ".aac": "adts", ".ogg": "ogg",
    }  # fmt: skip
    return names.get(path.suffix, path.suffix[1:])


def _frame(
    picture: Picture, time: float, times: Sequence[float] | None, rate: int, start: float
) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture(time)), "rgb24")
    base = Fraction(1, 1000) if times else Fraction(1, rate)
    if start and not times:
        base = Fraction(1, rate * 1000)
    frame.time_base = base
    frame.pts = round((time + start) / base)
    return frame


def _sound_frame(
    sound: Sound, first: int, count: int, rate: int, layout: str, start: float
) -> av.AudioFrame:
    samples = sound((first + np.arange(count)) / rate).astype(np.float32)
    channels = av.AudioLayout(layout).nb_channels
    frame = av.AudioFrame.from_ndarray(np.tile(samples, (channels, 1)), "fltp", layout)
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    frame.pts = round(start * rate) + first
    return frame
