"""Chromium for the tests of the page, and what they measure in it."""

from __future__ import annotations

import contextlib
import random
import re
from pathlib import Path

import pytest
from server.api_server import upload
from timelines import scores

from aver.labels import RAVDESS
from aver.timeline import Affect, Person, Segment, Timeline

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
# Two pictures on: what a click changes has been drawn.
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}

NAMELESS = re.compile(
    r'^\s*- (?:button|link|textbox|combobox|slider|checkbox|progressbar|img|region|tab)\b(?! ")'
)

# Text whose contrast with what lies behind it is too low: [[text, ratio], ...]. A canvas turns any
# colour that CSS knows into bytes; disabled controls are exempt (WCAG 1.4.3).
TOO_FAINT = """(least) => {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const bytes = (colour) => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    return probe.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const found = bytes(getComputedStyle(e).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), element = walk.currentNode.parentElement;
    if (!text || !element.checkVisibility({ visibilityProperty: true }) || element.closest(":disabled, option, svg, template, .visually-hidden")) continue;
    const [high, low] = [luminance(bytes(getComputedStyle(element).color)), luminance(ground(element))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < least) faint.push([text.slice(0, 40), Math.round(ratio * 100) / 100]);
  }
  return faint;
}"""  # noqa: E501

# Pixels of a canvas that are not empty.
PAINTED = """(canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
  .data.filter((value, index) => index % 4 === 3 && value).length"""


@contextlib.contextmanager
def browsing():
    """A browser, or the reason why there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def page_of(browser, url, **options):
    """A page with a memory of its own; nothing may go wrong in it or leave the server."""
    context = browser.new_context(
        **{"viewport": DESKTOP, "base_url": url, "locale": "en-GB"} | options
    )
    page = context.new_page()
    page.problems, page.asked = [], []
    page.on("console", lambda m: m.type == "error" and page.problems.append(m.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.set_default_timeout(30_000)
    yield page
    elsewhere = [u for u in page.asked if not u.startswith((url, "data:", "blob:"))]
    context.close()
    assert page.problems == []
    assert elsewhere == []


def show(page, path):
    """Open a part of the page and wait until it is drawn."""
    page.goto(f"/#{path}")
    page.locator("#main[data-shown]").wait_for()


def nameless(page):
    """Controls, pictures and regions that a screen reader would find without a name."""
    lines = page.locator("body").aria_snapshot().splitlines()
    return [line for line in lines if NAMELESS.match(line)]


def playhead(page, which=0):
    """Seconds, as the slider says."""
    return float(page.locator(".time-scale").nth(which).get_attribute("aria-valuenow"))


def click_time(page, share, which=0):
    """Click on the scale of times, at this share of its width."""
    scale = page.locator(".time-scale").nth(which)
    scale.scroll_into_view_if_needed()
    box, before = scale.bounding_box(), None
    while box != before:  # what loads above it may still move it
        page.wait_for_timeout(100)
        box, before = scale.bounding_box(), box
    page.mouse.click(box["x"] + share * box["width"], box["y"] + 8)
    page.evaluate(DRAWN)


def finished(server, timeline=None, name="two.mp4"):
    """A job that is done; its id."""
    with server.client() as client:
        job_id = upload(client, name=name)["id"]
    server.finish(job_id, timeline)
    return job_id


def other_timeline(seed=3, seconds=20):
    """Another recording: one person, changing every second, with arousal and valence."""
    rng = random.Random(seed)
    segments = [
        Segment(float(i), i + 1.0, 1, "fused", scores(rng.randrange(8), rng.uniform(0.3, 0.9)))
        for i in range(seconds)
    ]
    for segment in segments[::4]:
        segments[segments.index(segment)] = Segment(
            segment.start, segment.end, 1, "fused", segment.scores, weak=True
        )
    return Timeline(
        media={
            "name": "other.mp4",
            "duration": float(seconds),
            "has_video": True,
            "width": 320,
            "height": 240,
        },
        labels=RAVDESS,
        people=[Person(1, 0.0, float(seconds), float(seconds), 0.9)],
        segments=segments,
        affect=[Affect(0.0, 5.0, (0.2, 0.3, 0.5), (0.7, 0.2, 0.1)), Affect(5.0, 10.0, (1, 0, 0))],
    )
