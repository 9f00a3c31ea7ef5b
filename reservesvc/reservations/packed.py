"""Script calls as Redis reads them: arrays of bulk strings (Redis docs, "RESP protocol spec").

Written here and not by a library, because most of a claim's command is the same each time and
can be kept ready: packing it anew cost as much as sending it (docs/performance.md).
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct

Argument = str | bytes | int


class Packed(Struct, frozen=True, gc=False):
    """The keys and arguments of one script call; the connection puts its run between them."""

    keys_count: int
    keys: bytes
    arguments_count: int
    arguments: bytes

    def command(self, name_and_script: bytes, run: bytes) -> bytes:
        """Return the command: EVALSHA or EVAL with its script, the keys, `run`, the arguments."""
        count, number = _counts(self.keys_count, self.arguments_count)
        return b"".join((count, name_and_script, number, self.keys, run, self.arguments))


@lru_cache(128)
def _counts(keys: int, arguments: int) -> tuple[bytes, bytes]:
    """Return how a command with so many keys and arguments begins, and their number packed."""
    return b"*%d\r\n" % (keys + arguments + 4), bulk(keys)  # name, script, number of keys, run


def pack(keys: Sequence[str], arguments: Iterable[Argument]) -> Packed:
    """Return the call with these keys and arguments."""
    values = [bulk(argument) for argument in arguments]
    return Packed(len(keys), b"".join(map(bulk, keys)), len(values), b"".join(values))


def array(*arguments: Argument) -> bytes:
    """Return a whole command."""
    return b"*%d\r\n%b" % (len(arguments), b"".join(map(bulk, arguments)))


def bulk(argument: Argument) -> bytes:
    """Return one argument."""
    data = argument if isinstance(argument, bytes) else str(argument).encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)
