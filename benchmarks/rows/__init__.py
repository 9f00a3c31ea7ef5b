"""The rows of the benchmark, a module each, in the order in which they are measured."""

from benchmarks.results import Row
from benchmarks.rows import (
    availability,
    batch,
    connections,
    growth,
    hand_off,
    in_the_way,
    memory,
    reserve,
    stampede,
    workers,
)

ROWS: tuple[Row, ...] = (
    reserve,
    connections,
    stampede,
    batch,
    hand_off,
    growth,
    in_the_way,
    memory,
    availability,
    workers,
)
