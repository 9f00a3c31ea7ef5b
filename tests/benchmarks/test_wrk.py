"""The load: every request asks for a slot of its own, and its result is read."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks import slots
from benchmarks.errors import BenchmarkError
from benchmarks.wrk import parse

_RESULT = (
    'RESULT {"requests":9,"duration_us":1000000,"p50_us":5,"p99_us":7,'
    '"connect":1,"read":2,"write":3,"timeout":4,"status":8}'
)
_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "wrk.lua"


def thread(number: int, *arguments: str) -> Any:
    """Return the global names of one thread of wrk that loaded the script."""
    runtime: Any = import_module("lupa").LuaRuntime()  # untyped; fakeredis brings it
    runtime.execute("wrk = {host = '127.0.0.1', port = 80}")
    runtime.execute(f"number = {number}")
    runtime.execute(_SCRIPT.read_text())
    names = runtime.globals()
    names.init(runtime.table_from(arguments))
    return names


def sent(names: Any) -> Any:
    """Return the body of a thread's next request, whose head has to give its length."""
    head, _, body = names.request().partition("\r\n\r\n")
    assert f"Content-Length: {len(body)}" in head.split("\r\n")
    assert f"Authorization: Bearer {slots.KEY}" in head.split("\r\n")
    return json.loads(body)


def arguments(mode: str, first: int, threads: int = 1, resources: int = 8, items: int = 1) -> Any:
    """Return what wrk.py puts behind the two dashes."""
    base_s = slots.start_ms(0) // 1000
    counts = (first, base_s, threads, resources, items)
    return (mode, *map(str, counts), slots.KEY, slots.TEMPLATE)


def test_requests_ask_for_slots_in_order() -> None:
    """Slot by slot, also over midnight, what is sent is what `slots.body` says."""
    first = 8 * 1440 - 3
    names = thread(0, *arguments("reserve", first))
    for slot in range(first, first + 20):
        assert sent(names) == slots.body(slot)


def test_threads_do_not_meet() -> None:
    """Two threads of one wrk ask for different slots, and for all of them."""
    threads = [thread(number, *arguments("reserve", 100, threads=2)) for number in (0, 1)]
    asked = [sent(names) for _ in range(5) for names in threads]
    assert asked == [slots.body(slot) for slot in range(100, 110)]


def test_a_stampede_asks_for_one_slot() -> None:
    """All requests of a stampede are the same."""
    names = thread(0, *arguments("stampede", 700))
    assert [sent(names) for _ in range(3)] == [slots.body(0)] * 3


def test_a_batch_asks_for_many_slots() -> None:
    """A batch goes on where the one before ended; on one resource, minute by minute."""
    names = thread(0, *arguments("batch", 40, items=3))
    sent(names)
    asked = sent(names)
    assert asked["mode"] == "independent"
    assert asked["reservations"] == [slots.body(slot) for slot in (43, 44, 45)]
    one = sent(thread(0, *arguments("batch", 40, resources=1, items=2)))
    assert one["reservations"] == [slots.body(8 * minute) for minute in (40, 41)]


def test_hand_offs_name_reservation_after_reservation(tmp_path: Path) -> None:
    """Each request books the next id of the file; where they run out, the last one again."""
    file = tmp_path / "ids"
    file.write_text("room-0.A\nroom-1.B\n")
    names = thread(0, *arguments("hand_off", 0), str(file))
    asked = [sent(names) for _ in range(3)]
    assert asked == [{"reservation_id": one} for one in ("room-0.A", "room-1.B", "room-1.B")]
    assert names.request().startswith("POST /v2/bookings HTTP/1.1")


def test_a_result_is_read() -> None:
    """The line is found among wrk's own; what got no reply is added up."""
    result = parse(f"Running 1s test\n{_RESULT}\n  Requests/sec: 9\n")
    assert (result.requests, result.p99_us, result.status) == (9, 7, 8)
    assert result.broken == 1 + 2 + 3 + 4


def test_no_result_is_an_error() -> None:
    """Where wrk failed, its complaint is the message."""
    with pytest.raises(BenchmarkError, match="unable to connect"):
        parse("", "unable to connect to 127.0.0.1:1")
