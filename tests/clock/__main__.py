"""`make test-clock`: the tests on other days, under libfaketime.

usage: python -m tests.clock [--short] [--only CLOCK] [FLAG OF PYTEST ...] [TEST ...]

Each clock of `CLOCKS` is a run of the tests in processes whose clock is ahead by a fixed time,
servers and clients alike. Exit status: 0 every run passed, 1 one failed, 2 there is no library.
"""

import argparse
import sys

from tests.clock.clocks import CLOCKS, MISSING, libfaketime
from tests.clock.moved import Run, run
from tests.clock.selection import FULL, SHORT


def main() -> int:
    """Run the tests under every clock; print what they print, and a line for each in the end."""
    arguments, more = _parser().parse_known_args()
    library = libfaketime()
    if library is None:
        sys.stderr.write(f"{MISSING}\n")
        return 2
    selection = SHORT if arguments.short else FULL
    if arguments.tests:
        selection = selection._replace(tests=tuple(arguments.tests))
    names = [arguments.only] if arguments.only else selection.clocks
    runs: list[Run] = []
    for name in names:
        sys.stdout.write(f"\nclock: {name}\n")
        runs.append(run(name, library, selection, more, is_shown=True))
    sys.stdout.write("\n" + "".join(f"{each.summary}\n" for each in runs))
    return int(not all(each.passed for each in runs))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.clock")
    parser.add_argument("--short", action="store_true", help="only what has to do with days most")
    parser.add_argument("--only", choices=CLOCKS, help="under one clock")
    parser.add_argument("tests", nargs="*", help="instead of all; other flags are pytest's")
    return parser


if __name__ == "__main__":
    sys.exit(main())
