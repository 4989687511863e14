"""Parts of a file: as RFC 9110 has it, for players that seek."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server.api_server import problem, upload

from aver.server.ranges import MOST_RANGES, wanted_ranges

CONTENT = bytes(range(256)) * 2000  # larger than what is sent in one go


@pytest.fixture(scope="module")
def recording(api):
    return upload(api, CONTENT, "clip.mp4")["links"]["recording"]


def test_the_whole(api, recording):
    answer = api.get(recording)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["accept-ranges"] == "bytes"
    head = api.head(recording)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == "512000"
    assert head.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize(
    ("asked", "part", "said"),
    [
        ("bytes=0-0", CONTENT[:1], "0-0"),
        ("bytes=0-99", CONTENT[:100], "0-99"),
        ("bytes=511000-", CONTENT[511000:], "511000-511999"),
        ("bytes=-7", CONTENT[-7:], "511993-511999"),
        ("bytes=-999999", CONTENT, "0-511999"),
        ("bytes=100-9999999", CONTENT[100:], "100-511999"),
        ("BYTES = 5-6", CONTENT[5:7], "5-6"),
        ("bytes=9-10, 600000-", CONTENT[9:11], "9-10"),
    ],
)
def test_one_part(api, recording, asked, part, said):
    answer = api.get(recording, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["content-range"] == f"bytes {said}/512000"
    assert answer.headers["content-length"] == str(len(part))


def test_several_parts(api, recording):
    answer = api.get(recording, headers={"Range": "bytes=0-9, 100-109"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert CONTENT[:10] in answer.content
    assert CONTENT[100:110] in answer.content
    assert b"Content-Range: bytes 100-109/512000" in answer.content


@pytest.mark.parametrize("asked", ["bytes=512000-", "bytes=-0", "bytes=600000-700000"])
def test_beyond_the_end(api, recording, asked):
    answer = api.get(recording, headers={"Range": asked})
    problem(answer, 416, "range-not-satisfiable")
    assert answer.headers["content-range"] == "bytes */512000"


@pytest.mark.parametrize(
    "asked",
    ["lines=0-9", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "bytes=1-2-3", "0-5",
     "bytes=0-1," * MOST_RANGES + "2-3", "bytes=" + "9" * 60 + "-"],
)  # fmt: skip
def test_what_is_no_range_gets_the_whole(api, recording, asked):
    answer = api.get(recording, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, CONTENT)


def test_a_range_of_the_head_is_ignored(api, recording):
    assert api.head(recording, headers={"Range": "bytes=0-5"}).status_code == 200


def test_if_range(api, recording):
    facts = api.head(recording).headers
    for same in (facts["etag"], facts["last-modified"]):
        answer = api.get(recording, headers={"Range": "bytes=0-5", "If-Range": same})
        assert answer.status_code == 206
    for other in ('"other"', f"W/{facts['etag']}", "Sat, 01 Jan 2000 00:00:00 GMT"):
        answer = api.get(recording, headers={"Range": "bytes=0-5", "If-Range": other})
        assert (answer.status_code, len(answer.content)) == (200, 512000)


def test_if_none_match(api, recording):
    etag = api.head(recording).headers["etag"]
    for same in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        answer = api.get(recording, headers={"If-None-Match": same})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
    assert api.get(recording, headers={"If-None-Match": '"x"'}).status_code == 200


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40) | st.none(), st.integers(0, 40) | st.none()).filter(
            lambda r: r != (None, None)
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 30),
)
def test_ranges_are_what_slices_are(pairs, size):
    header = "bytes=" + ",".join(
        f"{'' if a is None else a}-{'' if b is None else b}" for a, b in pairs
    )
    found = wanted_ranges(header, size)
    if any(a is not None and b is not None and b < a for a, b in pairs):
        assert found is None
        return
    content = list(range(size))
    slices = [content[a : None if b is None else b + 1] if a is not None else content[-b:] * bool(b)
              for a, b in pairs]  # fmt: skip
    assert [content[a : b + 1] for a, b in found] == [s for s in slices if s]


@settings(deadline=None)
@given(st.text(max_size=40), st.integers(0, 100))
def test_any_header_is_a_range_or_ignored(header, size):
    for start, end in wanted_ranges(header, size) or ():
        assert 0 <= start <= end < size


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "video/x-matroska"),
        (b"OggS" + b"\0" * 24 + b"OpusHead", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"FLV\x01\x05", "video/x-flv"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"<html><script>", "application/octet-stream"),
        (b"<svg xmlns=", "application/octet-stream"),
        (b"x", "application/octet-stream"),
    ],
)
def test_the_type_is_told_by_the_bytes_not_by_the_name(api, head, kind):
    job = upload(api, head, "page.html")
    answer = api.get(job["links"]["recording"])
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"].startswith("inline")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_recording_that_is_no_longer_kept(api_server, api):
    job = upload(api, b"x")
    api_server.files.erase_recording(job["id"])
    problem(api.get(job["links"]["recording"]), 410, "gone")
