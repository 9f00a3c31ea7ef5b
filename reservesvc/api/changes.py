"""What changing projects and resources has in common."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import NODEFAULT, UNSET, Struct
from msgspec.structs import FieldInfo

from reservesvc.api import refusals
from reservesvc.api.decoding import Errors
from reservesvc.api.idempotency import REPLAYED
from reservesvc.api.problems import Problem, RefusedError
from reservesvc.domain.outcomes import NotFound, Overtaken
from reservesvc.errors import UnavailableError
from reservesvc.ports import Stores

T = TypeVar("T", bound=Struct)
R = TypeVar("R")
TRIES = 8
"""how often a change begins again that others get in the way of"""


@contextmanager
def to_settings(stores: Stores) -> Iterator[None]:
    """Make the next reservation see what is changed inside, also when it ends in doubt."""
    try:
        yield
    finally:
        stores.settings.forget()


async def repeatedly(attempt: Callable[[], Awaitable[R | Overtaken]]) -> R:
    """Return how `attempt`, which reads, changes and replaces, ends when nobody gets in between.

    Raises:
        UnavailableError: somebody did, time after time.

    """
    for _ in range(TRIES):
        outcome = await attempt()
        if not isinstance(outcome, Overtaken):
            return outcome
    dependency = "store"
    detail = "others changed the same project or resource again and again"
    raise UnavailableError(dependency, detail)


def check_kept(body: Struct, names: Iterable[str], errors: Errors) -> None:
    """Note those of the named fields that the body takes away although they are required."""
    for name in names:
        if getattr(body, name) is None:
            errors.setdefault(name, [f"{name} must not be null; leave it out to keep it"])


def given(body: Struct, old: Struct) -> dict[str, Any]:
    """Return those fields of `old` that the body has; null is what they are by default.

    Null is as good as left out where there is no default.
    """
    defaults = {field.name: _default(field) for field in msgspec.structs.fields(old)}
    sent = {name: getattr(body, name, UNSET) for name in defaults}
    values = {name: defaults[name] if sent[name] is None else sent[name] for name in defaults}
    return {name: value for name, value in values.items() if value not in (UNSET, NODEFAULT)}


def _default(field: FieldInfo) -> Any:  # noqa: ANN401 - of whichever field
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def replayed(again: bool) -> dict[str, str] | None:  # noqa: FBT001 - the one thing it says
    """Return the header that marks an answer given before."""
    return REPLAYED if again else None


def found(value: T | None, model: Literal["Project", "Resource"], name: str) -> T:
    """Return the value.

    Raises:
        RefusedError: 404, it is None.

    """
    if value is None:
        raise RefusedError(not_found(model, name))
    return value


def not_found(model: Literal["Project", "Resource"], name: str) -> Problem:
    """Return the problem of an id that nothing has."""
    return refusals.of_outcome(NotFound(model=model, id=name))
