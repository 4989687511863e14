"""Opening a recording: local files only, within limits, with one clear line when it cannot be.

The file is opened here and handed to FFmpeg as an open file, never as a name: no protocol, no
pattern and no second file can be reached, and every name that the file system allows works.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import av
import av.error

from aver.errors import MediaError
from aver.media.kinds import MediaLimits

# Demuxers that name other files, listen to a network, read a device, or make a picture out of any
# text whatever.
# fmt: off
REFUSED_FORMATS = frozenset({
    "adf", "alsa", "avisynth", "bin", "concat", "dash", "data", "fbdev", "ffmetadata", "hls",
    "hds", "idf", "image2", "imf", "jack", "kmsgrab", "lavfi", "libcdio", "libdc1394", "openal",
    "oss", "pulse", "rawvideo", "rtp", "rtp_mpegts", "rtsp", "sap", "sdp", "sndio", "tty",
    "vapoursynth", "video4linux2,v4l2", "webm_dash_manifest", "x11grab", "xbin", "xcbgrab",
})
# Containers whose header states the duration (others are estimated from the file's size).
TRUSTED_DURATION = frozenset({
    "aiff", "ape", "asf", "au", "avi", "caf", "flac", "flv", "matroska", "webm", "mov", "mp4",
    "mxf", "nut", "tta", "w64", "wav", "wv",
})
# fmt: on
STILL_FORMATS = frozenset({"apng", "gif", "ico", "mov", "webp"})
_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]+:")
_READ_BYTES = 1 << 18


@dataclass
class Recording:
    """An open file, with the streams that were chosen from it."""

    path: Path
    container: Any
    video: Any | None
    audio: Any | None
    duration: float | None
    stated_end: float | None
    may_be_still: bool

    def close(self) -> None:
        """Close the file; the streams are unusable afterwards."""
        self.container.close()


def open_recording(
    path: str | os.PathLike[str], limits: MediaLimits, *, picture: bool = True, sound: bool = True
) -> Recording:
    """Open *path* and choose its picture and sound streams.

    Raises:
        MediaError: there is no such file, it is no recording, it is beyond *limits*, or it holds
            none of what was asked for.
    """
    where = _checked_path(path)
    container = _open_container(where, limits)
    try:
        if len(container.streams) > limits.max_streams:
            raise MediaError(
                where,
                f"it holds more than {limits.max_streams} streams",
                "raise the limit max_streams if the file is to be trusted",
            )
        video = _best_video(container) if picture else None
        audio = _best_audio(container) if sound else None
        if video is None and audio is None:
            raise MediaError(where, *_nothing_to_read(container, picture, sound))
        if video is not None:
            check_pixels(where, video.codec_context.width, video.codec_context.height, limits)
        _skip_other_streams(container, (video, audio))
        duration = _duration(container, video, audio)
        if (
            limits.max_duration_seconds is not None
            and (duration or 0) > limits.max_duration_seconds
        ):
            raise MediaError(
                where,
                f"it lasts {duration:.0f} s, more than the limit of "
                f"{limits.max_duration_seconds:.0f} s",
                "raise the limit max_duration_seconds, or cut the recording",
            )
    except BaseException:
        container.close()
        raise
    chosen = [stream for stream in (video, audio) if stream is not None]
    return Recording(
        path=where,
        container=container,
        video=video,
        audio=audio,
        duration=duration,
        stated_end=_stated_end(container, chosen),
        may_be_still=_may_be_still(container, video),
    )


def check_pixels(path: Path, width: int, height: int, limits: MediaLimits) -> None:
    """Raise MediaError where a picture is larger than the limit."""
    if width * height > limits.max_pixels:
        raise MediaError(
            path,
            f"its picture has {width} x {height} pixels, more than the limit of "
            f"{limits.max_pixels}",
            "raise the limit max_pixels, or scale the recording down",
        )


def _check_duration(path: Path, duration: float | None, limits: MediaLimits) -> None:
    longest = limits.max_duration_seconds
    if longest is not None and duration is not None and duration > longest:
        raise MediaError(
            path,
            f"it lasts {duration:.0f} s, more than the limit of {longest:.0f} s",
            "raise the limit max_duration_seconds, or cut the recording",
        )


def _checked_path(path: str | os.PathLike[str]) -> Path:
    where = Path(path)
    try:
        status = where.stat()
    except FileNotFoundError:
        if _ADDRESS.match(os.fspath(path)):
            raise MediaError(
                os.fspath(path),
                "this is an address, and only local files are read",
                "save the recording to a file first",
            ) from None
        raise MediaError(where, "there is no such file", "check the name") from None
    except ValueError:
        raise MediaError(where, "this cannot be a file name", "check the name") from None
    except OSError as error:
        raise MediaError(where, f"it cannot be reached ({error.strerror})", "check it") from None
    if stat.S_ISDIR(status.st_mode):
        raise MediaError(where, "this is a folder", "name the recordings in it")
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(
            where, "this is a device or a pipe, not a file", "save the recording to a file first"
        )
    if status.st_size == 0:
        raise MediaError(where, "the file is empty", "copy or record it again")
    return where


@cache
def _allowed_formats() -> str:
    return ",".join(sorted(set(av.formats_available) - REFUSED_FORMATS))


def _refuse_second_file(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("recordings that name other files are not followed")


def _open_container(path: Path, limits: MediaLimits) -> Any:
    try:
        # Unbuffered: FFmpeg keeps its own buffer, and a plain FileIO runs no Python code in reads.
        file = path.open("rb", buffering=0)
    except PermissionError:
        raise MediaError(path, "there is no permission to read it", "change its rights") from None
    except OSError as error:
        raise MediaError(path, f"it cannot be opened ({error.strerror})", "check it") from None
    try:
        return av.open(
            file,
            mode="r",
            buffer_size=_READ_BYTES,
            metadata_errors="replace",
            io_open=_refuse_second_file,
            options={"max_pixels": str(limits.max_pixels)},
            container_options={
                "format_whitelist": _allowed_formats(),
                "protocol_whitelist": "none",
                # One more than allowed, so that the excess can be seen and named.
                "max_streams": str(limits.max_streams + 1),
            },
        )
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
        problem, advice = _why_unreadable(file, error)
        file.close()
        raise MediaError(path, problem, advice) from None


def _why_unreadable(file: Any, error: Exception) -> tuple[str, str]:
    if isinstance(error, OSError) and not isinstance(error, av.error.FFmpegError):
        if isinstance(error, PermissionError):
            return "it names other files, which are not followed", "name those files themselves"
        return f"it cannot be read ({error.strerror})", "check the disk, or copy the file again"
    file.seek(0)
    head = file.read(4096)
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free"):
        return (
            "the index of this MP4 or MOV file is missing or damaged, so it cannot be read",
            "copy it again from where it was recorded; it may have been cut off",
        )
    if head.startswith((b"#EXTM3U", b"ffconcat")) or b"<MPD" in head:
        return "this is a playlist that names other files", "name those files themselves"
    if _is_text(head):
        return "this is a text file, not a recording", "name a video, sound or picture file"
    return (
        "this is not a recording that can be read: damaged, or of an unknown kind",
        "check that it plays in a media player",
    )


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and len(head) == 4096
    return True


def _disposition(stream: Any) -> int:
    return int(getattr(stream.disposition, "value", stream.disposition))


_DEFAULT, _COMMENT = 1 << 0, 1 << 3
_FOR_IMPAIRED = 1 << 7 | 1 << 8
_COVER_ART = 1 << 10 | 1 << 11


def _best_video(container: Any) -> Any | None:
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


def _best_audio(container: Any) -> Any | None:
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


def _skip_other_streams(container: Any, chosen: tuple[Any | None, ...]) -> None:
    indices = {stream.index for stream in chosen if stream is not None}
    for stream in container.streams:
        if stream.index not in indices and hasattr(stream, "discard"):
            stream.discard = (
                "all" if isinstance(stream.discard, str) else type(stream.discard)["all"]
            )


def _nothing_to_read(container: Any, picture: bool, sound: bool) -> tuple[str, str]:
    video, audio = _best_video(container), _best_audio(container)
    if not picture and video is not None:
        return "it holds no sound", "analyse its picture, or name another file"
    if not sound and audio is not None:
        return "it holds no picture", "analyse its sound, or name another file"
    return (
        "it holds neither a picture nor sound that can be decoded",
        "check that it plays in a media player",
    )


def _duration(container: Any, *streams: Any | None) -> float | None:
    if container.duration is not None and container.duration > 0:
        return float(container.duration / 1_000_000)
    lengths = [
        float(stream.duration * stream.time_base)
        for stream in streams
        if stream is not None and stream.duration and stream.time_base
    ]
    return max((length for length in lengths if length > 0), default=None)


def _stated_end(container: Any, chosen: list[Any]) -> float | None:
    """Time at which the header says the chosen streams end; None where it does not say."""
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


def _may_be_still(container: Any, video: Any | None) -> bool:
    if video is None or len(container.streams.audio) > 0:
        return False
    names = set(container.format.name.split(","))
    if any(name.endswith("_pipe") for name in names):
        return True
    return bool(names & STILL_FORMATS) and video.frames <= 1
