"""The live view in a real browser, whose camera plays a real clip."""

from __future__ import annotations

import os

import av
import cv2
import pytest

pytest.importorskip("fastapi")
playwright = pytest.importorskip("playwright.sync_api")

from server.page_browser import ARGUMENTS, CHROMIUM  # noqa: E402
from server.test_live import serving  # noqa: E402


@pytest.fixture(scope="module")
def camera(shared, tmp_path_factory):
    """What a camera of Chromium can play, motion JPEG, of a clip with one face."""
    clip = sorted((shared / "data" / "crema_d_sample").glob("*.flv"))[0]
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    with av.open(str(clip)) as source:
        pictures = [frame.to_ndarray(format="bgr24") for frame in source.decode(video=0)]
    path.write_bytes(b"".join(cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures))
    return path


@pytest.fixture
def page(camera, tmp_path):
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    fake = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
    with serving(tmp_path) as url, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=[*ARGUMENTS, *fake])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.problems = []
        page.on("console", lambda m: m.type == "error" and page.problems.append(m.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.goto(url.replace("ws:", "http:").replace("/v1/live", "/#/live"))
        yield page
        browser.close()


def test_the_camera_is_scored_drawn_and_let_go(page):
    page.get_by_role("button", name="Start camera").click()
    facts = page.locator(".live-facts")
    facts.locator("xpath=self::*[number(@data-scored) > 15]").wait_for(timeout=60_000)
    card = page.locator(".live-card").first
    assert card.get_by_role("heading").inner_text().startswith("Person 1")
    shares = [int(t.split()[0]) for t in card.locator(".live-number").all_inner_texts()]
    assert len(shares) == 8
    assert 94 <= sum(shares) <= 106  # eight rounded shares of one
    coloured = """(canvas) => canvas.getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height)
        .data.filter((value, index) => index % 4 === 3 && value).length"""
    assert page.locator(".live-boxes").evaluate(coloured) > 500
    assert page.locator(".live-curve").evaluate(coloured) > 500
    assert int(facts.get_attribute("data-delay")) > 0
    if folder := os.environ.get("AVER_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/live.png")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped.", exact=True).first.wait_for()
    assert page.locator("video").evaluate("(video) => video.srcObject") is None
    assert page.problems == []
