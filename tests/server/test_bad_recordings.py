"""Every hostile recording through the API: taken, refused with a reason, and the server stays."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from bad_inputs.make_files import MAKERS, REFUSED, WARNED
from server.api_server import eventually, problem, serving

from aver.server.supervisor import Supervisor

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NO_FILES = {"a_folder", "missing_file", "named_pipe"}
"""What a client cannot send at all."""


def packed():
    """Archives that call themselves recordings: bombs, and containers within containers."""
    zeros, clip = bytes(64 << 20), (ROOT / "examples" / "demo.mp4").read_bytes()
    squeezed = io.BytesIO()
    with zipfile.ZipFile(squeezed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", zeros)
    yield "bomb.zip", squeezed.getvalue()
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("inner.zip", squeezed.getvalue())
        archive.writestr("clip.mp4", clip)
    yield "nested.mkv", twice.getvalue()
    yield "bomb.mp4", gzip.compress(gzip.compress(zeros))
    yield "clip.wav", gzip.compress(clip)
    # An MP4 whose first box says that it holds four others, each of which says it holds all.
    yield "boxes.mp4", b"".join((1 << 20).to_bytes(4, "big") + b"moov" for _ in range(10_000))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        data = tmp_path_factory.mktemp("bad")
        with serving(data, workers=2, analysis="read_only:ReadOnly") as made:
            supervisor = Supervisor(made.settings, made.store)
            supervisor.start()
            yield made
            supervisor.stop()


def test_every_bad_recording(server, tmp_path):
    sent = {}
    with server.client() as client:
        for name in sorted((REFUSED | WARNED) - NO_FILES):
            folder = tmp_path / name
            folder.mkdir()
            path = MAKERS[name](folder)
            with path.open("rb") as file:
                answer = client.post("/v1/analyses", files={"file": (path.name, file)})
            if name == "empty_file":
                problem(answer, 400, "malformed-upload")
                continue
            assert answer.status_code == 201, (name, answer.text)
            sent[name] = answer.json()["links"]["self"]

        for name, content in packed():
            answer = client.post("/v1/analyses", files={"file": (name, content)})
            sent[name] = answer.json()["links"]["self"]

        def ended(address):
            job = client.get(address).json()
            return job if job["state"] in ("done", "failed", "cancelled") else None

        for name, address in sent.items():
            job = eventually(lambda address=address: ended(address), seconds=120)
            if name in WARNED:
                assert job["state"] == "done", (name, job)
                warnings = client.get(job["links"]["result"]).json()["warnings"]
                # Without the ending of a name FFmpeg opens a cut off JPEG and says nothing.
                assert warnings or name == "truncated_jpeg", name
                continue
            assert job["state"] == "failed", name
            assert job["problem"]["code"] == "unreadable_recording", (name, job["problem"])
            told = job["problem"]["title"] + job["problem"]["detail"]
            assert len(told.splitlines()) == 1
            assert str(server.settings.data) not in told
            assert "/" not in told.replace("and/or", "")
            problem(client.get(f"{address}/result"), 409, "wrong-state")
            assert client.get(job["links"]["recording"]).status_code == 200
        assert client.get("/v1/health/ready").json()["status"] == "ok"
