"""What docs/operations.md prints of the commands is what they print."""

import re
from pathlib import Path

import pytest

from reservesvc import cli
from reservesvc.bookings import postgres_schema
from reservesvc.bookings.postgres_schema import STEPS, version_problem
from reservesvc.bookings.sqlite import SqliteBookingStore
from tests.packaging.project import ROOT
from tests.postgres import Databases

PAGE = (ROOT / "docs" / "operations.md").read_text()
ADDRESS = "postgresql://reservesvc:***@db.internal/reservesvc"


def printed(command: str) -> list[str]:
    """Return the lines that the page prints between this command and the next one."""
    return PAGE.partition(f"$ {command}\n")[2].partition("```")[0].partition("$ ")[0].splitlines()


async def test_a_migration_prints_what_the_page_shows(databases: Databases) -> None:
    """Each step and the version, of a database that had no schema."""
    told: list[str] = []
    async with databases.empty() as name:
        await postgres_schema.migrate(databases.of(name), told.append)
    last = f"{ADDRESS} has schema version {postgres_schema.VERSION}"
    assert printed("reservesvc migrate") == [*told, last]
    assert len(told) == len(STEPS)


def test_a_database_without_a_schema_is_refused_as_the_page_says() -> None:
    """The sentence names the version that is needed."""
    assert f"reservesvc: {version_problem(0)}\n" in PAGE


async def test_a_backup_prints_what_the_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the numbers."""
    await (await SqliteBookingStore.open(tmp_path / "bookings.sqlite3")).close()
    monkeypatch.chdir(tmp_path)
    assert cli.main(["backup", "backup.sqlite3", "--data-dir", "."]) == 0
    numberless = [re.sub(r"[\d,]+ ", "N ", line) for line in capsys.readouterr().out.splitlines()]
    assert numberless == [
        re.sub(r"[\d,]+ ", "N ", line) for line in printed("reservesvc backup backup.sqlite3")
    ]
