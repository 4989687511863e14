"""Many clients at once: every answer is right or a clear 429, and memory does not grow."""

from __future__ import annotations

import asyncio
import hashlib
import time

import httpx
import pytest
from server.api_server import upload

CLIENTS, SECONDS = 32, 4.0


def resident_megabytes():
    """Resident memory of this process, in which the server runs."""
    with open("/proc/self/status") as status:  # noqa: PTH123
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize("limits", [{}, {"max_queued": 4}])
def test_32_clients(make_server, limits):
    server = make_server(**limits)
    server.services.uploads_at_once.each = CLIENTS  # they all come from one address
    with server.client() as client:
        done = upload(client, b"done")["id"]
    server.finish(done)
    expected = server.files.timeline(done).read_bytes()
    statuses: dict[int, int] = {}
    ends = time.monotonic() + SECONDS

    async def one(number):
        content = hashlib.sha256(str(number).encode()).digest() * 2000
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:

            async def ask(method, path, right, **options):
                answer = await client.request(method, path, **options)
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
                if answer.status_code == 429:
                    assert answer.headers["content-type"] == "application/problem+json"
                    assert int(answer.headers["retry-after"]) >= 1
                    return None
                assert answer.status_code in right, (method, path, answer.text)
                return answer

            while time.monotonic() < ends:
                made = await ask("POST", "/v1/analyses", {201}, files={"file": ("a.wav", content)})
                result = await ask("GET", f"/v1/analyses/{done}/result", {200})
                assert result is None or result.content == expected
                if made is not None:
                    job = made.json()
                    assert job["sha256"] == hashlib.sha256(content).hexdigest()
                    read = await ask("GET", job["links"]["recording"], {200})
                    assert read is None or read.content == content
                    state = await ask("GET", job["links"]["self"], {200})
                    assert state is None or state.json()["id"] == job["id"]
                    while not await ask("DELETE", job["links"]["self"], {204}):
                        await asyncio.sleep(0.2)
                await ask("GET", "/v1/analyses?limit=5", {200})

    async def everybody():
        await asyncio.gather(*(one(n) for n in range(CLIENTS)))

    before = resident_megabytes()
    asyncio.run(everybody())
    assert set(statuses) <= {200, 201, 204, 429}
    assert statuses[201] >= (4 if limits else CLIENTS // 2)
    assert (429 in statuses) == bool(limits)
    assert resident_megabytes() - before < 200
    assert [job.id for job in server.store.list().jobs] == [done]
    assert [folder.name for folder in server.files.jobs.iterdir()] == [done]
