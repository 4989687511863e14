"""Make ``demo.mp4``: a portrait that moves, leaves and returns, and a synthetic voice.

Parts: scikit-image's astronaut (Eileen Collins, NASA, public domain) and rocket (SpaceX, public
domain) pictures; speech by eSpeak NG. Run it with scikit-image installed and ``espeak-ng`` on the
path::

    python examples/make_demo.py examples/demo.mp4
"""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from skimage import data

WIDTH, HEIGHT, RATE, SOUND_RATE = 640, 480, 25, 22050
SECONDS = 13.0

# Start, text, pitch (0-99), words a minute.
LINES = (
    (0.4, "We made it! I can see the whole Earth from up here!", 85, 185),
    (4.3, "The rocket stands ready on the launch pad.", 45, 150),
    (7.4, "Oh, it is so beautiful. I am so happy!", 80, 175),
    (11.0, "Good bye, and thank you.", 30, 110),
)


def speech(text: str, pitch: int, speed: int) -> np.ndarray:
    """Mono float samples at 22,050 Hz."""
    command = ["espeak-ng", "-v", "en-us+f3", "-p", str(pitch), "-s", str(speed), "--stdout", text]
    sound = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(sound)) as file:
        assert file.getframerate() == SOUND_RATE
        samples = np.frombuffer(file.readframes(10**8), np.int16)
    return samples.astype(np.float32) / 32768.0


def soundtrack() -> np.ndarray:
    track = np.zeros(int(SECONDS * SOUND_RATE), np.float32)
    for start, text, pitch, speed in LINES:
        line = speech(text, pitch, speed)
        at = int(start * SOUND_RATE)
        line = line[: len(track) - at]
        track[at : at + len(line)] += line
    return 0.8 * track / np.abs(track).max()


def view(picture: np.ndarray, centre: np.ndarray, height: float, roll: float = 0.0) -> np.ndarray:
    """The part of *picture* around *centre*, *height* of its pixels high, turned by *roll*.

    The centre gives way where the view would leave the picture.
    """
    rows, columns = picture.shape[:2]
    half = np.array([height * WIDTH / HEIGHT, height]) / 2
    centre = np.clip(centre, half, np.array([columns, rows]) - half)
    turn = cv2.getRotationMatrix2D(centre.tolist(), roll, HEIGHT / height)
    turn[:, 2] += np.array([WIDTH / 2, HEIGHT / 2]) - centre
    return cv2.warpAffine(
        picture, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


def frame_at(t: float) -> np.ndarray:
    """The picture at *t* seconds."""
    portrait, rocket = data.astronaut(), data.rocket()
    face = np.array([224.0, 115.0])
    if t < 4.0:  # a slow zoom with a little sway
        sway = np.array([10 * np.sin(2.0 * t), 4 * np.sin(3.1 * t)])
        picture = view(portrait, face + sway + np.array([0, 40]), 380 - 38 * t, 2 * np.sin(1.7 * t))
    elif t < 6.8:  # nobody in the picture
        picture = view(rocket, np.array([320 + 8 * t, 220]), 400 - 20 * (t - 4))
    elif t < 10.5:  # close, the head tilts
        picture = view(portrait, face + np.array([5, 12]), 230, 9 * np.sin(1.6 * (t - 6.8)))
    else:  # further away, moving through the picture, and darker
        path = np.array([-50 + 50 * (t - 10.5), 0])
        picture = view(portrait, face - path + np.array([0, 60]), 330)
        picture = (picture * (1.0 - 0.12 * (t - 10.5))).astype(np.uint8)
    return picture


def main(path: Path) -> None:
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=RATE, options={"crf": "27", "preset": "slow"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = out.add_stream("aac", rate=SOUND_RATE, layout="mono")
        sound.bit_rate = 48_000
        for n in range(int(SECONDS * RATE)):
            frame = av.VideoFrame.from_ndarray(frame_at(n / RATE), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            out.mux(video.encode(frame))
        out.mux(video.encode())
        track = soundtrack()
        for at in range(0, len(track), 1024):
            block = av.AudioFrame.from_ndarray(track[None, at : at + 1024], "fltp", "mono")
            block.sample_rate, block.pts = SOUND_RATE, at
            block.time_base = Fraction(1, SOUND_RATE)
            out.mux(sound.encode(block))
        out.mux(sound.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo.mp4"))
