"""What the README shows works as it is shown, and its map is the code's."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.packaging.project import ROOT

_README = (ROOT / "README.md").read_text()
_URL = "http://127.0.0.1:8080"
_CALL = re.compile(
    r"`(?P<status>\d{3})`[^`]*(?:`…`[^`]*)?```sh\n(?P<command>[^`]*?curl [^`]+)```\n\n"
    r"```json\n(?P<answer>[^`]+)```"
)
_MAP = re.compile(r"## Map of the code\n\n```text\n(.*?)```", re.DOTALL)
_PATH = re.compile(r"[.\w/-]+(/|\.(py|toml))|Dockerfile|Makefile|\.ci/run")
_ID = re.compile(r"^ID=\S+$", re.MULTILINE)
_DAY = re.compile(r"^DAY=.*$", re.MULTILINE)
_LEFT_OUT = "…"
_CHANGING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b"), "<ulid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"\b\d+ ms\b"), "<count> ms"),
)


class Call(NamedTuple):
    """A call as the README shows it."""

    status: int
    command: str
    answer: Any


CALLS = [
    Call(int(found["status"]), found["command"], json.loads(found["answer"]))
    for found in _CALL.finditer(_README)
]

_SHOWN_DAY = str(CALLS[0].answer["data"]["start"])[:10]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Start the service as `make run` does, on a port of its own; give its URL."""
    command = [sys.executable, "-m", "reservesvc", "serve", "--port", "0", "--log-format", "json"]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path / "data")],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as service:
        assert service.stderr is not None
        try:
            yield started_at(service.stderr.readline())
        finally:
            service.terminate()
            service.communicate(timeout=30)


def started_at(line: str) -> str:
    """Return the URL that the service's first line says."""
    said = json.loads(line)
    assert said["event"] == "started"
    return str(said["url"])


def run(call: Call, url: str, day: str, reservation_id: str = "") -> tuple[int, Any]:
    """Send a call of the README to `url`; return the status and the decoded body."""
    command = _ID.sub(f"ID={reservation_id}", _DAY.sub(f"DAY={day}", call.command))
    if "DAY=" not in command:
        command = f"DAY={day}\n{command}"  # of the same shell
    answer = sh(f"{command.strip()} -w '\\n%{{http_code}}'".replace(_URL, url))
    body, _, status = answer.rpartition("\n")
    return int(status), json.loads(body)


def sh(script: str) -> str:
    """Run what people paste into a shell; return what it prints."""
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout


def steady(value: Any, day: str) -> Any:
    """Return `value` without what differs from one run to the next; `day` is that of the slot."""
    if isinstance(value, dict):
        return {
            name: "<count>" if name.endswith("_ms") else steady(each, day)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [steady(each, day) for each in value]
    if isinstance(value, str):
        value = value.replace(day, "<day>")
        for pattern, name in _CHANGING:
            value = pattern.sub(name, value)
    return value


def shown(value: Any, by: Any) -> Any:
    """Return the part of `value` that `by` shows: all of it, where nothing is left out."""
    if isinstance(value, dict) and isinstance(by, dict):
        names = by.keys() - {_LEFT_OUT} if _LEFT_OUT in by else value.keys()
        return {name: shown(value.get(name), by.get(name)) for name in names}
    return value


def without_mark(value: Any) -> Any:
    """Return what the README shows without the mark for what it leaves out."""
    if isinstance(value, dict):
        return {name: without_mark(each) for name, each in value.items() if name != _LEFT_OUT}
    return value


def test_it_opens_with_two_commands() -> None:
    """Whoever looks for the way in finds `make run` and `make test` before anything else."""
    first = re.findall(r"^\$ (make \w+)", _README.split("\n## ", 1)[0], re.MULTILINE)
    assert first == ["make run", "make test"]


def test_the_calls_answer_as_shown(url: str) -> None:
    """Reserve, try again, book: each of the README's commands gets the README's answer."""
    assert [call.status for call in CALLS] == [201, 409, 201]
    day, reservation_id = the_day(), ""
    for call in CALLS:
        status, answer = run(call, url, day, reservation_id)
        assert status == call.status, answer
        expected = steady(without_mark(call.answer), _SHOWN_DAY)
        assert steady(shown(answer, call.answer), day) == expected
        reservation_id = answer.get("data", {}).get("reservation_id", reservation_id)
    again, problem = run(CALLS[0], url, day)
    assert (again, problem["detail"].partition(";")[0]) == (409, "The slot is booked")
    assert 'now answers `409` with "The slot is booked"' in " ".join(_README.split())


def the_day() -> str:
    """Return the day that the README's own command computes."""
    found = _DAY.search(CALLS[0].command)
    assert found is not None
    return sh(f'{found[0]}\nprintf %s "$DAY"')


def test_the_day_of_the_calls_is_ahead() -> None:
    """The command works on any day: the slot is a week from now."""
    ahead = date.fromisoformat(the_day()) - datetime.now().astimezone().date()
    assert timedelta(days=6) <= ahead <= timedelta(days=7)


def test_a_shown_answer_is_compared_field_by_field() -> None:
    """A field too many, too few or other than shown is seen; what changes by itself is not."""
    by = {"data": {"id": "room-1.01M81XJM1T9DJQ8GPTN0Y8C91C", "left_ms": 1}}
    other = {"data": {"id": "room-1.01M81XMHGBRZ640VDXVASP4SF3", "left_ms": 2}}
    assert steady(shown(other, by), _SHOWN_DAY) == steady(by, _SHOWN_DAY)
    assert steady(shown({"data": other["data"] | {"more": 1}}, by), _SHOWN_DAY) != steady(
        by, _SHOWN_DAY
    )
    assert steady(shown({"data": {"id": "room-2", "left_ms": 1}}, by), _SHOWN_DAY) != steady(
        by, _SHOWN_DAY
    )
    starts = [{"start": f"2027-01-{day}T10:00:00.000Z"} for day in (12, 13)]
    assert steady(starts[0], "2027-01-12") == steady(starts[1], "2027-01-13")
    assert steady(starts[0], "2027-01-12") != steady(starts[1], "2027-01-12")


def test_every_module_is_on_the_map() -> None:
    """The map names each module and package right below `reservesvc/`, and each directory."""
    mapped = on_the_map()
    package = {path.name for path in (ROOT / "reservesvc").iterdir() if path.suffix == ".py"}
    packages = {path.parent.name + "/" for path in (ROOT / "reservesvc").glob("*/__init__.py")}
    assert (package | packages) - {"__init__.py"} - mapped == set()


def test_what_is_on_the_map_exists() -> None:
    """A name on the map is one of a file or directory, of the root or of the package."""
    places = (ROOT, ROOT / "reservesvc", ROOT / "tests")
    missing = [name for name in on_the_map() if not any((p / name).exists() for p in places)]
    assert missing == []


def test_the_pages_on_the_map_exist() -> None:
    """The map's line about docs/ names pages that are there."""
    (pages,) = re.findall(r"^docs/ +(.*)$", the_map(), re.MULTILINE)
    assert [page for page in pages.split() if not (ROOT / "docs" / f"{page}.md").exists()] == []


def on_the_map() -> set[str]:
    """Return the files and directories on the map."""
    return {word for word in the_map().split() if _PATH.fullmatch(word)}


def the_map() -> str:
    """Return the map."""
    found = _MAP.search(_README)
    assert found is not None
    return found[1]
