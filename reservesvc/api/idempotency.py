"""`Idempotency-Key`: who sent which key to which call, with which body."""

from collections.abc import Sequence
from hashlib import blake2b

from multidict import istr

from reservesvc.api.problems import Problem, RefusedError
from reservesvc.ports import Idempotency

HEADER = istr("Idempotency-Key")
REPLAYED = {"Idempotent-Replayed": "true"}
LENGTH_MAX = 255
_DIGEST_BYTES = 16


def of(keys: Sequence[str], caller: str, call: str, body: bytes) -> Idempotency:
    """Return a request's key as the stores see it.

    Args:
        keys: as they were sent; a request may have one.
        caller: the name of the key's owner; callers cannot meet in one another's keys.
        call: the name of the route.
        body: the request's body.

    Raises:
        RefusedError: 400, there are several, or it is not 1 to 255 printable characters.

    """
    key = keys[0]
    if len(keys) > 1 or not 1 <= len(key) <= LENGTH_MAX or not key.isprintable():
        raise RefusedError(_INVALID)
    # NUL is in neither name and not printable: no two triples make the same text.
    return Idempotency(_digest(f"{caller}\0{call}\0{key}".encode()), _digest(body))


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


_INVALID = Problem(
    code="idempotency_key_invalid",
    detail=f"The Idempotency-Key must be 1 to {LENGTH_MAX} printable characters, such as a UUID, "
    "and be sent once.",
)
