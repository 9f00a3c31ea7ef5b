"""Whole numbers, however JSON writes them: 5, 5.0 and 5e0 are the same number."""

from typing import Any


def whole(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can say
    """Return a number without a fraction as an int, and any other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
