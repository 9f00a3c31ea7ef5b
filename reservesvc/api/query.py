"""What stands behind the `?` of a URL: which parameters a call takes, and times among them."""

from collections.abc import Iterator

from aiohttp import web

from reservesvc.api.decoding import Errors
from reservesvc.api.problems import RefusedError, invalid
from reservesvc.domain import times

EVERYWHERE = ("include",)
"""what Timekit's clients send with any call"""
REPEATABLE = ("include", "search")
"""may be given more than once; of others it would be unclear which one counts"""
_SECONDS_END = len("2026-12-01T10:00:00")


def check(request: web.BaseRequest, known: tuple[str, ...]) -> None:
    """Check that a call is asked for with parameters that it takes.

    Args:
        request: what was asked.
        known: the names of the call's own parameters.

    Raises:
        RefusedError: 422, naming every parameter that is unknown or repeated.

    """
    errors = dict(_wrong(request, known))
    if errors:
        raise RefusedError(invalid(errors))


def _wrong(request: web.BaseRequest, known: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    query = request.query
    taken = f"it takes {', '.join(known)}" if known else "it takes none"
    for name in dict.fromkeys(query):
        if name not in known and name not in EVERYWHERE:
            yield name, [f"{name} is not a parameter of this call; {taken}"]
        elif name not in REPEATABLE and len(query.getall(name)) > 1:
            yield name, [f"{name} may be given only once"]


def moment(request: web.BaseRequest, name: str, errors: Errors) -> int | None:
    """Return the instant that the parameter names, or None; what is wrong goes into `errors`."""
    text = request.query.get(name)
    if text is None:
        return None
    # A plus sign that was not escaped arrives as a space; behind the seconds it can only have
    # been the offset's.
    text = text[:_SECONDS_END] + text[_SECONDS_END:].replace(" ", "+")
    moment_ms = times.parse(text)
    if moment_ms is None:
        errors[name] = [f"{name} {times.TIME_RULE}"]
    return moment_ms
