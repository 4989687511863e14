"""The API keeps to its own document: requests made from it by schemathesis, answers checked."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from server.api_server import serving, upload

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
from schemathesis.checks import CHECKS, load_all_checks  # noqa: E402

KEY = "a key of the tests, long enough"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("schemathesis"), max_upload_bytes=100_000) as made:
        yield made


@pytest.fixture(scope="module")
def ids(server):
    """One job that is done, one that waits."""
    with server.client() as client:
        done, waiting = upload(client, b"x" * 100), upload(client, b"y")
    server.finish(done["id"])
    return [done["id"], waiting["id"]]


@pytest.fixture(scope="module")
def schema(server, ids):
    """The document, with operations that know of jobs that exist."""
    with server.client() as client:
        document = client.get("/v1/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "job_id":
                    # Deleting, and the streams of what never ends, are tested elsewhere.
                    gone = method == "delete" or path.endswith("/events")
                    parameter["schema"]["enum"] = ["A" * 22] if gone else [*ids, "A" * 22]
                if parameter["name"] == "person":
                    parameter["schema"]["maximum"] = 3
    loaded = schemathesis.openapi.from_dict(document)
    loaded.config.update(base_url=server.url)
    loaded.config.generation.update(modes=list(schemathesis.GenerationMode))
    return loaded


load_all_checks()
CHECKED = CHECKS.get_by_names(
    ["not_a_server_error", "status_code_conformance", "content_type_conformance",
     "response_headers_conformance", "response_schema_conformance", "unsupported_method",
     "allow_header_conformance", "missing_required_header"]
)  # fmt: skip


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda m: m.value)
def test_requests_made_from_the_document(schema, mode):
    """No 5xx; only documented statuses, types, headers and bodies."""
    seen = {}
    for found in schema.get_all_operations():
        _try(found.ok(), mode, seen)
    assert len(seen) == 17
    if mode is schemathesis.GenerationMode.POSITIVE:
        statuses = set().union(*seen.values())
        assert {200, 201, 204, 404, 409} <= statuses


def _try(operation, mode, seen):
    @settings(
        max_examples=8 if mode is schemathesis.GenerationMode.POSITIVE else 5,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        answer = case.call_and_validate(checks=CHECKED, timeout=10)
        seen.setdefault(operation.label, set()).add(answer.status_code)

    try:
        check()
    except Unsatisfiable:
        seen.setdefault(operation.label, set())  # nothing about it can be wrong


def test_the_key_is_asked_for_where_the_document_says_so(tmp_path):
    with serving(tmp_path, api_key=KEY) as server, server.client() as client:
        document = client.get("/v1/openapi.json").json()
        assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                filled = path.format(job_id="A" * 22, person=1, code="not-found")
                is_open = client.request(method, filled).status_code != 401
                assert is_open == (operation.get("security") == []), (method, path)
