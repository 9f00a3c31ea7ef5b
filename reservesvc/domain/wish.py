"""A wish: what a request asks for, before anybody knows whether it may have it.

Completing a wish fills in what the project and the defaults say and names every field that
is wrong, all at once.
"""

from typing import Any

from msgspec import Struct, field

from reservesvc.domain.graphs import DEFAULT_GRAPH, GRAPHS
from reservesvc.domain.project import BookingDefaults, Project, Resource
from reservesvc.domain.slot import RESOURCE_ID_RULE, is_resource_id

DEFAULT_DURATION_S = 30
REQUIRED = "is required"
UNKNOWN_PROJECT = "names no project; create it with POST /v2/projects"
_NO_DEFAULTS = BookingDefaults()


class Limits(Struct, frozen=True, kw_only=True):
    """How much a request may ask for."""

    duration_s_max: int = 86_400
    """longest life of a reservation, extensions included"""
    slot_s_max: int = 31 * 86_400
    past_s_max: int = 366 * 86_400
    """how long ago a slot may have ended"""
    ahead_s_max: int = 3_660 * 86_400
    """how far ahead a slot may end"""
    grace_ms: int = 10_000
    """how long a hand-off that started in time may take to finish"""


class Wish(Struct, kw_only=True, gc=False):
    """The fields of a request, each as sent or None; `errors` holds what decoding found."""

    resource_id: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    duration_s: int | None = None
    quantity: int | None = None
    what: str | None = None
    where: str | None = None
    description: str | None = None
    project_id: str | None = None
    customer: dict[str, Any] | None = None
    graph: str | None = None
    meta: dict[str, Any] | None = None
    participants: list[str] | None = None
    settings: dict[str, Any] | None = None
    owner_booking_id: str | None = None
    reservation_id: str | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)

    def wrong(self, name: str, rule: str) -> None:
        """Note that the field `name` breaks `rule`; the first rule a field breaks is enough."""
        self.errors.setdefault(name, [f"{name} {rule}"])


class Terms(Struct, frozen=True, kw_only=True, gc=False):
    """A completed wish: every field that a claim or a booking needs."""

    resource_id: str
    start_ms: int
    end_ms: int
    duration_s: int
    quantity: int
    what: str
    where: str
    description: str
    project_id: str | None
    customer: dict[str, Any]
    graph: str


def complete(
    wish: Wish, project: Project | None, resource: Resource, limits: Limits
) -> Terms | None:
    """Return the terms the wish comes to, or None with `wish.errors` filled in.

    Args:
        wish: the request.
        project: the one its `project_id` names; None where it names none or an unknown one.
        resource: the one its `resource_id` names.
        limits: how much it may ask for.

    """
    _check_names(wish, project)
    check_slot(wish, limits)
    _check_amounts(wish, resource, limits)
    defaults = project.booking if project else _NO_DEFAULTS
    graph = wish.graph or defaults.graph or DEFAULT_GRAPH
    check_graph(wish, graph)
    what = wish.what or _text(wish, "what", defaults)
    where = wish.where or _text(wish, "where", defaults)
    description = wish.description or _text(wish, "description", defaults)
    if wish.errors:
        return None
    project_duration_s = project.reservation_time if project else None
    most_s = limits.duration_s_max
    duration_s = wish.duration_s or project_duration_s or DEFAULT_DURATION_S
    return Terms(
        resource_id=wish.resource_id or "",
        start_ms=wish.start_ms or 0,
        end_ms=wish.end_ms or 0,
        duration_s=min(most_s, duration_s),  # `min` costs more than this
        quantity=wish.quantity or 1,
        what=what,
        where=where,
        description=description,
        project_id=wish.project_id,
        customer=wish.customer or {},
        graph=graph,
    )


def check_graph(wish: Wish, graph: str) -> None:
    """Note a graph that is not there, and name those that are; or one that takes no slot."""
    life = GRAPHS.get(graph)
    if life is None:
        wish.wrong("graph", f"must be one of: {', '.join(GRAPHS)}")
    elif life.uses == "seat":
        wish.wrong("graph", f"{graph} takes a seat of a booking, and no slot to reserve")


def check_project(wish: Wish, project: Project | None) -> None:
    """Note a project that is not there."""
    if wish.project_id is not None and project is None:
        wish.wrong("project_id", UNKNOWN_PROJECT)


def _check_names(wish: Wish, project: Project | None) -> None:
    if wish.resource_id is None:
        wish.wrong("resource_id", REQUIRED)
    elif not is_resource_id(wish.resource_id):
        wish.wrong("resource_id", RESOURCE_ID_RULE)
    if wish.project_id is not None:
        check_project(wish, project)


def check_slot(wish: Wish, limits: Limits) -> None:
    """Note what is wrong with when the slot begins and ends."""
    if wish.start_ms is None:
        wish.wrong("start", REQUIRED)
    if wish.end_ms is None:
        wish.wrong("end", REQUIRED)
    if wish.start_ms is None or wish.end_ms is None:
        return
    if wish.end_ms <= wish.start_ms:
        wish.wrong("end", "must be after start")
    elif wish.end_ms - wish.start_ms > limits.slot_s_max * 1000:
        wish.wrong("end", f"must be at most {limits.slot_s_max} seconds after start")


def _check_amounts(wish: Wish, resource: Resource, limits: Limits) -> None:
    if wish.duration_s is not None and not 1 <= wish.duration_s <= limits.duration_s_max:
        wish.wrong("duration", f"must be from 1 to {limits.duration_s_max} seconds")
    if wish.quantity is not None and not 1 <= wish.quantity <= resource.capacity:
        wish.wrong("quantity", f"must be from 1 to the resource's capacity, {resource.capacity}")


def _text(wish: Wish, name: str, defaults: BookingDefaults) -> str:
    """Return a text that was left out, or sent empty."""
    sent: str | None = getattr(wish, name)
    default: str | None = getattr(defaults, name)
    text = default if sent is None else sent
    if text is None:
        wish.wrong(name, REQUIRED)
        return ""
    return text
