"""What can keep a benchmark from running; the message is a sentence for the person who asked."""


class BenchmarkError(Exception):
    """The benchmark cannot go on."""


class MissingError(BenchmarkError):
    """Something is not installed; what needs it is left out and the table says why."""
