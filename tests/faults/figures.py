"""What the rows of the fault matrix came to; printed when the tests are over."""

from tests.faults.trial import Figures

FIGURES: dict[str, Figures] = {}
HEAD = ("row", "operations", "faults", "violations", "well again within")


def table() -> list[str]:
    """Return the lines of the table, as Markdown."""
    rows = [
        (
            row,
            str(figures.operations),
            str(figures.faults),
            str(figures.violations),
            f"{figures.slowest_recovery_s:.2f} s" if figures.faults else "–",
        )
        for row, figures in FIGURES.items()
    ]
    return [f"| {' | '.join(cells)} |" for cells in (HEAD, ("---",) * len(HEAD), *rows)]
