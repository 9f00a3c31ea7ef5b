"""RESERVESVC_REDIS_WAIT: a reservation is acknowledged once replicas have it, and not before."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.reservations import health
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.packed import Packed, pack
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.replicated_link import Replication
from tests.faults.proxy import FaultProxy
from tests.scaling.conftest import DEADLINE_S
from tests.scaling.scripts import COUNT, RESERVE, count, key_of
from tests.scaling.sets import ReplicatedSet

WITHIN_MS = 400


@pytest_asyncio.fixture
async def waiting(replicated: ReplicatedSet) -> AsyncIterator[Pipeline]:
    """Give a pipeline that waits for a replica, to an emptied primary."""
    replicated.primary.ask("FLUSHALL", "SYNC")
    replicated.primary.ask("CONFIG", "RESETSTAT")
    pipeline = Pipeline(
        replicated.url, DEADLINE_S, replication=Replication(replicas=1, within_ms=WITHIN_MS)
    )
    yield pipeline
    await pipeline.close()


@pytest.fixture
def stopped(replicated: ReplicatedSet) -> Iterator[None]:
    """Stop the replica as SIGSTOP does, for the length of a test."""
    os.kill(replicated.replica.pid, signal.SIGSTOP)
    yield
    os.kill(replicated.replica.pid, signal.SIGCONT)


def reserve(answer: str, resource_id: str = "room-1") -> Packed:
    """Return a call that writes, and answers what it is told to."""
    return pack([key_of(resource_id)], [answer])


def waits(replicated: ReplicatedSet) -> int:
    """Return how often Redis was asked to wait."""
    said = replicated.primary.info("cmdstat_wait", "commandstats")
    return int(said.partition("calls':")[2].partition(",")[0] or 0)


async def test_what_is_acknowledged_is_on_the_replica(
    waiting: Pipeline, replicated: ReplicatedSet
) -> None:
    """The moment the answer is there, the replica has the write."""
    for times in range(1, 51):
        assert await waiting.call_packed(RESERVE, reserve("reserved")) == [b"reserved", times]
        assert replicated.replica.ask("GET", key_of("room-1")) == str(times)


async def test_one_wait_serves_all_who_came_up_meanwhile(
    waiting: Pipeline, replicated: ReplicatedSet
) -> None:
    """A thousand calls at once need a few, and each gets its own answer."""
    await waiting.call_packed(RESERVE, reserve("reserved"))
    answers = await asyncio.gather(
        *(
            waiting.call_packed(RESERVE, reserve("reserved", f"room-{number}"))
            for number in range(2, 1_002)
        )
    )
    assert answers == [[b"reserved", 1]] * 1_000
    assert waits(replicated) < 10


@pytest.mark.usefixtures("stopped")
async def test_without_the_replica_a_promise_is_unknown(
    waiting: Pipeline, replicated: ReplicatedSet
) -> None:
    """It was written, so nobody may say that it was not; what promises nothing is told."""
    promises = [waiting.call_packed(RESERVE, reserve(one)) for one in ("reserved", "replayed")]
    others = [
        waiting.call_packed(RESERVE, reserve("taken")),
        waiting.call_packed(COUNT, count("b")),
    ]
    told = await asyncio.gather(*promises, *others, return_exceptions=True)
    assert [type(one) for one in told[:2]] == [OutcomeUnknownError] * 2
    assert "did not get it to 1 replica(s) within 400 ms" in str(told[0])
    assert [one[0] for one in told[2:] if isinstance(one, list)] == [b"taken", b"count"]
    assert replicated.primary.ask("GET", key_of("room-1")) == "3"


@pytest.mark.usefixtures("stopped")
async def test_many_at_once_are_unknown_each_in_its_place(waiting: Pipeline) -> None:
    """What is refused for certain stays so."""
    calls = [reserve("reserved"), reserve("taken"), reserve("reserved")]
    told = await waiting.call_many(RESERVE, calls)
    assert isinstance(told[0], OutcomeUnknownError)
    assert told[1] == [b"taken", 2]
    assert isinstance(told[2], OutcomeUnknownError)


async def test_a_script_that_was_forgotten_is_waited_for_too(
    waiting: Pipeline, replicated: ReplicatedSet
) -> None:
    """Sent again in full, it is a promise still."""
    for call in (waiting.call_packed(RESERVE, reserve("reserved")),):
        replicated.primary.ask("SCRIPT", "FLUSH")
        assert await call == [b"reserved", 1]
    replicated.primary.ask("SCRIPT", "FLUSH")
    told = await waiting.call_many(RESERVE, [reserve("reserved")] * 20)
    assert [one[1] for one in told if isinstance(one, list)] == list(range(2, 22))
    assert replicated.replica.ask("GET", key_of("room-1")) == "21"


async def test_callers_who_give_up_shift_nobodys_answer(waiting: Pipeline) -> None:
    """Their places are kept, with and without a promise."""
    for round_ in range(30):
        names = [f"r{round_}-{number}" for number in range(20)]
        tasks = [
            asyncio.ensure_future(waiting.call_packed(RESERVE, reserve(f"{name}", name)))
            if number % 3
            else asyncio.ensure_future(waiting.call_packed(RESERVE, reserve("reserved", name)))
            for number, name in enumerate(names)
        ]
        await asyncio.sleep(0)
        for task in tasks[::4]:
            task.cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        for number, (name, one) in enumerate(zip(names, told, strict=True)):
            if number % 4 == 0:
                assert isinstance(one, asyncio.CancelledError)
            else:
                assert one == [name.encode() if number % 3 else b"reserved", 1]


async def test_a_connection_lost_before_the_replica_is_known_is_unknown(
    replicated: ReplicatedSet,
) -> None:
    """The script's own reply is there, and is not enough."""
    replicated.primary.ask("FLUSHALL", "SYNC")
    async with FaultProxy(replicated.primary.port) as line:
        pipeline = Pipeline(
            line.url, DEADLINE_S, replication=Replication(replicas=1, within_ms=WITHIN_MS)
        )
        await pipeline.call_packed(RESERVE, reserve("reserved"))
        line.cut_reply(after_bytes=len(b"*2\r\n$8\r\nreserved\r\n:2\r\n"))
        with pytest.raises(OutcomeUnknownError):
            await pipeline.call_packed(RESERVE, reserve("reserved"))
        assert await pipeline.call_packed(RESERVE, reserve("reserved")) == [b"reserved", 3]
        await pipeline.close()


async def test_nobody_waits_where_it_is_not_asked_for(replicated: ReplicatedSet) -> None:
    """Without the setting Redis is asked for nothing more."""
    replicated.primary.ask("CONFIG", "RESETSTAT")
    pipeline = Pipeline(replicated.url, DEADLINE_S)
    await pipeline.call_packed(RESERVE, reserve("reserved"))
    await pipeline.close()
    assert waits(replicated) == 0


async def test_what_promises_nothing_does_not_wait(
    waiting: Pipeline, replicated: ReplicatedSet
) -> None:
    """Hand-offs and reads are safe without."""
    await asyncio.gather(*(waiting.call_packed(COUNT, count("b")) for _ in range(50)))
    assert waits(replicated) == 0


async def test_too_few_replicas_are_told_by_readiness(
    waiting: Pipeline, replicated: ReplicatedSet
) -> None:
    """Before the first reservation is of unknown outcome."""
    await health.check(waiting, Keys(), 1)
    with pytest.raises(UnavailableError, match="has 1 replicas, and RESERVESVC_REDIS_WAIT asks"):
        await health.check(waiting, Keys(), 2)
    assert replicated.replica.has_synced()
