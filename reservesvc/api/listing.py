"""Pages of lists: which one a request asks for, and the envelope around it."""

import re
from typing import Any

from aiohttp import web
from msgspec import Struct

from reservesvc.api.decoding import Errors
from reservesvc.api.problems import RefusedError, invalid

LIMIT_DEFAULT = 50
LIMIT_MAX = 1000
PAGE_MAX = 1_000_000_000
"""further out than any list reaches, small enough for every database"""
_WHOLE_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)


class Page(Struct, frozen=True):
    """Which part of a list is asked for; pages count from 1."""

    limit: int
    number: int

    @property
    def offset(self) -> int:
        """How many items come before it."""
        return (self.number - 1) * self.limit


def asked(request: web.BaseRequest) -> Page:
    """Return the page that `?limit=` and `?page=` ask for.

    Raises:
        RefusedError: 422, one of them is no number in its range.

    """
    errors: Errors = {}
    page = read(request, errors)
    if errors:
        raise RefusedError(invalid(errors))
    return page


def read(request: web.BaseRequest, errors: Errors) -> Page:
    """Return the page that is asked for; what is wrong with it goes into `errors`."""
    return Page(
        _number(request, "limit", LIMIT_DEFAULT, LIMIT_MAX, errors),
        _number(request, "page", 1, PAGE_MAX, errors),
    )


def envelope(request: web.BaseRequest, page: Page, count: int, total: int) -> dict[str, Any]:
    """Return what stands beside `data`; URLs are relative and keep the other parameters.

    Args:
        request: what was asked, whose URL the neighbouring pages share.
        page: the page that is answered.
        count: how many items it has.
        total: how many items the whole list has.

    """
    last = max(1, -(-total // page.limit))
    following = page.number + 1 if page.number < last else None
    preceding = min(page.number - 1, last) or None
    return {
        "total": total,
        "per_page": page.limit,
        "current_page": page.number,
        "last_page": last,
        "next_page_url": _url(request, following),
        "prev_page_url": _url(request, preceding),
        "from": page.offset + 1 if count else None,
        "to": page.offset + count if count else None,
    }


def _number(request: web.BaseRequest, name: str, default: int, most: int, errors: Errors) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    number = int(text) if _WHOLE_NUMBER.fullmatch(text) else 0
    if not 1 <= number <= most:
        errors[name] = [f"{name} must be a whole number from 1 to {most}"]
    return number


def _url(request: web.BaseRequest, number: int | None) -> str | None:
    # Relative: behind a proxy the service does not know its own name.
    return None if number is None else str(request.rel_url.update_query(page=str(number)))
