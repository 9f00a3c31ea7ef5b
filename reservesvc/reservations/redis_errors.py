"""What Redis' refusals mean, and what keeps one from being connected to; as sentences."""

from redis.exceptions import AuthenticationError, BusyLoadingError
from redis.exceptions import TimeoutError as RedisTimeoutError

from reservesvc.errors import UnavailableError

REDIS = "redis"

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
    "CLUSTERDOWN": "is a cluster that is down",
}
"""What an error reply's first word means for an operator."""


def refusal(reply: Exception) -> UnavailableError:
    """Return what an error reply means; the scripts write only after their last check."""
    word = str(reply).partition(" ")[0]
    return UnavailableError(REDIS, REFUSALS.get(word, f"refused a command ({reply})"))


def connect_reason(error: Exception) -> str:
    """Return why no connection came about, without the URL and its password."""
    # redis-py wraps what happened while connecting into one more error.
    kinds = (error, error.__cause__)
    if any(isinstance(kind, AuthenticationError) for kind in kinds):
        return "does not accept the name and password in RESERVESVC_REDIS_URL"
    if any(isinstance(kind, BusyLoadingError) for kind in kinds):
        return REFUSALS["LOADING"]
    if any(isinstance(kind, RedisTimeoutError | TimeoutError) for kind in kinds):
        return "did not answer in time while connecting"
    return "cannot be connected to; is it running where RESERVESVC_REDIS_URL says?"
