"""Recordings: what is in them, and their picture and sound in windows of time.

Everything here reads local files only, once and in order, in bounded memory.
"""

from aver.media.kinds import SAMPLE_RATE, MediaInfo, MediaLimits, VideoFrame, Window
from aver.media.probe import probe
from aver.media.starts import starts
from aver.media.windows import read_windows

__all__ = [
    "SAMPLE_RATE",
    "MediaInfo",
    "MediaLimits",
    "VideoFrame",
    "Window",
    "probe",
    "read_windows",
    "starts",
]
