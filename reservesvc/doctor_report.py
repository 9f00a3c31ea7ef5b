"""What the doctor found, and how it says so: to people, to programs, to whoever waits."""

import time
from collections.abc import Iterator
from typing import TextIO

import msgspec
from msgspec import Struct

from reservesvc.domain import times
from reservesvc.domain.finding import Finding
from reservesvc.domain.reservation import ReservationId

_EVERY_S = 2.0
_encode = msgspec.json.Encoder().encode


class Report(Struct, kw_only=True):
    """What there was, what was not as it should be, and what is left of it."""

    resources: int = 0
    cold: int = 0
    """resources whose index decides nothing until their next request rebuilds it"""
    bookings: int = 0
    reservations: int = 0
    dangers: list[str] = []
    """why the servers themselves are not safe; settings, which no repair changes"""
    found: list[Finding] = []
    left: list[Finding] = []
    """of what was found, and is there still after a repair; without one the same"""

    @property
    def repaired(self) -> int:
        """How much of what was found a repair has put right."""
        return sum(finding.is_repairable for finding in set(self.found) - set(self.left))

    @property
    def is_well(self) -> bool:
        """Whether there is nothing wrong, or nothing any more."""
        return not self.dangers and not any(finding.is_wrong for finding in self.left)


class Progress:
    """Tells now and then how far a long look is.

    Args:
        stream: where to.
        every_s: how often at most; a look that is over sooner says nothing.

    """

    def __init__(self, stream: TextIO, every_s: float = _EVERY_S) -> None:
        self._stream = stream
        self._every_s = every_s
        self._told_s = time.monotonic()

    def tell(self, how_far: str) -> None:
        """Say how far it is, if it is time to."""
        now_s = time.monotonic()
        if now_s - self._told_s >= self._every_s:
            self._told_s = now_s
            self._stream.write(f"{how_far}\n")
            self._stream.flush()


def as_text(report: Report) -> str:
    """Return the report for people: a line a finding, and what it comes to."""
    lines = [f"Not safe: {danger}." for danger in report.dangers]
    lines += [_line(finding, is_left=is_left) for finding, is_left in _all(report)]
    return "".join(f"{line}\n" for line in [*lines, *_summary(report)])


def as_json(report: Report) -> str:
    """Return the report as one line of JSON, its keys as docs/operations.md has them."""
    value = {
        "is_well": report.is_well,
        "resources": report.resources,
        "cold": report.cold,
        "bookings": report.bookings,
        "reservations": report.reservations,
        "dangers": report.dangers,
        "findings": [_as_object(finding, is_left=is_left) for finding, is_left in _all(report)],
    }
    return _encode(value).decode() + "\n"


def _all(report: Report) -> list[tuple[Finding, bool]]:
    """Return what was found and whether it is left; also what only a repair brought to light."""
    later = [finding for finding in report.left if finding not in report.found]
    return [(finding, finding in report.left) for finding in [*report.found, *later]]


def _as_object(finding: Finding, *, is_left: bool) -> dict[str, object]:
    entry = finding.entry
    return {
        "kind": finding.kind,
        "is_wrong": finding.is_wrong,
        "is_left": is_left,
        "resource_id": entry.resource_id,
        "start": times.render(entry.start_ms),
        "end": times.render(entry.end_ms),
        "quantity": entry.quantity,
        "reservation_id": str(ReservationId(entry.resource_id, entry.id)),
        "booking_id": finding.booking_id,
        "says": finding.meaning.says,
    }


def _line(finding: Finding, *, is_left: bool) -> str:
    entry = finding.entry
    start, end = times.render(entry.start_ms), times.render(entry.end_ms)
    booking = f"booking {finding.booking_id}" if finding.booking_id else None
    holder = booking or f"reservation {ReservationId(entry.resource_id, entry.id)}"
    state = _state(finding, is_left=is_left)
    return f"{state}: {entry.resource_id}, {start} to {end}, {holder}, {finding.meaning.says}"


def _state(finding: Finding, *, is_left: bool) -> str:
    if is_left:
        return "Wrong" if finding.is_wrong else "To know"
    return "Repaired" if finding.is_repairable else "Over"


def _summary(report: Report) -> Iterator[str]:
    yield (
        f"Looked at: resources {report.resources}, bookings {report.bookings}, "
        f"reservations {report.reservations}."
    )
    if report.cold:
        yield (
            f"Of the resources cold: {report.cold}. There is nothing to compare until the next "
            "request for one rebuilds its index."
        )
    if report.repaired:
        yield f"Repaired: {report.repaired}."
    if report.is_well:
        yield "All is well."
        return
    wrong = [finding for finding in report.left if finding.is_wrong]
    repairable = sum(finding.is_repairable for finding in wrong)
    yield f"Wrong: {len(wrong) + len(report.dangers)}, of which --fix can repair {repairable}."
