"""From a decoded body to a wish: names settled, times read, the customer's fields checked."""

from typing import Any

from msgspec.structs import replace

from reservesvc.api.decoding import Decoded, Errors
from reservesvc.api.schemas import BookBody, EventBody, RescheduleBody, ReserveBody, SlotBody
from reservesvc.domain import times
from reservesvc.domain.settings import AUTO_COMPLETE, TIMEOUT, normal
from reservesvc.domain.wish import Wish

CUSTOMER_TEXTS = ("name", "email", "phone", "voip", "timezone")
"""fields of a customer that are text wherever they are given; further ones are kept as they are"""
ACTIONS = ("create", "confirm")
"""what old integrations say they do; the graph says it as well, so it changes nothing"""
SETTINGS: dict[str, tuple[type, str]] = {
    "allow_double_bookings": (bool, "must be true or false"),
}
"""settings that mean something here, and of which kind; others are kept and shown"""


def to_reserve(decoded: Decoded[ReserveBody]) -> Wish:
    """Return what `POST /v2/bookings/reserve` asks for."""
    body, errors = decoded
    if body.event is None and body.action is None:  # nearly always
        wish = _wish(body, body, errors)
    else:
        errors = _flat(errors)
        wish = _wish(body, _slot(body, errors), errors)
    wish.duration_s = body.duration if body.duration is not None else body.reservation_time
    return wish


def to_book(decoded: Decoded[BookBody]) -> Wish:
    """Return what `POST /v2/bookings` asks for."""
    body, errors = decoded[0], _flat(decoded[1])
    wish = _wish(body, _slot(body, errors), errors)
    wish.reservation_id = body.reservation_id
    wish.meta = body.meta
    wish.participants = _participants(body, errors)
    wish.settings = _settings(body)
    _check_settings(wish.settings or {}, errors)
    wish.owner_booking_id = body.related.owner_booking_id if body.related else None
    return wish


def to_reschedule(decoded: Decoded[RescheduleBody]) -> Wish:
    """Return the slot that `POST /v2/bookings/{id}/reschedule` asks for."""
    body, errors = decoded
    return Wish(
        resource_id=body.resource_id,
        start_ms=_moment(errors, "start", body.start),
        end_ms=_moment(errors, "end", body.end),
        errors=errors,
    )


def _wish(body: SlotBody, event: SlotBody | EventBody, errors: Errors) -> Wish:
    return Wish(
        resource_id=body.resource_id,
        start_ms=_moment(errors, "start", event.start),
        end_ms=_moment(errors, "end", event.end),
        customer=_customer(errors, body.customer),
        what=event.what,
        where=event.where,
        description=event.description,
        project_id=body.project_id,
        graph=body.graph,
        quantity=body.quantity,
        errors=errors,
    )


def _slot(body: ReserveBody | BookBody, errors: Errors) -> SlotBody | EventBody:
    """Return where the slot and the texts are: in the body, or nested where it leaves them out."""
    if body.action is not None and body.action not in ACTIONS:
        errors.setdefault("action", [f"action must be one of: {', '.join(ACTIONS)}"])
    if body.event is None:
        return body
    given = {name: getattr(body, name) for name in EventBody.__struct_fields__}
    given = {name: text for name, text in given.items() if text is not None}
    for name, text in given.items():
        nested = getattr(body.event, name)
        if nested is not None and not _agree(text, nested):
            rule = f"disagrees with {name}; send one of them"
            errors.setdefault(f"event.{name}", [f"event.{name} {rule}"])
    return replace(body.event, **given)


def _agree(text: str, nested: str) -> bool:
    """Tell whether both say the same, or name the same instant."""
    moment_ms = times.parse(text)
    return text == nested or (moment_ms is not None and moment_ms == times.parse(nested))


def _participants(body: BookBody, errors: Errors) -> list[str] | None:
    for place, each in enumerate(body.participants or ()):
        if not isinstance(each, str):
            name = f"participants.{place}"
            errors.setdefault(name, [f"{name} must be a string, such as an email address"])
    return body.participants


def _settings(body: BookBody) -> dict[str, Any] | None:
    """Return the settings; Timekit has some of them beside the others."""
    beside = {TIMEOUT: body.timeout, AUTO_COMPLETE: body.auto_complete_one_hour_after_booking_ends}
    given = {name: value for name, value in beside.items() if value is not None}
    settings = {**(body.settings or {}), **given} if given else body.settings
    return settings and normal(settings)


def _check_settings(settings: dict[str, Any], errors: Errors) -> None:
    """Note which of the settings that mean something have values of the wrong kind."""
    for name, (kind, rule) in SETTINGS.items():
        if settings.get(name) is not None and type(settings[name]) is not kind:
            errors.setdefault(f"settings.{name}", [f"settings.{name} {rule}"])


def _moment(errors: Errors, name: str, text: str | None) -> int | None:
    if text is None:
        return None
    moment_ms = times.parse(text)
    if moment_ms is None:
        errors.setdefault(name, [f"{name} {times.TIME_RULE}"])
    return moment_ms


def _customer(errors: Errors, customer: dict[str, Any] | None) -> dict[str, Any] | None:
    if not customer or _is_all_text(customer):
        return customer
    for name in CUSTOMER_TEXTS:
        value = customer.get(name)
        if value is not None and not isinstance(value, str):
            errors.setdefault(f"customer.{name}", [f"customer.{name} must be a string"])
    return {name: value for name, value in customer.items() if value is not None}


def _is_all_text(customer: dict[str, Any]) -> bool:
    """Tell what is true of nearly every customer, sooner than any of Python's words for it."""
    for value in customer.values():  # noqa: SIM110 - `all` costs three times as much
        if value.__class__ is not str:
            return False
    return True


def _flat(errors: Errors) -> Errors:
    """Name what is wrong in the nested event by the field it stands for.

    Otherwise the field would be called missing as well.
    """
    return {name.removeprefix("event."): messages for name, messages in errors.items()}
