"""The options an address may have after its `?`: a table for each kind of address; pure.

What is not in the table is refused by name. Both drivers take more options than these, and
either ignore them, fail on them at the first connection, or let them undo what the service
relies on, as its own time limits.
"""

import difflib
import re
import ssl
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from msgspec import Struct

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}", re.IGNORECASE)
_SIMILAR = 0.75
_YES_NO = "yes|no|true|false|1|0"
_TLS_VERSIONS = "TLSv1.2|TLSv1.3"


class Option(Struct, frozen=True):
    """One row: an option, what its value may be, and what it is for."""

    name: str
    form: str
    """a regular expression that the value matches"""
    rule: str
    """what follows "must be" in a refusal"""
    meaning: str
    is_allowed: Callable[[str], bool] = lambda _: True
    """what no regular expression can say"""


def _are_flags(text: str) -> bool:
    names = [name.strip() for name in text.strip("[]").split(",")]
    return all(name in ssl.VerifyFlags.__members__ for name in names)


def _are_ciphers(text: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(text)
    except ssl.SSLError:
        return False
    return True


def _file(name: str, meaning: str) -> Option:
    return Option(name, r".+", "the path of a file", meaning)


_LOGIN = (
    Option("username", r".+", "a name", "the user, where it does not stand before the host"),
    Option("password", r".+", "a password", "the same for the password"),
)
_DB = Option("db", r"[0-9]{1,4}", "a number", "the number of the database")
_CLIENT_NAME = Option(
    "client_name",
    r"[!-~]{1,64}",
    "up to 64 printable ASCII characters without a space",
    "what CLIENT LIST shows",
)
_KEEPALIVE = Option(
    "socket_keepalive", _YES_NO, "yes or no", "whether TCP looks if the other side is still there"
)
_REDIS_TLS = (
    _file("ssl_ca_certs", "certificates of the authorities to trust, PEM"),
    Option("ssl_ca_path", r".+", "the path of a directory", "the same, one a file, hashed names"),
    Option("ssl_ca_data", r"(?s).+", "certificates as PEM", "the same, in the address itself"),
    _file("ssl_certfile", "our own certificate, where the server asks for one, PEM"),
    _file("ssl_keyfile", "its private key, PEM"),
    Option("ssl_password", r".+", "a password", "of the private key"),
    Option(
        "ssl_cert_reqs",
        "required|optional|none",
        "required, optional or none",
        "whether the server's certificate is checked; none trusts every server",
    ),
    Option(
        "ssl_check_hostname",
        _YES_NO,
        "yes or no",
        "whether the certificate has to be the host's",
    ),
    Option("ssl_min_version", "771|772", "771 (TLS 1.2) or 772 (TLS 1.3)", "the oldest version"),
    Option(
        "ssl_ciphers",
        r".+",
        "a list of ciphers as OpenSSL writes it",
        "the ciphers for TLS 1.2",
        _are_ciphers,
    ),
    *(
        Option(
            name,
            r".+",
            "names of Python's ssl.VerifyFlags, comma-separated",
            f"checks of certificates to {verb}",
            _are_flags,
        )
        for name, verb in (
            ("ssl_include_verify_flags", "add"),
            ("ssl_exclude_verify_flags", "leave out"),
        )
    ),
)
_OF_SENTINELS = (
    Option("sentinel_username", r".+", "a name", "the user, at the Sentinels"),
    Option("sentinel_password", r".+", "a password", "the password, at the Sentinels"),
)
_REDIS = {
    "unix": (_DB, *_LOGIN, _CLIENT_NAME),
    "redis": (_DB, *_LOGIN, _CLIENT_NAME, _KEEPALIVE),
    "redis+sentinel": (_DB, *_LOGIN, _CLIENT_NAME, _KEEPALIVE, *_OF_SENTINELS),
    "redis+cluster": (_DB, *_LOGIN, _CLIENT_NAME, _KEEPALIVE),
}
_POSTGRES = (
    Option("host", r".+", "hosts or the directory of a socket", "where the server is"),
    Option("port", r"[0-9]{1,5}(,[0-9]{1,5})*", "port numbers", "its port, or one for each host"),
    Option("user", r".+", "a name", "the user, where it does not stand before the host"),
    Option("password", r".+", "a password", "the same for the password"),
    _file("passfile", "a password file, as ~/.pgpass"),
    Option(
        "sslmode",
        "disable|allow|prefer|require|verify-ca|verify-full",
        "disable, allow, prefer, require, verify-ca or verify-full",
        "whether TLS is spoken, and what is checked",
    ),
    _file("sslrootcert", "certificates of the authorities to trust, PEM"),
    _file("sslcrl", "certificates that were revoked, PEM"),
    _file("sslcert", "our own certificate, where the server asks for one, PEM"),
    _file("sslkey", "its private key, PEM"),
    Option("sslpassword", r".+", "a password", "of the private key"),
    Option(
        "sslnegotiation",
        "postgres|direct",
        "postgres or direct",
        "how TLS begins; direct needs PostgreSQL 17",
    ),
    *(
        Option(name, _TLS_VERSIONS, "TLSv1.2 or TLSv1.3", f"the {age} version of TLS")
        for name, age in (
            ("ssl_min_protocol_version", "oldest"),
            ("ssl_max_protocol_version", "newest"),
        )
    ),
    Option(
        "target_session_attrs",
        "any|primary|read-write",
        "any, primary or read-write, for bookings are written",
        "which of several hosts to take",
    ),
    Option("search_path", r".+", "names of schemas", "the schema of the bookings"),
    Option(
        "application_name",
        r"[ -~]{1,63}",
        "up to 63 printable ASCII characters",
        "what pg_stat_activity shows; reservesvc where it is not given",
    ),
    Option("options", r".+", "options of the server", "as `-c geqo=off`"),
)
OPTIONS: Mapping[str, tuple[Option, ...]] = {
    **_REDIS,
    **{
        scheme.replace("redis", "rediss"): (*options, *_REDIS_TLS)
        for scheme, options in _REDIS.items()
        if scheme != "unix"
    },
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
}
"""Every option of each scheme"""

_DEADLINE = "RESERVESVC_DEADLINE_MS says how long everything may take"
_USE_REDISS = "for TLS begin the address with rediss"
_IN_PATH = "the database stands in the path"
REASONS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("timeout", "socket_timeout", "socket_connect_timeout", "connect_timeout"),
            *("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"),
            *("command_timeout", "tcp_user_timeout"),
        ),
        _DEADLINE,
    ),
    **dict.fromkeys(("ssl", "tls", *(option.name for option in _REDIS_TLS)), _USE_REDISS),
    **dict.fromkeys(("dbname", "database"), _IN_PATH),
    "max_connections": "one connection is shared by all requests",
    "service": "name host, port, user and database in the address",
    "channel_binding": "the driver has none; use sslmode=verify-full",
    "default_transaction_isolation": "the service sets it itself",
}
"""Why some options are refused, or refused by some schemes, that people know from elsewhere"""


def parse(scheme: str, query: str) -> dict[str, str]:
    """Return the options in `query`, by name.

    Raises:
        ValueError: one is not in the table, or its value cannot be used; the rest of a sentence
            that begins with the setting's name. It repeats no value.

    """
    found: dict[str, str] = {}
    known = {option.name: option for option in OPTIONS[scheme]}
    for place, (name, value) in enumerate(parse_qsl(query, keep_blank_values=True), 1):
        if name not in known:
            raise ValueError(_unknown(scheme, name, place, list(known)))
        option = known[name]
        if not re.fullmatch(option.form, value) or not option.is_allowed(value):
            message = f"has an option {name} that must be {option.rule}"
            raise ValueError(message)
        if name in found:
            message = f"has the option {name} twice"
            raise ValueError(message)
        found[name] = value
    return found


def _unknown(scheme: str, name: str, place: int, known: list[str]) -> str:
    """Return why there is no such option; its name only where it cannot be part of a password."""
    shown = name if _NAME.fullmatch(name) else f"number {place}"
    near = difflib.get_close_matches(name, known, 1, _SIMILAR)
    hint = REASONS.get(name) if name not in known else None
    if hint is None and near:
        hint = f"did you mean {near[0]}?"
    listed = f"{scheme}:// takes {', '.join(known)}"
    return f"has the option {shown}, which is not supported ({hint or listed})"
