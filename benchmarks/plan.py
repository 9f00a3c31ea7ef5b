"""How much is measured: the full run, and the short one that shows that everything works."""

from msgspec import Struct


class Plan(Struct, frozen=True, kw_only=True):
    """The sizes of one run; durations in whole seconds, as wrk takes them."""

    name: str
    rounds: int
    """of 64 connections, every server once in each"""
    run_s: int
    warm_up_s: int
    """once for every server, for those that compile while they run"""
    few_rounds: int
    """of 4 and of 256 connections, and of the rows that compare two servers"""
    few_run_s: int
    entries: tuple[int, int]
    """live entries of one resource, between which a claim's cost is compared"""
    samples: int
    """blocks of claims measured at each size"""
    lapsed: tuple[int, ...]
    """lapsed entries in the way of one claim"""
    lapsed_repeats: int
    stored: int
    """reservations whose memory is measured"""
    searches: int
    """for free slots, in each state of the store"""


FULL = Plan(
    name="full",
    rounds=5,
    run_s=8,
    warm_up_s=4,
    few_rounds=3,
    few_run_s=5,
    entries=(1_000, 1_000_000),
    samples=200,
    lapsed=(1_000, 100_000),
    lapsed_repeats=11,
    stored=100_000,
    searches=20,
)
QUICK = Plan(
    name="quick",
    rounds=2,
    run_s=1,
    warm_up_s=1,
    few_rounds=1,
    few_run_s=1,
    entries=(1_000, 100_000),
    samples=50,
    lapsed=(1_000, 10_000),
    lapsed_repeats=3,
    stored=20_000,
    searches=3,
)
