"""Counts: in lists of one process, or in memory that several processes share."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservesvc import counts as counts_module
from reservesvc.counts import GAUGE, Key, OwnCounts, SharedCounts, memory_files
from reservesvc.metrics import Metrics

LABELS = st.tuples(st.text(max_size=8), st.integers(-9, 999), st.none() | st.text(max_size=3))
STEPS = st.lists(st.tuples(st.integers(0, 2), LABELS, st.integers(1, 9)), max_size=40)
GAUGED: Key = (GAUGE, "requests_in_flight")


@pytest.fixture
def files() -> Iterator[list[int]]:
    """Make memory for three processes."""
    made = memory_files(3)
    yield made
    for descriptor in made:
        os.close(descriptor)


@given(steps=STEPS)
def test_the_sum_over_processes_is_what_one_process_would_have_counted(
    steps: list[tuple[int, Key, int]],
) -> None:
    """Any keys, in any order, by any process: the totals are the same."""
    alone, made = OwnCounts(), memory_files(3)
    beside = [SharedCounts(made, number) for number in range(3)]
    for process, labels, size in steps:
        key = ("request", size, *labels)
        alone.cells(key, size)[size - 1] += 0.5
        beside[process].cells(key, size)[size - 1] += 0.5
    assert all(each.totals() == alone.totals() for each in beside)
    for descriptor in made:
        os.close(descriptor)


def test_a_successor_goes_on_where_a_killed_process_ended(files: list[int]) -> None:
    """Nothing is written at the end, so a kill -9 takes no count along; gauges begin anew."""
    code = (
        "import os, signal, sys\n"
        "from reservesvc.counts import GAUGE, SharedCounts\n"
        "mine = SharedCounts.parsed(sys.argv[1])\n"
        "mine.cells(('request', 'reserve'), 2)[1] += 7\n"
        "mine.cells((GAUGE, 'requests_in_flight'), 1)[0] = 5\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    argument = SharedCounts.argument(files, 1)
    subprocess.run([sys.executable, "-c", code, argument], pass_fds=files, check=False)
    reader = SharedCounts(files, 0)
    assert reader.totals() == {("request", "reserve"): [0, 7]}
    successor = SharedCounts(files, 1)
    successor.cells(("request", "reserve"), 2)[1] += 1
    assert reader.totals() == {("request", "reserve"): [0, 8], GAUGED: [0]}
    assert reader.processes() == {0: os.getpid(), 1: os.getpid()}


def test_counting_goes_on_where_the_memory_is_full(
    files: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What finds no room is counted by the process alone; the others' totals stay readable."""
    monkeypatch.setattr(counts_module, "MEMORY_BYTES", 128)
    mine = SharedCounts(files, 0)
    mine.cells(("first",), 2)[0] += 1
    for number in range(20):
        mine.cells(("more", number), 9)[0] += 1
    assert mine.totals() == {("first",): [1, 0]}
    assert mine.cells(("more", 19), 9)[0] == 1


def test_metrics_of_two_processes_are_one_scrape(files: list[int]) -> None:
    """Both tell the same sums, and the version once."""
    both = [Metrics(SharedCounts(files, number)) for number in range(2)]
    for metrics in both:
        metrics.request("POST", "/x", 201, "ok", "reserve", 0.25)
        metrics.reservation("tidy", "done")
        metrics.dependency("redis")(0.5)
    text = both[0].render().decode()
    for line in (
        'reservesvc_requests_total{method="POST",outcome="ok",route="/x",status="201"} 2.0',
        'reservesvc_request_duration_seconds_sum{method="POST",route="/x"} 0.5',
        'reservesvc_reservations_total{outcome="ok",verb="reserve"} 2.0',
        'reservesvc_reservations_total{outcome="done",verb="tidy"} 2.0',
        'reservesvc_dependency_duration_seconds_bucket{dependency="redis",le="0.5"} 2.0',
    ):
        assert line in text
    assert text.count("reservesvc_build_info{") == 1
