"""What Redis says about itself (Redis docs, INFO: a `field:value` a line)."""

from reservesvc.errors import UnavailableError
from reservesvc.reservations.redis_errors import REDIS, REFUSALS

RUN_CHARACTERS = 8
PRIMARY = "master"


def parse(info: object) -> dict[str, str]:
    """Return a reply of INFO, or of CLUSTER INFO, by field."""
    text = info.decode() if isinstance(info, bytes) else str(info)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def run_of(info: object) -> str:
    """Return what tells this run of this primary from every other.

    It is the beginning of the replication id: the name that Redis gives to a history of writes.
    Every start of a process begins a history, and so does every replica that is promoted, be it
    a second time.

    Args:
        info: the reply of `INFO replication`.

    Raises:
        UnavailableError: it is a replica, or says no id.

    """
    fields = parse(info)
    if fields.get("role") != PRIMARY:
        raise UnavailableError(REDIS, REFUSALS["READONLY"])
    run = fields.get("master_replid", "")[:RUN_CHARACTERS]
    if len(run) < RUN_CHARACTERS:
        raise UnavailableError(REDIS, "does not say its replication id in INFO replication")
    return run
