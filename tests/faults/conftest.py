"""What every row of the fault matrix needs."""

from collections.abc import Awaitable, Callable

import pytest

from tests.faults.figures import FIGURES, table
from tests.faults.history import Slot
from tests.faults.trial import Trial

Holds = Callable[[Trial, list[Slot]], Awaitable[None]]


@pytest.fixture
def holds(request: pytest.FixtureRequest) -> Holds:
    """Give what ends a row: every slot is judged, every promise checked, the figures kept."""

    async def judge(trial: Trial, choice: list[Slot]) -> None:
        found = await trial.judge(choice)
        FIGURES[request.node.name.removeprefix("test_")] = trial.figures(found)
        assert found == []

    return judge


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of the rows that ran."""
    if FIGURES:
        terminalreporter.section("fault matrix")
        for line in table():
            terminalreporter.line(line)
