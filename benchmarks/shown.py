"""Numbers for people."""

from benchmarks import kinds
from benchmarks.bench import Bench
from benchmarks.measured import Measured
from benchmarks.results import Table

_LABELS = {kind.name: kind.label for kind in (*kinds.ALL, kinds.TWO_WORKERS)}
_HEADER = (
    "server",
    "req/s",
    "p50 / p99 ms",
    "server µs/req",
    "store µs/req",
    "ours ÷ it",
    "errors",
)
_NONE = "–"


def label(name: str) -> str:
    """Return what people call the server of this name."""
    return _LABELS[name]


def load_table(title: str, measured: list[Measured], bench: Bench) -> Table:
    """Return servers under one load as a table, with a note about those that are missing."""
    ours = next(one for one in measured if one.server == kinds.OURS.name)
    missing = [f"{label(name)}: {why}" for name, why in bench.missing.items()]
    note = f"Left out: {'; '.join(missing)}." if missing else ""
    rows = [_load_row(one, ours) for one in measured]
    return Table(title=title, header=_HEADER, rows=rows, note=note)


def _load_row(one: Measured, ours: Measured) -> tuple[str, ...]:
    return (
        label(one.server),
        whole(one.requests_per_s),
        f"{short(one.p50_ms)} / {short(one.p99_ms)}",
        short(one.server_us),
        _NONE if one.store_us is None else short(one.store_us),
        f"{ours.server_us / one.server_us:.2f}",
        whole(one.refused + one.broken),
    )


def whole(number: float) -> str:
    """Return a number without fraction, in groups of three digits."""
    return f"{number:,.0f}"


def short(number: float) -> str:
    """Return a number with about three digits."""
    return whole(number) if number >= 100 else f"{number:.3g}"  # noqa: PLR2004  three digits
