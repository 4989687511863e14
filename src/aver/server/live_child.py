"""The process of one live session: pictures and sound come in on a pipe, scores go out on another.

Pictures are decoded here, in a process with limits of its own and without a network, and never in
the server. It reads messages of a head (kind, time, length) and as many bytes, and writes a line of
JSON for each picture, and for sound where a voice is scored without a face.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from aver.server.child import readable_paths
from aver.server.isolation import NETWORK, die_with_parent, isolate
from aver.server.limits import ProcessLimits

HEAD = struct.Struct("<cdI")
PICTURE, SOUND = b"P", b"S"


def main() -> None:
    """Serve one session until the pipe closes; the settings are the only argument, as JSON."""
    told = json.loads(sys.argv[1])
    # OpenCV reads this once, when it is imported: a larger picture is refused, not decoded.
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(told["settings"]["max_pixels"])
    from aver.errors import AverError

    die_with_parent(told["parent"])
    ProcessLimits.of(told["limits"]).apply()
    holding = isolate(readable_paths(told), [Path(os.devnull)])
    answers = sys.stdout.buffer
    # Whatever prints must not get between the answers.
    sys.stdout = sys.stderr
    if told["require_isolation"] and not NETWORK.intersection(holding):
        _answer(answers, {"type": "problem", "detail": "This system does not isolate processes."})
        return
    try:
        session = _start(told)
    except AverError as error:
        _answer(answers, {"type": "problem", "detail": str(error)})
        return
    _answer(answers, {"type": "ready", "labels": list(session.analyzer.labels)})
    for kind, moment, payload in _messages(sys.stdin.buffer):
        if kind == PICTURE:
            _answer(answers, _look(session, moment, payload, told["max_side"]))
        elif kind == SOUND:
            samples = np.frombuffer(payload, "<i2").astype(np.float32) / 32768.0
            if scores := session.hear(moment, samples):
                _answer(answers, {"type": "voice", "time": moment, "people": _people(scores)})


def _start(told: dict[str, Any]) -> Any:
    from aver.inference.live import LiveAnalyzer
    from aver.inference.settings import AnalysisSettings

    chosen = told["settings"]
    settings = AnalysisSettings(
        detector=chosen["detector"],
        frames_per_second=chosen["frames_per_second"],
        threads=chosen["threads"],
    )
    analyzer = LiveAnalyzer(settings)
    # The first run of a network is slow; better now than with somebody waiting.
    front, shape = analyzer.front, (1, analyzer.fusion.windows)
    front.face.embed(np.zeros((1, 96, 96, 3), np.uint8))
    front.voice.embed_window(np.sin(np.arange(8000, dtype=np.float32) / 10.0))
    nothing = np.zeros((*shape, analyzer.fusion.dimensions), np.float32)
    analyzer.fusion(nothing, np.ones(shape, bool), nothing, np.ones(shape, bool))
    return analyzer.start()


def _messages(stream: BinaryIO) -> Iterator[tuple[bytes, float, bytes]]:
    while len(head := stream.read(HEAD.size)) == HEAD.size:
        kind, moment, length = HEAD.unpack(head)
        payload = stream.read(length)
        if len(payload) < length:
            return
        yield kind, moment, payload


def _look(session: Any, moment: float, payload: bytes, max_side: int) -> dict[str, Any]:
    from aver.media import VideoFrame

    began = time.perf_counter()
    picture = _decode(payload, max_side)
    if picture is None:
        return {"type": "unreadable", "time": moment}
    image, scale = picture
    people = session.see(VideoFrame(moment, image, scale))
    return {
        "type": "scores",
        "time": moment,
        "seconds": round(time.perf_counter() - began, 4),
        "people": _people(people),
    }


def _decode(payload: bytes, max_side: int) -> tuple[NDArray[np.uint8], float] | None:
    """An RGB picture and the pixels of the sent one for each of its own; None if it is none."""
    import cv2

    from aver.inference.live_sources import shrink

    try:
        picture = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        return None
    if picture is None:
        return None
    return shrink(picture, max_side)


def _people(scores: Sequence[Any]) -> list[dict[str, Any]]:
    def rounded(values: Sequence[float] | None, digits: int) -> list[float] | None:
        return None if values is None else [round(float(v), digits) for v in values]

    return [
        {
            "person": s.person,
            "box": rounded(s.box, 1),
            "face": rounded(s.face, 4),
            "voice": rounded(s.voice, 4),
            "fused": rounded(s.fused, 4),
            "weak": s.weak,
        }
        for s in scores
    ]


def _answer(stream: BinaryIO, answer: dict[str, Any]) -> None:
    stream.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
    stream.flush()


if __name__ == "__main__":
    main()
