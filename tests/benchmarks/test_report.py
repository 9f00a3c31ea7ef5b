"""The report: what a run writes, and where."""

from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec.structs import replace

from benchmarks import report
from benchmarks.bars import BARS, stand
from benchmarks.errors import BenchmarkError
from benchmarks.measured import Measured, medians
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.results import Results, Table

_ONE = Measured(
    server="reservesvc",
    connections=64,
    requests_per_s=1000.0,
    p50_ms=1.0,
    p99_ms=2.0,
    server_us=30.0,
    store_us=10.0,
    refused=0,
    broken=0,
    others=0.0,
)
_BARE = replace(_ONE, server="bare", server_us=40.0, store_us=None)
_PAGE = f"# Performance\n\n{report.BEGIN}\nold\n{report.END}\n\nThe end.\n"


def results(plan: Plan, others: float = 0.0) -> Results:
    """Return what a run came to."""
    return Results(
        plan=plan,
        measured_on="2026-12-01",
        commit="abc",
        machine={"processor": "one"},
        standings=[stand(bar, 0.75) for bar in BARS[:2]],
        tables=[Table(title="Reserve", header=("a", "b"), rows=[("1", "2")], note="A note.")],
        measured=[_ONE, _BARE],
        notes=["Workers were not measured."],
        others=others,
    )


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Return a docs/ with a page that has a place for results."""
    directory = tmp_path / "docs"
    directory.mkdir()
    (directory / report.PAGE).write_text(_PAGE)
    return directory


def test_a_full_run_rewrites_the_page(docs: Path, tmp_path: Path) -> None:
    """The results change, what is around them stays; a second run leaves no trace of the first."""
    report.write(results(FULL, others=0.2), tmp_path / "build", docs)
    text = report.write(results(FULL), tmp_path / "build", docs)
    page = (docs / report.PAGE).read_text()
    assert page == f"# Performance\n\n{report.BEGIN}\n\n{text}\n{report.END}\n\nThe end.\n"
    assert (docs / report.PLOT).exists()
    assert msgspec.json.decode((docs / report.DATA).read_bytes())["commit"] == "abc"


def test_a_quick_run_leaves_the_documentation_alone(docs: Path, tmp_path: Path) -> None:
    """Its report is only where things are built."""
    text = report.write(results(QUICK), tmp_path / "build", docs)
    assert [path.name for path in docs.iterdir()] == [report.PAGE]
    assert (docs / report.PAGE).read_text() == _PAGE
    assert (tmp_path / "build" / report.PAGE).read_text() == text


@pytest.mark.parametrize("page", ["nothing", f"{report.BEGIN} only", f"only {report.END}"])
def test_a_page_without_a_place_is_refused(page: str) -> None:
    """Nothing is written over where the markers are gone."""
    with pytest.raises(BenchmarkError, match="lacks the line"):
        report.between_markers(page, "results")


def test_the_report_says_everything() -> None:
    """Bars with their limits, tables with their notes, and what was left out."""
    text = report.markdown(results(FULL))
    assert "| ≤ 1.1 | ≤ 0.8 | goal reached |" in text
    assert "| 1 | 2 |\n\nA note.\n" in text
    assert "Workers were not measured." in text


def test_noise_is_doubted() -> None:
    """A run beside other work says that its figures are doubtful, a quiet one does not."""
    assert "with doubt" in report.markdown(results(FULL, others=0.2))
    assert "with doubt" not in report.markdown(results(FULL, others=0.001))


def test_the_plot_has_a_bar_for_each_server(docs: Path, tmp_path: Path) -> None:
    """It is well-formed, the least CPU comes first, and ours stands out."""
    report.write(results(FULL), tmp_path, docs)
    bars = [
        element.get("class")
        for element in ET.parse(docs / report.PLOT).getroot().iter()  # noqa: S314  our own
        if element.tag.endswith("rect")
    ]
    assert bars == ["ours", "store", "server", "store"]


def test_rounds_become_medians() -> None:
    """One bad round does not count, but what went wrong in it does."""
    rounds = [_ONE, replace(_ONE, server_us=300.0, refused=2, broken=1), _ONE]
    found = medians(rounds)
    assert (found.server_us, found.store_us) == (30.0, 10.0)
    assert (found.refused, found.broken) == (2, 1)
    assert medians([_BARE]).store_us is None
