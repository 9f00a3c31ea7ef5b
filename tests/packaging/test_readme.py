"""What the README shows works as it is shown, and its map is the code's."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
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
_LEFT_OUT = "…"
_SLOT_DAY = "2030-06-03"
_CHANGING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b"), "<ulid>"),
    (re.compile(rf"\b(?!{_SLOT_DAY})\d{{4}}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
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


def run(command: str, url: str) -> tuple[int, Any]:
    """Run a command of the README against `url`; return the status and the decoded body."""
    ending = f"{command.strip()} -w '\\n%{{http_code}}'"
    done = subprocess.run(
        ["sh", "-c", ending.replace(_URL, url)], capture_output=True, text=True, check=True
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def steady(value: Any) -> Any:
    """Return `value` without what differs from one run to the next."""
    if isinstance(value, dict):
        return {
            name: "<count>" if name.endswith("_ms") else steady(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [steady(each) for each in value]
    if isinstance(value, str):
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
    reservation_id = ""
    for call in CALLS:
        command = _ID.sub(f"ID={reservation_id}", call.command)
        status, answer = run(command, url)
        assert status == call.status, answer
        assert steady(shown(answer, call.answer)) == steady(without_mark(call.answer))
        reservation_id = answer.get("data", {}).get("reservation_id", reservation_id)


def test_a_shown_answer_is_compared_field_by_field() -> None:
    """A field too many, too few or other than shown is seen; what changes by itself is not."""
    by = {"data": {"id": "room-1.01M81XJM1T9DJQ8GPTN0Y8C91C", "left_ms": 1}}
    other = {"data": {"id": "room-1.01M81XMHGBRZ640VDXVASP4SF3", "left_ms": 2}}
    assert steady(shown(other, by)) == steady(by)
    assert steady(shown({"data": other["data"] | {"more": 1}}, by)) != steady(by)
    assert steady(shown({"data": {"id": "room-2", "left_ms": 1}}, by)) != steady(by)


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
