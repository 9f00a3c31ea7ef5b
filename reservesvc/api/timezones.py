"""Which names are time zones."""

from functools import cache
from importlib.resources import files

_NO_PLACE = "Factory"
"""in the database, for clocks that nobody has set"""


def is_timezone(name: object) -> bool:
    """Tell whether `name` is one of the IANA's time zones, in its own spelling.

    The same names on every machine: not those that a system has of its own, as `localtime`.
    """
    return isinstance(name, str) and name in names()


@cache
def names() -> frozenset[str]:
    """Return the names of all time zones."""
    listed = files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return frozenset(listed) - {_NO_PLACE}
