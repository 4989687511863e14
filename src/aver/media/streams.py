"""Which of the streams in a container are the recording's picture and sound."""

from __future__ import annotations

from typing import Any

# Containers whose header states the duration (others are estimated from the file's size).
# fmt: off
TRUSTED_DURATION = frozenset({
    "aiff", "ape", "asf", "au", "avi", "caf", "flac", "flv", "matroska", "webm", "mov", "mp4",
    "mxf", "nut", "tta", "w64", "wav", "wv",
})
# fmt: on
STILL_FORMATS = frozenset({"apng", "gif", "ico", "mov", "webp"})

# AV_DISPOSITION_*, libavformat/avformat.h
_DEFAULT, _COMMENT = 1 << 0, 1 << 3
_FOR_IMPAIRED = 1 << 7 | 1 << 8
_COVER_ART = 1 << 10 | 1 << 11


def best_video(container: Any) -> Any | None:
    """The picture: the default, else the largest; a cover picture is none."""
    candidates = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not _disposition(stream) & _COVER_ART
    ]
    return max(
        candidates,
        key=lambda stream: (
            bool(_disposition(stream) & _DEFAULT),
            stream.codec_context.width * stream.codec_context.height,
            -stream.index,
        ),
        default=None,
    )


def best_audio(container: Any) -> Any | None:
    """The sound: no comments or descriptions, the default, else the one with most channels."""
    candidates = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return max(
        candidates,
        key=lambda stream: (
            not _disposition(stream) & (_COMMENT | _FOR_IMPAIRED),
            bool(_disposition(stream) & _DEFAULT),
            stream.codec_context.channels,
            -stream.index,
        ),
        default=None,
    )


def nothing_to_read(container: Any, picture: bool, sound: bool) -> tuple[str, str]:
    """Problem and advice for a container without the streams that were asked for."""
    if not picture and best_video(container) is not None:
        return "it holds no sound", "Analyse its picture, or name another file"
    if not sound and best_audio(container) is not None:
        return "it holds no picture", "Analyse its sound, or name another file"
    return (
        "it holds neither a picture nor sound that can be decoded",
        "Check that it plays in a media player",
    )


def stated_end(container: Any, chosen: list[Any]) -> float | None:
    """Time stamp at which the header says the chosen streams end; None where it does not say."""
    if not TRUSTED_DURATION & set(container.format.name.split(",")):
        return None
    if all(stream.duration for stream in chosen):
        return max(
            float(((stream.start_time or 0) + stream.duration) * stream.time_base)
            for stream in chosen
        )
    if len(chosen) < len(container.streams) or not container.duration:
        return None
    return float(container.duration / 1_000_000)


def may_be_still(container: Any, video: Any | None) -> bool:
    """Whether this is of a kind that may be a single picture."""
    if video is None or len(container.streams.audio) > 0:
        return False
    names = set(container.format.name.split(","))
    if any(name.endswith("_pipe") for name in names):
        return True
    return bool(names & STILL_FORMATS) and video.frames <= 1


def _disposition(stream: Any) -> int:
    return int(getattr(stream.disposition, "value", stream.disposition))
