"""Recordings that are cut off, overwritten, or lie about themselves."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import av
import numpy as np
from bad_inputs.recordings import (
    moving,
    tone,
    write,
    write_image,
)
from bad_inputs.registry import maker

# ---- damage


@maker(warned=True)
def truncated_mp4(folder: Path) -> Path:
    """Index at the front, the last 40 % of the bytes lost; 6 s by its header."""
    path = write(
        folder / "truncated.mp4", seconds=6, size=(160, 120), picture=moving, sound=tone(),
        options={"movflags": "faststart"},
    )  # fmt: skip
    return _cut(path, 0.6)


@maker(refused=True)
def truncated_mp4_without_index(folder: Path) -> Path:
    return _cut(write(folder / "cut off.mp4", size=(160, 120), picture=moving, sound=tone()), 0.6)


@maker(warned=True)
def truncated_mkv(folder: Path) -> Path:
    path = folder / "truncated.mkv"
    return _cut(write(path, seconds=6, size=(160, 120), picture=moving, sound=tone()), 0.6)


@maker(warned=True)
def truncated_avi(folder: Path) -> Path:
    path = folder / "truncated.avi"
    write(
        path, seconds=6, size=(160, 120), picture=moving, sound=tone(),
        video_codec="mpeg4", audio_codec="libmp3lame",
    )  # fmt: skip
    return _cut(path, 0.6)


@maker(warned=True)
def truncated_wav(folder: Path) -> Path:
    path = folder / "truncated.wav"
    return _cut(write(path, seconds=6, picture=None, sound=tone(), audio_codec="pcm_s16le"), 0.5)


@maker(warned=True)
def truncated_jpeg(folder: Path) -> Path:
    return _cut(write_image(folder / "cut.jpg", moving(0.0), "mjpeg", "yuvj420p"), 0.6)


@maker(warned=True)
def corrupt_picture(folder: Path) -> Path:
    """The packets of the picture between 2 and 3 s are overwritten with noise."""
    path = write(
        folder / "corrupt picture.mp4", seconds=6, size=(160, 120), picture=moving, sound=tone(),
        video_options={"g": "15", "bf": "0"},
    )  # fmt: skip
    return _overwrite(path, "video", 2.0, 3.0)


@maker(warned=True)
def corrupt_sound(folder: Path) -> Path:
    """The packets of the sound between 2 and 3 s are overwritten with noise."""
    path = write(folder / "corrupt sound.mp4", seconds=6, sound=tone())
    return _overwrite(path, "audio", 2.0, 3.0)


@maker(warned=True)
def corrupt_transport_stream(folder: Path) -> Path:
    """A third of the file in its middle overwritten with noise."""
    path = folder / "corrupt.ts"
    write(path, seconds=6, size=(160, 120), picture=moving, sound=tone(), video_options={"g": "15"})
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : 2 * third] = np.random.default_rng(1).bytes(third)
    path.write_bytes(data)
    return path


@maker()
def avi_broken_index(folder: Path) -> Path:
    path = write(folder / "index.avi", sound=tone(), video_codec="mpeg4", audio_codec="libmp3lame")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"idx1")
    size = len(data) - at - 8
    data[at + 8 :] = np.random.default_rng(2).bytes(size)
    path.write_bytes(data)
    return path


@maker()
def zero_duration_mp4(folder: Path) -> Path:
    """Every duration in the headers is zero; 2 s of picture and sound."""
    path = write(folder / "zero.mp4", sound=tone())
    data = bytearray(path.read_bytes())
    for box, offset in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        at = -1
        while (at := data.find(box, at + 1)) >= 0:
            data[at + offset : at + offset + 4] = bytes(4)
    path.write_bytes(data)
    return path


@maker()
def zero_duration_mkv(folder: Path) -> Path:
    """The duration element says zero; 2 s of picture and sound."""
    path = write(folder / "zero.mkv", sound=tone())
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88")  # Duration, a float of eight bytes
    path.write_bytes(data[: at + 3] + bytes(8) + data[at + 11 :])
    return path


@maker(refused=True)
def huge_png(folder: Path) -> Path:
    """A PNG whose header claims 60000 x 60000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    path = folder / "huge.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(60_001 * 100))) + chunk(b"IEND", b"")
    )  # fmt: skip
    return path


@maker(refused=True)
def time_stamps_jump(folder: Path) -> Path:
    """The last half second of picture is stamped twelve days later than the rest."""
    times = [n / 10 for n in range(20)] + [1e6 + n / 10 for n in range(5)]
    return write(folder / "jump.mkv", frame_times=times, sound=tone(), rate=10)


@maker()
def time_starts_anew(folder: Path) -> Path:
    """Two transport streams of 2 s put end to end, so that the clock starts anew at 2 s."""
    part = write(folder / "part.ts", sound=tone()).read_bytes()
    path = folder / "anew.ts"
    path.write_bytes(part + part)
    return path


@maker()
def stream_appears_late(folder: Path) -> Path:
    """A Flash video whose last packet of sound claims another codec, and so another stream."""
    path = write(folder / "late stream.flv", sound=tone())
    data = bytearray(path.read_bytes())
    at, sounds = 13, []
    while at + 11 < len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        if data[at] == 8:
            sounds.append(at + 11)
        at += 11 + size + 4
    data[sounds[-1]] = 0x2F  # MP3 where it was AAC
    path.write_bytes(data)
    return path


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    return path


def _overwrite(path: Path, kind: str, start: float, end: float) -> Path:
    """Overwrite the packets of a stream between two times with noise."""
    places = []
    with av.open(str(path)) as recording:
        for packet in recording.demux(getattr(recording.streams, kind)[0]):
            if packet.pts is not None and start <= packet.pts * packet.time_base < end:
                places.append((packet.pos, packet.size))
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(3)
    for at, size in places:
        data[at : at + size] = rng.bytes(size)
    path.write_bytes(data)
    return path
