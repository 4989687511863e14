"""One face being followed, and the rules by which it lives, is renewed, and ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aver.faces.crop import Placement, between, box_of, cut, relative_box
from aver.faces.detect import Box, Detection, Image
from aver.faces.flow import appearance, correlation
from aver.faces.match import assign, distance, grown, overlap
from aver.faces.quality import pose

# Likeness of a face to itself one picture earlier. On speaking people at ten pictures a second it
# stays above 0.75; of two strangers' faces framed alike, 99 of 100 pairs stay below 0.61.
CONTINUOUS, SAME_FACE = 0.65, 0.75
# Likeness of a bridged face to what the detector saw last; hands and turned heads pass, walls not.
_PLAUSIBLE = 0.45
_DETECTION_WEIGHT = 0.7  # the rest is where the flow put the face: steadier crops

UNSURE = 0
"""In place of a person's id until it is known who somebody is."""


@dataclass(eq=False)
class Track:
    """A face that is being followed.

    Attributes:
        number: of the unbroken stretch.
        placement: where it is.
        relative: its box within its crop, see :func:`~aver.faces.crop.box_of`.
        score: the detector's last certainty.
        frontality: see :func:`~aver.faces.quality.pose`.
        template: appearance when last detected.
        latest: appearance in the last picture.
        began_at: seconds; likewise the following.
        detected_at: when the detector last saw it.
        looked_at: when the detector last looked.
        remembered_at: when its person was last described.
        pause: seconds until the detector looks again.
        person: its person's id, or :data:`UNSURE`.
        hits: how often the detector saw it.
        missed: the detector's last look missed it.
        doubtful: something changed all at once.
        doubted_since: seconds.
        followed: the flow still has it.
        waiting: somebody is there, and who cannot be told yet.
        fresh: the detection it was given in this picture.
    """

    number: int
    placement: Placement
    relative: Box
    score: float
    frontality: float
    template: NDArray[np.float32]
    latest: NDArray[np.float32]
    began_at: float
    detected_at: float
    looked_at: float
    remembered_at: float
    pause: float
    person: int = UNSURE
    hits: int = 1
    missed: bool = False
    doubtful: bool = False
    doubted_since: float = 0.0
    followed: bool = True
    waiting: bool = False
    fresh: Detection | None = field(default=None, repr=False)

    @property
    def box(self) -> Box:
        """Its upright box in pixels of the picture."""
        return box_of(self.placement, self.relative)

    def doubt(self, time: float, *, followed: bool) -> None:
        """Something changed all at once at *time*; *followed* says whether the flow held on."""
        if not self.doubtful:
            self.doubted_since = time
        self.doubtful, self.followed = True, followed

    def renew(
        self,
        image: Image,
        time: float,
        detection: Detection,
        placement: Placement,
        shortest: float,
    ) -> None:
        """The detector saw it again; the next look is in *shortest* seconds or a little later."""
        agreement = overlap(self.box, detection.box)
        stable = agreement > 0.8 and not self.doubtful and not self.missed
        self.pause = min(self.pause * 1.5, 2 * shortest) if stable else shortest
        if self.doubtful or agreement < 0.5:
            self.placement = placement
        else:
            self.placement = between(self.placement, placement, _DETECTION_WEIGHT)
        self.relative = relative_box(placement, detection.box)
        self.score, self.frontality = detection.score, pose(detection, placement.roll)
        self.template = self.latest = appearance(cut(image, self.placement, 48))
        self.detected_at = self.looked_at = time
        self.hits += 1
        self.missed = self.doubtful = False
        self.followed = True
        self.fresh = detection

    def is_alive(self, image: Image, time: float, bridge_seconds: float, *, cut: bool) -> bool:
        """Whether there is reason to follow it further; *cut*: the picture has just changed."""
        if self.waiting or not (self.doubtful or self.missed):
            return True
        if self.doubtful and (cut or not self.followed):
            return False
        # A face seen only once is given up soon: it may have been none.
        patience = min(bridge_seconds, 0.4 * self.hits)
        if time - self.detected_at > patience:
            return False
        height, width = image.shape[:2]
        inside = 0 <= self.placement.x < width and 0 <= self.placement.y < height
        return inside and correlation(self.template, self.latest) >= _PLAUSIBLE

    def is_clear(self, image: Image, others: Sequence[Track], reach: float) -> bool:
        """Whether the whole face is in the picture and nobody within *reach* of it."""
        x, y, width, height = self.box
        inside = x >= 0 and y >= 0 and x + width <= image.shape[1] and y + height <= image.shape[0]
        mine = grown(self.box, reach)
        return inside and all(
            overlap(mine, grown(other.box, reach)) == 0 for other in others if other is not self
        )


def pairs(
    tracks: Sequence[Track],
    detections: Sequence[Detection],
    placements: Sequence[Placement],
    image: Image,
) -> list[tuple[int, int]]:
    """Which track gets which detection, by place and appearance: pairs of indices."""
    scores = np.full((len(tracks), len(detections)), -1.0)
    for j, detection in enumerate(detections):
        seen: NDArray[np.float32] | None = None
        for i, track in enumerate(tracks):
            shared = overlap(track.box, detection.box)
            apart = distance(track.box, detection.box)
            if shared < 0.1 and apart > (1.0 if track.doubtful else 0.5):
                continue
            if shared < 0.3 and not (track.doubtful or track.missed):
                continue  # the flow is sure where the face is
            if seen is None:
                seen = appearance(cut(image, placements[j], 48))
            scores[i, j] = shared + max(0.0, 1 - apart) + correlation(track.template, seen)
    return assign(scores, least=0.3)


def separate(tracks: Sequence[Track], most: int) -> list[Track]:
    """Never two tracks on one face: of two that meet, the one more like itself stays.

    Of more than *most*, the largest stay.
    """
    ranked = sorted(
        tracks,
        key=lambda t: (t.missed, -correlation(t.template, t.latest), t.number),
    )
    kept: list[Track] = []
    for track in ranked:
        if all(
            overlap(track.box, other.box) < 0.4 and distance(track.box, other.box) > 0.35
            for other in kept
        ):
            kept.append(track)
    kept.sort(key=lambda t: -t.placement.side)
    return sorted(kept[:most], key=lambda t: t.number)
