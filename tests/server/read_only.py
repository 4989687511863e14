"""An analysis that opens and reads a recording as every analysis does, without any network."""

from __future__ import annotations

from aver.labels import RAVDESS
from aver.media import probe, read_windows
from aver.report import write
from aver.timeline import Timeline


class ReadOnly:
    def __init__(self, settings):
        pass

    def __call__(self, recording, result, *, name, options, progress):
        warnings = []
        info = probe(recording)
        for window in read_windows(recording, warn=warnings.append):
            progress(window.end, info.duration)
        media = {"name": name, "path": name, "duration": info.duration}
        write(Timeline(media=media, labels=RAVDESS, warnings=warnings), result, "json")
