"""Two people in the picture: both are followed, and the voice goes to the one who speaks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

skimage_data = pytest.importorskip("skimage.data")

import av  # noqa: E402
import cv2  # noqa: E402

from aver.inference.analyze import analyze  # noqa: E402
from aver.inference.settings import AnalysisSettings  # noqa: E402

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.mp4"


@pytest.fixture(scope="module")
def film(shared, tmp_path_factory):
    """A speaking CREMA-D actor on the left, a portrait that sways but does not speak right."""
    source = shared / "data" / "crema_d_sample" / "1001_DFA_ANG_XX.flv"
    with av.open(str(source)) as clip:
        pictures = [f.to_ndarray(format="rgb24") for f in clip.decode(video=0)]
        rate = clip.streams.video[0].average_rate
    with av.open(str(source)) as clip:
        blocks = list(clip.decode(audio=0))
    sound = np.concatenate([b.to_ndarray().mean(axis=0) for b in blocks])
    if sound.dtype != np.float32 and np.abs(sound).max() > 2:
        sound = sound / 32768.0
    portrait = cv2.resize(skimage_data.astronaut()[:384, 60:444], (360, 360))
    path = tmp_path_factory.mktemp("two") / "two.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=rate, options={"crf": "18"})
        video.width, video.height, video.pix_fmt = pictures[0].shape[1] + 360, 360, "yuv420p"
        voice = out.add_stream("aac", rate=blocks[0].sample_rate, layout="mono")
        for n, picture in enumerate(pictures):
            shift = np.float32([[1, 0, 4 * np.sin(n / 6)], [0, 1, 2 * np.cos(n / 5)]])
            right = cv2.warpAffine(portrait, shift, (360, 360), borderMode=cv2.BORDER_REPLICATE)
            frame = av.VideoFrame.from_ndarray(np.hstack((picture[:360], right)), format="rgb24")
            frame.pts, frame.time_base = n, 1 / Fraction(rate)
            out.mux(video.encode(frame))
        out.mux(video.encode())
        for at in range(0, len(sound), 1024):
            samples = sound[None, at : at + 1024].astype(np.float32)
            block = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
            block.sample_rate, block.pts = blocks[0].sample_rate, at
            block.time_base = Fraction(1, blocks[0].sample_rate)
            out.mux(voice.encode(block))
        out.mux(voice.encode())
    return path


@pytest.fixture(scope="module")
def two_faces(film):
    return analyze(film)


def test_both_are_people_from_beginning_to_end(two_faces):
    assert len(two_faces.people) == 2
    for person in two_faces.people:
        assert person.seconds_seen >= 2.0
        assert two_faces.select(person=person.id, modality="face")


def test_the_voice_goes_to_the_face_that_speaks(two_faces):
    def middle(person):
        boxes = [s.box for s in two_faces.select(person=person, modality="face")]
        return np.mean([x + width / 2 for x, _, width, _ in boxes])

    # The actor stands left of the portrait, whose picture begins at 480.
    actor, portrait = sorted((p.id for p in two_faces.people), key=middle)
    assert middle(actor) < 480 < middle(portrait)
    voices = two_faces.select(modality="voice")
    assert voices
    assert all(s.person != portrait for s in voices)
    assert sum(s.person == actor for s in voices) >= len(voices) / 2


@pytest.mark.parametrize(("clip", "place"), [("1001_DFA_HAP_XX.flv", 0), ("demo.mp4", 1)])
def test_calibration_goes_to_the_person_of_the_clips(film, two_faces, shared, clip, place):
    """The actor's other clip calibrates the left face, the portrait's own film the right one."""
    folder = DEMO.parent if clip == DEMO.name else shared / "data" / "crema_d_sample"
    found = analyze(film, settings=AnalysisSettings(calibrate=(folder / clip,)))
    pairs = zip(found.segments, two_faces.segments, strict=True)
    changed = {after.person for after, before in pairs if after.scores != before.scores}
    assert changed == {from_left_to_right(two_faces)[place]}
    assert {found.model["calibration"]["person"]} == changed


def from_left_to_right(timeline):
    left = {s.person: s.box[0] for s in timeline.segments if s.box is not None}
    return sorted(left, key=left.get)
