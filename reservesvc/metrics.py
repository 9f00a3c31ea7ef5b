"""Metrics: plain integers, turned into Prometheus' form only when somebody asks.

Counting costs a dictionary look-up and an addition; prometheus_client's own `.labels()` for
every request costs several times that.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0 as CONTENT_TYPE
from prometheus_client.registry import Collector

from reservesvc import __version__

__all__ = ["CONTENT_TYPE", "Metrics"]

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""upper bounds of the histograms' buckets"""
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily


class Histogram:
    """How many durations fell between which bounds."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def observe(self, duration_s: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_S, duration_s)] += 1
        self.sum_s += duration_s

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self.counts)

    def merge(self, other: "Histogram") -> None:
        """Count what `other` counted as well."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.sum_s += other.sum_s

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Add what was counted to `family`, under `labels`; buckets there are cumulative."""
        names = [*map(str, BOUNDS_S), "+Inf"]
        totals = accumulate(self.counts)
        family.add_metric(labels, list(zip(names, totals, strict=True)), self.sum_s)


_RequestKey = tuple[str, str, int, str, str | None]
"""method, route, status, outcome, verb"""


class Metrics(Collector):
    """Everything this process counts."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests: dict[_RequestKey, Histogram] = defaultdict(Histogram)
        self._reservations: dict[tuple[str, str], int] = defaultdict(int)
        self._dependencies: dict[str, Histogram] = defaultdict(Histogram)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def request(
        self,
        method: str,
        route: str,
        status: int,
        outcome: str,
        verb: str | None,
        duration_s: float,
    ) -> None:
        """Count a request.

        Args:
            method: of the URL table's row.
            route: its path.
            status: the HTTP status.
            outcome: one word; the code of the problem where there was one.
            verb: of the flow, where it came to one: counted as `reservation` does.
            duration_s: how long it took.

        """
        self._requests[method, route, status, outcome, verb].observe(duration_s)

    def reservation(self, verb: str, outcome: str) -> None:
        """Count how a verb of the flow ended."""
        self._reservations[verb, outcome] += 1

    def dependency(self, name: str) -> Callable[[float], None]:
        """Return what counts how many seconds a call of a dependency (`redis`, `store`) took."""
        return self._dependencies[name].observe

    def render(self) -> bytes:
        """Return everything in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Family]:
        """Yield every metric; what the registry asks for."""
        yield self._request_family()
        yield self._latency_family()
        yield self._reservation_family()
        yield self._dependency_family()
        yield GaugeMetricFamily(
            "reservesvc_requests_in_flight", "Requests being answered.", self.in_flight
        )
        yield InfoMetricFamily("reservesvc_build", "What is running.", {"version": __version__})

    def _request_family(self) -> CounterMetricFamily:
        labels = ["method", "route", "status", "outcome"]
        family = CounterMetricFamily("reservesvc_requests", "Requests by end.", labels=labels)
        counts: dict[tuple[str, str, str, str], int] = defaultdict(int)
        for (method, route, status, outcome, _), durations in self._requests.items():
            counts[method, route, str(status), outcome] += durations.count
        for key, count in counts.items():
            family.add_metric(key, count)
        return family

    def _latency_family(self) -> HistogramMetricFamily:
        family = HistogramMetricFamily(
            "reservesvc_request_duration_seconds",
            "Time from a request's head to its reply.",
            labels=["method", "route"],
        )
        latencies: dict[tuple[str, str], Histogram] = defaultdict(Histogram)
        for (method, route, *_), durations in self._requests.items():
            latencies[method, route].merge(durations)
        for labels, histogram in latencies.items():
            histogram.add_to(family, labels)
        return family

    def _reservation_family(self) -> CounterMetricFamily:
        family = CounterMetricFamily(
            "reservesvc_reservations",
            "Verbs on reservations and bookings by end.",
            labels=["verb", "outcome"],
        )
        counts = defaultdict(int, self._reservations)
        for (_, _, _, outcome, verb), durations in self._requests.items():
            if verb is not None:
                counts[verb, outcome] += durations.count
        for key, count in counts.items():
            family.add_metric(key, count)
        return family

    def _dependency_family(self) -> HistogramMetricFamily:
        family = HistogramMetricFamily(
            "reservesvc_dependency_duration_seconds",
            "Time one call of a dependency took.",
            labels=["dependency"],
        )
        for dependency, histogram in self._dependencies.items():
            histogram.add_to(family, [dependency])
        return family
