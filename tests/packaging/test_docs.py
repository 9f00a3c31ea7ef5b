"""Pages and contracts that are made from the code stay true to it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reservesvc import __version__
from reservesvc.api.routes import ROUTES
from reservesvc.config_table import as_markdown
from reservesvc.domain.finding import MEANINGS
from tests.packaging.project import ROOT, pyproject

_PAGES = sorted(
    str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("[dl]*/*.md"))
)
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_the_page_of_settings_is_the_table() -> None:
    """docs/settings.md is what `make docs` would write."""
    assert (ROOT / "docs" / "settings.md").read_text() == as_markdown()


def test_every_finding_is_explained() -> None:
    """docs/operations.md has a row for each kind of thing that the doctor finds."""
    text = (ROOT / "docs" / "operations.md").read_text()
    doctor = text.partition("## The doctor")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \| .* \| .* \|$", doctor, re.MULTILINE) == ["kind", *MEANINGS]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md"])
def test_files_that_a_page_names_exist(page: str) -> None:
    """A path in backticks that has a directory of ours is the path of something."""
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:reservesvc|lua|docs|deploy|tests|requirements|\.ci)/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", _PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """A relative link is the path of a file, and its fragment a heading there."""
    path = ROOT / page
    broken = [
        link
        for link in _LINK.findall(_CODE.sub("", path.read_text()))
        if not link.startswith("https://") and not leads_somewhere(path, link)
    ]
    assert broken == []


def leads_somewhere(page: Path, link: str) -> bool:
    """Tell whether the relative `link` on `page` has an end."""
    name, _, fragment = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    return target.exists() and (not fragment or fragment in anchors(target))


def anchors(page: Path) -> set[str]:
    """Return what the headings of `page` can be linked as (GitHub's rule)."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings: list[str] = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_a_link_to_nowhere_is_seen(tmp_path: Path) -> None:
    """Neither a missing file nor a missing heading passes for one that is there."""
    page = tmp_path / "page.md"
    page.write_text("# One, two\n")
    links = ("#one-two", "page.md#one-two", "page.md#three", "other.md")
    assert [leads_somewhere(page, link) for link in links] == [True, True, False, False]


@pytest.mark.parametrize("page", _PAGES)
def test_tests_that_a_page_names_exist(page: str) -> None:
    """A promise that names its test names one that is run."""
    named = _TEST.findall((ROOT / page).read_text())
    assert [f"{file}::{name}" for file, name in named if not has_test(ROOT / file, name)] == []


def has_test(file: Path, name: str) -> bool:
    """Tell whether `file` has the test `name`, or any where no name is given."""
    defined = rf"^(async )?def {name}\b" if name else r"^(async )?def test_"
    return file.exists() and re.search(defined, file.read_text(), re.MULTILINE) is not None


def test_every_call_is_documented() -> None:
    """docs/http.md has a row for each row of the URL table, with the scope that opens it."""
    text = (ROOT / "docs" / "http.md").read_text()
    rows = re.findall(r"^\| `([A-Z]+) ([^`?]+)[^`]*` \| (\w+) \|", text, re.MULTILINE)
    scoped = [route for route in ROUTES if route.scope != "public"]
    assert sorted(rows) == sorted((route.method, route.path, route.scope) for route in scoped)
    for route in set(ROUTES) - set(scoped):
        assert f"`{route.method} {route.path}`" in text


def test_every_script_is_introduced() -> None:
    """lua/README.md links each script and names each include."""
    text = " ".join((ROOT / "lua" / "README.md").read_text().split())
    scripts = {path.name for path in (ROOT / "lua").glob("*.lua")}
    includes = {path.stem for path in (ROOT / "lua" / "include").glob("*.lua")}
    assert scripts - set(_LINK.findall(text)) == set()
    assert {name for name in includes if f"`{name}` (" not in text} == set()


def test_the_changelog_knows_the_version() -> None:
    """What is not released stands first; a released version has its own heading."""
    headings = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_the_contract_on_imports_sees_a_breach(tmp_path: Path) -> None:
    """Where the core imports what it must not, our contract breaks; the standard library counts."""
    shutil.copytree(ROOT / "reservesvc", tmp_path / "reservesvc")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    outside = [name for name in forbidden() if not name.startswith("reservesvc.")]
    assert {"time", "os", "random", "redis", "aiohttp"} <= set(outside)
    with (tmp_path / "reservesvc" / "domain" / "slot.py").open("a") as core:
        core.writelines(f"import {name}\n" for name in outside)
    command = [sys.executable, "-c", _LINT, "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    for name in outside:
        assert f"reservesvc.domain is not allowed to import {name}:" in done.stdout


def forbidden() -> list[str]:
    """Return what the core must not import."""
    contracts = pyproject()["tool"]["importlinter"]["contracts"]
    (names,) = [row["forbidden_modules"] for row in contracts if row["type"] == "forbidden"]
    assert isinstance(names, list)
    return names
