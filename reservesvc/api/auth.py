"""Keys and scopes: who is calling, and what they may call.

Only digests of keys are known here. A scope includes the ones before it.
"""

import hashlib
import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from reservesvc import apikeys
from reservesvc.api.problems import Problem, RefusedError
from reservesvc.apikeys import ApiKey

RouteScope = Literal["public"] | apikeys.Scope
"""what a route asks for; `public` asks for no key"""
_SCOPES: tuple[RouteScope, ...] = ("public", *apikeys.SCOPES)
_COVERED = {scope: _SCOPES[: reach + 1] for reach, scope in enumerate(_SCOPES)}


class Caller(Struct, frozen=True):
    """Who sent the request."""

    name: str
    scope: RouteScope


ANYBODY = Caller("anybody", "public")
"""whoever calls a public route, and whoever was not let in"""
ANONYMOUS = Caller("anonymous", "admin")
"""everybody, where no key is configured; the server then listens on loopback only"""
SEEN_MAX = 1024
"""headers whose senders are remembered; then all are forgotten"""
# RFC 9110 wants a challenge on a 401. Basic is accepted too but not named here: a browser
# would ask the people in front of it for a password.
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="reservesvc"'}


class Keys:
    """The API keys that callers may use; without any, every caller may do everything."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._callers = _callers(keys)
        # A look-up tells an attacker nothing: only a header with the same secretly keyed hash
        # (PEP 456) is compared at all. Digesting anew cost a twentieth of a reservation.
        self._seen: dict[str, Caller] = {}

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """Take these keys from the next request on, and no other."""
        self._callers = _callers(keys)
        self._seen.clear()

    def admit(self, headers: Sequence[str], scope: RouteScope) -> Caller:
        """Return the caller, whose scope covers `scope`.

        Args:
            headers: every `Authorization` of the request.
            scope: what is needed.

        Raises:
            RefusedError: 400 with several headers, 401 without a known key, 403 with one of
                too small a scope.

        """
        if len(headers) > 1:
            raise RefusedError(_REPEATED)
        if scope == "public":
            return ANYBODY
        header = headers[0] if headers else ""
        caller = self._seen.get(header) or self._caller(header)
        if scope not in _COVERED[caller.scope]:
            raise RefusedError(_forbidden(scope))
        return caller

    def _caller(self, header: str) -> Caller:
        """Return who sent this `Authorization` header, and remember it."""
        if not self._callers:
            return ANONYMOUS
        secret = presented(header)
        caller = self._owner(secret) if secret else None
        if caller is None:
            raise RefusedError(_UNAUTHORIZED)
        if len(self._seen) >= SEEN_MAX:
            self._seen.clear()
        self._seen[header] = caller
        return caller

    def _owner(self, secret: bytes) -> Caller | None:
        """Return whose key this is, or None for nobody we know.

        Compares with every key, each in constant time, so that the time taken tells nothing.
        """
        digest = hashlib.sha256(secret).digest()
        found = None
        for known, caller in self._callers:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def _callers(keys: Iterable[ApiKey]) -> list[tuple[bytes, Caller]]:
    return [(key.digest, Caller(key.name, key.scope)) for key in keys]


def presented(authorization: str) -> bytes | None:
    """Return the key in an `Authorization` header: `Bearer key`, or Basic with any user."""
    if authorization.startswith("Bearer "):  # nearly everybody, letter by letter
        return authorization[7:].strip().encode(errors="surrogateescape")
    scheme, _, credentials = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip().encode(errors="surrogateescape")
        case "basic":
            return _password(credentials.strip())
        case _:
            return None


def _password(credentials: str) -> bytes | None:
    try:
        _user, _, password = b64decode(credentials, validate=True).partition(b":")
    except (Base64Error, ValueError):
        return None
    return password


_REPEATED = Problem(
    code="repeated_header",
    detail="Authorization was sent more than once, and which one counts is unclear; send one.",
)
_UNAUTHORIZED = Problem(
    code="unauthorized",
    detail="Send a known key as `Authorization: Bearer <key>`, or as the password of Basic.",
    headers=_CHALLENGE,
)


def _forbidden(scope: RouteScope) -> Problem:
    return Problem(
        code="forbidden", detail=f"This call needs a key of scope {scope}; use such a key."
    )
