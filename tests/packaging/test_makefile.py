"""The Makefile: it explains itself, and refuses a Python it cannot use in a sentence."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.packaging.project import ROOT

_RULE = re.compile(r"^([a-z-]+):", re.MULTILINE)


OF_MAKE = re.findall(r"^(\w+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE)
"""the variables that its targets take; the make that runs the tests may have been given some"""


def make(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make, as from a shell even where make itself runs the tests."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAKE", "MFL")) and name not in OF_MAKE
    }
    return subprocess.run(
        ["make", *words], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Return a directory with the Makefile and what installing reads, nothing installed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def fake_python(directory: Path, *, refuse: str) -> Path:
    """Make a python that fails when asked to run code that mentions `refuse`."""
    path = directory / "python"
    path.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        '  *--version*) echo "Python 3.10.1" ;;\n'
        f"  *{refuse}*) exit 1 ;;\n"
        "esac\n"
    )
    path.chmod(0o700)
    return path


def test_make_alone_lists_every_target() -> None:
    """Each target has its line, in words; none installs anything."""
    text = (ROOT / "Makefile").read_text()
    targets = set(_RULE.findall(text))
    listed = make()
    assert listed.returncode == 0
    lines = dict(
        line.removeprefix("make ").split(maxsplit=1) for line in listed.stdout.splitlines()
    )
    assert lines.keys() == targets
    assert targets >= {"install", "run", "test", "check", "format", "lock", "wheel", "clean"}


def test_every_target_is_phony() -> None:
    """A file that happens to be called like a target does not switch it off."""
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert set(phony.split()) == set(_RULE.findall(text))


@pytest.mark.parametrize(
    ("refuse", "sentence"),
    [
        ("version_info", "is Python 3.10.1, and 3.11 or later is needed"),
        ("ensurepip", "has no venv module. On Debian and Ubuntu: apt install python3-venv"),
    ],
)
def test_an_unfit_python_is_refused(bare: Path, refuse: str, sentence: str) -> None:
    """What the Python lacks is said before anything is made."""
    done = make("install", f"PYTHON={fake_python(bare, refuse=refuse)}", cwd=bare)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert not (bare / ".venv").exists()


def test_a_missing_python_is_refused(bare: Path) -> None:
    """A Python that is not there is a sentence as well."""
    done = make("install", "PYTHON=no-such-python", cwd=bare)
    assert done.returncode != 0
    assert "There is no no-such-python." in done.stderr


def stamped(directory: Path, *names: str) -> None:
    """Write the stamps that installing leaves, all at one time."""
    (directory / ".venv").mkdir()
    now_ns = time.time_ns()
    for name in names:
        stamp = directory / ".venv" / name
        stamp.touch()
        os.utime(stamp, ns=(now_ns, now_ns))


def planned(target: str, directory: Path) -> str:
    """Return the commands that making `target` would run."""
    return make("--dry-run", target, cwd=directory).stdout


def outdate(stamp: Path, name: str) -> None:
    """Make a file of the checkout newer than the stamp."""
    later_ns = stamp.stat().st_mtime_ns + 10**9
    os.utime(stamp.parents[1] / name, ns=(later_ns, later_ns))


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "requirements/development.txt", "requirements/run.txt"]
)
def test_installing_is_done_once(bare: Path, name: str) -> None:
    """With the stamps in place nothing is done; a newer lock or pyproject starts anew."""
    stamped(bare, "installed-run", "installed")
    assert make("--question", "install", cwd=bare).returncode == 0
    outdate(bare / ".venv" / "installed", name)
    assert make("--question", "install", cwd=bare).returncode == 1
    assert "venv --clear" in planned("install", bare)


def test_running_installs_only_what_the_service_needs(bare: Path) -> None:
    """`make run` reads its own lock, says so first, and hides nothing of what pip shows."""
    plan = planned("run", bare)
    locks: list[str] = re.findall(r"-r (requirements/\S+)", plan)
    assert locks == ["requirements/run.txt"]
    assert "--quiet" not in plan
    assert re.search(r"echo .*Installing", plan.partition("pip ")[0])
    stamped(bare, "installed-run")
    outdate(bare / ".venv" / "installed-run", "requirements/development.txt")
    assert planned("run", bare).splitlines() == [".venv/bin/python -m reservesvc serve "]


def test_development_is_added_to_what_runs(bare: Path) -> None:
    """`make test` beside a service that `make run` started leaves its packages where they are."""
    stamped(bare, "installed-run")
    plan = planned("install", bare)
    locks: list[str] = re.findall(r"-r (requirements/\S+)", plan)
    assert locks == ["requirements/development.txt"]
    assert "venv --clear" not in plan
