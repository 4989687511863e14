"""Limits of one client: buckets of tokens, and things at once."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server.api_server import problem

from aver.server import rates
from aver.server.problems import Problem
from aver.server.rates import AtOnce, TokenBuckets


class Hand:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self):
        return self.now


def test_a_bucket_by_hand():
    clock = Hand()
    buckets = TokenBuckets(2.0, 3.0, clock=clock)
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a") == 0.5  # one token takes half a second
    assert buckets.take("b") == 0  # another client's bucket is full
    clock.now = 0.25
    assert buckets.take("a") == 0.25  # asking in vain costs nothing
    clock.now = 0.5
    assert buckets.take("a") == 0
    clock.now = 100.0
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.is_empty("a") == 0.5
    assert buckets.is_empty("new") == 0


@settings(deadline=None)
@given(
    st.floats(0.1, 100),
    st.floats(1, 50),
    st.lists(st.floats(0, 3), min_size=1, max_size=200),
)
def test_never_more_than_the_burst_and_what_flowed_in(rate, burst, pauses):
    clock = Hand()
    buckets = TokenBuckets(rate, burst, clock=clock)
    taken = 0
    for pause in pauses:
        clock.now += pause
        wait = buckets.take("a")
        taken += wait == 0
        assert 0 <= wait <= 1 / rate + 1e-9
        assert taken <= burst + rate * clock.now + 1e-6


@settings(deadline=None)
@given(st.floats(0.1, 100), st.floats(1, 50))
def test_whoever_waits_as_told_is_let_in(rate, burst):
    clock = Hand()
    buckets = TokenBuckets(rate, burst, clock=clock)
    for _ in range(100):
        clock.now += buckets.take("a") * (1 + 1e-9) + 1e-9
    wait = buckets.take("a")
    clock.now += wait * (1 + 1e-9) + 1e-9
    assert buckets.take("a") == 0 or wait == 0


def test_no_limit():
    for rate in (0, math.inf):
        buckets = TokenBuckets(rate, 1)
        assert not any(buckets.take("a") for _ in range(1000))


def test_many_clients_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(rates, "MOST_CLIENTS", 10)
    buckets = TokenBuckets(1.0, 1.0)
    for n in range(1000):
        buckets.take(f"client {n}")
    assert len(buckets._buckets) == 10


def test_things_at_once():
    limit = AtOnce("too-many-uploads", in_all=3, each=2, retry_seconds=7)
    with limit.one("a"), limit.one("a"):
        with pytest.raises(Problem) as refused, limit.one("a"):
            pass
        assert "2" in refused.value.detail
        assert int(refused.value.headers["Retry-After"]) >= 7
        with limit.one("b"), pytest.raises(Problem, match="3"), limit.one("c"):
            pass
    assert not limit.clients
    with pytest.raises(KeyError), limit.one("a"):
        raise KeyError
    assert not limit.clients


def test_requests_beyond_the_rate(make_server):
    server = make_server(requests_per_minute=60)
    with server.client() as client:
        answers = [client.get("/v1/analyses") for _ in range(60)]
        assert [a.status_code for a in answers[:50]] == [200] * 50
        refused = [a for a in answers if a.status_code != 200]
        assert refused
        for answer in refused:
            problem(answer, 429, "too-many-requests")
            assert 1 <= int(answer.headers["retry-after"]) <= 2
        # Whoever watches the server's health is never refused.
        assert all(client.get("/v1/health/live").status_code == 200 for _ in range(20))
