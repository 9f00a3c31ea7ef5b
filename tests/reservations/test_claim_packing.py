"""Claims packed with what is kept ready: the same words as from their keys and arguments."""

import hiredis
import pytest

from reservesvc.domain.reservation import Claim
from reservesvc.ports import Idempotency
from reservesvc.reservations import claim_packing
from reservesvc.reservations.claim_packing import ClaimPacking
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.packed import Argument, array, pack
from tests.builders import a_claim

PAST_MS, AHEAD_MS, TTL_MS = 31_622_400_000, 316_224_000_000, 604_800_000
SWEEP, IDEMPOTENCY_MS = 64, 86_400_000
KEY = Idempotency("digest", "fingerprint")


def packing(keys: Keys) -> ClaimPacking:
    """Return a packing with the times above."""
    return ClaimPacking(
        keys,
        past_ms=PAST_MS,
        ahead_ms=AHEAD_MS,
        index_ttl_ms=TTL_MS,
        sweep=SWEEP,
        idempotency_ms=IDEMPOTENCY_MS,
    )


def words(command: bytes) -> list[bytes]:
    """Return the words of one command, as Redis reads them."""
    reader = hiredis.Reader()
    reader.feed(command)
    found: list[bytes] = reader.gets()
    assert reader.gets() is False
    return found


@pytest.mark.parametrize("prefix", ["", "shop:", "läden:"])
@pytest.mark.parametrize("idempotency", [None, KEY])
@pytest.mark.parametrize(
    ("claim", "capacity"),
    [
        (a_claim(), 1),
        (a_claim(resource_id="a-much.longer~id"), 1_000),
        (a_claim(-490_000, 2_500_000, quantity=12, duration_ms=1), 20),
    ],
)
def test_a_packed_claim_has_the_words_of_the_header(
    prefix: str, idempotency: Idempotency | None, claim: Claim, capacity: int
) -> None:
    """KEYS and ARGV of reserve.lua in their order, whatever their lengths, again and again."""
    keys = Keys(prefix)
    names = [keys.reservation(claim.id), *keys.index(claim.id.resource_id)]
    arguments: list[Argument] = [claim.start_ms, claim.end_ms, claim.quantity, capacity]
    arguments += [claim.duration_ms, claim.document, PAST_MS, AHEAD_MS, TTL_MS, SWEEP]
    if idempotency:
        names.append(keys.idempotency(claim.id.resource_id, idempotency.digest))
        arguments += [idempotency.fingerprint, IDEMPOTENCY_MS]
    claims = packing(keys)
    for _ in range(2):
        call = claims.packed(claim, capacity, idempotency)
        assert call == pack(names, arguments)
        assert words(call.command(b"$4\r\nEVAL\r\n$1\r\nx\r\n", b"$3\r\nrun\r\n")) == [
            *(b"EVAL", b"x", b"%d" % len(names)),
            *(name.encode() for name in names),
            b"run",
            *(value if isinstance(value, bytes) else str(value).encode() for value in arguments),
        ]


def test_the_resources_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids that somebody makes up do not fill the memory, and packing goes on being right."""
    monkeypatch.setattr(claim_packing, "REMEMBERED_MAX", 3)
    claims = packing(Keys())
    for number in range(10):
        claim = a_claim(resource_id=f"room-{number}")
        assert Keys().reservation(claim.id).encode() in claims.packed(claim, 1, None).keys
        assert len(claims._around_ulid) <= 3


def test_a_command_is_packed_as_a_library_does() -> None:
    """Text, bytes and numbers, lengths in bytes."""
    values: tuple[Argument, ...] = ("SET", "clé", b"\r\n\0", 12, "")
    assert array(*values) == hiredis.pack_command(values)  # type: ignore[arg-type]  # its stub says one argument, and means any number
