"""Real clips through the page: sent, analysed, played, named and downloaded, in a real browser."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from server.api_server import eventually, serving
from server.page_browser import (
    DESKTOP,
    PAINTED,
    PHONE,
    browsing,
    click_time,
    page_of,
    playhead,
    show,
)

from aver.server.supervisor import Supervisor

FORMATS = ("html", "json", "csv", "parquet", "vtt", "eaf", "textgrid")
PATIENCE = 150_000  # milliseconds: other work on the machine slows an analysis down


@pytest.fixture(scope="module")
def browser():
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def clips(shared, tmp_path_factory):
    """A clip as it is (FLV, which browsers do not play), and two as WebM, which they do."""
    sources = sorted((shared / "data" / "crema_d_sample").glob("*.flv"))
    folder = tmp_path_factory.mktemp("clips")
    made = [as_webm(source, folder / f"{source.stem}.webm") for source in sources[:2]]
    return {"flv": sources[0], "desktop": made[0], "phone": made[1]}


@pytest.fixture(scope="module")
def server(tmp_path_factory, browser):  # without a browser nothing is started
    data = tmp_path_factory.mktemp("recordings")
    with serving(data, workers=1) as running:
        supervisor = Supervisor(running.settings, running.store)
        supervisor.start()
        try:
            yield running
        finally:
            supervisor.stop()


def as_webm(source, target):
    """The same pictures and sound as VP8 and Opus."""
    with av.open(str(target), "w") as out:
        video = out.add_stream("libvpx", rate=30)
        video.width, video.height, video.pix_fmt = 480, 360, "yuv420p"
        video.options = {"deadline": "realtime", "cpu-used": "8"}
        audio = out.add_stream("libopus", rate=48000)
        audio.layout = "mono"
        resampler = av.AudioResampler("flt", "mono", 48000, frame_size=960)
        with av.open(str(source)) as clip:
            for frame in clip.decode(video=0):
                picture = frame.reformat(format="yuv420p")
                picture.pts, picture.time_base = round(frame.time * 1000), Fraction(1, 1000)
                out.mux(video.encode(picture))
        with av.open(str(source)) as clip:
            for frame in clip.decode(audio=0):
                for part in resampler.resample(frame):
                    out.mux(audio.encode(part))
        out.mux(video.encode())
        out.mux(audio.encode())
    return target


def send(page, *files):
    """Choose these files and wait until the server has ended with each; their ids."""
    page.locator("#files").set_input_files(files)
    ids = []
    for file in files:
        row = page.locator("li.ended").filter(has_text=file.name).first
        row.wait_for(timeout=PATIENCE)
        ids.append(row.get_attribute("data-id"))
    return ids


@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_a_clip_from_drop_to_download(browser, server, clips, width):
    viewport = {"desktop": DESKTOP, "phone": PHONE}[width]
    clip = clips[width]
    with page_of(browser, server.url, viewport=viewport) as page:
        show(page, "/")
        (job_id,) = send(page, clip)
        page.get_by_role("link", name=clip.name).first.click()
        page.locator(".uplot canvas").first.wait_for()
        with server.client() as client:
            answer = client.get(f"/v1/analyses/{job_id}/result")
        result = answer.json()
        duration, labels = result["media"]["duration"], result["labels"]
        fused = [s for s in result["segments"] if s["modality"] == "fused" and s["person"] == 1]
        assert page.locator(".uplot canvas").first.evaluate(PAINTED) > 500

        # Seeking moves playhead, player, numbers and boxes together.
        video = page.locator("video")
        eventually(lambda: page.wait_for_timeout(50) or video.evaluate("(v) => v.readyState > 1"))
        click_time(page, 0.4)
        time = playhead(page)
        assert time == pytest.approx(0.4 * duration, abs=0.05)
        eventually(
            lambda: (
                page.wait_for_timeout(50)
                or video.evaluate("(v) => v.currentTime") == pytest.approx(time, abs=0.05)
            )
        )
        window = next(s for s in fused if s["start"] <= time < s["end"])
        numbers = page.locator(".numbers").first.locator("li")
        assert numbers.all_inner_texts() == [f"{score:.2f}" for score in window["scores"]]
        best = int(np.argmax(window["scores"]))
        words = page.locator("canvas.boxes").get_attribute("data-words")
        assert words == f"Person 1 · {labels[best]} {window['scores'][best]:.2f}"

        # The box lies over the picture where the face is.
        drawn = page.evaluate("averPage.page.opened[0].stage.drawn[0]")
        shown = page.locator(".frame").bounding_box()
        scale = min(shown["width"] / 480, shown["height"] / 360)
        left = (shown["width"] - 480 * scale) / 2
        faces = [s for s in result["segments"] if s["modality"] == "face"]
        before, after = nearest(faces, time)
        share = (time - middle(before)) / (middle(after) - middle(before)) if after else 0
        ends = zip(before["box"], (after or before)["box"], strict=True)
        wanted = [a + share * (b - a) for a, b in ends]
        assert drawn["x"] == pytest.approx(left + wanted[0] * scale, abs=1.5)
        assert drawn["width"] == pytest.approx(wanted[2] * scale, abs=1.5)

        # A name goes to the server, and everywhere on the page.
        page.get_by_role("button", name="Name person 1").click()
        page.get_by_role("textbox", name="Name of person 1").fill("Ana <i>Ruiz</i>")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Ana <i>Ruiz</i>").wait_for()
        assert server.store.names(job_id) == {1: "Ana <i>Ruiz</i>"}
        assert page.locator(".overview-name").first.inner_text() == "Ana <i>Ruiz</i>"
        words = page.locator("canvas.boxes").get_attribute("data-words")
        assert words.startswith("Ana <i>Ruiz</i> · ")
        page.reload()
        page.get_by_role("heading", name="Ana <i>Ruiz</i>").wait_for()

        # What is downloaded is what the API gives.
        page.locator(".menu summary").click()
        with page.expect_download() as waiting:
            page.locator("a[data-format=json]").click()
        assert waiting.value.path().read_bytes() == answer.content
        assert waiting.value.suggested_filename == f"{clip.stem}.json"
        with server.client() as client:
            for name in FORMATS:
                link = page.locator(f"a[data-format={name}]").get_attribute("href")
                found = client.get(f"/{link}")
                assert found.status_code == 200, name
                assert len(found.content) > 200, name

        # Played, picture and playhead go together.
        page.keyboard.press("Escape")
        page.locator(".time-scale").focus()
        page.keyboard.press("Home")
        page.keyboard.press(" ")
        eventually(lambda: page.wait_for_timeout(50) or playhead(page) > 0.3, 30)
        page.keyboard.press(" ")
        page.wait_for_timeout(300)
        assert video.evaluate("(v) => v.paused")
        assert playhead(page) == pytest.approx(video.evaluate("(v) => v.currentTime"), abs=0.05)


def middle(segment):
    return (segment["start"] + segment["end"]) / 2


def nearest(faces, time):
    """The face's window at a time and the neighbour that its box moves towards."""
    at = next(i for i, s in enumerate(faces) if s["start"] <= time < s["end"])
    other = at - 1 if time < middle(faces[at]) else at + 1
    return faces[at], faces[other] if 0 <= other < len(faces) else None


def test_several_files_and_a_container_that_browsers_cannot_play(browser, server, clips, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text(40 * "no film at all\n")
    with page_of(browser, server.url) as page:
        show(page, "/")
        job_id, _ = send(page, clips["flv"], notes)
        failed = page.locator("li.failed").filter(has_text="notes.txt").inner_text()
        assert "text file, not a recording" in failed
        show(page, f"/recording/{job_id}")
        plate = page.locator(".plate")
        plate.get_by_text("cannot play this kind of recording (flv").wait_for()
        assert plate.locator("img").count() > 0
        assert plate.locator("img").first.evaluate("(i) => i.decode().then(() => i.naturalWidth)")
        assert page.locator(".uplot canvas").first.evaluate(PAINTED) > 500
        page.keyboard.press(" ")
        eventually(lambda: page.wait_for_timeout(50) or playhead(page) > 0.2, 30)
        face = plate.get_by_role("button").last
        face.click()
        time = page.evaluate("averPage.page.opened[0].packed.people[0].thumbnails.at(-1).time")
        page.keyboard.press("Escape")
        page.wait_for_timeout(100)
        assert playhead(page) >= time - 0.05
