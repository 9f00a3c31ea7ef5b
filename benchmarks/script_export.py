"""The claim script as peers load it: `python -m benchmarks.script_export RUN` prints JSON.

RUN is the first 8 characters of the Redis server's master_replid.
"""

import sys

import msgspec

from benchmarks.peers.settings import Script
from reservesvc.reservations.scripts import load
from reservesvc.reservations.store import SWEEP, Times


def export(run: str) -> bytes:
    """Return the script with its SHA-1 and the constants its caller sends, as JSON."""
    script, times = load("reserve"), Times()
    return msgspec.json.encode(
        Script(
            body=script.body.decode(),
            sha=script.sha.decode(),
            run=run,
            past_ms=times.past_ms,
            ahead_ms=times.ahead_ms,
            index_ttl_ms=times.index_ttl_ms,
            sweep=SWEEP,
        )
    )


if __name__ == "__main__":
    print(export(sys.argv[1]).decode())  # noqa: T201  (a command speaks so)
