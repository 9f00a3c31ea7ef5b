"""New names: ULIDs (github.com/ulid/spec), UUIDs and tokens, from the system's randomness.

The clock in a ULID only makes ids sort by age for people; nothing is decided by it.
"""

import os
import time
import uuid

_ALPHABET = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# 256 is a multiple of 32: every character is as likely as any other.
_TO_CHARACTERS = bytes(_ALPHABET[byte % 32] for byte in range(256))
_BUFFERED_CHARACTERS = 4096
_PAIRS = [chr(high) + chr(low) for high in _ALPHABET for low in _ALPHABET]
_RANDOM_CHARACTERS = 16
_TOKEN_CHARACTERS = 13
"""65 bits: two nonces or tickets of one resource never meet"""


class RandomIds:
    """`ports.Ids` from `os.urandom`, asked for in bulk: a system call costs more than an id."""

    def __init__(self) -> None:
        self._randoms: list[str] = []
        self._stamped_ms = -1
        self._stamp = ""

    def ulid(self) -> str:
        """Return a new ULID: 10 characters of time, 16 of randomness."""
        now_ms = time.time_ns() // 1_000_000
        if now_ms != self._stamped_ms:
            self._stamped_ms, self._stamp = now_ms, _stamp(now_ms)
        if not self._randoms:
            self._randoms = _randoms()
        return self._stamp + self._randoms.pop()

    def uuid(self) -> str:
        """Return a new random UUID (RFC 9562, version 4)."""
        return str(uuid.uuid4())

    def token(self) -> str:
        """Return a new nonce or ticket."""
        if not self._randoms:
            self._randoms = _randoms()
        return self._randoms.pop()[:_TOKEN_CHARACTERS]


def _randoms() -> list[str]:
    """Return random texts of `_RANDOM_CHARACTERS` each."""
    characters = os.urandom(_BUFFERED_CHARACTERS).translate(_TO_CHARACTERS).decode()
    starts = range(0, _BUFFERED_CHARACTERS, _RANDOM_CHARACTERS)
    return [characters[start : start + _RANDOM_CHARACTERS] for start in starts]


def _stamp(epoch_ms: int) -> str:
    """Return the 10 characters that a ULID begins with: 48 bits of time, 5 each."""
    return "".join([_PAIRS[epoch_ms >> shift & 1023] for shift in (40, 30, 20, 10, 0)])
