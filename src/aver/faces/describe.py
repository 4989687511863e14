"""Describe a person, so that one who left the picture and came back is known again.

Without any network, a person is described by the face's texture (gradient directions and local
binary patterns on the aligned grey crop) and by the colours of hair, skin and clothes around it.
That holds within one recording, where light and clothes stay. Two networks of the model cache
hold further: SFace, and dlib's residual network. Descriptors are compared by their scalar
product, never kept after the analysis, and tell nothing about who somebody is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aver import pretrained
from aver.errors import ModelError, SettingError
from aver.faces.crop import Placement, cut
from aver.faces.detect import Image

Vector = NDArray[np.float32]
Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Maps (n, 96, 96, 3) RGB crops to (n, d) vectors that are compared by their cosine."""
DescriberName = Literal["auto", "own", "sface", "dlib_resnet"]


@dataclass(frozen=True, slots=True)
class Describer:
    """A way to tell people apart.

    Attributes:
        name: a short name.
        describe: maps a picture and the place of a face in it to a unit vector.
        same_person: scalar product from which two descriptors count as one person's.
        stranger: scalar product below which they count as two persons'.
        pause_seconds: a person in the picture is described again after this long.
    """

    name: str
    describe: Callable[[Image, Placement], Vector]
    same_person: float
    stranger: float
    pause_seconds: float = 2.0


def make_describer(name: DescriberName = "auto") -> Describer:
    """Open a describer.

    Args:
        name: ``own`` needs nothing; ``sface`` and ``dlib_resnet`` need their network in the model
            cache; ``auto`` takes the first of sface, dlib_resnet, own that is there.

    Raises:
        ModelError: if a network was asked for by name and is not there or cannot be read.
        SettingError: if no describer has that name.
    """
    if name == "auto":
        for network in ("sface", "dlib_resnet"):
            if pretrained.find(network) is not None:
                return make_describer(network)  # type: ignore[arg-type]
        return make_describer("own")
    if name == "own":
        return Describer("own", describe, 0.75, 0.45)
    if name == "sface":
        return _sface()
    if name == "dlib_resnet":
        return _dlib_resnet()
    raise SettingError(
        "describer", f"{name!r} is no describer", "Use auto, own, sface or dlib_resnet"
    )


def from_embed(embed: Embed, same_person: float = 0.5, stranger: float = 0.25) -> Describer:
    """A describer out of a function from (n, 96, 96, 3) RGB crops to (n, d) vectors."""

    def describe_crop(image: Image, placement: Placement) -> Vector:
        return unit(np.asarray(embed(cut(image, placement)[None]), np.float32)[0])

    return Describer("embed", describe_crop, same_person, stranger)


# SFace is fed faces whose points lie where ArcFace's five points of 112 x 112 lie (Deng et al.
# 2019); dlib's network chips of 150 with a padding of 0.25. In sides of our crop that is a square
# so many times as large, its centre so far down.
_SFACE_SIDE, _SFACE_DOWN = 1.03, -0.08
_CHIP_SIDE, _CHIP_DOWN = 0.90, 0.086


def _framed(placement: Placement, side: float, down: float) -> Placement:
    shift = down * placement.side
    return replace(
        placement,
        x=placement.x - float(np.sin(placement.roll)) * shift,
        y=placement.y + float(np.cos(placement.roll)) * shift,
        side=placement.side * side,
    )


def _sface() -> Describer:
    import cv2

    file = pretrained.path_of("sface")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        net: Any = cv2.FaceRecognizerSF.create(str(file), "")
    except cv2.error as error:
        raise ModelError(file, "cannot be read as SFace", pretrained.how_to_get("sface")) from error

    def describe_face(image: Image, placement: Placement) -> Vector:
        aligned = cut(image, _framed(placement, _SFACE_SIDE, _SFACE_DOWN), 112)
        feature = net.feature(cv2.cvtColor(aligned, cv2.COLOR_RGB2BGR))
        return unit(np.asarray(feature, np.float32).ravel())

    # OpenCV's documentation gives 0.363 for one person; a wrong re-join is worse than a missed one.
    return Describer("sface", describe_face, 0.40, 0.15, 5.0)


def _dlib_resnet() -> Describer:
    import dlib

    file = pretrained.path_of("dlib_resnet")
    try:
        net: Any = dlib.face_recognition_model_v1(str(file))
    except RuntimeError as error:
        raise ModelError(
            file, "cannot be read as dlib's network", pretrained.how_to_get("dlib_resnet")
        ) from error

    def describe_face(image: Image, placement: Placement) -> Vector:
        chip = np.ascontiguousarray(cut(image, _framed(placement, _CHIP_SIDE, _CHIP_DOWN), 150))
        return unit(np.asarray(net.compute_face_descriptor(chip), np.float32))

    # Its vectors are about 1.43 long and all point one way: these cosines stand for distances of
    # 0.51 and 0.64, where dlib's documentation gives 0.6.
    return Describer("dlib_resnet", describe_face, 0.935, 0.90, 5.0)


_FACE_SHARE = 0.6


def describe(image: Image, placement: Placement) -> Vector:
    """Own descriptor of the person at *placement*: unit vector of the face, then of the colours.

    The two parts are weighted so that the scalar product of two descriptors is the mean of the
    two parts' cosines, the face with weight 0.6.
    """
    import cv2

    face = cv2.cvtColor(cut(image, placement, 72), cv2.COLOR_RGB2GRAY)
    # Light from one side is taken out by dividing by the neighbourhood.
    plain = face.astype(np.float32)
    mean = cv2.GaussianBlur(plain, (0, 0), 6)
    spread = np.sqrt(cv2.GaussianBlur((plain - mean) ** 2, (0, 0), 6)) + 4.0
    levelled = (plain - mean) / spread
    texture = unit(np.concatenate([unit(_gradients(levelled)), unit(_patterns(levelled))]))
    colours = unit(_colours(image, placement))
    return np.concatenate(
        [np.sqrt(_FACE_SHARE) * texture, np.sqrt(1 - _FACE_SHARE) * colours]
    ).astype(np.float32)


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """*vector* at length 1; a vanishing one as it is."""
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm > 1e-6 else vector


def _pooled(maps: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """Mean of (k, h, w) maps in each cell of a grid: (cells * cells, k); cells divides h and w."""
    kinds, height, width = maps.shape
    blocks = maps.reshape(kinds, cells, height // cells, cells, width // cells)
    return np.asarray(blocks.mean(axis=(2, 4)).reshape(kinds, -1).T, np.float32)


def _gradients(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    dx = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3)
    dy = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3)
    strength, angle = cv2.cartToPolar(dx, dy)
    turn = (angle % np.pi) * (8 / np.pi)
    bins = [strength * np.maximum(0, 1 - np.abs((turn - k + 4) % 8 - 4)) for k in range(8)]
    cells = np.sqrt(_pooled(np.stack(bins), 9))
    # What all faces share (eyes here, mouth there) tells nobody apart: compare directions within
    # each cell.
    cells -= cells.mean(axis=1, keepdims=True)
    return np.asarray(cells.ravel(), np.float32)


def _patterns(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    ring = ((0, 2), (2, 2), (2, 0), (2, -2), (0, -2), (-2, -2), (-2, 0), (-2, 2))
    height, width = grey.shape
    padded = np.pad(grey, 2, mode="edge")
    bits = [
        np.where(padded[2 + y : 2 + y + height, 2 + x : 2 + x + width] > grey, 1.0, -1.0)
        for y, x in ring
    ]
    cells = _pooled(np.stack(bits).astype(np.float32), 9)
    cells -= cells.mean(axis=1, keepdims=True)
    return np.asarray(cells.ravel(), np.float32)


def _colours(image: Image, placement: Placement) -> NDArray[np.float32]:
    """Square roots of colour histograms of hair, skin and clothes."""
    import cv2

    around = cut(image, replace(placement, side=placement.side * 2.2, roll=0.0), 44)
    hsv = cv2.cvtColor(around, cv2.COLOR_RGB2HSV)
    parts = (hsv[6:14, 12:32], hsv[16:30, 15:29], hsv[36:44, 8:36])
    histograms = []
    for part in parts:
        counts = cv2.calcHist([part], [0, 1, 2], None, [8, 3, 4], [0, 180, 0, 256, 0, 256])
        histograms.append(unit(np.sqrt(cv2.GaussianBlur(counts.reshape(8, 12), (3, 1), 0.7))))
    return np.concatenate([h.ravel() for h in histograms]).astype(np.float32)
