"""Follow every face through a recording: detect now and then, follow in between, know people again.

Each sampled picture goes through :meth:`FaceTracker.update`. Faces are followed by optical flow;
a few times a second a detector looks at each face again (in a small cut-out, so that it costs
little), once in a while at the whole picture. Where the detector misses, a track lives on for a
while as long as what it follows still looks like the face it was. A cut ends the flow at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from aver.faces.crop import CROP_SIZE, Placement, cut, place, relative_box
from aver.faces.describe import Describer, Embed, Vector, from_embed, make_describer
from aver.faces.detect import Detection, Detector, Image, make_detector
from aver.faces.flow import GreyPicture, appearance, correlation, follow, is_cut, shrink
from aver.faces.identity import People
from aver.faces.look import look_again, search
from aver.faces.match import distinct, holds_centre, overlap
from aver.faces.observation import FaceObservation, Frame, TrackerSettings
from aver.faces.quality import pose, quality
from aver.faces.state import CONTINUOUS, SAME_FACE, UNSURE, Track, pairs, separate

_DOUBT_SECONDS = 0.35
_SURE = 0.85  # a new face with a lower score is looked at twice
# A face's own hair reaches this far around its box, in parts of it; a body before it this far.
_HAIR, _BODY = 1.3, 2.2
# A face that comes out from behind another, or in from the edge, is given this long to be known.
_UNSURE_SECONDS = 1.5


class FaceTracker:
    """Faces of one recording, picture after picture.

    Args:
        detector: see :func:`~aver.faces.detect.make_detector`; ``auto`` if None.
        detections_per_second: overrides the setting of that name.
        embed: maps (n, 96, 96, 3) RGB crops to (n, d) vectors by whose cosine people are known
            again; for other thresholds than :func:`~aver.faces.describe.from_embed`'s give a
            *describer*.
        describer: how people are told apart; ``auto`` if neither it nor *embed* is given.
        settings: everything else.
    """

    def __init__(
        self,
        detector: Detector | None = None,
        *,
        detections_per_second: float | None = None,
        embed: Embed | None = None,
        describer: Describer | None = None,
        settings: TrackerSettings | None = None,
    ):
        self.settings = settings or TrackerSettings()
        if detections_per_second is not None:
            self.settings = replace(self.settings, detections_per_second=detections_per_second)
        self.detector = make_detector() if detector is None else detector
        if describer is None:
            describer = make_describer() if embed is None else from_embed(embed)
        self._people = People(describer)
        self._tracks: list[Track] = []
        self._before: GreyPicture | None = None
        self._time = -math.inf
        self._searched_at = -math.inf
        self._count = 0
        self._turn = 0
        self._cut = True

    @property
    def people(self) -> list[int]:
        """Ids of everybody seen so far."""
        return self._people.ids

    @property
    def describer(self) -> Describer:
        """How people are told apart here."""
        return self._people.describer

    def views(self, person: int) -> list[Vector]:
        """Unit descriptors of a person seen so far, to be compared by their scalar product."""
        return self._people.views(person)

    def update(self, frame: Frame) -> list[FaceObservation]:
        """Faces in the next picture; an empty list where there are none.

        Args:
            frame: pictures come in the order of their times; a step back starts afresh.
        """
        image = frame.image
        if image.ndim != 3 or min(image.shape[:2]) < 8:
            self._tracks, self._before = [], None
            return []
        picture = shrink(image)
        cut_here = self._before is None or is_cut(self._before, picture)
        if frame.time < self._time:
            cut_here, self._searched_at, self._tracks = True, -math.inf, []
        self._time = frame.time
        self._cut = cut_here
        self._advance(image, picture)
        self._before = picture
        detections, looked = self._look(image, frame.time)
        self._settle(image, frame.time, detections, looked)
        return self._report(frame)

    def _advance(self, image: Image, picture: GreyPicture) -> None:
        """Move every track along; mark those whose face changed all at once as doubtful."""
        same_shape = self._before is not None and self._before.grey.shape == picture.grey.shape
        if not self._tracks or not same_shape or self._before is None:
            for track in self._tracks:
                track.doubt(self._time, followed=False)
            return
        placements = [track.placement for track in self._tracks]
        for track, moved in zip(
            self._tracks, follow(self._before, picture, placements), strict=True
        ):
            if moved is not None:
                track.placement = moved
            now = appearance(cut(image, track.placement, 48))
            alike = correlation(track.latest, now)
            track.latest = now
            if moved is None or alike < CONTINUOUS or track.doubtful:
                track.doubt(self._time, followed=moved is not None)

    def _look(self, image: Image, time: float) -> tuple[list[Detection], list[Track]]:
        """Run the detector where it is due: detections, and the tracks they had a chance for."""
        slack = 0.02  # the times of pictures are not exact
        # Without anybody to follow there is time to look around more often.
        rate = self.settings.searches_per_second * (1 if self._tracks else 2)
        if self._cut or time - self._searched_at >= 1.0 / rate - slack:
            self._searched_at = time
            return self._search(image, thorough=self._cut), list(self._tracks)
        due = [t for t in self._tracks if t.doubtful or time - t.looked_at >= t.pause - slack]
        return [d for t in due for d in look_again(self.detector, image, t.placement)], due

    def _search(self, image: Image, *, thorough: bool) -> list[Detection]:
        """Look at the whole picture: all sizes after a cut, in turns while nobody is there."""
        sides = self.detector.search_sides
        if self._tracks and not thorough:
            return search(self.detector, image, sides[0], threshold=self.detector.keep_threshold)
        if not thorough:
            self._turn = (self._turn + 1) % len(sides)
            return search(self.detector, image, sides[self._turn], enlarge=self._turn > 0)
        for k in reversed(range(len(sides))):
            found = search(self.detector, image, sides[k], enlarge=k > 0)
            if found:
                return found
        return []

    def _settle(
        self, image: Image, time: float, detections: Sequence[Detection], looked: list[Track]
    ) -> None:
        """Give detections to tracks, begin and end tracks."""
        detections = [d for d in distinct(list(detections)) if d.box[3] >= self.settings.smallest]
        for track in self._tracks:
            track.fresh, track.waiting = None, False
        placements = [self._place(detection) for detection in detections]
        shortest = 1.0 / self.settings.detections_per_second
        for i, j in pairs(self._tracks, detections, placements, image):
            track, detection, placement = self._tracks[i], detections[j], placements[j]
            if not track.doubtful or self._still(track, image, placement):
                track.renew(image, time, detection, placement, shortest)
            elif track.waiting:
                track.fresh, track.looked_at, track.placement = detection, time, placement
        taken = {id(track.fresh) for track in self._tracks if track.fresh is not None}
        for track in looked:
            if track.fresh is None:
                track.missed, track.looked_at = True, time
                track.pause = shortest
        patience = self.settings.bridge_seconds
        alive = [t for t in self._tracks if t.is_alive(image, time, patience, cut=self._cut)]
        self._tracks = separate(alive, self.settings.most)
        for detection in detections:
            if id(detection) not in taken and detection.score >= self._birth_threshold:
                self._begin(image, time, detection)
        pause = self._people.describer.pause_seconds
        for track in list(self._tracks):
            if track.person == UNSURE:
                if track.fresh is not None:
                    self._decide(track, image, time)
            elif not (track.missed or track.doubtful) and time - track.remembered_at >= pause:
                self._remember(track, image, time)

    def _remember(self, track: Track, image: Image, time: float) -> None:
        """Take another view of a person; a slow dissolve to somebody else shows here."""
        track.remembered_at = time
        if not track.is_clear(image, self._tracks, _HAIR):
            return
        descriptor = self._people.describe(image, track.placement)
        if not self._people.is_stranger(track.person, descriptor):
            self._people.confirm(track.person, descriptor)
            return
        track.person = self._people.recognise(descriptor, self._absent())
        self._count += 1
        track.number = self._count

    def _decide(self, track: Track, image: Image, time: float) -> None:
        """Say who a new track is; wait a little where the view is poor and people are absent."""
        absent = self._absent()
        descriptor = self._people.describe(image, track.placement)
        known = any(self._people.is_same(person, descriptor) for person in absent)
        late = time - track.began_at >= _UNSURE_SECONDS
        if known or late or not absent or track.is_clear(image, self._tracks, _BODY):
            track.person = self._people.recognise(descriptor, absent)

    def _absent(self) -> list[int]:
        present = {track.person for track in self._tracks}
        return [person for person in self._people.ids if person not in present]

    @property
    def _birth_threshold(self) -> float:
        return float(getattr(self.detector, "threshold", 0.5))

    def _place(self, detection: Detection) -> Placement:
        return place(detection, margin=self.settings.margin, align_roll=self.settings.align_roll)

    def _still(self, track: Track, image: Image, placement: Placement) -> bool:
        """Whether the face found where a doubtful track was is still the same person's.

        Where that cannot be told, the track waits for a better picture; where it is somebody
        else's, the track is no longer followed.
        """
        seen = appearance(cut(image, placement, 48))
        if correlation(track.template, seen) >= SAME_FACE or track.person == UNSURE:
            return True
        descriptor = self._people.describe(image, placement)
        if self._people.is_same(track.person, descriptor):
            return True
        unclear = not self._cut and not self._people.is_stranger(track.person, descriptor)
        track.waiting = unclear and self._time - track.doubted_since < _DOUBT_SECONDS
        track.followed = False
        return False

    def _begin(self, image: Image, time: float, detection: Detection) -> None:
        if len(self._tracks) >= self.settings.most or any(
            holds_centre(t.box, detection.box) for t in self._tracks
        ):
            return
        placement = self._place(detection)
        if detection.score < _SURE and not any(
            overlap(d.box, detection.box) >= 0.4
            for d in look_again(self.detector, image, placement)
        ):
            return  # what is a face at one size only is none
        seen = appearance(cut(image, placement, 48))
        self._count += 1
        track = Track(
            number=self._count,
            placement=placement,
            relative=relative_box(placement, detection.box),
            score=detection.score,
            frontality=pose(detection, placement.roll),
            template=seen,
            latest=seen,
            began_at=time,
            detected_at=time,
            looked_at=time,
            remembered_at=time,
            pause=1.0 / self.settings.detections_per_second,
        )
        self._tracks.append(track)
        self._decide(track, image, time)

    def _report(self, frame: Frame) -> list[FaceObservation]:
        observations = []
        for track in self._tracks:
            if track.person == UNSURE or track.waiting:
                continue
            crop = cut(frame.image, track.placement, CROP_SIZE)
            score = track.score
            if track.missed:
                gap = (frame.time - track.detected_at) / max(self.settings.bridge_seconds, 1e-6)
                score *= 1 - 0.7 * min(max(gap, 0.0), 1.0)
            x, y, width, height = (v * frame.scale for v in track.box)
            observations.append(
                FaceObservation(
                    person=track.person,
                    track=track.number,
                    time=frame.time,
                    box=(x, y, width, height),
                    score=score,
                    quality=quality(crop, track.placement.side, score, track.frontality),
                    detected=not track.missed,
                    crop=crop,
                )
            )
        return observations
