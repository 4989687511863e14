"""Put the figures of ``results/`` into the pages that show them.

    python benchmarks/tables.py

A page holds ``<!-- table: FILE.csv [FILE.csv ...] -->`` and ``<!-- end table -->``; what lies
between is made from those files. ``FILE.csv#WORD`` takes the rows whose experiment and metric
(``experiment: metric``) hold WORD, underscores standing for spaces; ``short`` before the files
leaves the last column out. A test checks that every page is up to date.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")),
)
PLACE = re.compile(
    r"(<!-- table: (?P<files>[^>]*?) -->\n)(?P<body>.*?)(<!-- end table -->)", re.DOTALL
)
COLUMNS = ("what", "figure", "95 % interval", "aim", "paper", "measured on")
# What short tables call a row, where its own name is too short to stand alone.
NAMES = {
    "test: accuracy": "face network, FER-2013 test faces: accuracy",
    "voice folds mater: accuracy": "voice, RAVDESS actors not heard, clip by clip: accuracy",
    "voice folds mater recording: accuracy": "the same, an actor's clips in one go: accuracy",
    "voice to ravdess plain: unweighted average recall": (
        "voice, nEMO and EmoGator to RAVDESS, 6 classes: unweighted average recall"
    ),
    "voice to nemo plain: unweighted average recall": (
        "voice, RAVDESS and EmoGator to nEMO, 6 classes: unweighted average recall"
    ),
    "mater ravdess audio/mater 8: accuracy mean of folds": (
        "MATER's voice branch on a frozen Whisper, RAVDESS, 12 folds: accuracy"
    ),
    "mater ravdess audio/log mean: accuracy mean of folds": "the same, three models: accuracy",
    "mater ravdess av/mater: accuracy mean of folds": "the same, MATER with action units: accuracy",
    "mater ravdess av/early discriminant: accuracy mean of folds": (
        "voice and action units, discriminant analysis: accuracy"
    ),
    "mater ravdess av/weighted: accuracy mean of folds": "voice and action units, fused: accuracy",
    "mater ravdess av person/weighted: accuracy mean of folds": (
        "the same, calibrated per person: accuracy"
    ),
    "mater/fused: accuracy": "face and voice, composed clips of unheard actors: accuracy",
    "mater/fused: expected calibration error before": "the same: calibration error, unscaled",
    "mater/fused: expected calibration error": "the same: expected calibration error",
}
SHORT = 5  # columns of a table that begins with the word "short"


def table(files: list[str]) -> str:
    """A Markdown table of the rows of *files* (names below ``results/``, see above)."""
    short = files[0] == "short"
    width = SHORT if short else len(COLUMNS)
    lines = ["| " + " | ".join(COLUMNS[:width]) + " |", "|" + " --- |" * width]
    for entry in files[short:]:
        name, _, word = entry.partition("#")
        with (ROOT / "results" / name).open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                what = f"{row['experiment']}: {row['metric']}".replace("_", " ")
                if word.replace("_", " ") not in what:
                    continue
                interval = (
                    f"{_rounded(row['low'])} to {_rounded(row['high'])}" if row["low"] else ""
                )
                where = "; ".join(part for part in (row["data"], row["protocol"]) if part)
                what = NAMES.get(what, what) if short else what
                figure = f"**{_rounded(row['value'])}**"
                cells = (what, figure, interval, row["aim"], row["paper"], where)
                lines.append("| " + " | ".join(c.replace("|", "/") for c in cells[:width]) + " |")
    return "\n".join(lines) + "\n"


def _rounded(text: str) -> str:
    try:
        return f"{float(text):.4g}"
    except ValueError:
        return text


def filled(text: str) -> str:
    """*text* with every table made anew."""
    return PLACE.sub(lambda m: m[1] + table(m["files"].split()) + m[4], text)


def main() -> None:
    for name in PAGES:
        page = ROOT / name
        if page.exists():
            page.write_text(filled(page.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
