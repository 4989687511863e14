"""Recordings that are sound but unusual: in sound, in picture, in kind, in name."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from bad_inputs.recordings import (
    beeps,
    corner_picture,
    flashes,
    silence,
    tone,
    write,
    write_image,
)
from bad_inputs.registry import MAKERS, Maker, maker

# ---- sound


@maker()
def no_sound(folder: Path) -> Path:
    return write(folder / "no sound.mp4")


@maker()
def no_picture(folder: Path) -> Path:
    return write(folder / "no picture.wav", picture=None, sound=tone(), audio_codec="pcm_s16le")


@maker()
def silent(folder: Path) -> Path:
    return write(folder / "silent.mp4", sound=silence)


@maker()
def shorter_than_a_window(folder: Path) -> Path:
    return write(folder / "short.mkv", seconds=0.2, sound=tone(), audio_codec="pcm_s16le")


@maker()
def sound_8_khz(folder: Path) -> Path:
    path = folder / "8k.wav"
    return write(path, picture=None, sound=tone(), sample_rate=8000, audio_codec="pcm_s16le")


@maker()
def sound_96_khz(folder: Path) -> Path:
    path = folder / "96k.flac"
    return write(path, picture=None, sound=tone(), sample_rate=96_000, audio_codec="flac")


@maker()
def sound_5_1(folder: Path) -> Path:
    path = folder / "surround.mkv"
    return write(path, sound=tone(), layout="5.1", sample_rate=48_000, audio_codec="ac3")


@maker()
def sound_8_bit(folder: Path) -> Path:
    path = folder / "8bit.wav"
    return write(path, picture=None, sound=tone(), sample_rate=11_025, audio_codec="pcm_u8")


@maker()
def sound_not_a_number(folder: Path) -> Path:
    """Floating-point sound with infinities, values that are no number, and values beyond 1."""

    def sound(times: np.ndarray) -> np.ndarray:
        samples = 3.0 * np.sin(2 * np.pi * 440 * times)
        samples[::100] = np.nan
        samples[1::100] = np.inf
        return samples

    return write(folder / "nan.wav", picture=None, sound=sound, audio_codec="pcm_f32le")


@maker()
def late_sound(folder: Path) -> Path:
    """Picture from 0 s, sound from 1.5 s, 3 s each."""
    return write(folder / "late sound.mkv", seconds=3, sound=tone(), sound_start=1.5)


@maker()
def late_picture(folder: Path) -> Path:
    """Sound from 0 s, picture from 1.5 s, 3 s each."""
    return write(folder / "late picture.mkv", seconds=3, sound=tone(), picture_start=1.5)


@maker()
def short_sound(folder: Path) -> Path:
    """4 s of picture, of which only the first second has sound."""
    return write(folder / "short sound.mkv", seconds=4, sound=tone(), sound_seconds=1.0)


# ---- picture


@maker()
def variable_frame_rate(folder: Path) -> Path:
    """Frames at uneven times, one of them on show for 1.2 s; flashes at 1 and 2.5 s."""
    times = [0, 0.033, 0.05, 0.2, 0.21, 0.5, 0.75, 1.0, 1.1, 1.3, 2.5, 2.55, 2.6, 2.95]
    return write(
        folder / "variable.mkv", seconds=3, frame_times=times, picture=flashes(64, 48, [1.0, 2.5]),
        sound=beeps([1.0, 2.5]),
    )  # fmt: skip


@maker()
def rotated_90(folder: Path) -> Path:
    return write(folder / "rotated 90.mp4", rotation=90, size=(96, 64), sound=tone())


@maker()
def rotated_180(folder: Path) -> Path:
    return write(folder / "rotated 180.mp4", rotation=180, size=(96, 64), sound=tone())


@maker()
def rotated_270(folder: Path) -> Path:
    return write(folder / "rotated 270.mov", rotation=270, size=(96, 64), sound=tone())


@maker()
def one_pixel(folder: Path) -> Path:
    path = folder / "one pixel.mkv"
    return write(path, size=(1, 1), video_codec="ffv1", sound=tone(), seconds=1)


@maker()
def very_tall(folder: Path) -> Path:
    """3 x 4000 pixels."""
    path = folder / "tall.mov"
    size = (3, 4000)
    return write(
        path, size=size, video_codec="png", pixel_format="rgb24", sound=tone(), seconds=1, rate=10
    )


@maker()
def ten_bit(folder: Path) -> Path:
    return write(folder / "ten bit.mkv", pixel_format="yuv420p10le", sound=tone())


@maker()
def full_chroma(folder: Path) -> Path:
    return write(folder / "444.mp4", pixel_format="yuv444p", sound=tone())


@maker()
def one_frame_a_second(folder: Path) -> Path:
    return write(folder / "slow.mp4", seconds=4, rate=1, sound=tone())


# ---- pictures and other oddities


@maker()
def picture_png(folder: Path) -> Path:
    return write_image(folder / "picture.png", corner_picture(96, 64), "png", "rgb24")


@maker()
def picture_jpeg(folder: Path) -> Path:
    return write_image(folder / "picture.jpg", corner_picture(96, 64), "mjpeg", "yuvj444p")


@maker()
def picture_webp(folder: Path) -> Path:
    return write_image(folder / "picture.webp", corner_picture(96, 64), "libwebp", "yuv420p")


@maker()
def transparent_png(folder: Path) -> Path:
    """Corner picture, opaque only in its upper half."""
    alpha = np.zeros((64, 96, 1), np.uint8)
    alpha[:32] = 255
    image = np.concatenate([corner_picture(96, 64), alpha], axis=2)
    return write_image(folder / "transparent.png", image, "png", "rgba")


@maker()
def grey_png(folder: Path) -> Path:
    image = np.tile(np.arange(96, dtype=np.uint8) * 2, (64, 1))
    return write_image(folder / "grey.png", image, "png", "gray")


@maker()
def grey_16_bit_png(folder: Path) -> Path:
    image = np.tile(np.arange(96, dtype=np.uint16) * 512, (64, 1))
    return write_image(folder / "grey16.png", image, "png", "gray16be")


@maker()
def still_gif(folder: Path) -> Path:
    path = folder / "still.gif"
    return write(path, seconds=0.1, rate=10, video_codec="gif", pixel_format="rgb8")


@maker()
def animated_gif(folder: Path) -> Path:
    """Ten frames a second for 2 s, with a flash at 1 s."""
    path = folder / "animated.gif"
    picture = flashes(64, 48, [1.0])
    return write(path, rate=10, picture=picture, video_codec="gif", pixel_format="rgb8")


@maker(refused=True)
def animated_webp(folder: Path) -> Path:
    """Animated WebP, which FFmpeg does not decode."""
    path = folder / "animated.webp"
    picture = flashes(64, 48, [1.0])
    return write(path, rate=10, picture=picture, video_codec="libwebp_anim", container="webp")


@maker()
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


@maker(refused=True)
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
