"""Opening a recording: local files only, within limits, with one clear line when it cannot be.

The file is opened here and handed to FFmpeg as an open file, never as a name: no protocol, no
pattern and no second file can be reached, and every name that the file system allows works.
"""

from __future__ import annotations

import io
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
from aver.media import sniff
from aver.media.kinds import MediaLimits
from aver.media.streams import best_audio, best_video, may_be_still, nothing_to_read, stated_end

# Demuxers that name other files, listen to a network, read a device, or make a picture out of any
# text whatever.
# fmt: off
REFUSED_FORMATS = frozenset({
    "adf", "alsa", "avisynth", "bin", "concat", "dash", "data", "fbdev", "ffmetadata", "hls",
    "hds", "idf", "image2", "imf", "jack", "kmsgrab", "lavfi", "libcdio", "libdc1394", "openal",
    "oss", "pulse", "rawvideo", "rtp", "rtp_mpegts", "rtsp", "sap", "sdp", "sndio", "tty",
    "vapoursynth", "video4linux2,v4l2", "webm_dash_manifest", "x11grab", "xbin", "xcbgrab",
})
# fmt: on
_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]+:")
_READ_BYTES = 1 << 18
_OPENING_ERRORS = (av.error.FFmpegError, OSError, ValueError, MemoryError)


@dataclass
class Recording:
    """An open file, with the streams that were chosen from it.

    Args:
        path: the file.
        head: its first bytes.
        container: PyAV's container.
        video: picture stream, or None.
        audio: sound stream, or None.
        duration: seconds, stated or estimated; None where unknown.
        stated_end: time stamp at which the header says the chosen streams end; None where it
            does not say.
        lost_share: share of the bytes its header states that are missing at the end.
        may_be_still: whether it is of a kind that may be a single picture.
        is_cut_off: whether it was recognised only by its first bytes.
    """

    path: Path
    head: bytes
    container: Any
    video: Any | None
    audio: Any | None
    duration: float | None
    stated_end: float | None
    lost_share: float
    may_be_still: bool
    is_cut_off: bool

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
    head, container, is_cut_off = _open_container(where, limits)
    try:
        video = best_video(container) if picture else None
        audio = best_audio(container) if sound else None
        _check_streams(where, container, limits)
        if video is None and audio is None:
            raise MediaError(where, *nothing_to_read(container, picture, sound))
        if video is not None:
            check_pixels(where, video.codec_context.width, video.codec_context.height, limits)
        duration = _duration(container, video, audio)
        _check_duration(where, duration, limits)
    except BaseException:
        container.close()
        raise
    chosen = [stream for stream in (video, audio) if stream is not None]
    for stream in container.streams:
        if stream not in chosen and hasattr(stream, "discard"):
            stream.discard = type(stream.discard)["all"]
    stated, size = sniff.stated_bytes(head), where.stat().st_size
    return Recording(
        path=where,
        head=head,
        container=container,
        video=video,
        audio=audio,
        duration=duration,
        stated_end=stated_end(container, chosen),
        lost_share=max(0.0, 1.0 - size / stated) if stated else 0.0,
        may_be_still=may_be_still(container, video),
        is_cut_off=is_cut_off,
    )


def check_pixels(path: Path, width: int, height: int, limits: MediaLimits) -> None:
    """Raise MediaError where a picture is larger than the limit."""
    if width * height > limits.max_pixels:
        raise MediaError(
            path,
            f"its picture has {width} x {height} pixels, more than the limit of "
            f"{limits.max_pixels}",
            "Raise the limit max_pixels, or scale the recording down",
        )


def _check_streams(path: Path, container: Any, limits: MediaLimits) -> None:
    if len(container.streams) > limits.max_streams:
        raise MediaError(
            path,
            f"it holds more than {limits.max_streams} streams",
            "Raise the limit max_streams if the file is to be trusted",
        )


def _check_duration(path: Path, duration: float | None, limits: MediaLimits) -> None:
    longest = limits.max_duration_seconds
    if longest is not None and duration is not None and duration > longest:
        raise MediaError(
            path,
            f"it lasts {duration:.0f} s, more than the limit of {longest:.0f} s",
            "Raise the limit max_duration_seconds, or cut the recording",
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
                "Save the recording to a file first",
            ) from None
        raise MediaError(where, "there is no such file", "Check the name") from None
    except ValueError:
        raise MediaError(where, "this cannot be a file name", "Check the name") from None
    except OSError as error:
        raise MediaError(
            where, f"it cannot be reached ({error.strerror})", "Check the name and its rights"
        ) from None
    if stat.S_ISDIR(status.st_mode):
        raise MediaError(where, "this is a folder", "Name the recordings in it")
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(
            where, "this is a device or a pipe, not a file", "Save the recording to a file first"
        )
    if status.st_size == 0:
        raise MediaError(where, "the file is empty", "Copy or record it again")
    return where


def _open_file(path: Path) -> io.FileIO:
    try:
        # Unbuffered: FFmpeg keeps its own buffer, and a plain FileIO runs no Python code in reads.
        return path.open("rb", buffering=0)
    except PermissionError:
        raise MediaError(path, "there is no permission to read it", "Change its rights") from None
    except OSError as error:
        raise MediaError(
            path,
            f"it cannot be opened ({error.strerror})",
            "Check the disk, or copy the file again",
        ) from None


@cache
def _allowed_formats() -> str:
    return ",".join(sorted(set(av.formats_available) - REFUSED_FORMATS))


def _refuse_second_file(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("recordings that name other files are not followed")


def _open_container(path: Path, limits: MediaLimits) -> tuple[bytes, Any, bool]:
    """Return the head of the file, its container, and whether only the head told its kind."""
    file = _open_file(path)
    try:
        head = file.read(sniff.HEAD_BYTES)
        for hint in dict.fromkeys((None, sniff.format_hint(head))):
            file.seek(0)
            try:
                return head, _with_ffmpeg(file, limits, hint), hint is not None
            except (av.error.FFmpegError, ValueError, MemoryError):
                continue
        problem, advice = sniff.why_unreadable(head)
    except PermissionError:
        problem, advice = "it names other files, which are not followed", "Name those themselves"
    except OSError as error:
        problem = f"it cannot be read ({error.strerror})"
        advice = "Check the disk, or copy the file again"
    file.close()
    raise MediaError(path, problem, advice)


def _with_ffmpeg(file: io.FileIO, limits: MediaLimits, format_name: str | None) -> Any:
    return av.open(
        file,
        mode="r",
        format=format_name,
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


def _duration(container: Any, *streams: Any | None) -> float | None:
    if container.duration is not None and container.duration > 0:
        return float(container.duration / 1_000_000)
    lengths = [
        float(stream.duration * stream.time_base)
        for stream in streams
        if stream is not None and stream.duration and stream.time_base
    ]
    return max((length for length in lengths if length > 0), default=None)
