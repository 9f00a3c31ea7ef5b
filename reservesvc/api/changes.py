"""What changing projects and resources has in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from msgspec import Struct

from reservesvc.api import refusals
from reservesvc.api.idempotency import REPLAYED
from reservesvc.api.problems import Problem
from reservesvc.domain.outcomes import NotFound
from reservesvc.ports import Stores


@contextmanager
def to_settings(stores: Stores) -> Iterator[None]:
    """Make the next reservation see what is changed inside, also when it ends in doubt."""
    try:
        yield
    finally:
        stores.settings.forget()


def given(body: Struct, *names: str) -> dict[str, Any]:
    """Return those of the named fields that the body has."""
    values = {name: getattr(body, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def replayed(again: bool) -> dict[str, str] | None:  # noqa: FBT001 - the one thing it says
    """Return the header that marks an answer given before."""
    return REPLAYED if again else None


def not_found(model: Literal["Project", "Resource"], name: str) -> Problem:
    """Return the problem of an id that nothing has."""
    return refusals.of_outcome(NotFound(model=model, id=name))
