"""The report: Markdown for people, JSON for programs, a plot; a full run also in docs/."""

from pathlib import Path

import msgspec

from benchmarks import plot, shown
from benchmarks.bars import Standing
from benchmarks.errors import BenchmarkError
from benchmarks.plan import FULL
from benchmarks.results import Results, Table

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "benchmarks"
DOCS = ROOT / "docs"
PAGE = "performance.md"
PLOT = "performance.svg"
DATA = "performance.json"
BEGIN = "<!-- results: written by `make bench` -->"
END = "<!-- end of results -->"
_NOISY = 0.03
"""a larger share of the cores going to others makes a run's figures doubtful"""
_BARS_HEADER = ("", "measured", "first bar", "goal", "verdict")


def write(results: Results, build: Path = BUILD, docs: Path = DOCS) -> str:
    """Write the report and return its Markdown.

    Args:
        results: of a run; only a full one goes into the documentation.
        build: where every run's report goes.
        docs: where the page, the plot and the data of the last full run are.

    """
    text = markdown(results)
    data = msgspec.json.format(msgspec.json.encode(results))
    picture = plot.svg(results)
    build.mkdir(parents=True, exist_ok=True)
    (build / PAGE).write_text(text)
    (build / DATA).write_bytes(data)
    (build / PLOT).write_text(picture)
    if results.plan.name == FULL.name:
        page = docs / PAGE
        page.write_text(between_markers(page.read_text(), text))
        (docs / DATA).write_bytes(data + b"\n")
        (docs / PLOT).write_text(picture)
    return text


def between_markers(page: str, section: str) -> str:
    """Return the page with `section` in place of its results.

    Raises:
        BenchmarkError: the page has no place for results.

    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        message = f"{PAGE} lacks the line {END if begin else BEGIN}"
        raise BenchmarkError(message)
    return f"{before}{BEGIN}\n\n{section}\n{END}{after}"


def markdown(results: Results) -> str:
    """Return the report's text."""
    bars = Table(
        title="Bars",
        header=_BARS_HEADER,
        rows=[_bar_row(standing) for standing in results.standings],
    )
    parts = [_front(results), f"![CPU per request]({PLOT})\n"]
    tables = [_table(table) for table in (bars, *results.tables)]
    return "\n".join(parts + tables + [f"{note}\n" for note in results.notes])


def _front(results: Results) -> str:
    plan = results.plan
    what = (
        f"A {plan.name} run of {results.measured_on} at commit {results.commit}: medians of "
        f"{plan.rounds} rounds of {plan.run_s} s at 64 connections, of {plan.few_rounds} of "
        f"{plan.few_run_s} s elsewhere."
    )
    facts = [f"- {name}: {value}" for name, value in results.machine.items()]
    noise = f"- other processes had {results.others:.1%} of the cores while it ran"
    lines = [what, "", *facts, noise + _doubt(results), ""]
    return "\n".join(lines)


def _doubt(results: Results) -> str:
    return ", so take the figures with doubt" if results.others > _NOISY else ""


def _bar_row(standing: Standing) -> tuple[str, ...]:
    bar = standing.bar
    sign = "≥" if bar.more_is_better else "≤"
    unit = f" {bar.unit}" if bar.unit else ""
    value = "–" if standing.value is None else f"{standing.value:.3g}{unit}"
    if standing.value is not None and standing.value >= 100:  # noqa: PLR2004  three digits
        value = shown.whole(standing.value) + unit
    limits = (f"{sign} {limit:g}{unit}" for limit in (bar.first, bar.goal))
    return (bar.text, value, *limits, standing.shown)


def _table(table: Table) -> str:
    lines = [
        f"### {table.title}",
        "",
        _line(table.header),
        _line(tuple("---" for _ in table.header)),
        *(_line(row) for row in table.rows),
        "",
    ]
    if table.note:
        lines += [table.note, ""]
    return "\n".join(lines)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
