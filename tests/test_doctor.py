"""The command `reservesvc doctor`: what it says and how it ends, over real servers."""

import io
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from reservesvc import cli
from reservesvc.doctor_report import Progress, Report, as_json, as_text
from reservesvc.domain.entry import Entry
from reservesvc.domain.finding import MEANINGS, Finding
from tests.builders import ROOM
from tests.servers import RedisServer, free_port

Doctor = Callable[..., tuple[int, str, str]]
SLOTS = f"slots:{{{ROOM}}}"
MEMBER = f"b:{10**13}:1:{'0' * 26}"


@pytest.fixture
def redis(redis_server: RedisServer) -> Redis:
    """Connect to the emptied server."""
    client = Redis.from_url(redis_server.url, decode_responses=True)
    client.flushall()
    return client


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Make an empty booking store."""
    path = tmp_path / "bookings.sqlite3"
    assert cli.main(["migrate", "--store-url", f"sqlite:///{path}"]) == 0
    return path


@pytest.fixture
def doctor(
    redis: Redis,
    redis_server: RedisServer,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Doctor:
    """Give what runs the command and returns its exit status and what it said."""
    assert redis.ping()
    for name in list(os.environ):
        if name.startswith("RESERVESVC_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("reservesvc.doctor.MARGIN_S", 0)
    monkeypatch.setenv("RESERVESVC_REDIS_URL", redis_server.url)
    monkeypatch.setenv("RESERVESVC_STORE_URL", f"sqlite:///{file}")
    monkeypatch.setenv("RESERVESVC_DEADLINE_MS", "100")

    def run(*flags: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.main(["doctor", *flags])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def break_index(redis: Redis) -> None:
    """Make an index that has a booking which the store does not know."""
    run = redis.info()["master_replid"][:8]
    redis.set(f"fence:{{{ROOM}}}", f"1:{run}")
    redis.zadd(SLOTS, {MEMBER: 10**12})


def test_all_is_well(doctor: Doctor) -> None:
    """Exit status 0 and a sentence; nothing on stderr."""
    well = "Looked at: resources 0, bookings 0, reservations 0.\nAll is well.\n"
    assert doctor() == (0, well, "")


def test_what_is_wrong_is_told(doctor: Doctor, redis: Redis) -> None:
    """Exit status 1, a line that says which slot and what it means, and what a repair can do."""
    break_index(redis)
    status, said, _ = doctor("--resource", ROOM)
    wrong, looked, summary = said.splitlines()
    assert status == 1
    slot = "room-1, 2001-09-09T01:46:40.000Z to 2286-11-20T17:46:40.000Z"
    assert wrong.startswith(f"Wrong: {slot}, reservation {ROOM}.{'0' * 26}, is booked in the index")
    assert looked == "Looked at: resources 1, bookings 0, reservations 0."
    assert summary == "Wrong: 1, of which --fix can repair 1."


def test_a_repair_ends_well(doctor: Doctor, redis: Redis) -> None:
    """Exit status 0, what was repaired is told, and the next look finds nothing."""
    break_index(redis)
    status, said, _ = doctor("--fix")
    assert status == 0
    assert said.startswith("Repaired: room-1, ")
    assert said.endswith("\nRepaired: 1.\nAll is well.\n")
    assert redis.exists(SLOTS) == 0
    assert doctor()[0] == 0


def test_programs_get_json(doctor: Doctor, redis: Redis) -> None:
    """One line, the same exit status."""
    break_index(redis)
    status, said, _ = doctor("--json")
    told = json.loads(said)
    assert status == 1
    assert (told["is_well"], told["resources"], told["dangers"]) == (False, 1, [])
    (finding,) = told["findings"]
    assert finding.pop("says") == MEANINGS["misplaced"].says
    assert finding == {
        "kind": "misplaced",
        "is_wrong": True,
        "is_left": True,
        "resource_id": ROOM,
        "start": "2001-09-09T01:46:40.000Z",
        "end": "2286-11-20T17:46:40.000Z",
        "quantity": 1,
        "reservation_id": f"{ROOM}.{'0' * 26}",
        "booking_id": None,
    }


def test_an_unsafe_redis_is_told(doctor: Doctor, redis: Redis) -> None:
    """Settings are no difference, and no repair changes them, but they are wrong."""
    redis.config_set("maxmemory-policy", "volatile-ttl")
    try:
        status, said, _ = doctor("--fix")
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
    assert status == 1
    assert said.startswith("Not safe: redis: has maxmemory-policy volatile-ttl, which may evict")
    assert "Wrong: 1, of which --fix can repair 0." in said


def test_a_redis_out_of_reach(doctor: Doctor) -> None:
    """Exit status 2 and why; no password."""
    url = f"redis://user:s3cret@127.0.0.1:{free_port()}/0"
    status, said, why = doctor("--redis-url", url)
    assert (status, said) == (2, "")
    assert why.startswith("reservesvc: redis: ")
    assert "s3cret" not in why


@pytest.mark.parametrize(
    ("login", "options", "reason"),
    [
        ("", "?db=9999", "has no database of the number in RESERVESVC_REDIS_URL"),
        ("noinfo:s3cret@", "", "does not let this user run INFO (ACL)"),
        ("noinfo:wr0ng@", "", "does not accept the name and password in RESERVESVC_REDIS_URL"),
    ],
)
def test_a_redis_that_does_not_let_us_in(
    doctor: Doctor, redis: Redis, redis_server: RedisServer, login: str, options: str, reason: str
) -> None:
    """Exit status 2 and the cause, which is not that no server runs."""
    rules = ("on", ">s3cret", "~*", "+@all", "-info")
    redis.execute_command("ACL", "SETUSER", "noinfo", *rules)  # type: ignore[no-untyped-call]  # redis-py
    url = f"{redis_server.url}{options}".replace("//", f"//{login}", 1)
    status, said, why = doctor("--redis-url", url)
    redis.execute_command("ACL", "DELUSER", "noinfo")  # type: ignore[no-untyped-call]  # redis-py
    assert (status, said) == (2, "")
    assert why.startswith(f"reservesvc: redis: {reason}")
    assert "s3cret" not in why


def test_a_redis_that_takes_no_writes(doctor: Doctor, redis: Redis) -> None:
    """It can be looked at, and is told not to be safe."""
    redis.config_set("maxmemory", 1)
    status, said, _ = doctor()
    redis.config_set("maxmemory", 0)
    assert status == 1
    assert said.startswith("Not safe: redis: is out of memory (maxmemory is reached).")


def test_a_store_out_of_reach(doctor: Doctor) -> None:
    """Exit status 2 and why; no password."""
    place = f"127.0.0.1:{free_port()}"
    status, said, why = doctor("--store-url", f"postgresql://u:s3cret@{place}/d")
    assert (status, said) == (2, "")
    assert why.startswith(f"reservesvc: store: the database at {place} cannot be reached; ")
    assert "s3cret" not in why


def test_no_file_is_made(doctor: Doctor, tmp_path: Path) -> None:
    """Where there is no booking store, none is made to be compared with."""
    missing = tmp_path / "elsewhere" / "bookings.sqlite3"
    status, _, why = doctor("--store-url", f"sqlite:///{missing}")
    assert status == 2
    assert why.startswith(f"reservesvc: store: there is no file {missing}; ")
    assert not missing.parent.exists()


@pytest.mark.parametrize("version", [0, 999])
def test_no_schema_is_changed(doctor: Doctor, file: Path, version: int) -> None:
    """A file of another version is left as it is."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    status, _, why = doctor("--fix")
    assert status == 2
    assert f"has schema version {version}, and this reservesvc works with version" in why
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)


def test_no_redis_is_started(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the service has a Redis of its own and does not run, it cannot be looked at."""
    monkeypatch.delenv("RESERVESVC_REDIS_URL")
    status, _, why = doctor("--data-dir", str(tmp_path))
    assert status == 2
    assert why == (
        "reservesvc: redis: is the embedded one, which does not answer; it runs only while "
        f"`reservesvc serve` runs with this data directory ({tmp_path}): start that, or set "
        "RESERVESVC_REDIS_URL to the Redis that the service uses\n"
    )
    assert not (tmp_path / "redis").exists()


def test_a_wrong_resource_is_refused(doctor: Doctor) -> None:
    """What can be no resource's id is a slip of the hand."""
    status, _, why = doctor("--resource", "room 1")
    assert status == 2
    assert why.startswith("reservesvc: --resource must be 1 to 128 characters")


def test_a_long_look_tells_how_far_it_is() -> None:
    """Now and then, not at each step."""
    stream = io.StringIO()
    progress = Progress(stream, every_s=0)
    progress.tell("looked at 1 of 3 resources")
    assert stream.getvalue() == "looked at 1 of 3 resources\n"
    Progress(stream, every_s=60).tell("looked at 2 of 3 resources")
    assert stream.getvalue() == "looked at 1 of 3 resources\n"


def test_what_ends_by_itself_is_not_called_repaired() -> None:
    """What a repair brought to light is told as well; what went by itself is over."""
    place = Entry(resource_id=ROOM, id="0" * 26, start_ms=0, end_ms=1, quantity=1)
    went, came = Finding("undecided", place), Finding("contested", place)
    report = Report(found=[went], left=[came], cold=1)
    over, wrong, _, cold, *_ = as_text(report).splitlines()
    assert over.startswith("Over: ")
    assert wrong.startswith("Wrong: ")
    assert cold.startswith("Of the resources cold: 1.")
    told = json.loads(as_json(report))["findings"]
    assert [one["is_left"] for one in told] == [False, True]
