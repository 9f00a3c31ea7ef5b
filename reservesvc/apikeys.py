"""API keys as the configuration gives them: a name, a scope and a digest, never a secret.

Knows the two spellings of a key; which request may use which scope is the API's to know.
"""

import hashlib
import re
from typing import Literal, get_args

from msgspec import Struct

Scope = Literal["widget", "service", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Each includes the ones before it."""

SECRET_MIN = 16
"""characters: random ones, of which only a digest is kept, without salt"""
_QUOTES = ('"', "'")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"sha256\$([0-9a-fA-F]{64})")
_DIGEST_MARK = "sha256$"


class ApiKey(Struct, frozen=True):
    """Someone who may call, and how far their key reaches."""

    name: str
    """for logs and metrics"""
    scope: Scope
    digest: bytes
    """`digest_of` the secret"""

    def __repr__(self) -> str:
        """Return the key without its digest."""
        return f"ApiKey({self.name}:{self.scope})"


def digest_of(secret: str) -> bytes:
    """Return what is kept and compared instead of the secret.

    Plain SHA-256: keys are long random strings, which no dictionary holds.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def parse_list(text: str) -> tuple[ApiKey, ...]:
    """Return the keys of `name:scope:secret,name:scope:secret`.

    Raises:
        ValueError: an item is no key, or two are the same; the message shows no secret.

    """
    items = [item.strip() for item in text.split(",")]
    return _distinct([_from_secret(item, at) for at, item in enumerate(items, 1) if item])


def parse_file(text: str) -> tuple[ApiKey, ...]:
    """Return the keys of a file with one `name:scope:sha256$<hex>` a line; `#` begins a comment.

    Raises:
        ValueError: a line is no key, or two are the same; the message shows no digest.

    """
    lines = [line.split("#", 1)[0].strip() for line in text.splitlines()]
    return _distinct([_from_digest(line, at) for at, line in enumerate(lines, 1) if line])


def merge(*sources: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
    """Return the keys of all sources together.

    Raises:
        ValueError: two of them have one name or one secret.

    """
    return _distinct([key for source in sources for key in source])


def _from_secret(item: str, at: int) -> ApiKey:
    name, scope, secret = _fields(item, f"key {at}", "name:scope:secret")
    if secret.startswith(_DIGEST_MARK):
        message = f"has a hash as the secret of {name!r}; hashes belong into the keys file"
        raise ValueError(message)
    if secret[0] == secret[-1] and secret[0] in _QUOTES:
        message = f"has quotes around the secret of {name!r}; leave them out"
        raise ValueError(message)
    if len(secret) < SECRET_MIN:
        message = (
            f"has a secret of fewer than {SECRET_MIN} characters for {name!r}, which could be "
            "guessed; `openssl rand -hex 32` makes a good one"
        )
        raise ValueError(message)
    return ApiKey(name, scope, digest_of(secret))


def _from_digest(line: str, at: int) -> ApiKey:
    name, scope, digest = _fields(line, f"line {at}", "name:scope:sha256$<hex>")
    stated = _DIGEST.fullmatch(digest)
    if stated is None:
        message = f"has no hash in line {at}; expected {_DIGEST_MARK} and 64 hex digits"
        raise ValueError(message)
    return ApiKey(name, scope, bytes.fromhex(stated[1]))


def _fields(text: str, place: str, form: str) -> tuple[str, Scope, str]:
    """Split a key into its name, its scope and the rest, whatever colons that holds."""
    # Nothing of the text is repeated in a message before it is known to be no secret.
    parts = text.split(":", 2)
    if len(parts) != len(("name", "scope", "rest")) or not parts[2]:
        message = f"must give {place} as {form}"
        raise ValueError(message)
    if not _NAME.fullmatch(parts[0]):
        message = f"must name {place} with up to 64 of A-Z a-z 0-9 . _ -"
        raise ValueError(message)
    for scope in SCOPES:
        if parts[1] == scope:
            return parts[0], scope, parts[2]
    message = f"must give {parts[0]!r} one of the scopes {', '.join(SCOPES)}"
    raise ValueError(message)


def _distinct(keys: list[ApiKey]) -> tuple[ApiKey, ...]:
    """Return the keys, none of which may share its name or its secret with another."""
    names: set[str] = set()
    holders: dict[bytes, str] = {}
    for key in keys:
        if key.name in names:
            message = f"has two keys named {key.name!r}"
            raise ValueError(message)
        names.add(key.name)
        if (holder := holders.setdefault(key.digest, key.name)) != key.name:
            message = f"has the same secret for {holder!r} and {key.name!r}"
            raise ValueError(message)
    return tuple(keys)
