"""Limits on what one client may ask for: requests a second, uploads and event streams at once."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

from aver.server.problems import Problem, retry_later

MOST_CLIENTS = 10_000
"""Clients remembered; the one not heard of for longest is forgotten first."""


class TokenBuckets:
    """A bucket of tokens for each client: *burst* at once, refilled at *rate* a second.

    Args:
        rate: tokens a second; ``inf`` or 0 for no limit.
        burst: most tokens that a bucket holds.
        clock: seconds, never going back.
    """

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = time.monotonic):
        self.rate = rate
        self.burst = max(1.0, burst)
        self.limited = 0 < rate < inf
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, tokens: float = 1.0) -> float:
        """Take *tokens*; 0 where there were enough, else the seconds until there are."""
        if not self.limited:
            return 0.0
        now = self._clock()
        level, since = self._buckets.pop(client, (self.burst, now))
        level = min(self.burst, level + (now - since) * self.rate)
        enough = level >= tokens
        self._buckets[client] = (level - tokens if enough else level, now)
        while len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if enough else (tokens - level) / self.rate

    def is_empty(self, client: str) -> float:
        """Seconds until *client* has a token again; 0 where it has one now. Takes none."""
        if not self.limited or client not in self._buckets:
            return 0.0
        level, since = self._buckets[client]
        level = min(self.burst, level + (self._clock() - since) * self.rate)
        return 0.0 if level >= 1 else (1 - level) / self.rate


class AtOnce:
    """How many things of one kind go on at once, in all and for each client.

    Args:
        code: the problem of one too many (see :data:`aver.server.problems.KINDS`).
        in_all: most of all clients together.
        each: most of one client.
        retry_seconds: when to come back.
    """

    def __init__(self, code: str, in_all: int, each: int, retry_seconds: float = 2.0):
        self.code, self.in_all, self.each = code, in_all, each
        self.retry_seconds = retry_seconds
        self.clients: Counter[str] = Counter()

    @contextmanager
    def one(self, client: str) -> Iterator[None]:
        """Room for one more while the block runs.

        Raises:
            Problem: if there is none.
        """
        self.enter(client)
        try:
            yield
        finally:
            self.leave(client)

    def enter(self, client: str) -> None:
        """Take a place; see :meth:`one`."""
        if self.clients.total() >= self.in_all or self.clients[client] >= self.each:
            raise self._problem(client)
        self.clients[client] += 1

    def leave(self, client: str) -> None:
        """Give a place back."""
        self.clients[client] -= 1
        if self.clients[client] <= 0:
            del self.clients[client]

    def _problem(self, client: str) -> Problem:
        mine = self.clients[client] >= self.each
        if not self.clients[client]:
            del self.clients[client]
        most, whose = (self.each, "this client has") if mine else (self.in_all, "the server has")
        return retry_later(self.code, self.retry_seconds, f"The most {whose} at once is {most}.")
