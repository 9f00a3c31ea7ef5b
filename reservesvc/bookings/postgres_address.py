"""An address of a PostgreSQL database, and how a session there is begun.

What the service relies on is set in each session by a statement, not by startup parameters: a
PgBouncer refuses those, or keeps them to itself.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from msgspec import Struct

_IN_SESSION = ("search_path", "application_name")
"""options of an address that are settings of a session"""
_NAME = "reservesvc"


class Address(Struct, frozen=True):
    """What an address says, taken apart."""

    url: str
    """for the driver: what it has to know to connect"""
    session: dict[str, str]
    """settings of each session, by name"""

    @property
    def startup(self) -> dict[str, str]:
        """What the server is told while connecting: a name for its log, which poolers pass on."""
        return {"application_name": self.session["application_name"]}


def address_of(url: str) -> Address:
    """Return what the driver is told, and what the session."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    session = {"application_name": _NAME}
    session |= {name: options.pop(name) for name in _IN_SESSION if name in options}
    return Address(urlunsplit(parts._replace(query=urlencode(options))), session)


async def begin_session(connection: Any, settings: Mapping[str, str]) -> None:  # noqa: ANN401  asyncpg's connection, or one that its pool lends
    """Give a new session its settings, in one statement without parameters."""
    calls = ", ".join(
        f"set_config({_quoted(name)}, {_quoted(value)}, false)" for name, value in settings.items()
    )
    await connection.execute(f"SELECT {calls}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
