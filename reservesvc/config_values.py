"""From the text of a setting to its value; pure.

Every parser raises ValueError with the rest of a sentence that begins with the setting's name:
`must be a number from 0 to 65535, not 'abc'`.
"""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from reservesvc.redis_url import hosts_of, options_of
from reservesvc.redis_url import parse as parse_redis_url

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]+)?")
_KEY_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{0,64}")
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]{2,45}\])(:(?P<port>[0-9]{1,5}))?"
)
_ORIGIN_FORMS = "https://shop.example or http://localhost:3000"
_PORTS = {"http": "80", "https": "443"}
_NUMBER = re.compile(r"[0-9]{1,12}")
_SQLITE = "sqlite:///"
_SQLITE_FORMS = "sqlite:///relative/path or sqlite:////absolute/path"
_POSTGRES = ("postgresql", "postgres")
_POSTGRES_PORT = 5432
_POSTGRES_FORM = "postgresql://user:password@host/database"


class Url:
    """An address that may hold a password; shown without it.

    No Struct: msgspec would write out what this hides.
    """

    __slots__ = ("_full",)

    def __init__(self, full: str) -> None:
        self._full = full

    def reveal(self) -> str:
        """Return the address as it was given, password and all; not for logs."""
        return self._full

    @property
    def options(self) -> dict[str, str]:
        """What stands after its `?`, by name."""
        return dict(parse_qsl(urlsplit(self._full).query))

    def __str__(self) -> str:
        """Return the address without password and query, in which one may stand too."""
        parts = urlsplit(self._full)
        user, at, place = parts.netloc.rpartition("@")
        name, colon, _ = user.partition(":")
        shown = f"{name}{':***' if colon else ''}{at}{place}"
        return f"{parts.scheme}://{shown}{parts.path}"

    def __repr__(self) -> str:
        """Return the redacted form."""
        return f"Url({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same address."""
        return isinstance(other, Url) and other._full == self._full

    def __hash__(self) -> int:
        """Hash the address."""
        return hash(self._full)


def number(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if _NUMBER.fullmatch(text) and low <= int(text) <= high:
            return int(text)
        message = f"must be a number from {low} to {high}, not {text!r}"
        raise ValueError(message)

    return parse


_descriptor = number(3, 65_535)


def descriptors(text: str) -> tuple[int, ...]:
    """Return file descriptors from 3 on, separated by commas."""
    return tuple(_descriptor(word) for word in text.split(","))


def choice(*words: str) -> Callable[[str], str]:
    """Return a parser of one of `words`, in any case."""

    def parse(text: str) -> str:
        if text.lower() in words:
            return text.lower()
        message = f"must be one of {', '.join(words)}, not {text!r}"
        raise ValueError(message)

    return parse


def host(text: str) -> str:
    """Return an IP address or a host name."""
    if _HOST.fullmatch(text):
        return text
    message = f"must be an address or a host name such as 127.0.0.1 or ::1, not {text!r}"
    raise ValueError(message)


def is_loopback(name: str) -> bool:
    """Tell whether only this machine can reach a server that listens on `name`."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def key_prefix(text: str) -> str:
    """Return what goes in front of every Redis key; braces would change the hash tag."""
    if _KEY_PREFIX.fullmatch(text):
        return text
    message = f"must be at most 64 characters of A-Z a-z 0-9 _ . : -, not {text!r}"
    raise ValueError(message)


def origins(text: str) -> tuple[str, ...]:
    """Return the origins of pages, in the form in which browsers send them; `*` for all."""
    items = [item.strip().lower() for item in text.split(",")]
    return tuple(dict.fromkeys(_origin(item) for item in items if item))


def _origin(text: str) -> str:
    # Fetch standard, "origin": no path, and no port that is the scheme's own.
    found = _ORIGIN.fullmatch(text)
    if text == "*":
        return text
    if found is None or found["port"] == _PORTS[found["scheme"]]:
        message = f"must list origins as browsers send them, as {_ORIGIN_FORMS}, not {text!r}"
        raise ValueError(message)
    return text


def redis_url(text: str) -> Url:
    """Return the address of Redis; nothing of the text stands in a refusal."""
    parse_redis_url(text)
    return Url(text)


def store_url(text: str) -> Url:
    """Return the address of the booking store; nothing of the text stands in a refusal."""
    scheme, parts = _split(text)
    if scheme in _POSTGRES:
        _check_postgres(parts)
        return Url(text)
    if not text.startswith(_SQLITE) or text == _SQLITE or parts.query or parts.fragment:
        message = f"must be {_POSTGRES_FORM}, {_SQLITE_FORMS}"
        raise ValueError(message)
    if ":memory:" in text:
        message = f"must name a file, for bookings are to last: {_SQLITE_FORMS}"
        raise ValueError(message)
    return Url(text)


def is_postgres(url: Url) -> bool:
    """Tell whether a `store_url` names a PostgreSQL database; a SQLite file otherwise."""
    return urlsplit(url.reveal()).scheme in _POSTGRES


def store_path(url: Url) -> Path:
    """Return the SQLite file that a `store_url` names."""
    return Path(url.reveal().removeprefix(_SQLITE))


def _split(text: str) -> tuple[str, SplitResult]:
    try:
        parts = urlsplit(text)
    except ValueError:
        message = "must be a URL"
        raise ValueError(message) from None
    return parts.scheme.lower(), parts


def _check_postgres(parts: SplitResult) -> None:
    place = parts.netloc.rpartition("@")[2]
    if "@" in parts.netloc.rpartition("@")[0]:
        message = "must not contain @ in the password; there it is written %40"
        raise ValueError(message)
    database = parts.path.removeprefix("/")
    is_broken = place and not any(hosts_of(parts, _POSTGRES_PORT))
    if is_broken or not database or "/" in database:
        message = f"must name a database: {_POSTGRES_FORM}"
        raise ValueError(message)
    if parts.fragment:
        message = "must not contain #; in a password it is written %23"
        raise ValueError(message)
    options_of(parts)
