"""`ignored_fields`: the reply and the log name the members of a body that no field has."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from reservesvc.api import ignored, schemas, unknown
from reservesvc.api.decoding import Decoder
from reservesvc.api.problems import RefusedError
from reservesvc.apikeys import ApiKey, digest_of
from reservesvc.domain import times
from tests.api import ordinary
from tests.api.client import ADA, RESERVE, Answer, Http
from tests.api.conftest import Start
from tests.api.test_decoding import WITH_BODY
from tests.builders import at

PATH = "/v2/bookings/reserve"
KEYS = tuple(
    ApiKey(name, "service", digest_of(f"{name}-secret-of-16-characters"))
    for name in ("site", "shop")
)
WITH_OBJECT = [route for route in WITH_BODY if not isinstance(ordinary.to(route)[2], list)]
DECODERS = {name: each for name, each in vars(schemas).items() if isinstance(each, Decoder)}


def names(answer: Answer) -> list[str] | None:
    """Return what the reply says was ignored; None where it says nothing."""
    found: list[str] | None = answer.json.get("ignored_fields")
    return found


async def test_a_misspelt_duration_is_named(service: Http) -> None:
    """The hold lasts as long as by default, and the caller can see why."""
    answer = await service("POST", PATH, RESERVE | {"duratoin": 500})
    assert (answer.status, answer.data["duration"]) == (201, 30)
    assert names(answer) == ["duratoin"]
    assert set(answer.json) == {"data", "ignored_fields"}


@pytest.mark.parametrize("route", WITH_OBJECT, ids=lambda route: route.name)
async def test_every_call_with_a_body_names_what_it_ignores(http: Http, route: Any) -> None:
    """Beside `data`, or in the problem; a reply without a body stays without one."""
    method, path, good = ordinary.to(route)
    body = good if isinstance(good, dict) else {}
    plain = await http(method, path, good)
    answer = await http(method, path, body | {"no_field": 1, "zweites": {}})
    assert answer.status == plain.status
    if answer.body:
        assert names(answer) == ["no_field", "zweites"]
        assert b"ignored_fields" not in plain.body


async def test_a_problem_names_what_was_ignored(service: Http) -> None:
    """A misspelt field is mostly a missing one as well."""
    body = {name: value for name, value in RESERVE.items() if name != "start"}
    answer = await service("POST", PATH, body | {"strat": RESERVE["start"]})
    assert (answer.status, answer.code, names(answer)) == (422, "invalid_fields", ["strat"])
    assert set(answer.json["errors"]) == {"start"}


async def test_a_wrong_field_is_named_beside_one_that_is_none(service: Http) -> None:
    """The messages are those without it."""
    wrong = RESERVE | {"duration": "long"}
    plain = await service("POST", PATH, wrong)
    both = await service("POST", PATH, wrong | {"colour": "red"})
    assert both.json["errors"] == plain.json["errors"]
    assert (names(plain), names(both)) == (None, ["colour"])


async def test_members_of_inner_objects_are_named_with_a_dot(service: Http) -> None:
    """Where an object has fields of its own; in free ones everything is kept."""
    slot = {name: RESERVE[name] for name in ("start", "end", "what", "where", "description")}
    body = {"resource_id": RESERVE["resource_id"], "event": slot | {"colour": 1}, "customer": ADA}
    answer = await service(
        "POST", "/v2/bookings", body | {"related": {"owner": 1}, "meta": {"a": 1}}
    )
    assert answer.status == 201, answer.body
    assert sorted(names(answer) or []) == ["event.colour", "related.owner"]


@pytest.mark.parametrize("mode", ["independent", "all_or_nothing"])
async def test_items_of_a_batch_are_named_by_their_places(service: Http, mode: str) -> None:
    """As their errors are, and what stands beside the items too."""
    later = {"start": times.render(at(12)), "end": times.render(at(13))}
    items = [RESERVE, RESERVE | later | {"duratoin": 500}]
    body: dict[str, Any] = {"mode": mode, "reservations": items, "mood": "good"}
    answer = await service("POST", f"{PATH}/batch", body)
    assert answer.status in {200, 201}
    assert names(answer) == ["mood", "reservations.1.duratoin"]


async def test_a_repeat_names_them_again(service: Http) -> None:
    """The reply to a repeated Idempotency-Key is about the same body."""
    first, again = [
        await service("POST", PATH, RESERVE | {"duratoin": 5}, Idempotency_Key="k")
        for _ in range(2)
    ]
    assert first.data["id"] == again.data["id"]
    assert names(first) == names(again) == ["duratoin"]


async def test_the_log_has_each_name_once_for_each_caller(start: Start) -> None:
    """At info, with the name and never the value; of a batch without the place."""
    http = await start(keys=KEYS)
    with capture_logs() as logs:
        for name in ("site", "site", "shop"):
            sent = RESERVE | {"duratoin": "vermilion"}
            await http("POST", PATH, sent, Authorization=f"Bearer {name}-secret-of-16-characters")
        for number in range(3):
            items = [RESERVE] * number + [RESERVE | {"duratoin": "vermilion"}]
            body: dict[str, Any] = {"mode": "independent", "reservations": items}
            await http(
                "POST", f"{PATH}/batch", body, Authorization="Bearer shop-secret-of-16-characters"
            )
    lines = [line for line in logs if line["event"] == "ignored_fields"]
    told = [(line["log_level"], line["caller"], line["fields"]) for line in lines]
    assert told == [
        ("info", "site", ["duratoin"]),
        ("info", "shop", ["duratoin"]),
        ("info", "shop", ["reservations.duratoin"]),
    ]
    assert "vermilion" not in str(logs)


async def test_what_is_remembered_and_told_is_bounded(
    http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that a caller makes up fill neither the memory nor the reply."""
    monkeypatch.setattr(ignored, "REMEMBERED_MAX", 150)
    body = RESERVE | {f"{number}{'x' * 300}": 1 for number in range(150)}
    for _ in range(3):
        answer = await http("POST", PATH, body)
        found = names(answer) or []
        assert len(found) == ignored.NAMES_MAX
        assert {len(name) for name in found} == {ignored.NAME_CHARS_MAX}
    memory = ignored.Ignored()
    for number in range(1_000):
        memory._news("caller", [f"field{number}"])
    assert len(memory._logged) <= 152


@pytest.mark.parametrize("name", DECODERS)
def test_a_body_without_such_members_is_decoded_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ordinary request pays nothing."""
    monkeypatch.delattr(unknown, "names")
    _, errors = DECODERS[name].decode(b"{}")
    assert errors == {}


@pytest.mark.parametrize(
    "body", [b'{"a": 1, "duration": }', b'{"a": 1', b'{"a": 1} x', b'{"a": ', b"[" * 9999]
)
def test_a_body_that_ends_in_something_else_is_malformed(body: bytes) -> None:
    """Also where an unknown member comes before what is wrong."""
    with pytest.raises(RefusedError) as refused:
        schemas.RESERVE.decode(body)
    assert refused.value.problem.code == "malformed_json"


def test_what_an_unknown_member_holds_does_not_matter() -> None:
    """Numbers that no decoder can hold, and null."""
    for value in ("1e999", "null", "[[]]", json.dumps({"a": {"b": []}})):
        found: list[str] = []
        body = b'{"duration": 5, "unknown": %b}' % value.encode()
        decoded, errors = schemas.RESERVE.decode(body, found.extend)
        assert (decoded.duration, errors, found) == (5, {}, ["unknown"])
