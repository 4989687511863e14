"""Prometheus metrics of one server, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from aver._version import __version__
from aver.server.jobs import STATES, Job, State
from aver.server.store_errors import StoreUnavailableError

CONTENT_TYPE = CONTENT_TYPE_LATEST
_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_DURATIONS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)


class Metrics:
    """What is counted; routes appear by their pattern, recordings and people not at all.

    Args:
        counts: gives how many jobs there are in each state.
        ended_after: gives the jobs that ended after a time, in the order of their ends.
        workers_alive: gives how many workers there are.
    """

    def __init__(
        self,
        counts: Callable[[], Mapping[State, int]],
        ended_after: Callable[[datetime], Sequence[Job]],
        workers_alive: Callable[[], int],
    ):
        self._ended_after = ended_after
        self._counted_until = datetime.now(UTC)
        self._counting = Lock()
        self.registry = registry = CollectorRegistry()
        registry.register(_Jobs(counts))
        self.requests = Counter(
            "aver_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self.latency = Histogram(
            "aver_http_request_seconds",
            "Time until the answer begins.",
            ("method", "route"),
            buckets=_LATENCIES,
            registry=registry,
        )
        self.in_flight = Gauge(
            "aver_http_requests_in_flight", "Requests being answered.", registry=registry
        )
        self.received = Counter(
            "aver_http_received_bytes", "Bytes of request bodies.", registry=registry
        )
        self.sent = Counter("aver_http_sent_bytes", "Bytes of answers' bodies.", registry=registry)
        self.uploads = Counter(
            "aver_uploads", "Uploads by how they ended.", ("outcome",), registry=registry
        )
        self.streams = Gauge("aver_event_streams", "Open event streams.", registry=registry)
        self.jobs_ended = Counter(
            "aver_jobs_ended",
            "Analyses seen to end since the server began, by state.",
            ("state",),
            registry=registry,
        )
        self.job_seconds = Histogram(
            "aver_job_seconds",
            "Time from the beginning of an analysis to its end.",
            buckets=_DURATIONS,
            registry=registry,
        )
        self.job_wait_seconds = Histogram(
            "aver_job_wait_seconds",
            "Time from the request of an analysis to its beginning.",
            buckets=_DURATIONS,
            registry=registry,
        )
        self.recording_seconds = Counter(
            "aver_recording_seconds", "Seconds of recordings analysed.", registry=registry
        )
        workers = Gauge("aver_workers", "Workers of this server that are alive.", registry=registry)
        workers.set_function(workers_alive)
        info = Gauge("aver_build_info", "Version of aver.", ("version",), registry=registry)
        info.labels(__version__).set(1)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format; asks the store."""
        with self._counting, suppress(StoreUnavailableError):
            for job in self._ended_after(self._counted_until):
                self._count(job)
                self._counted_until = max(self._counted_until, job.finished or job.created)
        return generate_latest(self.registry)

    def _count(self, job: Job) -> None:
        self.jobs_ended.labels(job.state).inc()
        if job.started is not None and job.finished is not None:
            self.job_seconds.observe(max(0.0, (job.finished - job.started).total_seconds()))
            self.job_wait_seconds.observe(max(0.0, (job.started - job.created).total_seconds()))
        if job.state == "done" and job.seconds_total:
            self.recording_seconds.inc(job.seconds_total)


class _Jobs(Collector):
    """Jobs by state, counted when they are asked for; nothing where the store does not answer."""

    def __init__(self, counts: Callable[[], Mapping[State, int]]):
        self._counts = counts

    def describe(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("aver_jobs", "Analyses that are kept, by state.", labels=["state"])

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("aver_store_up", "Whether the database answers.")
        jobs = GaugeMetricFamily("aver_jobs", "Analyses that are kept, by state.", labels=["state"])
        try:
            counts = self._counts()
        except StoreUnavailableError:
            up.add_metric([], 0.0)
            yield up
            return
        up.add_metric([], 1.0)
        for state in STATES:
            jobs.add_metric([state], counts.get(state, 0))
        yield up
        yield jobs
