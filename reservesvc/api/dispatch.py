"""Which row of the URL table takes a request."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aiohttp import web

from reservesvc.api import refusals
from reservesvc.api.call import Call, Route
from reservesvc.api.problems import Problem, RefusedError
from reservesvc.api.replies import Reply

Parts = Mapping[str, str]
NO_PARTS: Parts = {}
"""of a path without any"""
_PART = re.compile(r"\{(\w+)\}")


class _Template(NamedTuple):
    """The rows that share a path."""

    pattern: re.Pattern[str]
    rows: dict[str, Route]
    stray: Route
    """takes the methods that none of the rows takes"""


class Dispatch:
    """The URL table, ready to be asked.

    A trailing slash is tolerated, and what can be read has a head. The path decides, then the
    method: of several paths that fit, it is the one that is written out from further left.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        paths: dict[str, dict[str, Route]] = {}
        for route in routes:
            paths.setdefault(route.path, {})[route.method] = route
        for rows in paths.values():
            if "GET" in rows:
                rows["HEAD"] = rows["GET"]
        self._exact = {
            (method, written): route
            for path, rows in paths.items()
            for method, route in rows.items()
            for written in (path, f"{path}/")
        }
        self._templates = [
            _Template(_pattern(path), rows, _stray(refusals.method_not_allowed(rows)))
            for path, rows in sorted(paths.items(), key=lambda item: _parts_of(item[0]))
        ]

    def find(self, request: web.BaseRequest) -> tuple[Route, Parts]:
        """Return the row that takes `request` and what stands in the places of its parts."""
        exact = self._exact.get((request.method, request.raw_path))
        return self.row(request.method, request.path) if exact is None else (exact, NO_PARTS)

    def row(self, method: str, path: str) -> tuple[Route, Parts]:
        """Return the row that takes requests with this method and this decoded path."""
        for template in self._templates:
            found = template.pattern.fullmatch(path)
            if found:
                return template.rows.get(method, template.stray), found.groupdict()
        return UNMATCHED, NO_PARTS


def _parts_of(path: str) -> list[bool]:
    """Tell of each piece of the path whether it is a part in braces."""
    return ["{" in piece for piece in path.split("/")]


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(_PART.sub(r"(?P<\1>[^/]+)", path) + "/?")


def _stray(problem: Problem) -> Route:
    async def refuse(call: Call) -> Reply:
        del call
        raise RefusedError(problem)

    return Route("*", "(none)", refuse, "public", "unmatched", query=None)


UNMATCHED = _stray(refusals.NO_SUCH_URL)
"""takes every request whose path no row has"""
