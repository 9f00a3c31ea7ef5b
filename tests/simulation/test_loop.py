"""The virtual loop: no time passes while one waits, and the order is drawn by lot."""

import asyncio

from tests.simulation.loop import Process, Strand, VirtualLoop, lots_of

LONG_S = 3_600


def strand_on(process: Process, seed: int = 1) -> Strand:
    """Return a strand on `process`."""
    return Strand(process, lots_of(seed), 0)


def test_waiting_moves_the_clock_only() -> None:
    """An hour's sleep, and a time-out, end at once and at the right moment."""
    loop = VirtualLoop(lots_of(1))

    async def wait() -> float:
        await asyncio.sleep(LONG_S)
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(2)
        except TimeoutError:
            return loop.time()
        return 0

    assert loop.run(strand_on(Process("p")), wait()) == LONG_S + 1


def test_what_is_due_at_once_runs_in_any_order() -> None:
    """Two callbacks of one millisecond run in both orders, depending on the seed alone."""

    def order(seed: int) -> str:
        loop, seen = VirtualLoop(lots_of(seed)), ""

        def see(letter: str) -> None:
            nonlocal seen
            seen += letter

        strand = strand_on(Process("p"), seed)
        for letter in "ab":
            loop.post(strand, 5, see, letter)
        loop.run_until_idle()
        return seen

    assert {order(seed) for seed in range(10)} == {"ab", "ba"}
    assert [order(seed) for seed in range(10)] == [order(seed) for seed in range(10)]


def test_the_dead_do_nothing() -> None:
    """A task ends where it was when its process died; nothing of it runs, not even `finally`."""
    loop, process, seen = VirtualLoop(lots_of(1)), Process("p"), []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
            seen.append("went on")
        finally:
            seen.append("cleaned up")

    loop.strand = strand_on(process)
    loop.create_task(work())
    loop.post(strand_on(Process("world")), 5_000, lambda: setattr(process, "is_dead", True))
    loop.run_until_idle()
    assert seen == []
    loop.close()


def test_the_paused_go_on_later() -> None:
    """What falls due while a process is paused happens when the pause is over."""
    loop, process = VirtualLoop(lots_of(1)), Process("p")
    process.paused_until_ms = 7_000

    async def work() -> float:
        await asyncio.sleep(1)
        return loop.time()

    assert loop.run(strand_on(process), work()) == 8


def test_a_task_stays_with_its_own_strand() -> None:
    """Whoever wakes a task up, it goes on as what it is part of."""
    loop = VirtualLoop(lots_of(1))
    mine, other = strand_on(Process("mine")), strand_on(Process("other"))
    future = loop.create_future()

    async def work() -> Strand:
        await future
        return loop.strand

    loop.post(other, 5, future.set_result, None)
    assert loop.run(mine, work()) is mine
