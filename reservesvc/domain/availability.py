"""What a search for free slots asks for: as sent, then completed and checked.

Completing fills in what the project and the defaults say and names every field that is wrong,
all at once.
"""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any, cast

from msgspec import Struct, field

from reservesvc.domain.constraints import Constraint
from reservesvc.domain.offers import Mode
from reservesvc.domain.project import RESOURCES_MAX, Project, Resource
from reservesvc.domain.relative import INSTANT_RULE, instant, length_ms
from reservesvc.domain.search_settings import RULES, broken
from reservesvc.domain.slot import RESOURCE_ID_RULE, is_resource_id
from reservesvc.domain.whole import whole
from reservesvc.domain.wish import UNKNOWN_PROJECT, Limits
from reservesvc.domain.zones import DAY_MS, zone

WINDOW_MS_MAX = 185 * DAY_MS
"""six months, the longest ones, and an hour for the clock"""
SLOTS_MAX = 20_000
"""how many slots may fit between `from` and `to`: six months of quarters of an hour"""
PLACES_MAX: dict[Mode, int] = {
    "roundrobin_random": 1_000_000,
    "roundrobin_prioritized": 1_000_000,
    "mutual": 150_000,
    "exclusive": 150_000,
}
"""how many slots times resources; what is answered has as many, or one resource a slot"""
_DEFAULTS: dict[str, Any] = {
    "mode": "roundrobin_random",
    "quantity": 1,
    "from": "now",
    "length": "1 hour",
    "buffer": "0 minutes",
    "round_to_nearest_hour": True,
}
_WINDOW = "4 weeks"
_ADVICE = "choose longer timeslot_increments, an earlier to or fewer resources"


class AvailabilityWish(Struct, kw_only=True):
    """The fields of a request, each as sent or None; `errors` holds what decoding found."""

    mode: str | None = None
    resources: list[Any] | None = None
    quantity: int | None = None
    project_id: str | None = None
    from_: str | None = None
    to: str | None = None
    length: str | None = None
    buffer: str | None = None
    timeslot_increments: str | None = None
    output_timezone: str | None = None
    round_to_nearest_hour: bool | None = None
    constraints: tuple[Constraint, ...] | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)

    def wrong(self, name: str, rule: str) -> None:
        """Note that the field `name` breaks `rule`; the first rule a field breaks is enough."""
        self.errors.setdefault(name, [f"{name} {rule}"])


class Search(Struct, frozen=True, kw_only=True):
    """A completed wish."""

    mode: Mode
    resources: tuple[Resource, ...]
    """each once, in the order they were listed"""
    quantity: int
    """how many units of a resource a slot has free"""
    start_ms: int
    end_ms: int
    """no slot begins before the one or ends after the other"""
    length_ms: int
    step_ms: int
    """from one slot of the grid to the next"""
    buffer_ms: int
    rounds: bool
    """whether what is open at the start is offered from the next full hour on only"""
    constraints: tuple[Constraint, ...]
    """beside each resource's own"""
    output: tzinfo | None
    """the zone whose offset times are shown with"""


def asked_resources(wish: AvailabilityWish, project: Project | None) -> list[str]:
    """Return the ids of the resources to look at, each once; none where that is wrong."""
    if wish.project_id is not None and project is None:
        wish.wrong("project_id", UNKNOWN_PROJECT)
    listed: Sequence[Any] = wish.resources or (project.resources if project else ())
    if not listed:
        wish.wrong("resources", "is required: a list of ids, or the project_id of one that has any")
    if len(listed) > RESOURCES_MAX:
        wish.wrong("resources", f"must have at most {RESOURCES_MAX} ids")
    for place, resource_id in enumerate(listed[:RESOURCES_MAX]):
        if not isinstance(resource_id, str) or not is_resource_id(resource_id):
            wish.wrong(f"resources.{place}", RESOURCE_ID_RULE)
    return [] if "resources" in wish.errors else [*dict.fromkeys(filter(_is_id, listed))]


def complete(
    wish: AvailabilityWish,
    project: Project | None,
    resources: Sequence[Resource],
    now_ms: int,
    limits: Limits,
) -> Search | None:
    """Return the search the wish comes to, or None with `wish.errors` filled in.

    Args:
        wish: the request.
        project: the one its `project_id` names; None where it names none or an unknown one.
        resources: those that `asked_resources` names.
        now_ms: what relative times are relative to.
        limits: how long slots may be, how long ago and how far ahead.

    """
    settings = _settings(wish, project)
    for name, rule in broken(settings, limits.slot_s_max).items():
        wish.wrong(name, rule)
    for place, resource in enumerate(resources):
        if zone(resource.timezone) is None:
            wish.wrong(f"resources.{place}", f"is in a time zone unknown here, {resource.timezone}")
    output = zone(settings["output_timezone"] or "")
    start_ms, end_ms = _window(wish, settings, now_ms, limits, output or UTC)
    if wish.errors:
        return None
    constraints = project.availability_constraints if project else ()
    search = Search(
        mode=cast("Mode", settings["mode"]),
        resources=tuple(resources),
        quantity=settings["quantity"],
        start_ms=start_ms,
        end_ms=end_ms,
        length_ms=length_ms(settings["length"]) or 0,
        step_ms=length_ms(settings["timeslot_increments"] or settings["length"]) or 0,
        buffer_ms=length_ms(settings["buffer"]) or 0,
        rounds=settings["round_to_nearest_hour"],
        constraints=constraints if wish.constraints is None else wish.constraints,
        output=output,
    )
    _check_amount(wish, search, "timeslot_increments" if settings["timeslot_increments"] else "to")
    return None if wish.errors else search


def _is_id(value: object) -> bool:
    return isinstance(value, str) and is_resource_id(value)


def _settings(wish: AvailabilityWish, project: Project | None) -> dict[str, Any]:
    """Return every setting: as sent, or else what the project says, or else what is usual.

    A value of a project says nothing where it is of the wrong type, or names a time zone that is
    none: both are refused now, and were kept by earlier versions.
    """
    stored = project.availability if project else {}
    settings: dict[str, Any] = {}
    for name, (kind, _) in RULES.items():
        sent = getattr(wish, "from_" if name == "from" else name)
        value = whole(stored.get(name))
        is_of_use = type(value) is kind and (name != "output_timezone" or zone(value) is not None)
        settings[name] = sent if sent is not None else value if is_of_use else _DEFAULTS.get(name)
    return settings


def _window(
    wish: AvailabilityWish,
    settings: dict[str, Any],
    now_ms: int,
    limits: Limits,
    where: tzinfo,
) -> tuple[int, int]:
    """Return from when to when slots may be; `(0, 0)` where that is wrong."""
    start_ms = instant(settings["from"], now_ms, where)
    # Four weeks from now is what Timekit says; a search that begins later would end before.
    until, since_ms = (settings["to"], now_ms) if settings["to"] else (_WINDOW, start_ms or 0)
    end_ms = instant(until, since_ms, where)
    latest_ms = now_ms + limits.ahead_s_max * 1000
    if start_ms is None:
        wish.wrong("from", INSTANT_RULE)
    elif start_ms < now_ms - limits.past_s_max * 1000:
        wish.wrong("from", f"must be at most {limits.past_s_max} seconds ago")
    elif start_ms > latest_ms:
        wish.wrong("from", f"must be at most {limits.ahead_s_max} seconds ahead")
    if end_ms is None:
        wish.wrong("to", INSTANT_RULE)
    if start_ms is None or end_ms is None or "from" in wish.errors:
        return 0, 0
    if end_ms <= start_ms:
        wish.wrong("to", "must be after from")
    elif end_ms - start_ms > WINDOW_MS_MAX:
        wish.wrong("to", "must be at most 6 months after from")
    return start_ms, min(end_ms, latest_ms)  # no slot is offered that cannot be reserved


def _check_amount(wish: AvailabilityWish, search: Search, name: str) -> None:
    """Note a search for more slots than one request may ask for, in the field `name`."""
    slots = (search.end_ms - search.start_ms) // search.step_ms
    places, places_max = slots * len(search.resources), PLACES_MAX[search.mode]
    if slots > SLOTS_MAX:
        wish.wrong(name, f"asks for {slots} slots, {SLOTS_MAX} are the most; {_ADVICE}")
    elif places > places_max:
        rule = f"asks for {slots} slots of {len(search.resources)} resources"
        wish.wrong(name, f"{rule}, {places_max} in all are the most in this mode; {_ADVICE}")


def too_many(search: Search, places: int) -> dict[str, list[str]] | None:
    """Return what is wrong with a search whose resources have `places` slots on their grids.

    Where resources open often, these are more than fit between `from` and `to` by the length of
    a step; a bit more, such as one on every day, is no reason to refuse.
    """
    places_max = 2 * PLACES_MAX[search.mode]
    if places <= places_max:
        return None
    rule = f"opens resources too often: for more than {places_max} slots in all; {_ADVICE}"
    return {"constraints": [f"constraints {rule}"]}
