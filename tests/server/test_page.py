"""The page in a real browser, with results made by hand: what it shows, and that it is safe."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from server.api_server import eventually, serving, upload
from server.page_browser import (
    PAINTED,
    browsing,
    click_time,
    finished,
    other_timeline,
    page_of,
    playhead,
    show,
)
from timelines import worked

from aver.labels import RAVDESS
from aver.report.palette import looks
from aver.report.runs import clock, person_name
from aver.report.sounds import lanes_of
from aver.report.words import describe


@pytest.fixture(scope="module")
def browser():
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture
def page(browser, server):
    with page_of(browser, server.url) as opened:
        yield opened


def test_curves_numbers_and_table_are_those_of_the_result(page, server):
    show(page, f"/recording/{finished(server)}")
    for place in (".time-scale", ".overview", ".band", ".events"):
        assert page.locator(f"{place} canvas").first.evaluate(PAINTED) > 50, place
    chart = page.locator(".person").first.locator(".uplot canvas")
    assert chart.evaluate(PAINTED) > 500
    # At 0.5 s person 1 shows happy 0.6 and the seven others share the rest.
    page.locator(".time-scale").focus()
    click_time(page, 0.5 / 4)
    numbers = page.locator(".person").first.locator(".numbers li")
    assert numbers.all_inner_texts() == ["0.06", "0.06", "0.60"] + 5 * ["0.06"]
    assert "Person 1: happy 0.60" in page.locator(".time-scale").get_attribute("aria-valuetext")
    # Between 2 and 3 s there is nobody in view.
    click_time(page, 2.5 / 4)
    assert numbers.all_inner_texts() == 8 * ["–"]
    page.get_by_text("The same as a table").click()
    rows = page.locator(".table-card tbody tr")
    rows.nth(2).wait_for()
    cells = [rows.nth(i).locator("th, td").all_inner_texts()[:4] for i in range(rows.count())]
    assert cells == [
        ["0:00.0", "0:01.0", "happy", ""],
        ["0:01.0", "0:02.0", "happy", "weak"],
        ["0:03.0", "0:04.0", "sad", ""],
    ]
    # What only the voice says is shown where the voice is chosen.
    page.get_by_role("button", name="Voice", exact=True).click()
    page.get_by_role("button", name="Fused", exact=True).click()
    click_time(page, 1.5 / 4)
    assert numbers.nth(3).inner_text() == "0.40"


def test_pointing_shows_numbers_without_moving_the_playhead(page, server):
    show(page, f"/recording/{finished(server)}")
    box = page.locator(".time-scale").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5 / 4, box["y"] + 120)
    numbers = page.locator(".person").first.locator(".numbers li")
    assert numbers.nth(2).inner_text() == "0.60"
    assert page.locator(".hover-chip").inner_text() == "0:00.5"
    assert playhead(page) == 0


def test_keys_and_dragging(page, server):
    show(page, f"/recording/{finished(server, other_timeline())}")
    view = "averPage.page.opened[0].view"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_timeout(100)
    assert playhead(page) == 11
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(100)
    assert playhead(page) == 10
    page.keyboard.press("+")
    assert page.evaluate(f"[{view}.start, {view}.end]") == [5, 15]
    assert page.locator(".span").inner_text() == "0:05.0 – 0:15.0"
    page.keyboard.press("-")
    assert page.evaluate(f"{view}.isWhole")
    page.keyboard.press("End")
    page.wait_for_timeout(100)
    assert playhead(page) == 20
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    eventually(lambda: page.wait_for_timeout(50) or playhead(page) > 0.2)
    page.keyboard.press(" ")
    box = page.locator(".time-scale").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 5, steps=4)
    page.mouse.up()
    page.wait_for_timeout(100)
    assert playhead(page) == pytest.approx(15, abs=0.1)
    # The wheel zooms over the scale, and keeps the time below the pointer where it is.
    page.mouse.wheel(0, -240)
    eventually(lambda: page.wait_for_timeout(50) or page.evaluate(f"{view}.length") < 19)
    start, end = page.evaluate(f"[{view}.start, {view}.end]")
    assert start + 0.75 * (end - start) == pytest.approx(15, abs=0.1)
    # A key in a field is a letter.
    page.get_by_role("button", name="Name person 1").click()
    page.get_by_role("textbox").press_sequentially("a + b")
    assert page.get_by_role("textbox").input_value() == "a + b"
    assert page.evaluate(f"[{view}.start, {view}.end]") == [start, end]


def test_sounds_and_affect_are_shown_or_said_to_be_missing(page, server):
    show(page, f"/recording/{finished(server)}")
    sounds = page.get_by_role("region", name="Human sounds")
    assert sounds.locator(".gutter").all_inner_texts() == ["laughter", "door"]
    click_time(page, 1.2 / 4)
    assert sounds.locator(".values").all_inner_texts() == ["0.90", "0.40"]
    assert "holds none" in page.locator(".affect-card").inner_text()
    show(page, f"/recording/{finished(server, other_timeline())}")
    click_time(page, 1 / 20)
    # Levels at the middle of their thirds: 2/3 (0.5 - 0.2) and 2/3 (0.1 - 0.7).
    assert "valence -0.40, arousal 0.20" in page.locator(".affect-card").inner_text()
    assert "without listening" in page.locator(".lane-note").inner_text()


def test_two_recordings_on_one_axis_or_each_on_its_own(page, server):
    first, second = worked(), other_timeline()
    ids = [finished(server, first), finished(server, second, "other.mp4")]
    show(page, f"/compare/{ids[0]}/{ids[1]}")
    click_time(page, 0.1)
    page.wait_for_timeout(100)
    assert [playhead(page, i) for i in (0, 1)] == [2.0, 2.0]
    ends = page.evaluate("averPage.page.opened.map((one) => one.view.total)")
    assert ends == [20, 20]
    # The table's means are those of Timeline.summary().
    table = page.locator("table.means tbody tr")
    wanted = [first.summary()[1], first.summary()[2], first.summary()[None], second.summary()[1]]
    for i, label in enumerate(RAVDESS):
        said = table.nth(i).locator("td").all_inner_texts()
        assert said == [f"{means[label]:.2f}" for means in wanted]
    page.get_by_role("button", name="Each its own").click()
    page.wait_for_timeout(300)
    assert page.evaluate("averPage.page.opened.map((one) => one.view.total)") == [4, 20]
    click_time(page, 0.5, which=1)
    page.wait_for_timeout(100)
    assert playhead(page, 1) == pytest.approx(10, abs=0.1)
    assert playhead(page, 0) == pytest.approx(2, abs=0.1)


def test_progress_is_followed_through_a_lost_connection(page, server):
    show(page, "/")
    with server.client() as client:
        job_id = upload(client, name="long film.mp4")["id"]
    job = server.run(job_id)
    server.store.progress(job_id, 1.0, 4.0, lease=job.lease)
    row = page.locator(f"[data-id='{job_id}']")
    page.evaluate("averPage.library.refresh()")
    row.get_by_text("25 %").wait_for()
    assert row.get_by_role("progressbar").get_attribute("aria-valuenow") == "25"
    page.context.set_offline(True)
    server.store.progress(job_id, 3.0, 4.0, lease=job.lease)
    page.wait_for_timeout(300)
    page.context.set_offline(False)
    row.get_by_text("75 %").wait_for()
    row.get_by_role("button", name="Cancel the analysis of long film.mp4").click()
    row.get_by_text("cancelled").wait_for()
    assert server.store.get(job_id).state == "cancelled"
    assert "long film.mp4: cancelled" in page.locator("#announce").inner_text()
    row.get_by_role("button", name="Delete long film.mp4").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep").click()
    assert server.store.get(job_id).state == "cancelled"
    row.get_by_role("button", name="Delete long film.mp4").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    row.wait_for(state="detached")
    assert job_id not in server.store.all_ids()
    page.problems[:] = [p for p in page.problems if "ERR_INTERNET_DISCONNECTED" not in p]


def test_colours_words_and_lanes_are_those_of_the_report(page, server):
    show(page, "/guide")
    sets = [RAVDESS, ("anger", "joy", "happiness"), tuple("abcdefghijkl"), ("toString", "happy")]
    ask = "async (labels) => (await import('./palette.js')).looks(labels)"
    for labels in sets:
        wanted = [{"light": k.light, "dark": k.dark, "pattern": k.pattern} for k in looks(labels)]
        assert page.evaluate(ask, list(labels)) == wanted
    ask = """async (data) => {
      const { pack } = await import("./pack.js");
      const { castOf, defaultName, sentence } = await import("./people.js");
      const { soundLanes } = await import("./sounds.js");
      const packed = pack(data);
      const said = castOf(packed).map((one) => `${defaultName(one.person, packed)} ${sentence(one, packed)}`);
      return { said, lanes: soundLanes(packed).map(({ name, events }) => [name, events.length]) };
    }"""  # noqa: E501
    for timeline in [worked(), *(other_timeline(seed, 12) for seed in range(12))]:
        timeline.model["events"] = {"labels": ["door", "laughter"]}
        found = page.evaluate(ask, timeline.to_dict())
        people = [person_name(p, timeline) for p in (1, 2, None)]
        names = {"The voice": "Voice", "A voice that belongs to nobody in view": people[2]}
        wanted = describe(timeline)
        for long, short in names.items():
            wanted = [text.replace(long, short) for text in wanted]
        assert found["said"] == wanted
        assert found["lanes"] == [[name, len(events)] for name, events in lanes_of(timeline)]
    times = [0, 7.04, 7.06, 59.999, 61, 3599.95, 3600, 7384.5]
    ask = "async (times) => { const { clock } = await import('./format.js'); return times.map((t) => [clock(t), clock(t, 1)]); }"  # noqa: E501
    assert page.evaluate(ask, times) == [[clock(t), clock(t, 1)] for t in times]


def test_a_result_that_is_gone_or_not_done_is_said(page, server):
    with server.client() as client:
        job_id = upload(client, name="waits.mp4")["id"]
    show(page, f"/recording/{job_id}")
    assert "waits.mp4 has no result: it is queued" in page.locator("main").inner_text()
    show(page, f"/recording/{'x' * 22}")
    page.get_by_role("heading", name="There is no such thing here").wait_for()
    page.problems[:] = [p for p in page.problems if "404" not in p and "409" not in p]
