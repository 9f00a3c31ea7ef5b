"""What Redis' refusals mean, and what keeps one from being connected to; as sentences."""

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import AuthenticationError, BusyLoadingError
from redis.exceptions import TimeoutError as RedisTimeoutError

from reservesvc.errors import UnavailableError

REDIS = "redis"

_MOVING = "is moving this resource from one node of the Cluster to another; try again"
_IS_CLUSTER = "is a Redis Cluster; begin RESERVESVC_REDIS_URL with redis+cluster:// and name nodes"
REFUSALS = {
    "OOM": "is out of memory (maxmemory is reached)",
    "READONLY": "is a replica; point RESERVESVC_REDIS_URL at the primary",
    "LOADING": "is still loading its data",
    "BUSY": "is busy with somebody else's script",
    "NOAUTH": "asks for a password; put it into RESERVESVC_REDIS_URL",
    "WRONGPASS": "does not accept the password in RESERVESVC_REDIS_URL",
    "NOPERM": "does not let this user run the scripts (ACL)",
    "MISCONF": "cannot write to its disk",
    "NOREPLICAS": "has too few replicas to accept writes",
    "MASTERDOWN": "has lost its primary",
    "CLUSTERDOWN": "is a Cluster that is down: a primary is missing, and no replica took over yet",
    "MOVED": _IS_CLUSTER,
    "ASK": _MOVING,
    "TRYAGAIN": _MOVING,
}
"""What an error reply's first word means for an operator."""
DEMOTED = ("READONLY", "MASTERDOWN", "MOVED")
"""said by a server that is no primary any more, or not this key's"""


class MovedError(UnavailableError):
    """Another node of the Cluster has the key; the script did not run.

    Args:
        host: of that node; empty where it is the host of the node that said so.
        port: of that node.

    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(REDIS, REFUSALS["MOVED"])
        self.host = host
        self.port = port


def refusal(reply: Exception) -> UnavailableError:
    """Return what an error reply means; the scripts write only after their last check."""
    word, _, rest = str(reply).partition(" ")
    if word == "MOVED":  # MOVED <slot> <host>:<port>
        host, _, port = rest.rpartition(" ")[2].rpartition(":")
        return MovedError(host, int(port))
    return UnavailableError(REDIS, REFUSALS.get(word, f"refused a command ({reply})"))


def is_of_demoted(reply: Exception) -> bool:
    """Tell whether an error reply is one of a server that is not the primary it was."""
    return str(reply).startswith(DEMOTED)


def connect_reason(error: Exception) -> str:
    """Return why no connection came about, without the URL and its password."""
    # redis-py wraps what happened while connecting into one more error.
    kinds = (error, error.__cause__)
    if any(isinstance(kind, AuthenticationError) for kind in kinds):
        return "does not accept the name and password in RESERVESVC_REDIS_URL"
    if any(isinstance(kind, MasterNotFoundError) for kind in kinds):
        return (
            "has no primary that a Sentinel knows as healthy; do the Sentinels run, and are "
            "their service name and password in RESERVESVC_REDIS_URL right?"
        )
    if any(isinstance(kind, BusyLoadingError) for kind in kinds):
        return REFUSALS["LOADING"]
    if any(isinstance(kind, RedisTimeoutError | TimeoutError) for kind in kinds):
        return "did not answer in time while connecting"
    return "cannot be connected to; is it running where RESERVESVC_REDIS_URL says?"
