"""Pictures come out upright, small, and in their own colours."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from bad_inputs.make_files import MAKERS
from bad_inputs.recordings import CORNERS, corner_picture, set_display_matrix, write, write_image

from aver.media import VideoFrame, probe, read_windows
from aver.media.picture import Converter, FrameSampler, display_size

CLOCKWISE = ["top left", "top right", "bottom right", "bottom left"]


def first_frame(path: Path, **settings: int) -> VideoFrame:
    return next(iter(read_windows(path, **settings))).frames[0]  # type: ignore[arg-type]


def corner_colours(image: np.ndarray) -> dict[str, np.ndarray]:
    height, width = image.shape[:2]
    y, x = max(1, height // 12), max(1, width // 12)
    return {
        "top left": image[y, x],
        "top right": image[y, -1 - x],
        "bottom right": image[-1 - y, -1 - x],
        "bottom left": image[-1 - y, x],
    }


def assert_turned(image: np.ndarray, degrees: int, tolerance: int = 25) -> None:
    """The corners of a corner picture have moved *degrees* clockwise."""
    colours = corner_colours(image)
    for name, colour in CORNERS.items():
        seen_at = CLOCKWISE[(CLOCKWISE.index(name) + degrees // 90) % 4]
        np.testing.assert_allclose(colours[seen_at].astype(int), colour, atol=tolerance)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied_once(tmp_path: Path, degrees: int) -> None:
    path = MAKERS[f"rotated_{degrees}"](tmp_path)
    frame = first_frame(path)
    assert_turned(frame.image, degrees)
    shape = (96, 64) if degrees in (90, 270) else (64, 96)
    assert frame.image.shape == (*shape, 3)
    info = probe(path)
    assert info.rotation == degrees
    assert (info.height, info.width) == shape


def test_rotated_and_scaled_down(tmp_path: Path) -> None:
    path = MAKERS["rotated_90"](tmp_path)
    frame = first_frame(path, max_side=48)
    assert frame.image.shape == (48, 32, 3)
    assert frame.scale == 2.0
    assert_turned(frame.image, 90)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        # a, b, c, d of the display matrix
        ([-1, 0, 0, 1], "mirrored"),
        ([1, 0, 0, -1], "upside down"),
    ],
)
def test_mirrored_pictures(tmp_path: Path, matrix: list[int], expected: str) -> None:
    path = write(tmp_path / "mirror.mp4", size=(96, 64), seconds=0.2)
    set_display_matrix(path, matrix)
    plain = corner_picture(96, 64)
    flipped = plain[:, ::-1] if expected == "mirrored" else plain[::-1]
    difference = first_frame(path).image.astype(int) - flipped
    assert np.abs(difference).mean() < 12


@pytest.mark.parametrize(
    ("size", "max_side", "shape", "scale"),
    [
        ((64, 48), 640, (48, 64), 1.0),
        ((64, 48), 32, (24, 32), 2.0),
        ((48, 64), 32, (32, 24), 2.0),
        ((1, 1), 640, (1, 1), 1.0),
        ((3, 4000), 640, (640, 1), 6.25),
        ((4000, 3), 640, (1, 640), 6.25),
        ((65, 33), 32, (16, 32), 65 / 32),
    ],
)
def test_sizes(
    tmp_path: Path, size: tuple[int, int], max_side: int, shape: tuple[int, int], scale: float
) -> None:
    path = write_image(tmp_path / "a.png", corner_picture(*size), "png", "rgb24")
    frame = first_frame(path, max_side=max_side)
    assert frame.image.shape == (*shape, 3)
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous
    assert frame.scale == pytest.approx(scale)


def test_scaling_down_averages(tmp_path: Path) -> None:
    """A fine checkerboard becomes an even grey, not a moiré."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    path = write_image(tmp_path / "a.png", np.repeat(board[..., None], 3, axis=2), "png", "rgb24")
    image = first_frame(path, max_side=16).image
    assert abs(int(image.mean()) - 128) <= 2
    assert image.std() < 3


@pytest.mark.parametrize(
    "name", ["picture_png", "picture_jpeg", "picture_webp", "still_gif", "ten_bit", "full_chroma"]
)
def test_colours_survive(tmp_path: Path, name: str) -> None:
    assert_turned(first_frame(MAKERS[name](tmp_path)).image, 0, tolerance=32)


def test_high_definition_that_does_not_say_is_taken_for_bt_709(tmp_path: Path) -> None:
    """Green of BT.709 (Y 173, Cb 42, Cr 26: Recommendation ITU-R BT.709-6, item 3) is green."""
    frame = av.VideoFrame(1280, 720, "yuv420p")
    for plane, value in zip(frame.planes, (173, 42, 26), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    image, scale = Converter(640)(frame, None)
    assert scale == 2.0
    np.testing.assert_allclose(image[100, 100].astype(int), [0, 255, 0], atol=3)


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    image = first_frame(MAKERS["transparent_png"](tmp_path)).image
    np.testing.assert_array_equal(image[:32], corner_picture(96, 64)[:32])
    np.testing.assert_array_equal(image[32:], 255)


@pytest.mark.parametrize("name", ["grey_png", "grey_16_bit_png"])
def test_grey_pictures(tmp_path: Path, name: str) -> None:
    image = first_frame(MAKERS[name](tmp_path)).image.astype(int)
    assert image.shape == (64, 96, 3)
    np.testing.assert_allclose(
        image, np.arange(96)[None, :, None] * 2 + np.zeros((64, 1, 3)), atol=2
    )


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((720, 576), 16 / 15, (768, 576)),
        ((1440, 1080), 4 / 3, (1920, 1080)),
        ((720, 480), 8 / 9, (720, 540)),
        ((640, 480), None, (640, 480)),
        ((640, 480), 1000.0, (640, 480)),
    ],
)
def test_pixels_that_are_not_square(
    size: tuple[int, int], aspect: float | None, expected: tuple[int, int]
) -> None:
    assert display_size(*size, aspect) == expected


def test_at_most_so_many_pictures_are_converted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    converted = []
    convert = Converter.__call__
    monkeypatch.setattr(Converter, "__call__", lambda *a: converted.append(1) or convert(*a))
    path = write(tmp_path / "a.mp4", seconds=2, rate=50)
    frames = [frame for window in read_windows(path) for frame in window.frames]
    assert len(frames) == len(converted) == 20


def test_sampler_keeps_the_first_of_each_tick() -> None:
    sampler = FrameSampler(frames_per_second=10.0, max_side=8, window_seconds=0.5)
    frame = av.VideoFrame(8, 8, "rgb24")
    for time in (0.01, 0.05, 0.12, 0.31, 0.39, 0.4):
        sampler.push(frame, time, None, until=time)
    assert [kept.time for kept in sampler.take(0.4)] == [0.01, 0.12, 0.31]
    assert [kept.time for kept in sampler.take(1.0)] == [0.4]


def test_sampler_holds_a_picture_only_while_it_is_on_show() -> None:
    sampler = FrameSampler(frames_per_second=10.0, max_side=8, window_seconds=0.5)
    frame = av.VideoFrame(8, 8, "rgb24")
    sampler.push(frame, 0.2, None, until=0.3)  # late successor: held for a second
    sampler.push(frame, 3.0, None, until=4.6)  # long by its own account
    sampler.push(frame, 9.0, None, until=9.1)
    sampler.push(frame, 9.1, None, until=9.6)  # the last ends when it says
    sampler.finish()
    times = [kept.time for kept in sampler.take(20.0)]
    assert times == [0.2, 0.5, 1.0, 3.0, 3.5, 4.0, 4.5, 9.0, 9.1, 9.5]
