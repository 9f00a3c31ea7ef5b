"""Reads the headers of the Lua scripts (grammar: lua/README.md)."""

import re
from typing import NamedTuple

from reservesvc.reservations.scripts import source

_SECTION = re.compile(r"^(KEYS|ARGV|ANSWERS)\n((?:  .*\n|\n)+)", re.MULTILINE)
_NUMBERED = re.compile(r"^  (\d+) (\w+) +(.*)$", re.MULTILINE)
_ANSWER = re.compile(r"^  (\w+)(?:  +.*)?$", re.MULTILINE)
_KEYED = "only with an Idempotency-Key"
_BEHIND = "only to reschedule"


class Header(NamedTuple):
    """What a script announces."""

    keys: list[str]
    arguments: list[str]
    keyed_keys: int
    keyed_arguments: int
    behind: int
    """arguments behind those that go with an Idempotency-Key"""
    answers: list[str]

    def fits(self, keys: int, arguments: int) -> bool:
        """Tell whether a call with that many keys and arguments is one it announces."""
        whole = (len(self.keys), len(self.arguments) - self.behind)
        least = (whole[0] - self.keyed_keys, whole[1] - self.keyed_arguments)
        return (keys, arguments) in (whole, least, (least[0], len(self.arguments)))


def header_of(name: str) -> Header:
    """Return the header of `lua/<name>.lua`."""
    text = source(name)
    sections = dict(_SECTION.findall(text[: text.index("]]")]))
    keys = _NUMBERED.findall(sections["KEYS"])
    arguments = _NUMBERED.findall(sections["ARGV"])
    for rows in (keys, arguments):
        assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1)), name
    return Header(
        keys=[row[1] for row in keys],
        arguments=[row[1] for row in arguments],
        keyed_keys=sum(_KEYED in row[2] for row in keys),
        keyed_arguments=sum(_KEYED in row[2] for row in arguments),
        behind=sum(_BEHIND in row[2] for row in arguments),
        answers=_ANSWER.findall(sections["ANSWERS"]),
    )
