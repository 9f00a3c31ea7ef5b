"""Metrics: plain numbers, turned into Prometheus' form only when they are scraped.

Counting costs a dictionary look-up and an addition; prometheus_client's own `.labels()` for
every request costs several times that.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0 as CONTENT_TYPE
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from reservesvc import __version__
from reservesvc.counts import GAUGE, Cells, Counts, Key, OwnCounts

__all__ = ["CONTENT_TYPE", "Metrics"]

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""upper bounds of the histograms' buckets"""
PLAIN = {
    "accept_failures": "Times that waiting connections could not be taken.",
}
"""counters without labels: name → what is counted"""


class Histogram:
    """How many durations fell between which bounds, and their sum, as `CELLS` numbers."""

    __slots__ = ("cells",)
    CELLS = len(BOUNDS_S) + 2

    def __init__(self, cells: Cells) -> None:
        self.cells = cells

    def observe(self, duration_s: float) -> None:
        """Count one duration."""
        cells = self.cells
        cells[bisect_left(BOUNDS_S, duration_s)] += 1
        cells[-1] += duration_s

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return round(sum(self.cells[:-1]))

    def merge(self, other: "Histogram") -> None:
        """Count what `other` counted as well."""
        self.cells = [mine + its for mine, its in zip(self.cells, other.cells, strict=True)]

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Add what was counted to `family`, under `labels`; buckets there are cumulative."""
        names = [*map(str, BOUNDS_S), "+Inf"]
        totals = accumulate(self.cells[:-1])
        family.add_metric(labels, list(zip(names, totals, strict=True)), self.cells[-1])


class _Histograms(dict[Key, Histogram]):
    """Key → histogram, made where it is missing."""

    def __init__(self, counts: Counts, kind: str) -> None:
        super().__init__()
        self._counts, self._kind = counts, kind

    def __missing__(self, key: Key) -> Histogram:
        cells = self._counts.cells((self._kind, *key), Histogram.CELLS)
        self[key] = made = Histogram(cells)
        return made


class Metrics(Collector):
    """Everything that is counted.

    Args:
        counts: where this process counts, and what those beside it have counted; of the process
            alone if None.

    """

    def __init__(self, counts: Counts | None = None) -> None:
        self._counts = counts or OwnCounts()
        self.gauge = self._counts.cells((GAUGE, "requests_in_flight"), 1)
        """one number: requests that this process is answering"""
        self._requests = _Histograms(self._counts, "request")
        self._dependencies = _Histograms(self._counts, "dependency")
        self.losses = self._counts.cells(("loss", "lines"), 2)
        """two numbers: see `logs.Losses`"""
        self._plain = {name: self._counts.cells(("plain", name), 1) for name in PLAIN}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    @property
    def in_flight(self) -> int:
        """Requests that this process is answering."""
        return round(self.gauge[0])

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
        self._counts.cells(("reservation", verb, outcome), 1)[0] += 1

    def restarted(self, name: str, times: int = 1) -> None:
        """Count how often background work failed and began again."""
        self._counts.cells(("restart", name), 1)[0] += times

    def accept_failed(self) -> None:
        """Count a connection that could not be taken, or several that wait together."""
        self._plain["accept_failures"][0] += 1

    def dependency(self, name: str) -> Callable[[float], None]:
        """Return what counts how many seconds a call of a dependency (`redis`, `store`) took."""
        return self._dependencies[(name,)].observe

    def render(self) -> bytes:
        """Return everything in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; what the registry asks for."""
        counted = _by_kind(self._counts.totals())
        requests = {key: Histogram(cells) for key, cells in counted["request"].items()}
        yield _request_family(requests)
        yield _latency_family(requests)
        yield _reservation_family(requests, counted["reservation"])
        yield _dependency_family(counted["dependency"])
        for (name,), cells in counted["plain"].items():
            yield CounterMetricFamily(f"reservesvc_{name}", PLAIN[str(name)], cells[0])
        in_flight = counted[GAUGE]["requests_in_flight",][0]
        yield GaugeMetricFamily(
            "reservesvc_requests_in_flight", "Requests being answered.", in_flight
        )
        yield _restart_family(counted["restart"])
        dropped, failures = counted["loss"]["lines",]
        yield CounterMetricFamily(
            "reservesvc_log_lines_dropped",
            "Log lines that the reader of the log did not take in time.",
            dropped,
        )
        yield CounterMetricFamily(
            "reservesvc_log_failures",
            "Log lines that could not be rendered, and writes that failed.",
            failures,
        )
        yield InfoMetricFamily("reservesvc_build", "What is running.", {"version": __version__})
        yield from _process_families(self._counts.processes())


def _by_kind(totals: dict[Key, list[float]]) -> dict[object, dict[Key, list[float]]]:
    found: dict[object, dict[Key, list[float]]] = defaultdict(dict)
    for key, cells in totals.items():
        found[key[0]][key[1:]] = cells
    return found


def _request_family(requests: dict[Key, Histogram]) -> Metric:
    labels = ["method", "route", "status", "outcome"]
    family = CounterMetricFamily("reservesvc_requests", "Requests by end.", labels=labels)
    counts: dict[tuple[str, ...], int] = defaultdict(int)
    for (*key, _verb), durations in requests.items():
        counts[tuple(map(str, key))] += durations.count
    for labelled, count in counts.items():
        family.add_metric(labelled, count)
    return family


def _latency_family(requests: dict[Key, Histogram]) -> Metric:
    family = HistogramMetricFamily(
        "reservesvc_request_duration_seconds",
        "Time from a request's head to its reply.",
        labels=["method", "route"],
    )
    latencies: dict[tuple[str, str], Histogram] = {}
    for (method, route, *_), durations in requests.items():
        labels = str(method), str(route)
        latencies.setdefault(labels, Histogram([0.0] * Histogram.CELLS)).merge(durations)
    for labels, histogram in latencies.items():
        histogram.add_to(family, labels)
    return family


def _reservation_family(requests: dict[Key, Histogram], others: dict[Key, list[float]]) -> Metric:
    """Return how verbs ended: those of requests, and `others` that no request asked for."""
    family = CounterMetricFamily(
        "reservesvc_reservations",
        "Verbs on reservations and bookings by end.",
        labels=["verb", "outcome"],
    )
    counts: dict[tuple[str, ...], float] = defaultdict(float)
    for (verb, outcome), cells in others.items():
        counts[str(verb), str(outcome)] += cells[0]
    for (_, _, _, outcome, verb), durations in requests.items():
        if verb is not None:
            counts[str(verb), str(outcome)] += durations.count
    for labels, count in counts.items():
        family.add_metric(labels, count)
    return family


def _dependency_family(dependencies: dict[Key, list[float]]) -> Metric:
    family = HistogramMetricFamily(
        "reservesvc_dependency_duration_seconds",
        "Time one call of a dependency took.",
        labels=["dependency"],
    )
    for (dependency,), cells in dependencies.items():
        Histogram(cells).add_to(family, [str(dependency)])
    return family


def _restart_family(restarts: dict[Key, list[float]]) -> Metric:
    family = CounterMetricFamily(
        "reservesvc_background_restarts",
        "Background work that failed and began again.",
        labels=["task"],
    )
    for (name,), cells in restarts.items():
        family.add_metric([str(name)], cells[0])
    return family


def _process_families(processes: dict[int, int] | None) -> Iterable[Metric]:
    """Return CPU, memory and descriptors; of several processes each under its number."""
    if processes is None:
        return ProcessCollector(registry=None).collect()
    families: dict[str, Metric] = {}
    for number, pid in processes.items():
        for family in ProcessCollector(pid=partial(int, pid), registry=None).collect():
            samples = [
                sample._replace(labels=sample.labels | {"worker": str(number)})
                for sample in family.samples
            ]
            merged = families.setdefault(family.name, family)
            merged.samples = samples if merged is family else merged.samples + samples
    return families.values()
