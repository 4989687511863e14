"""FER-2013: 48 x 48 grey faces from web searches, seven expressions (Goodfellow et al. 2013).

Two layouts are read:

* folders, ``train/<label>/*`` and ``test/<label>/*``, one image file a face, as the corpus is
  passed on today;
* the challenge's own ``fer2013.csv`` with the columns ``emotion`` (0 to 6), ``pixels`` (2,304 grey
  values between spaces) and ``Usage`` (``Training``, ``PublicTest``, ``PrivateTest``).

The corpus names no person, so no split can be made disjoint in persons.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aver.corpora.layout import count_values
from aver.corpora.registry import Count, register_corpus
from aver.errors import CorpusError
from aver.labels import FER2013

if TYPE_CHECKING:
    import pandas as pd

SIDE = 48
PUBLISHED = {
    "angry": 4953,
    "disgust": 547,
    "fear": 5121,
    "happy": 8989,
    "sad": 6077,
    "surprise": 4002,
    "neutral": 6198,
}
"""Faces of each expression in the challenge's CSV: 35,887. Copies without near-duplicates hold
fewer."""
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
_USAGE = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
_ADVICE = "Give the folder that holds train/ and test/, or fer2013.csv"


def _published(frame: pd.DataFrame) -> list[Count]:
    return [
        Count("faces", sum(PUBLISHED.values()), len(frame)),
        *count_values(frame, "label", PUBLISHED, "label"),
    ]


@register_corpus(
    "fer2013",
    title="FER-2013: 35,887 faces from web searches, 7 expressions",
    labels=FER2013,
    published=_published,
)
def load(root: Path) -> pd.DataFrame:
    """List the faces under *root*.

    Args:
        root: folder of the corpus, in either layout.

    Returns:
        One row a face with the columns of every corpus. ``group`` is ``train`` or ``test`` (from
        the CSV also ``validation``, its PublicTest); ``recording`` is the face's own name
        (``train/happy/0007259cba.webp`` or ``fer2013.csv:12``); ``start`` and ``end`` are NaN,
        ``subject`` is empty: nobody is named.

    Raises:
        CorpusError: if neither layout is found, or the CSV is not the challenge's.
    """
    import pandas as pd

    root = Path(root)
    table = root / "fer2013.csv"
    if table.is_file():
        rows = [
            (
                str(table.resolve()),
                FER2013[emotion],
                _USAGE[usage],
                str(emotion),
                f"{table.name}:{n}",
            )
            for n, (emotion, usage) in enumerate(_read_csv_labels(table))
        ]
    else:
        rows = [
            (str(file.resolve()), label, group, label, file.relative_to(root).as_posix())
            for group in ("train", "test")
            for label in FER2013
            for file in sorted((root / group / label).glob("*"))
            if file.suffix.lower() in _IMAGES
        ]
    groups = {row[2] for row in rows}
    if not {"train", "test"} <= groups:
        raise CorpusError(root, "is not FER-2013: no faces for train and test found", _ADVICE)
    frame = pd.DataFrame(rows, columns=["file", "label", "group", "source_label", "recording"])
    frame["start"] = np.nan
    frame["end"] = np.nan
    frame["subject"] = ""
    frame["intensity"] = ""
    return frame[
        "file start end subject label intensity group source_label recording".split()
    ].reset_index(drop=True)


def _read_csv_labels(table: Path) -> list[tuple[int, str]]:
    import pandas as pd

    try:
        columns = pd.read_csv(table, usecols=["emotion", "Usage"])
        emotions = [int(value) for value in columns["emotion"]]
        usages = [str(value) for value in columns["Usage"]]
    except (ValueError, OSError) as error:
        raise CorpusError(table, f"is not the challenge's CSV ({error})", _ADVICE) from error
    if not set(usages) <= set(_USAGE) or not set(emotions) <= set(range(len(FER2013))):
        raise CorpusError(table, "holds an emotion or a Usage that FER-2013 has not", _ADVICE)
    return list(zip(emotions, usages, strict=True))


def held_out(manifest: pd.DataFrame, part: float = 0.05) -> NDArray[np.bool_]:
    """The faces of ``train`` that are never trained on: checkpoints and settings are chosen there.

    A face is held out by the SHA-256 of its file's name without folder and suffix, so everybody
    who asks holds the same faces out, whatever else is loaded. The CSV's own PublicTest is held
    out whole.

    Args:
        manifest: what :func:`load` returned, or some rows of it.
        part: share of ``train`` to hold out, 0 to 1.

    Returns:
        (rows,) True where held out; never True for ``test``.
    """
    names = [Path(str(name)).stem for name in manifest["recording"]]
    draws = [int(hashlib.sha256(n.encode()).hexdigest()[:12], 16) / 16.0**12 for n in names]
    group = manifest["group"].to_numpy()
    if (group == "validation").any():
        return np.asarray(group == "validation")
    return np.asarray((np.array(draws) < part) & (group == "train"))


def read_faces(manifest: pd.DataFrame) -> NDArray[np.uint8]:
    """Read the faces of *manifest*.

    Returns:
        (rows, 48, 48) grey.

    Raises:
        CorpusError: if an image cannot be read or is not 48 x 48.
    """
    faces = np.empty((len(manifest), SIDE, SIDE), dtype=np.uint8)
    files = manifest["file"].tolist()
    tables = {file for file in files if file.endswith(".csv")}
    pixels = {table: _read_csv_pixels(Path(table)) for table in tables}
    for n, (file, recording) in enumerate(zip(files, manifest["recording"], strict=True)):
        if file in pixels:
            faces[n] = pixels[file][int(str(recording).rsplit(":", 1)[1])]
        else:
            faces[n] = _read_image(Path(file))
    return faces


def check_pixels(table: Path) -> None:
    """Read all faces of the challenge's CSV.

    Raises:
        CorpusError: if a row does not hold 48 x 48 grey values.
    """
    _read_csv_pixels(table)


def _read_image(file: Path) -> NDArray[np.uint8]:
    import cv2

    try:
        data = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise CorpusError(file, f"cannot be read ({error.strerror})", "Unpack it again") from error
    image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
    if image is None or image.shape != (SIDE, SIDE):
        raise CorpusError(file, f"is not a {SIDE} x {SIDE} image", "Unpack the corpus again")
    return np.asarray(image, dtype=np.uint8)


def _read_csv_pixels(table: Path) -> NDArray[np.uint8]:
    import pandas as pd

    texts = pd.read_csv(table, usecols=["pixels"])["pixels"]
    faces = np.empty((len(texts), SIDE, SIDE), dtype=np.uint8)
    for n, text in enumerate(texts):
        values = np.array(str(text).split(), dtype=np.int64)
        if values.size != SIDE * SIDE or values.min() < 0 or values.max() > 255:
            raise CorpusError(table, f"row {n} does not hold {SIDE * SIDE} grey values", _ADVICE)
        faces[n] = values.reshape(SIDE, SIDE)
    return faces
