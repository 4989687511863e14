"""Recordings for benchmarks, made from the demo clip: other sizes, other lengths."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

DEMO = Path(__file__).resolve().parents[1] / "examples" / "demo.mp4"


def enlarge(target: Path, width: int, height: int, rate: int, seconds: float) -> Path:
    """The demo's first scene, played to and fro, at another size and rate; with its sound."""
    if target.exists():
        return target
    with av.open(str(DEMO)) as source:
        images = [f.to_ndarray(format="rgb24") for f in source.decode(video=0)]
    images = images[: int(3.9 * 25)]
    images = images + images[::-1]
    with av.open(str(DEMO)) as source:
        sound = np.concatenate([f.to_ndarray()[0] for f in source.decode(audio=0)])
    with av.open(str(target), "w") as out:
        video = out.add_stream("libx264", rate=rate, options={"crf": "23", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        voice = out.add_stream("aac", rate=22050, layout="mono")
        for n in range(int(seconds * rate)):
            image = images[int(n / rate * 25) % len(images)]
            if image.shape[:2] != (height, width):
                image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, rate)
            out.mux(video.encode(frame))
        out.mux(video.encode())
        wanted = int(seconds * 22050)
        sound = np.tile(sound, wanted // len(sound) + 1)[:wanted]
        for at in range(0, wanted, 1024):
            block = av.AudioFrame.from_ndarray(sound[None, at : at + 1024], "fltp", "mono")
            block.sample_rate, block.pts, block.time_base = 22050, at, Fraction(1, 22050)
            out.mux(voice.encode(block))
        out.mux(voice.encode())
    return target


def lengthen(source: Path, target: Path, times: int) -> Path:
    """*source* one after the other, *times* over, without encoding anew.

    A tenth of a second lies between two rounds, so that no packet of a round is due before the
    last of the round before.
    """
    if target.exists():
        return target
    with av.open(str(target), "w") as out:
        copies: dict[int, av.stream.Stream] = {}
        offset = Fraction(0)
        for _ in range(times):
            end = Fraction(0)
            with av.open(str(source)) as once:
                for stream in once.streams:
                    if stream.index not in copies:
                        copies[stream.index] = out.add_stream_from_template(stream)
                for packet in once.demux():
                    if packet.dts is None:
                        continue
                    base = packet.time_base
                    end = max(end, (packet.pts + (packet.duration or 0)) * base)
                    packet.pts += round(offset / base)
                    packet.dts += round(offset / base)
                    packet.stream = copies[packet.stream.index]
                    out.mux(packet)
            offset += end + Fraction(1, 10)
    return target
