"""What has to be known of a customer to book."""

from collections.abc import Callable, Mapping
from typing import Any

from reservesvc.domain.text import VISIBLE_RULE, is_visible

EMAIL_RULE = "must have one @ between two parts that are not blank"
_REQUIRED = "is required to book"


def is_email(text: str) -> bool:
    """Tell whether the text may be an e-mail address; only a message to it would tell for sure."""
    parts = text.split("@")
    return len(parts) == 2 and all(map(is_visible, parts))  # noqa: PLR2004 - around the one @


TO_BOOK: dict[str, tuple[Callable[[str], bool], str]] = {
    "name": (is_visible, VISIBLE_RULE),
    "email": (is_email, EMAIL_RULE),
}
"""what a customer must have to book, what holds for it, and that in words; reserving asks for
nothing (Timekit: graph instant)"""


def broken(customer: Mapping[str, Any]) -> dict[str, str]:
    """Return the rule that each field breaks which a booking needs."""
    missing = {name: _REQUIRED for name in TO_BOOK if not customer.get(name)}
    wrong = {
        name: rule
        for name, (holds, rule) in TO_BOOK.items()
        if not (isinstance(value := customer.get(name), str) and holds(value))
    }
    return wrong | missing
