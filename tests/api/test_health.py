"""What machines ask: alive, ready, metrics."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reservesvc import __version__
from reservesvc.api import health
from reservesvc.errors import UnavailableError
from reservesvc.metrics import BOUNDS_S, Metrics
from tests.api.client import Http
from tests.api.conftest import Start


async def fine() -> None:
    """Find nothing wrong."""


async def broken() -> None:
    """Find something wrong."""
    raise UnavailableError("redis", "maxmemory-policy is allkeys-lru; set it to noeviction.")


async def silent() -> None:
    """Find nothing at all."""
    await asyncio.Event().wait()


async def test_a_process_that_answers_is_alive(start: Start) -> None:
    """Whatever its dependencies do: restarting it would not mend them."""
    http = await start(checks={"redis": broken})
    answer = await http("GET", "/livez")
    assert (answer.status, answer.json) == (200, {"status": "live"})


async def test_ready_when_every_dependency_is(start: Start) -> None:
    """Each one is named."""
    http = await start(checks={"redis": fine, "store": fine})
    answer = await http("GET", "/readyz")
    assert answer.status == 200
    assert answer.json == {
        "status": "ready",
        "checks": {"redis": {"status": "ok"}, "store": {"status": "ok"}},
    }


async def test_not_ready_says_which_and_why(start: Start) -> None:
    """The reason is the dependency's own sentence; the others are told too."""
    http = await start(checks={"redis": broken, "store": fine})
    answer = await http("GET", "/readyz")
    assert answer.status == 503
    assert answer.json["status"] == "unavailable"
    assert answer.json["checks"] == {
        "redis": {
            "status": "failed",
            "reason": "maxmemory-policy is allkeys-lru; set it to noeviction.",
        },
        "store": {"status": "ok"},
    }


async def test_a_silent_dependency_is_not_waited_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check has a bound of its own, within the request's."""
    monkeypatch.setattr(health, "CHECK_S", 0.02)
    http = await start(checks={"redis": silent, "store": fine})
    answer = await http("GET", "/readyz")
    assert answer.status == 503
    assert answer.json["checks"] == {
        "redis": {"status": "failed", "reason": "no answer within 0.02 s"},
        "store": {"status": "ok"},
    }


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample of a Prometheus page by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_are_prometheus_text(http: Http) -> None:
    """A scraper can read the page, and finds the version and the process in it."""
    answer = await http("GET", "/metrics")
    found = samples(answer.body.decode())
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert found["reservesvc_build_info", frozenset({("version", __version__)})] == 1
    assert found["reservesvc_requests_in_flight", frozenset()] == 1


def test_histograms_are_cumulative() -> None:
    """Each bucket counts what is at most its bound; sum and count go with them."""
    metrics = Metrics()
    for duration_s in (0.0, BOUNDS_S[0], 0.02, 9.0):
        metrics.dependency("redis")(duration_s)
    found = samples(metrics.render().decode())
    name, redis = "reservesvc_dependency_duration_seconds", ("dependency", "redis")
    buckets = {
        dict(labels)["le"]: value
        for (sample, labels), value in found.items()
        if sample == f"{name}_bucket"
    }
    assert (buckets[str(BOUNDS_S[0])], buckets["0.025"], buckets["+Inf"]) == (2, 3, 4)
    assert list(buckets.values()) == sorted(buckets.values())
    assert found[f"{name}_count", frozenset({redis})] == 4
    assert found[f"{name}_sum", frozenset({redis})] == 9.0 + 0.02 + BOUNDS_S[0]


def test_verbs_are_counted_by_end() -> None:
    """Counts add up per verb and outcome."""
    metrics = Metrics()
    for outcome in ("reserved", "reserved", "slot_unavailable"):
        metrics.reservation("reserve", outcome)
    found = samples(metrics.render().decode())
    name, verb = "reservesvc_reservations_total", ("verb", "reserve")
    assert found[name, frozenset({verb, ("outcome", "reserved")})] == 2
    assert found[name, frozenset({verb, ("outcome", "slot_unavailable")})] == 1
