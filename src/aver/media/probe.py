"""Facts about a recording without reading it through."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import av.error

from aver.media.kinds import MediaInfo, MediaLimits
from aver.media.picture import display_size, orientation
from aver.media.source import Recording, open_recording

_MOST_PACKETS = 300
_DECODING_ERRORS = (av.error.FFmpegError, OSError, ValueError, MemoryError, IndexError)


def probe(path: str | os.PathLike[str], limits: MediaLimits | None = None) -> MediaInfo:
    """Tell what a file is: its streams, size, rates, turn, and duration where its header says.

    Raises:
        MediaError: the file cannot be read, or is beyond *limits*.
    """
    limits = limits or MediaLimits()
    recording = open_recording(path, limits)
    try:
        return _facts(recording, limits)
    finally:
        recording.close()


def _facts(recording: Recording, limits: MediaLimits) -> MediaInfo:
    video, audio = recording.video, recording.audio
    frames = [] if video is None else _first_frames(recording, limits)
    is_image = recording.may_be_still and len(frames) == 1
    size: tuple[int, int] | None = None
    rotation = 0
    if video is not None:
        shape = frames[0] if frames else video.codec_context
        size = display_size(shape.width, shape.height, video.sample_aspect_ratio)
        rotation = 90 * orientation(frames[0])[0] if frames else 0
        if rotation in (90, 270):
            size = size[1], size[0]
    return MediaInfo(
        path=recording.path,
        duration=None if is_image else recording.duration,
        has_video=video is not None,
        has_audio=audio is not None,
        width=size[0] if size else None,
        height=size[1] if size else None,
        frames_per_second=None if video is None or is_image else _rate(video),
        sample_rate=audio.codec_context.sample_rate if audio is not None else None,
        channels=audio.codec_context.channels if audio is not None else None,
        container=recording.container.format.name,
        video_codec=video.codec_context.name if video is not None else None,
        audio_codec=audio.codec_context.name if audio is not None else None,
        rotation=rotation,
        is_image=is_image,
    )


def _rate(video: Any) -> float | None:
    rate = video.average_rate or video.guessed_rate
    return float(rate) if rate and 0 < rate <= 1000 else None


def _first_frames(recording: Recording, limits: MediaLimits) -> list[Any]:
    """Decode the first picture (of what may be a still image: the first two)."""
    wanted = 2 if recording.may_be_still else 1
    frames: list[Any] = []
    video: Any = recording.video
    video.codec_context.options = {"max_pixels": str(limits.max_pixels)}
    with suppress(*_DECODING_ERRORS):
        for number, packet in enumerate(recording.container.demux(video)):
            with suppress(*_DECODING_ERRORS):
                frames += video.codec_context.decode(packet)
            if len(frames) >= wanted or number > _MOST_PACKETS:
                break
    return frames[:wanted]
