"""Servers that lack a guard, so that what looks for broken promises can be seen to find them."""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from reservesvc import logs
from reservesvc.bookings import sqlite_bookings, sqlite_slots, sqlite_transaction
from reservesvc.domain.reservation import Claim, ReservationId
from reservesvc.flow import batch
from reservesvc.log_writer import LogWriter
from reservesvc.reservations import scripts
from reservesvc.reservations.keys import ANY_ULID
from reservesvc.reservations.store import RedisReservations
from reservesvc.supervised import Supervisor

PLENTY = 1_000
LOOK_TO_WRITE_S = 0.02


class Mutant(Struct, frozen=True):
    """How to take a guard out of this process."""

    lua: Sequence[tuple[str, str, str]] = ()
    """in which script which text is replaced by which"""
    python: Sequence[Callable[[], None]] = ()

    def apply(self) -> None:
        """Take the guard out."""
        if self.lua:
            _replace_in_scripts(self.lua)
        for change in self.python:
            change()


def _replace_in_scripts(changes: Sequence[tuple[str, str, str]]) -> None:
    original = scripts.source

    def source(name: str) -> str:
        text = original(name)
        for script, old, new in changes:
            if script == name:
                assert old in text, f"{name}.lua no longer has: {old}"
                text = text.replace(old, new)
        return text

    scripts.source = source


def _ignore_the_fence() -> None:
    original = sqlite_bookings.book

    def book(connection: Any, booking: Any, fence: int, idempotency: Any) -> Any:
        del fence
        current, _ = sqlite_slots.fence(connection, booking.resource_id)
        return original(connection, booking, current, idempotency)

    sqlite_bookings.book = book


def _insert_unguarded() -> None:
    sqlite_bookings._fits = lambda *_: True


def _acknowledge_before_the_commit() -> None:
    original = sqlite_transaction.write

    def write(connection: Any, work: Any, deadline_s: float) -> Any:
        def and_undo(inside: Any) -> Any:
            result = work(inside)
            if type(result).__name__ == "Booked":
                inside.execute("ROLLBACK")
                inside.execute("BEGIN")
            return result

        return original(connection, and_undo, deadline_s)

    sqlite_transaction.write = write


def _forget_keys() -> None:
    original = RedisReservations.reserve

    async def reserve(self: Any, claim: Any, capacity: int, idempotency: Any) -> Any:
        del idempotency
        return await original(self, claim, capacity, None)

    RedisReservations.reserve = reserve  # type: ignore[method-assign]  # that is the mutation


def _keep_what_a_cart_had() -> None:
    async def keep(stores: Any, held: Any, idempotency: Any) -> None:
        del stores, held, idempotency

    batch._give_back = keep


def _share_the_key_in_a_batch() -> None:
    def shared(idempotency: Any, place: int) -> Any:
        del place
        return idempotency

    batch._pin = shared


def _look_and_write_apart() -> None:
    original = RedisReservations.reserve

    async def reserve(self: Any, claim: Claim, capacity: int, idempotency: Any) -> Any:
        if await _is_in_the_way(self, claim):
            return await original(self, claim, capacity, idempotency)
        await asyncio.sleep(LOOK_TO_WRITE_S)
        return await original(self, claim, PLENTY, idempotency)

    RedisReservations.reserve = reserve  # type: ignore[method-assign]  # that is the mutation


async def _is_in_the_way(store: Any, claim: Claim) -> bool:
    resource_id = claim.id.resource_id
    keys = [
        store._keys.reservation(ReservationId(resource_id, ANY_ULID)),
        store._keys.slots(resource_id),
        store._keys.fence(resource_id),
    ]
    answer = await store._call(store._scripts["busy"], keys, ("-inf", claim.end_ms, 0, PLENTY))
    if answer[0] == b"cold":
        return True
    _, _, *parts, _ = answer
    return any(end_ms > claim.start_ms for end_ms in parts[2::6])


def _raise_from_log_calls() -> None:
    logs._guarded = lambda method: method

    def put(self: Any, text: bytes, lines: int = 1) -> None:
        del lines
        os.write(self._descriptor, text)

    LogWriter.put = put  # type: ignore[method-assign]  # that is the mutation


def _let_work_end() -> None:
    async def keep(self: Any, name: str, work: Any) -> None:
        del self, name
        await work()

    Supervisor.keep = keep  # type: ignore[method-assign]  # that is the mutation


MUTANTS = {
    "an atomic claim": Mutant(python=[_look_and_write_apart]),
    "the full TTL": Mutant(
        lua=[("reserve", "'PX', DURATION_MS)", "'PX', math.floor(DURATION_MS / 2))")]
    ),
    "fence": Mutant(python=[_ignore_the_fence]),
    "fence and guard": Mutant(python=[_ignore_the_fence, _insert_unguarded]),
    "keeping the key until the commit": Mutant(
        lua=[("unsettle", "NONCE)\n", "NONCE)\nredis.call('DEL', KEY_RESERVATION)\n")]
    ),
    "giving back": Mutant(python=[_keep_what_a_cart_had]),
    "a key for each item": Mutant(python=[_share_the_key_in_a_batch]),
    "commit": Mutant(python=[_acknowledge_before_the_commit]),
    "keys": Mutant(python=[_forget_keys]),
    "a log that never raises": Mutant(python=[_raise_from_log_calls]),
    "supervision": Mutant(python=[_let_work_end]),
    "settling": Mutant(lua=[("settle", "redis.call('ZADD', KEY_SLOTS, START, 'b' .. place)", "")]),
}
