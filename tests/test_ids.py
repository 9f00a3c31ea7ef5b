"""Ids are unguessable, sortable by age, and never the same twice."""

import time

from reservesvc.domain.reservation import ReservationId
from reservesvc.ids import RandomIds


def test_ulids_are_ulids_and_differ() -> None:
    """Many more than one buffer of randomness holds, all valid, none twice."""
    ids = RandomIds()
    made = [ids.ulid() for _ in range(5_000)]
    assert len(set(made)) == len(made)
    assert all(ReservationId.parse(f"r.{ulid}") for ulid in made)
    assert len({ulid[10:] for ulid in made}) == len(made)


def test_a_ulid_begins_with_its_time() -> None:
    """The first ten characters are the milliseconds in Crockford's base 32."""
    before_ms = time.time_ns() // 1_000_000
    stamp = RandomIds().ulid()[:10]
    after_ms = time.time_ns() // 1_000_000
    value = 0
    for character in stamp:
        value = value * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(character)
    assert before_ms <= value <= after_ms


def test_tokens_and_uuids_differ() -> None:
    """A nonce never comes again; a UUID is a version 4 one."""
    ids = RandomIds()
    assert len({ids.token() for _ in range(5_000)}) == 5_000
    assert ids.uuid()[14] == "4"
