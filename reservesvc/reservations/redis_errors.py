"""What Redis' refusals mean, and what keeps one from being connected to; as sentences."""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from reservesvc.errors import UnavailableError

REDIS = "redis"

_MOVING = "is moving this resource from one node of the Cluster to another; try again"
_IS_CLUSTER = "is a Redis Cluster; begin RESERVESVC_REDIS_URL with redis+cluster:// and name nodes"
REFUSALS = {
    "OOM": "is out of memory (maxmemory is reached)",
    "READONLY": "is a replica; point RESERVESVC_REDIS_URL at the primary",
    "LOADING": "is still loading its data",
    "BUSY": "is busy with a script that is not ours",
    "NOAUTH": "asks for a password; put it into RESERVESVC_REDIS_URL",
    "WRONGPASS": "does not accept the password in RESERVESVC_REDIS_URL",
    "NOPERM": "does not let this user do what it has to (ACL); docs/operations.md lists its rights",
    "MISCONF": "cannot write to its disk, and so takes no writes",
    "NOREPLICAS": "has too few replicas to accept writes",
    "MASTERDOWN": "has lost its primary",
    "CLUSTERDOWN": "is a Cluster that is down: a primary is missing, and no replica took over yet",
    "MOVED": _IS_CLUSTER,
    "ASK": _MOVING,
    "TRYAGAIN": _MOVING,
}
"""What an error reply's first word means for an operator."""
_WRONG_LOGIN = "does not accept the name and password in RESERVESVC_REDIS_URL"
_NO_ENGINE = "has no Lua to run scripts with; load its module, or allow EVAL and EVALSHA"
PHRASES = {
    "max number of clients reached": (
        "takes no more clients; raise its maxclients, or find out who keeps connections open"
    ),
    "protected mode": (
        "is in protected mode, in which only its own machine may connect; give it a password"
    ),
    "index is out of range": (
        "has no database of the number in RESERVESVC_REDIS_URL; "
        "its setting `databases` says how many there are"
    ),
    "invalid DB index": "does not take the database number in RESERVESVC_REDIS_URL",
    "SELECT is not allowed in cluster mode": _IS_CLUSTER,
    "without any password configured": (
        "has no password, and RESERVESVC_REDIS_URL gives one; leave it out, or name its user"
    ),
    "Authentication required": REFUSALS["NOAUTH"],
    "invalid username-password pair": _WRONG_LOGIN,
    "invalid password": REFUSALS["WRONGPASS"],
    "Could not find scripting engine": _NO_ENGINE,
    "unknown command 'EVAL": _NO_ENGINE,
    "ACL failure in script": REFUSALS["NOPERM"],
    "No permissions to access a key": (
        "does not let this user use the keys below RESERVESVC_KEY_PREFIX (ACL)"
    ),
}
"""What an error reply means whose first word says too little"""
_NO_PERMISSION = re.compile(r"no permissions to run the '([a-z|-]{1,40})' command")
UNREACHABLE = "cannot be connected to; is it running where RESERVESVC_REDIS_URL says?"
EMBEDDED_DOWN = (
    "is the embedded one, which does not answer; it runs only while `reservesvc serve` runs with "
    "this data directory"
)
SAYS_NO_TLS = (
    "does not speak TLS at this port; begin RESERVESVC_REDIS_URL with redis in place of rediss, "
    "or name the port that does (tls-port)"
)
ENDS_TLS = (
    "ends connections while TLS begins; has it as many clients as its maxclients allows, and is "
    "its own certificate in order?"
)
SPEAKS_TLS = "speaks TLS at this port; begin RESERVESVC_REDIS_URL with rediss in place of redis"
_NO_REDIS = "answers as no Redis does; does RESERVESVC_REDIS_URL name another service?"
_WANTS_CERTIFICATE = (
    "asks for a certificate of ours, and takes none that we have; name one as ssl_certfile and "
    "ssl_keyfile in RESERVESVC_REDIS_URL"
)
_UNKNOWN_AUTHORITY = (
    "has a certificate of an authority that is not trusted here; name the authority's as "
    "ssl_ca_certs in RESERVESVC_REDIS_URL"
)
_OTHER_HOST = "has a certificate that is not of the host in RESERVESVC_REDIS_URL"
_OUTDATED = "has a certificate that has expired, or is not valid yet"
_BY_VERIFY_CODE = {
    # OpenSSL's X509_V_ERR_… (openssl-verification-options(1), x509_vfy.h)
    9: _OUTDATED,
    10: _OUTDATED,
    62: _OTHER_HOST,
    64: _OTHER_HOST,
}
_BY_TLS_REASON = {
    "WRONG_VERSION_NUMBER": SAYS_NO_TLS,
    "CERTIFICATE_REQUIRED": _WANTS_CERTIFICATE,
    "HANDSHAKE_FAILURE": _WANTS_CERTIFICATE,
    "BAD_CERTIFICATE": _WANTS_CERTIFICATE,
    "UNKNOWN_CA": _WANTS_CERTIFICATE,
    "PROTOCOL_VERSION": "speaks no version of TLS that is allowed here",
}
DEMOTED = ("READONLY", "MASTERDOWN", "MOVED")
"""said by a server that is no primary any more, or not this key's"""


class MovedError(UnavailableError):
    """Another node of the Cluster has the key; the script did not run.

    Args:
        host: of that node; empty where it is the host of the node that said so.
        port: of that node.

    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(REDIS, REFUSALS["MOVED"])
        self.host = host
        self.port = port


def refusal(reply: Exception) -> UnavailableError:
    """Return what an error reply means; the scripts write only after their last check."""
    text = str(reply)
    if text.startswith("MOVED "):  # MOVED <slot> <host>:<port>
        host, _, port = text.rpartition(" ")[2].rpartition(":")
        return MovedError(host, int(port))
    return UnavailableError(REDIS, _meaning(text) or f"refused a command ({reply})")


def said(reply: bytes) -> str | None:
    """Return what an error reply means that was read as bytes; None where it is unknown."""
    return _meaning(reply.decode(errors="replace").removeprefix("-"))


def _meaning(text: str) -> str | None:
    """Return what an error reply means, or None."""
    if found := _NO_PERMISSION.search(text):
        return (
            f"does not let this user run {found[1].upper()} (ACL); "
            "docs/operations.md lists the rights it needs"
        )
    by_phrase = next((PHRASES[phrase] for phrase in PHRASES if phrase in text), None)
    return by_phrase or REFUSALS.get(text.partition(" ")[0])


def is_elsewhere(error: UnavailableError) -> bool:
    """Tell whether another node of a Cluster has the key, or is about to."""
    return isinstance(error, MovedError) or error.detail == _MOVING


def is_of_demoted(reply: Exception) -> bool:
    """Tell whether an error reply is one of a server that is not the primary it was."""
    return str(reply).startswith(DEMOTED)


def connect_reason(error: BaseException) -> str | None:
    """Return why no connection came about, without the URL and its password; None if unclear."""
    return next(filter(None, map(_why, _chain(error))), None)


def is_lost(error: BaseException) -> bool:
    """Tell whether the other side ended the connection, or the error says no more than that."""
    return not any(isinstance(one, ConnectionRefusedError) for one in _chain(error)) and any(
        isinstance(one, RedisConnectionError | ConnectionError | RuntimeError)
        for one in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what it came from: redis-py wraps what happened while connecting."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _why(error: BaseException) -> str | None:
    return next((why(error) for kinds, why in _KINDS if isinstance(error, kinds)), None)


def _refused(error: Any) -> str | None:  # noqa: ANN401  any error of redis-py
    text = str(error)
    if isinstance(error, AuthenticationError):
        return _meaning(text) or _WRONG_LOGIN
    unknown = f"refused a command ({text})" if isinstance(error, ResponseError) else None
    return _meaning(text) or unknown


def _no_primary(error: Any) -> str:  # noqa: ANN401  an error of redis-py
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return _UNKNOWN_AUTHORITY.replace("has a", "has Sentinels with a", 1)
    return (
        "has no primary that a Sentinel knows as healthy; do the Sentinels run, and are "
        "their service name and password in RESERVESVC_REDIS_URL right?"
    )


def _tls_reason(error: Any) -> str:  # noqa: ANN401  an ssl.SSLError
    reason = getattr(error, "reason", None) or "no reason given"
    known = (_BY_TLS_REASON[name] for name in _BY_TLS_REASON if name in reason)
    return next(known, f"cannot agree on TLS ({reason})")


_KINDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Any], ...] = (
    (MasterNotFoundError, _no_primary),
    (BusyLoadingError, lambda _: REFUSALS["LOADING"]),
    (
        ssl.SSLCertVerificationError,
        lambda error: _BY_VERIFY_CODE.get(error.verify_code, _UNKNOWN_AUTHORITY),
    ),
    (ssl.SSLError, _tls_reason),
    (socket.gaierror, lambda _: "has a host name in RESERVESVC_REDIS_URL that is not known here"),
    (PermissionError, lambda _: "has a socket that this user may not open"),
    (
        (RedisTimeoutError, TimeoutError),
        lambda _: "did not answer in time while connecting",
    ),
    (InvalidResponse, lambda _: _NO_REDIS),
    (RedisError, _refused),
)
"""The kinds of errors, the special before the general, and what each says"""
