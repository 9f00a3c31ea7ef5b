"""A run of tests in processes whose clock is ahead."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.clock.clocks import CLOCKS, CROSSED, environment
from tests.clock.selection import Selection, deselected

ROOT = Path(__file__).parents[2]
_PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


class Run(NamedTuple):
    """What a run came to; all times are those of its own clock."""

    name: str
    begins: datetime
    ends: datetime
    status: int
    output: str

    @property
    def passed(self) -> bool:
        """Whether all tests passed, and the day became another where it has to."""
        is_crossed = self.name not in CROSSED or self.begins.date() != self.ends.date()
        return self.status == 0 and is_crossed

    @property
    def summary(self) -> str:
        """One line for people."""
        verdict = "passed" if self.passed else "FAILED"
        last = (self.output.strip().splitlines() or [""])[-1].strip("= ")
        times = f"from {self.begins:%Y-%m-%d %H:%M:%S} to {self.ends:%m-%d %H:%M:%S} UTC"
        return f"{self.name:<9} {times}: {verdict}: {last}"


def run(
    name: str,
    library: Path,
    selection: Selection,
    more: Sequence[str] = (),
    *,
    is_shown: bool = False,
) -> Run:
    """Run tests under the clock `name`.

    Args:
        name: of `CLOCKS`.
        library: libfaketime.
        selection: the tests.
        more: arguments of pytest.
        is_shown: print what pytest prints.

    """
    now = datetime.now(UTC)
    begins = CLOCKS[name](now)
    if name in CROSSED:
        begins -= timedelta(seconds=selection.lead_s)
    command = [*_PYTEST, *selection.tests, *deselected(), *more]
    status, output = _printed(command, environment(os.environ, library, begins - now), is_shown)
    return Run(name, begins, begins + (datetime.now(UTC) - now), status, output)


def _printed(command: list[str], env: dict[str, str], is_shown: bool) -> tuple[int, str]:  # noqa: FBT001
    """Run `command`; return its exit status and what it printed."""
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if is_shown:
                sys.stdout.write(line)
                sys.stdout.flush()
    return process.returncode, "".join(lines)
