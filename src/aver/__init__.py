"""aver: audio-visual emotion recognition on your own machine.

    import aver
    timeline = aver.analyze("interview.mp4")
    timeline.to_frame()

The names below load on first use, so that ``import aver`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aver._version import __version__

if TYPE_CHECKING:
    from aver.errors import AverError as AverError
    from aver.inference.analyze import analyze as analyze
    from aver.inference.analyze import stream as stream
    from aver.inference.settings import AnalysisSettings as AnalysisSettings
    from aver.timeline import Timeline as Timeline

_HOMES = {
    "analyze": "aver.inference.analyze",
    "stream": "aver.inference.analyze",
    "AnalysisSettings": "aver.inference.settings",
    "Timeline": "aver.timeline",
    "AverError": "aver.errors",
}

__all__ = ["AnalysisSettings", "AverError", "Timeline", "__version__", "analyze", "stream"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'aver' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
