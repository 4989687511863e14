"""When the picture and the sound of a recording begin on its own clock."""

from __future__ import annotations

import os

from aver.errors import MediaError
from aver.media.decode import PictureTrack, SoundTrack, Track
from aver.media.demux import Decoding
from aver.media.kinds import MediaLimits
from aver.media.picture import FrameSampler
from aver.media.source import open_recording


def starts(
    path: str | os.PathLike[str], limits: MediaLimits | None = None
) -> tuple[float | None, float | None]:
    """When picture and sound begin; the earlier of them begins at 0.

    Reading only one of the two (:func:`aver.media.read_windows`) counts from its own beginning:
    add this to put both on one clock.

    Returns:
        Seconds of the picture and of the sound; None for what there is not.

    Raises:
        MediaError: if the file cannot be read, or is beyond *limits*.
    """
    limits = limits or MediaLimits()
    recording = open_recording(path, limits)
    picture = sound = None
    tracks: list[Track] = []
    if recording.audio is not None:
        sound = SoundTrack(recording.audio)
        tracks.append(sound)
    if recording.video is not None:
        picture = PictureTrack(recording, FrameSampler(1.0, 64, 1.0), limits)
        tracks.append(picture)
    decoding = Decoding(recording, tracks, limits)
    try:
        origin = decoding.start()
        if origin is None:
            raise MediaError(
                recording.path, "nothing in it could be decoded", "Check that it plays"
            )
        return tuple(  # type: ignore[return-value]
            None if track is None or track.first is None else track.first - origin
            for track in (picture, sound)
        )
    finally:
        decoding.close()
