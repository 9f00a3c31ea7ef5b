"""Timers as the service runs them: every second, whatever is down or wrong meanwhile."""

from typing import Any

import pytest
from msgspec.structs import replace

from reservesvc.domain.booking import NOT_WORKED_OUT, Booking
from reservesvc.domain.outcomes import NotOpen
from reservesvc.domain.wish import Limits
from reservesvc.errors import UnavailableError
from reservesvc.rounds import DOWN_S
from reservesvc.timers import PAUSE_S, Timers
from tests.api.stubs import Stubs
from tests.builders import a_booking
from tests.watched import Watched, about

DOWN = UnavailableError("store", "is down")


def looking(stubs: Stubs, pauses: int) -> Watched:
    """Return it on stubs, to be run until so many pauses were made."""
    return Watched(
        lambda count, sleep: Timers(stubs.stores, Limits(), count, sleep).run, "due", pauses
    )


def finding(stubs: Stubs, *bookings: Booking) -> None:
    """Let the first look find the bookings, and later ones none."""
    pages = [[], list(bookings)]

    async def page() -> list[Booking]:
        return pages.pop() if pages else []

    stubs.bookings.will("due", page)


async def test_what_is_due_is_carried_out() -> None:
    """Each booking that is found is moved; the next look is about a second later."""
    stubs = Stubs()
    finding(stubs, a_booking(), a_booking())
    looks = looking(stubs, pauses=3)
    await looks.run()
    assert looks.outcomes == {"moved": 2}
    _, state, _, _, asked, _ = stubs.bookings.called("change_state")
    assert (state, asked.by_itself) == ("completed", True)
    assert looks.pauses_s == [about(PAUSE_S)] * 4
    assert len(set(looks.pauses_s)) == 4


async def test_what_another_did_is_no_failure() -> None:
    """A booking that was moved meanwhile is left as it is."""
    stubs = Stubs()
    finding(stubs, a_booking())
    stubs.bookings.will("change_state", NotOpen(booking=a_booking(), open_actions=()))
    looks = looking(stubs, pauses=1)
    await looks.run()
    assert looks.outcomes == {"overtaken": 1}


@pytest.mark.parametrize(
    ("error", "outcome"), [(DOWN, "unavailable"), (AssertionError("a bug"), "failed")]
)
async def test_one_that_fails_stands_in_nobodys_way(error: Exception, outcome: str) -> None:
    """The others are moved, and the one is tried again at the next look."""
    stubs = Stubs()
    finding(stubs, a_booking(), a_booking(), a_booking())
    answers: list[Any] = [NotOpen(booking=a_booking(), open_actions=()), error]

    async def answer() -> Any:
        given = answers.pop() if len(answers) > 1 else answers[0]
        if isinstance(given, Exception):
            raise given
        return given

    stubs.bookings.will("change_state", answer)
    looks = looking(stubs, pauses=2)
    await looks.run()
    assert looks.outcomes == {outcome: 1, "overtaken": 2}
    assert looks.pauses_s == [about(PAUSE_S)] * 3


@pytest.mark.parametrize(
    ("error", "outcome"), [(DOWN, "unavailable"), (AssertionError("a bug"), "failed")]
)
async def test_a_look_that_fails_does_not_end_it(error: Exception, outcome: str) -> None:
    """The store is left alone for a while, and then asked again."""
    stubs = Stubs()
    stubs.bookings.will("due", error)
    looks = looking(stubs, pauses=2)
    await looks.run()
    assert looks.outcomes == {outcome: 2}
    assert looks.pauses_s[1:] == [about(DOWN_S)] * 2


async def test_what_an_older_server_left_is_worked_out() -> None:
    """A row without its timer, and one whose state has none: both are reckoned, none is moved."""
    stubs = Stubs()
    unknown = replace(a_booking(), due_ms=NOT_WORKED_OUT)
    over = replace(a_booking(state="cancelled"), due_ms=5)
    finding(stubs, unknown, over, a_booking())
    looks = looking(stubs, pauses=1)
    await looks.run()
    assert stubs.bookings.called("reckon_due") == ([unknown.id, over.id],)
    assert looks.outcomes == {"moved": 1}
