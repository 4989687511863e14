"""Figures drawn with matplotlib (extra ``train``), written beside and renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from aver.errors import AverError, SettingError
from aver.report.files import write_files

SUFFIXES = (".png", ".svg", ".pdf")


def picture_path(path: str | Path, setting: str = "path") -> Path:
    """*path*, if it names a picture.

    Raises:
        SettingError: for another suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise SettingError(setting, f"'{path.name}' is no picture", "Name a .png file")
    return path


def new_figure(width: float, height: float) -> Any:
    """An empty figure of *width* by *height* inches.

    Raises:
        AverError: if matplotlib is not installed.
    """
    try:
        # Without pyplot: no window system, no state shared with the caller's own figures.
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise AverError(
            "the picture needs the package 'matplotlib'", 'Run: pip install "aver[train]"'
        ) from error
    return Figure(figsize=(width, height))


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure.

    Raises:
        OutputError: if the file cannot be written.
    """

    def write(stream: BinaryIO) -> None:
        kind = path.suffix.lower().removeprefix(".")
        figure.savefig(stream, format=kind, dpi=150, facecolor="white", bbox_inches="tight")

    write_files([(path, write)])
