"""What a person sees while it runs: one line that moves on a terminal, a line a step elsewhere."""

import sys
import time
from typing import TextIO

_BAR = 24


class Progress:
    """Tells where a run is.

    Args:
        total_s: how long it will take, by estimate.
        out: where to tell it, stderr if None.

    """

    def __init__(self, total_s: float, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._total_s = total_s
        self._done_s = 0.0
        self._began_s = time.monotonic()
        self._moves = self._out.isatty()

    def step(self, text: str, takes_s: float = 0.0) -> None:
        """Say what begins now, and how long it takes by estimate."""
        share = min(1.0, self._done_s / self._total_s)
        self._done_s += takes_s
        passed_s = time.monotonic() - self._began_s
        if not self._moves:
            self._write(f"{share:4.0%} {_clock(passed_s)}  {text}\n")
            return
        bar = "█" * round(share * _BAR)
        left_s = max(0.0, self._total_s - self._done_s + takes_s)
        self._write(f"\r\x1b[2K{bar:░<{_BAR}} {share:4.0%}  about {_clock(left_s)} left  {text}")

    def end(self) -> None:
        """Say that it is done."""
        passed_s = time.monotonic() - self._began_s
        self._write(
            f"{chr(13) + chr(27) + '[2K' if self._moves else ''}done in {_clock(passed_s)}\n"
        )

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
