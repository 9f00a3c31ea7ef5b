"""The address of Redis: one server, a primary that Sentinels name, or a Cluster; pure.

redis-py reads the address of one server itself, once it was checked here. The two others name
several hosts, which no URL parser of Python's takes apart.
"""

import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import SplitResult, urlencode, urlsplit

from msgspec import Struct

from reservesvc import address_options

Kind = Literal["server", "sentinel", "cluster"]
Node = tuple[str, int]
"""host and port"""

SERVER_PORT = 6379
SENTINEL_PORT = 26379
SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")
SCHEMES: dict[str, Kind] = {
    "redis": "server",
    "rediss": "server",
    "unix": "server",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
_NUMBER = re.compile(r"[0-9]{1,4}")
_SERVICE = re.compile(r"[A-Za-z0-9._-]{1,255}")
_LOGIN = "[[user]:password@]"
_HOSTS = "host[:port][,host[:port]]"


class RedisUrl(Struct, frozen=True, kw_only=True):
    """What an address says."""

    kind: Kind
    text: str
    """as it was given"""
    hosts: tuple[Node, ...] = ()
    """the Sentinels, or nodes of the Cluster from which the others are found"""
    service: str = ""
    """what the Sentinels call the set of servers"""
    options: dict[str, str] = {}
    """what stands after the `?`"""

    @property
    def sentinel_login(self) -> dict[str, str]:
        """Name and password for the Sentinels, as far as they ask for any."""
        names = (name for name in SENTINEL_OPTIONS if name in self.options)
        return {name.removeprefix("sentinel_"): self.options[name] for name in names}

    def node(self, host: str, port: int) -> str:
        """Return the address of one server of the set: the same login, options and TLS."""
        parts = urlsplit(self.text)
        login, at, _ = parts.netloc.rpartition("@")
        options = [(k, v) for k, v in self.options.items() if k not in SENTINEL_OPTIONS]
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        scheme = parts.scheme.lower().partition("+")[0]
        return SplitResult(scheme, login + at + place, "", urlencode(options), "").geturl()


def parse(text: str) -> RedisUrl:
    """Return what `text` says.

    Raises:
        ValueError: it is no address; the rest of a sentence that begins with the setting's
            name, and nothing of `text`.

    """
    try:
        parts = urlsplit(text)
    except ValueError:
        message = "must be a URL"
        raise ValueError(message) from None
    kind = SCHEMES.get(parts.scheme.lower())
    if kind is None:
        message = (
            "must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, "
            "redis+cluster:// or rediss+cluster://"
        )
        raise ValueError(message)
    return _PARSERS[kind](text, parts)


def options_of(parts: SplitResult) -> dict[str, str]:
    """Return the options of an address whose other parts are in order.

    Raises:
        ValueError: as `address_options.parse`.

    """
    if parts.fragment or "@" in parts.query:
        message = "must have no # and no @ after the host; in a value they are written %23 and %40"
        raise ValueError(message)
    return address_options.parse(parts.scheme.lower(), parts.query)


def _server(text: str, parts: SplitResult) -> RedisUrl:
    if parts.scheme.lower() == "unix":
        _check_unix(parts)
    else:
        _check_tcp(parts)
    return RedisUrl(kind="server", text=text, options=options_of(parts))


def _check_tcp(parts: SplitResult) -> None:
    try:
        place = (parts.hostname, parts.port)
    except ValueError:
        place = (None, None)
    database = parts.path.strip("/")
    if not place[0] or "," in place[0] or (database and not _NUMBER.fullmatch(database)):
        message = f"must be {parts.scheme}://{_LOGIN}host[:port][/database number]"
        raise ValueError(message)


def _check_unix(parts: SplitResult) -> None:
    if not parts.path.startswith("/") or parts.path == "/":
        message = "must name an absolute path: unix:///path/of/the.sock"
        raise ValueError(message)


def _sentinel(text: str, parts: SplitResult) -> RedisUrl:
    hosts = tuple(hosts_of(parts, SENTINEL_PORT))
    service = parts.path.strip("/")
    if not hosts or not _SERVICE.fullmatch(service):
        message = f"must be {parts.scheme}://{_LOGIN}{_HOSTS}/service name[?db=database number]"
        raise ValueError(message)
    return RedisUrl(
        kind="sentinel", text=text, hosts=hosts, service=service, options=options_of(parts)
    )


def _cluster(text: str, parts: SplitResult) -> RedisUrl:
    hosts = tuple(hosts_of(parts, SERVER_PORT))
    if not hosts:
        message = f"must be {parts.scheme}://{_LOGIN}{_HOSTS}"
        raise ValueError(message)
    options = options_of(parts)
    if parts.path.strip("/") or options.get("db", "0") != "0":
        message = "must name no database: a Redis Cluster has but one"
        raise ValueError(message)
    return RedisUrl(kind="cluster", text=text, hosts=hosts, options=options)


def hosts_of(parts: SplitResult, port: int) -> Iterator[Node]:
    """Yield the hosts, each with its port or else `port`; none where one of them is none."""
    places = parts.netloc.rpartition("@")[2].split(",")
    try:
        found = [(one.hostname, one.port) for one in (urlsplit(f"//{place}") for place in places)]
    except ValueError:
        return
    if all(host for host, _ in found):
        yield from ((host or "", given or port) for host, given in found)


_PARSERS = {"server": _server, "sentinel": _sentinel, "cluster": _cluster}
