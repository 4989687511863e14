"""What a job's process does with a recording: the project's own analysis, networks kept loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aver.inference.analyze import Analyzer
from aver.inference.settings import AnalysisSettings
from aver.media import MediaLimits
from aver.report import write

Progress = Callable[[float, float | None], None]


class Analysis:
    """Analyses one recording after the other with the same networks.

    Args:
        settings: plain data, see :func:`settings_for`.

    Raises:
        ModelError: a network is missing or damaged.
    """

    def __init__(self, settings: Mapping[str, Any]):
        self._analyzer = Analyzer(
            AnalysisSettings(
                detector=settings["detector"],
                frames_per_second=settings["frames_per_second"],
                threads=settings["threads"],
                affect=settings["affect"],
                limits=MediaLimits(
                    max_duration_seconds=settings["max_duration_seconds"],
                    max_pixels=settings["max_pixels"],
                ),
            )
        )

    def __call__(
        self,
        recording: Path,
        result: Path,
        *,
        name: str,
        options: Mapping[str, Any],
        progress: Progress,
    ) -> None:
        """Analyse *recording* and write its timeline, as JSON, to *result*.

        Args:
            recording: a file of fixed name.
            result: the file to write.
            name: what the recording is called in the result.
            options: ``explain``: keep what the networks looked at.
            progress: called with seconds done and the duration.

        Raises:
            AverError: see :func:`aver.inference.analyze.analyze` and :func:`aver.report.write`.
        """
        if options.get("explain"):
            from aver.report.explain_data import explained_timeline

            timeline = explained_timeline(self._analyzer, recording, progress=progress)
        else:
            timeline = self._analyzer.analyze(recording, progress=progress)
        # Where the server keeps it is nobody's business.
        timeline.media["path"] = timeline.media["name"] = name
        write(timeline, result, "json")
