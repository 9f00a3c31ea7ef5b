"""Background work that fails begins again, is counted, and is told by readiness."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from reservesvc import supervised
from reservesvc.errors import UnavailableError
from reservesvc.metrics import Metrics
from reservesvc.supervised import DOWN_AFTER, PAUSE_MAX_S, PAUSE_MIN_S, STEADY_S, Supervisor

WITHIN_S = 10.0
Failing = Callable[[], Awaitable[None]]


class Work:
    """Fails as often as it is told, then goes on until cancelled."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = [*failures]
        self.begun = 0
        self.goes_on = asyncio.Event()

    async def run(self) -> None:
        """Fail, or go on."""
        self.begun += 1
        if self.failures:
            raise self.failures.pop(0)
        self.goes_on.set()
        await asyncio.Event().wait()


class Pauses:
    """Does not wait, and takes down for how long it was to."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Let the others run."""
        self.seconds.append(seconds)
        await asyncio.sleep(0)


class Restarts:
    """Counts what a supervisor tells of."""

    def __init__(self) -> None:
        self.by_name: dict[str, int] = {}

    def count(self, name: str, times: int) -> None:
        """Add to what is known of `name`."""
        self.by_name[name] = self.by_name.get(name, 0) + times


async def wait_for(event: asyncio.Event) -> None:
    """Wait for the event, or fail."""
    async with asyncio.timeout(WITHIN_S):
        await event.wait()


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), asyncio.CancelledError("x")])
async def test_what_fails_begins_again(error: BaseException) -> None:
    """Whatever it failed by, a cancellation of something it waited for included."""
    pauses, work = Pauses(), Work(error, error)
    restarts = Restarts()
    supervisor = Supervisor(restarts.count, pauses)
    with capture_logs() as logged:
        async with supervisor.running("timers", work.run):
            await wait_for(work.goes_on)
            await supervisor.check()
    assert work.begun == 3
    assert restarts.by_name == {"timers": 2}
    assert pauses.seconds == [PAUSE_MIN_S, 2 * PAUSE_MIN_S]
    assert [(line["event"], line["task"], line["exc_info"]) for line in logged] == [
        ("background_work_failed", "timers", True)
    ] * 2


async def test_what_is_cancelled_or_returns_does_not_begin_again() -> None:
    """The end of the body ends the work, and work that returns has no more to do."""
    restarts, work = Restarts(), Work()
    supervisor = Supervisor(restarts.count, Pauses())

    async def nothing() -> None:
        work.begun += 10

    async with supervisor.running("timers", work.run):
        await wait_for(work.goes_on)
        await supervisor.keep("once", nothing)
    assert work.begun == 11
    assert restarts.by_name == {"timers": 0, "once": 0}


async def test_what_stays_down_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some failures in a row readiness names the work, until it has lasted again."""
    now_s = 1_000.0
    monkeypatch.setattr(supervised, "_now_s", lambda: now_s)
    work = Work(*[ValueError("s3cret")] * DOWN_AFTER)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def pause(_: float) -> None:
        if not work.failures:
            reached.set()
            await go_on.wait()
        else:
            await supervisor.check()  # not yet

    supervisor = Supervisor(sleep=pause)
    async with supervisor.running("timers", work.run), supervisor.running("other", Work().run):
        await wait_for(reached)
        now_s += supervised.SETTLED_S  # a long pause is no recovery
        with pytest.raises(UnavailableError) as down:
            await supervisor.check()
        go_on.set()
        await wait_for(work.goes_on)
        with pytest.raises(UnavailableError, match="timers"):
            await supervisor.check()
        now_s += supervised.SETTLED_S
        await supervisor.check()
    assert down.value.detail == "timers failed 3 times in a row (ValueError); the log says why"


async def test_pauses_grow_until_work_lasted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug costs an attempt in a few seconds, and what lasted long is begun again at once."""
    now_s, pauses = 0.0, Pauses()
    monkeypatch.setattr(supervised, "_now_s", lambda: now_s)
    goes_on = asyncio.Event()

    async def work() -> None:
        nonlocal now_s
        if len(pauses.seconds) == 10:
            now_s += STEADY_S
        if len(pauses.seconds) == 11:
            goes_on.set()
            await asyncio.Event().wait()
        raise ValueError

    supervisor = Supervisor(sleep=pauses)
    async with supervisor.running("timers", work):
        await wait_for(goes_on)
        await supervisor.check()
    assert pauses.seconds[:3] == [0.05, 0.1, 0.2]
    assert pauses.seconds[9:] == [PAUSE_MAX_S, PAUSE_MIN_S]


async def test_restarts_are_counted_in_the_metrics() -> None:
    """Each piece of work has its own count, 0 before its first failure."""
    metrics, work = Metrics(), Work(ValueError())
    supervisor = Supervisor(metrics.restarted, Pauses())
    async with (
        supervisor.running("timers", work.run),
        supervisor.running("tidying", Work().run),
    ):
        await wait_for(work.goes_on)
        text = metrics.render().decode()
    assert 'reservesvc_background_restarts_total{task="timers"} 1.0' in text
    assert 'reservesvc_background_restarts_total{task="tidying"} 0.0' in text
