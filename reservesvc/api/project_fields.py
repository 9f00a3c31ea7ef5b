"""From a decoded body to a project: which fields it sets, and what they may be."""

import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from reservesvc.api import changes, constraints
from reservesvc.api.decoding import Decoded, Errors
from reservesvc.api.problems import RefusedError, invalid
from reservesvc.api.schemas import DefaultsBody, ProjectBody
from reservesvc.domain import search_settings
from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.project import RESOURCES_MAX, Project
from reservesvc.domain.slot import RESOURCE_ID_RULE, is_resource_id
from reservesvc.domain.text import VISIBLE_RULE, is_visible
from reservesvc.domain.wish import Limits

SLUG_RULE = "must be 1 to 64 characters of a-z 0-9 - and begin and end with a letter or a digit"
SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
UI_CHOICES = {
    "availability_view": ("agendaWeek", "listing"),
    "time_date_format": ("12h-mdy-sun", "24h-dmy-mon"),
}
"""members of `ui` that a widget knows a few words for"""


def changed(project: Project, decoded: Decoded[ProjectBody], limits: Limits) -> Project:
    """Return the project with the fields that the body has; null takes a value away.

    Raises:
        RefusedError: 422, naming every field that is wrong.

    """
    body, errors = decoded[0], dict(decoded[1])
    values = changes.given(body, project)
    _check(body, errors, limits.duration_s_max)
    _check_search(body, errors, limits.slot_s_max)
    _check_widget(body, errors)
    _read_lists(body, values, errors)
    if errors:
        raise RefusedError(invalid(errors))
    if isinstance(body.booking, DefaultsBody):
        defaults = changes.given(body.booking, project.booking)
        values["booking"] = replace(project.booking, **defaults)
    return replace(project, **values)


def resource_ids(raw: Sequence[Any], name: str, errors: Errors) -> tuple[str, ...]:
    """Return the ids in a list, each once; what is wrong with them goes into `errors`."""
    if len(raw) > RESOURCES_MAX:
        errors.setdefault(name, [f"{name} must have at most {RESOURCES_MAX} ids"])
        return ()
    wrong = [
        f"{name}.{place}"
        for place, value in enumerate(raw)
        if not isinstance(value, str) or not is_resource_id(value)
    ]
    errors.update({path: [f"{path} {RESOURCE_ID_RULE}"] for path in wrong})
    return () if wrong else tuple(dict.fromkeys(raw))


def _read_lists(body: ProjectBody, values: dict[str, Any], errors: Errors) -> None:
    """Put what the lists of the body say in the place of the lists."""
    if isinstance(body.resources, list):
        values["resources"] = resource_ids(body.resources, "resources", errors)
    values |= constraints.read_field(body, errors)


def _check(body: ProjectBody, errors: Errors, duration_s_max: int) -> None:
    if isinstance(body.name, str) and not is_visible(body.name):
        errors.setdefault("name", [f"name {VISIBLE_RULE}"])
    if isinstance(body.slug, str) and not SLUG.fullmatch(body.slug):
        errors.setdefault("slug", [f"slug {SLUG_RULE}"])
    seconds = body.reservation_time
    if isinstance(seconds, int) and not 1 <= seconds <= duration_s_max:
        rule = f"must be from 1 to {duration_s_max} seconds"
        errors.setdefault("reservation_time", [f"reservation_time {rule}"])
    graph = body.booking.graph if isinstance(body.booking, DefaultsBody) else None
    if isinstance(graph, str) and graph not in GRAPHS:
        rule = f"must be one of: {', '.join(GRAPHS)}"
        errors.setdefault("booking.graph", [f"booking.graph {rule}"])


def _check_search(body: ProjectBody, errors: Errors, slot_s_max: int) -> None:
    if isinstance(body.availability, dict):
        for member, rule in search_settings.broken(body.availability, slot_s_max).items():
            errors.setdefault(f"availability.{member}", [f"availability.{member} {rule}"])


def _check_widget(body: ProjectBody, errors: Errors) -> None:
    """Note what would make a widget fail in the browser of a customer."""
    if isinstance(body.customer_fields, dict):
        for field, value in body.customer_fields.items():
            name = f"customer_fields.{field}"
            if not isinstance(value, dict):
                errors.setdefault(name, [f"{name} must be an object"])
    if not isinstance(body.ui, dict):
        return
    for field, choices in UI_CHOICES.items():
        if body.ui.get(field, choices[0]) not in choices:
            errors.setdefault(f"ui.{field}", [f"ui.{field} must be one of: {', '.join(choices)}"])
    if not isinstance(body.ui.get("localization", {}), dict):
        errors.setdefault("ui.localization", ["ui.localization must be an object"])
