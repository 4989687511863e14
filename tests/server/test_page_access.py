"""The page in a real browser: safe from what it shows, legible, named for screen readers."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from server.api_server import serving, upload
from server.page_browser import (
    PHONE,
    TOO_FAINT,
    browsing,
    finished,
    nameless,
    other_timeline,
    page_of,
    show,
)
from timelines import worked

from aver.timeline import Event

EVIL = '<img src=x onerror="window.hacked = 1"><script>window.hacked = 2</script>'


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


def test_nothing_in_a_result_is_read_as_markup(page, server):
    timeline = worked()
    timeline.labels = (EVIL, *timeline.labels[1:])
    timeline.warnings.append(EVIL)
    timeline.events.append(Event(0.0, 1.0, EVIL, 0.5))
    job_id = finished(server, timeline, name=f"{EVIL.replace('/', '')}.mp4")
    server.store.rename_person(job_id, 1, EVIL[:90])
    for path in ("/", f"/recording/{job_id}", f"/compare/{job_id}/{job_id}"):
        show(page, path)
        page.wait_for_timeout(150)
        assert EVIL[:14] in page.locator("main").inner_text()
        assert page.locator("main img[src=x], main script").count() == 0
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
def test_everything_is_named_legible_and_fits(browser, server, scheme, viewport):
    ids = [finished(server), finished(server, other_timeline(), f"a long name {40 * 'x'}.mp4")]
    options = {"color_scheme": scheme} | ({"viewport": viewport} if viewport else {})
    with page_of(browser, server.url, **options) as page:
        pages = (f"/recording/{ids[0]}", f"/compare/{ids[0]}/{ids[1]}", "/compare", "/guide", "/")
        for path in pages:
            show(page, path)
            page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            page.wait_for_timeout(100)
            assert page.evaluate(TOO_FAINT, 4.5) == []
            assert nameless(page) == []
            width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert width <= room, path
        # Whatever has the focus shows it.
        for _ in range(12):
            page.keyboard.press("Tab")
            ring = page.evaluate(
                "(() => { const e = document.activeElement.matches('#files') ? "
                "document.activeElement.nextSibling : document.activeElement; "
                "return parseFloat(getComputedStyle(e).outlineWidth); })()"
            )
            assert ring >= 2


def test_light_and_dark_can_be_chosen_and_are_kept(page, server):
    show(page, "/")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(246, 244, 239)"
    page.get_by_label("Light or dark").select_option("dark")
    assert page.evaluate(ground) == "rgb(19, 21, 25)"
    page.reload()
    assert page.evaluate(ground) == "rgb(19, 21, 25)"


def test_a_key_is_asked_for_and_opens_pictures_too(browser, tmp_path):
    key = "a key of the test 123"
    with serving(tmp_path, api_key=key) as server, page_of(browser, server.url) as page:
        with server.client(headers={"Authorization": f"Bearer {key}"}) as client:
            job_id = upload(client)["id"]
        server.finish(job_id)
        page.goto("/")
        page.get_by_role("textbox", name="Key").fill("a wrong key, but long")
        page.get_by_role("button", name="Open").click()
        page.get_by_text("not the key of this server").wait_for()
        page.get_by_role("textbox", name="Key").fill(key)
        page.get_by_role("button", name="Open").click()
        page.get_by_role("link", name="clip.wav").click()
        page.locator(".uplot canvas").first.wait_for()
        # The cookie opens reading: what a player asks for carries no header of the page's.
        address = f"/v1/analyses/{job_id}/recording"
        asked = "(address) => fetch(address).then((answer) => answer.status)"
        assert page.evaluate(asked, address) == 200
        page.problems[:] = [p for p in page.problems if "401" not in p]
