"""What a server did under a load."""

from statistics import median

from msgspec import Struct


class Measured(Struct, frozen=True, kw_only=True):
    """What one server did under one load; of several rounds, the medians."""

    server: str
    connections: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    server_us: float
    """CPU of the server process and its children, a request"""
    store_us: float | None
    """CPU of Redis or PostgreSQL, a request; None where the server has neither"""
    refused: int
    """replies of 400 and above, in all rounds"""
    broken: int
    """requests and connections without a reply, in all rounds"""
    others: float
    """share of the cores that went to processes which are not part of the benchmark"""


def medians(rounds: list[Measured]) -> Measured:
    """Return several rounds of one server as one; what went wrong is added up."""
    stores = [one.store_us for one in rounds if one.store_us is not None]
    return Measured(
        server=rounds[0].server,
        connections=rounds[0].connections,
        requests_per_s=median(one.requests_per_s for one in rounds),
        p50_ms=median(one.p50_ms for one in rounds),
        p99_ms=median(one.p99_ms for one in rounds),
        server_us=median(one.server_us for one in rounds),
        store_us=median(stores) if stores else None,
        refused=sum(one.refused for one in rounds),
        broken=sum(one.broken for one in rounds),
        others=median(one.others for one in rounds),
    )
