"""Makes every hostile file of the tests by code: ``MAKERS[name](folder)`` returns its path.

``REFUSED`` names those that must be refused with one clear line, ``WARNED`` those that are read
with a warning; all others are read without one.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from bad_inputs.recordings import beeps, corner_picture, flashes, silence, tone, write, write_image

Maker = Callable[[Path], Path]
MAKERS: dict[str, Maker] = {}
REFUSED: set[str] = set()
WARNED: set[str] = set()


def _maker(*, refused: bool = False, warned: bool = False) -> Callable[[Maker], Maker]:
    def register(make: Maker) -> Maker:
        MAKERS[make.__name__] = make
        if refused:
            REFUSED.add(make.__name__)
        if warned:
            WARNED.add(make.__name__)
        return make

    return register


def moving(time: float) -> np.ndarray:
    """Picture whose brightness moves, so that every frame costs bytes."""
    rng = np.random.default_rng(round(time * 1000))
    image = corner_picture(160, 120, 0.5 + 0.5 * np.sin(time))
    image[30:90, 40:120] = rng.integers(0, 255, (60, 80, 3), np.uint8)
    return image


# ---- not a recording at all


@_maker(refused=True)
def missing_file(folder: Path) -> Path:
    return folder / "not there.mp4"


@_maker(refused=True)
def a_folder(folder: Path) -> Path:
    path = folder / "folder.mp4"
    path.mkdir()
    return path


@_maker(refused=True)
def empty_file(folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


@_maker(refused=True)
def text_named_mp4(folder: Path) -> Path:
    path = folder / "notes.mp4"
    path.write_text("These are the minutes of the meeting.\n" * 50, encoding="utf-8")
    return path


@_maker(refused=True)
def text_file(folder: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text("A text is not shown as a picture of itself.\n" * 50, encoding="utf-8")
    return path


@_maker(refused=True)
def noise_named_mp4(folder: Path) -> Path:
    path = folder / "noise.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    return path


def named_pipe(folder: Path) -> Path:
    path = folder / "pipe.mp4"
    os.mkfifo(path)
    return path


if hasattr(os, "mkfifo"):
    _maker(refused=True)(named_pipe)


@_maker(refused=True)
def subtitles_only(folder: Path) -> Path:
    path = folder / "subtitles.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:02,000\nHello.\n\n" * 3, encoding="utf-8")
    return path


def unreadable_file(folder: Path) -> Path:
    path = write(folder / "locked.wav", picture=None, sound=tone(), audio_codec="pcm_s16le")
    path.chmod(0)
    return path


if hasattr(os, "geteuid") and os.geteuid() != 0:  # root may read everything
    _maker(refused=True)(unreadable_file)


# ---- files that name other files


@_maker(refused=True)
def hls_playlist(folder: Path) -> Path:
    write(folder / "part.ts", sound=tone(), seconds=1)
    path = folder / "playlist.m3u8"
    path.write_text(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\npart.ts\n#EXT-X-ENDLIST\n"
    )
    return path


@_maker(refused=True)
def concat_list(folder: Path) -> Path:
    other = write(folder / "other.mp4", sound=tone(), seconds=1)
    path = folder / "list.ffconcat"
    path.write_text(f"ffconcat version 1.0\nfile {other.name}\n")
    return path


@_maker(refused=True)
def dash_manifest(folder: Path) -> Path:
    write(folder / "part.mp4", sound=tone(), seconds=1)
    path = folder / "manifest.mpd"
    path.write_text(
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-main:2011">'
        '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1000">'
        "<BaseURL>part.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>\n"
    )
    return path


@_maker(refused=True)
def session_description(folder: Path) -> Path:
    path = folder / "stream.sdp"
    path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n"
    )
    return path


# ---- damage


@_maker(warned=True)
def truncated_mp4(folder: Path) -> Path:
    """Index at the front, the last 40 % of the bytes lost; 6 s by its header."""
    path = write(
        folder / "truncated.mp4", seconds=6, size=(160, 120), picture=moving, sound=tone(),
        options={"movflags": "faststart"},
    )  # fmt: skip
    return _cut(path, 0.6)


@_maker(refused=True)
def truncated_mp4_without_index(folder: Path) -> Path:
    return _cut(write(folder / "cut off.mp4", size=(160, 120), picture=moving, sound=tone()), 0.6)


@_maker(warned=True)
def truncated_mkv(folder: Path) -> Path:
    path = folder / "truncated.mkv"
    return _cut(write(path, seconds=6, size=(160, 120), picture=moving, sound=tone()), 0.6)


@_maker(warned=True)
def truncated_avi(folder: Path) -> Path:
    path = folder / "truncated.avi"
    write(
        path, seconds=6, size=(160, 120), picture=moving, sound=tone(),
        video_codec="mpeg4", audio_codec="libmp3lame",
    )  # fmt: skip
    return _cut(path, 0.6)


@_maker(warned=True)
def truncated_wav(folder: Path) -> Path:
    path = folder / "truncated.wav"
    return _cut(write(path, seconds=6, picture=None, sound=tone(), audio_codec="pcm_s16le"), 0.5)


@_maker(warned=True)
def truncated_jpeg(folder: Path) -> Path:
    return _cut(write_image(folder / "cut.jpg", moving(0.0), "mjpeg", "yuvj420p"), 0.6)


@_maker(warned=True)
def corrupt_picture(folder: Path) -> Path:
    """The packets of the picture between 2 and 3 s are overwritten with noise."""
    path = write(
        folder / "corrupt picture.mp4", seconds=6, size=(160, 120), picture=moving, sound=tone(),
        video_options={"g": "15", "bf": "0"},
    )  # fmt: skip
    return _overwrite(path, "video", 2.0, 3.0)


@_maker(warned=True)
def corrupt_sound(folder: Path) -> Path:
    """The packets of the sound between 2 and 3 s are overwritten with noise."""
    path = write(folder / "corrupt sound.mp4", seconds=6, sound=tone())
    return _overwrite(path, "audio", 2.0, 3.0)


@_maker(warned=True)
def corrupt_transport_stream(folder: Path) -> Path:
    """A third of the file in its middle overwritten with noise."""
    path = folder / "corrupt.ts"
    write(path, seconds=6, size=(160, 120), picture=moving, sound=tone(), video_options={"g": "15"})
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : 2 * third] = np.random.default_rng(1).bytes(third)
    path.write_bytes(data)
    return path


@_maker()
def avi_broken_index(folder: Path) -> Path:
    path = write(folder / "index.avi", sound=tone(), video_codec="mpeg4", audio_codec="libmp3lame")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"idx1")
    size = len(data) - at - 8
    data[at + 8 :] = np.random.default_rng(2).bytes(size)
    path.write_bytes(data)
    return path


@_maker()
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


@_maker()
def zero_duration_mkv(folder: Path) -> Path:
    """The duration element says zero; 2 s of picture and sound."""
    path = write(folder / "zero.mkv", sound=tone())
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88")  # Duration, a float of eight bytes
    path.write_bytes(data[: at + 3] + bytes(8) + data[at + 11 :])
    return path


@_maker(refused=True)
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


@_maker(refused=True)
def time_stamps_jump(folder: Path) -> Path:
    """The last half second of picture is stamped twelve days later than the rest."""
    times = [n / 10 for n in range(20)] + [1e6 + n / 10 for n in range(5)]
    return write(folder / "jump.mkv", frame_times=times, sound=tone(), rate=10)


@_maker()
def time_starts_anew(folder: Path) -> Path:
    """Two transport streams of 2 s put end to end, so that the clock starts anew at 2 s."""
    part = write(folder / "part.ts", sound=tone()).read_bytes()
    path = folder / "anew.ts"
    path.write_bytes(part + part)
    return path


@_maker()
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


# ---- sound


@_maker()
def no_sound(folder: Path) -> Path:
    return write(folder / "no sound.mp4")


@_maker()
def no_picture(folder: Path) -> Path:
    return write(folder / "no picture.wav", picture=None, sound=tone(), audio_codec="pcm_s16le")


@_maker()
def silent(folder: Path) -> Path:
    return write(folder / "silent.mp4", sound=silence)


@_maker()
def shorter_than_a_window(folder: Path) -> Path:
    return write(folder / "short.mkv", seconds=0.2, sound=tone(), audio_codec="pcm_s16le")


@_maker()
def sound_8_khz(folder: Path) -> Path:
    path = folder / "8k.wav"
    return write(path, picture=None, sound=tone(), sample_rate=8000, audio_codec="pcm_s16le")


@_maker()
def sound_96_khz(folder: Path) -> Path:
    path = folder / "96k.flac"
    return write(path, picture=None, sound=tone(), sample_rate=96_000, audio_codec="flac")


@_maker()
def sound_5_1(folder: Path) -> Path:
    path = folder / "surround.mkv"
    return write(path, sound=tone(), layout="5.1", sample_rate=48_000, audio_codec="ac3")


@_maker()
def sound_8_bit(folder: Path) -> Path:
    path = folder / "8bit.wav"
    return write(path, picture=None, sound=tone(), sample_rate=11_025, audio_codec="pcm_u8")


@_maker()
def sound_not_a_number(folder: Path) -> Path:
    """Floating-point sound with infinities, values that are no number, and values beyond 1."""

    def sound(times: np.ndarray) -> np.ndarray:
        samples = 3.0 * np.sin(2 * np.pi * 440 * times)
        samples[::100] = np.nan
        samples[1::100] = np.inf
        return samples

    return write(folder / "nan.wav", picture=None, sound=sound, audio_codec="pcm_f32le")


@_maker()
def late_sound(folder: Path) -> Path:
    """Picture from 0 s, sound from 1.5 s, 3 s each."""
    return write(folder / "late sound.mkv", seconds=3, sound=tone(), sound_start=1.5)


@_maker()
def late_picture(folder: Path) -> Path:
    """Sound from 0 s, picture from 1.5 s, 3 s each."""
    return write(folder / "late picture.mkv", seconds=3, sound=tone(), picture_start=1.5)


@_maker()
def short_sound(folder: Path) -> Path:
    """4 s of picture, of which only the first second has sound."""
    return write(folder / "short sound.mkv", seconds=4, sound=tone(), sound_seconds=1.0)


# ---- picture


@_maker()
def variable_frame_rate(folder: Path) -> Path:
    """Frames at uneven times, one of them on show for 1.2 s; flashes at 1 and 2.5 s."""
    times = [0, 0.033, 0.05, 0.2, 0.21, 0.5, 0.75, 1.0, 1.1, 1.3, 2.5, 2.55, 2.6, 2.95]
    return write(
        folder / "variable.mkv", seconds=3, frame_times=times, picture=flashes(64, 48, [1.0, 2.5]),
        sound=beeps([1.0, 2.5]),
    )  # fmt: skip


@_maker()
def rotated_90(folder: Path) -> Path:
    return write(folder / "rotated 90.mp4", rotation=90, size=(96, 64), sound=tone())


@_maker()
def rotated_180(folder: Path) -> Path:
    return write(folder / "rotated 180.mp4", rotation=180, size=(96, 64), sound=tone())


@_maker()
def rotated_270(folder: Path) -> Path:
    return write(folder / "rotated 270.mov", rotation=270, size=(96, 64), sound=tone())


@_maker()
def one_pixel(folder: Path) -> Path:
    path = folder / "one pixel.mkv"
    return write(path, size=(1, 1), video_codec="ffv1", sound=tone(), seconds=1)


@_maker()
def very_tall(folder: Path) -> Path:
    """3 x 4000 pixels."""
    path = folder / "tall.mov"
    size = (3, 4000)
    return write(
        path, size=size, video_codec="png", pixel_format="rgb24", sound=tone(), seconds=1, rate=10
    )


@_maker()
def ten_bit(folder: Path) -> Path:
    return write(folder / "ten bit.mkv", pixel_format="yuv420p10le", sound=tone())


@_maker()
def full_chroma(folder: Path) -> Path:
    return write(folder / "444.mp4", pixel_format="yuv444p", sound=tone())


@_maker()
def one_frame_a_second(folder: Path) -> Path:
    return write(folder / "slow.mp4", seconds=4, rate=1, sound=tone())


# ---- pictures and other oddities


@_maker()
def picture_png(folder: Path) -> Path:
    return write_image(folder / "picture.png", corner_picture(96, 64), "png", "rgb24")


@_maker()
def picture_jpeg(folder: Path) -> Path:
    return write_image(folder / "picture.jpg", corner_picture(96, 64), "mjpeg", "yuvj444p")


@_maker()
def picture_webp(folder: Path) -> Path:
    return write_image(folder / "picture.webp", corner_picture(96, 64), "libwebp", "yuv420p")


@_maker()
def transparent_png(folder: Path) -> Path:
    """Corner picture, opaque only in its upper half."""
    alpha = np.zeros((64, 96, 1), np.uint8)
    alpha[:32] = 255
    image = np.concatenate([corner_picture(96, 64), alpha], axis=2)
    return write_image(folder / "transparent.png", image, "png", "rgba")


@_maker()
def grey_png(folder: Path) -> Path:
    image = np.tile(np.arange(96, dtype=np.uint8) * 2, (64, 1))
    return write_image(folder / "grey.png", image, "png", "gray")


@_maker()
def grey_16_bit_png(folder: Path) -> Path:
    image = np.tile(np.arange(96, dtype=np.uint16) * 512, (64, 1))
    return write_image(folder / "grey16.png", image, "png", "gray16be")


@_maker()
def still_gif(folder: Path) -> Path:
    path = folder / "still.gif"
    return write(path, seconds=0.1, rate=10, video_codec="gif", pixel_format="rgb8")


@_maker()
def animated_gif(folder: Path) -> Path:
    """Ten frames a second for 2 s, with a flash at 1 s."""
    path = folder / "animated.gif"
    picture = flashes(64, 48, [1.0])
    return write(path, rate=10, picture=picture, video_codec="gif", pixel_format="rgb8")


@_maker(refused=True)
def animated_webp(folder: Path) -> Path:
    """Animated WebP, which FFmpeg does not decode."""
    path = folder / "animated.webp"
    picture = flashes(64, 48, [1.0])
    return write(path, rate=10, picture=picture, video_codec="libwebp_anim", container="webp")


@_maker()
def cover_art_mp3(folder: Path) -> Path:
    """Two seconds of sound with a cover picture, which is no video."""
    cover = write_image(folder / "cover.jpg", corner_picture(96, 64), "mjpeg", "yuvj420p")
    path = folder / "song.mp3"
    sound = tone()((np.arange(88_200)) / 44_100).astype(np.float32)
    with path.open("wb") as file, av.open(file, "w", format="mp3") as out:
        audio = out.add_stream("libmp3lame", rate=44_100)
        audio.layout = "mono"
        art = out.add_stream("mjpeg", rate=1)
        art.width, art.height, art.pix_fmt = 96, 64, "yuvj420p"
        art.disposition = 1 << 10
        packet = av.Packet(cover.read_bytes())
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = art, 0, 0, True
        out.start_encoding()
        out.mux(packet)
        for first in range(0, len(sound), 1152):
            frame = av.AudioFrame.from_ndarray(sound[None, first : first + 1152], "fltp", "mono")
            frame.sample_rate, frame.pts = 44_100, first
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    return path


@_maker(refused=True)
def too_many_streams(folder: Path) -> Path:
    """Forty sound streams."""
    path = folder / "many.mkv"
    with path.open("wb") as file, av.open(file, "w", format="matroska") as out:
        streams = [out.add_stream("pcm_s16le", rate=8000) for _ in range(40)]
        for stream in streams:
            stream.layout = "mono"
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 8000, 0
            out.mux(stream.encode(frame))
    return path


# ---- names

ODD_NAMES = {
    "name_with_spaces": " two  spaces .wav",
    "name_with_unicode": "Gespräch 音声 😀.wav",
    "name_with_newline": "first line\nsecond line.wav",
    "name_with_dash": "-i.wav",
    "name_with_percent": "take %03d of 100%.wav",
    "name_like_a_protocol": "concat:a.wav|b.wav",
    "name_with_quotes": 'it\'s "quoted" [x] *?.wav',
    "name_without_ending": "recording",
}


def _odd_name(name: str) -> Maker:
    def make(folder: Path) -> Path:
        path = folder / name
        return write(path, picture=None, sound=tone(), audio_codec="pcm_s16le", container="wav")

    return make


MAKERS.update({key: _odd_name(name) for key, name in ODD_NAMES.items()})


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
