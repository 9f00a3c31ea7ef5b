"""What a customer needs to book."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain.customer import EMAIL_RULE, broken, is_email
from reservesvc.domain.text import VISIBLE_RULE, is_visible

ADA = {"name": "Ada", "email": "ada@example.com"}
BLANK = (
    " ",
    "\t\n",
    "\u00a0",
    "\u2003",
    "\u200b",
    "\u200d\ufeff",
    "\u2800",
    "\u3164",
    "\u0301",
    "\x1f",
    "\u00ad",
)
"""shows nothing: spaces, zero-width and control characters, fillers, a mark without a letter"""


@pytest.mark.parametrize(
    "name", [*"aß字1.!", "\N{ARABIC LETTER ALEF}", "🙂", " x ", "e\u0301", "O'Neill", "Ⅳ"]
)
def test_a_name_with_a_visible_character_will_do(name: str) -> None:
    """In any script, however short."""
    assert broken(ADA | {"name": name}) == {}


@pytest.mark.parametrize("name", BLANK)
def test_a_name_that_shows_nothing_is_refused(name: str) -> None:
    """However long it is."""
    assert broken(ADA | {"name": name * 3}) == {"name": VISIBLE_RULE}


@pytest.mark.parametrize(
    "email",
    ["a@b", "ada@example.com", "ada+tag@mail.example.co.uk", "müller@straße.de", "a b@c", "'@'"],
)
def test_an_email_with_one_at_between_two_parts_will_do(email: str) -> None:
    """Whether it exists only a message can tell."""
    assert broken(ADA | {"email": email}) == {}


@pytest.mark.parametrize(
    "email",
    ["nope", "@", "a@", "@b", "a@@b", "a@b@c", " @b", "a@ ", *(f"a@{each}" for each in BLANK), " "],
)
def test_another_email_is_refused(email: str) -> None:
    """No @, two of them, or a part that shows nothing."""
    assert broken(ADA | {"email": email}) == {"email": EMAIL_RULE}


@pytest.mark.parametrize("missing", [{}, {"name": None, "email": None}, {"name": "", "email": ""}])
def test_what_is_missing_is_required(missing: dict[str, str | None]) -> None:
    """Empty and null are as good as left out."""
    assert broken(missing) == dict.fromkeys(("name", "email"), "is required to book")


@pytest.mark.parametrize("value", [1, 1.5, True, ["a@b"], {"a": 1}])
def test_what_is_no_text_breaks_the_rules(value: object) -> None:
    """A reservation of another version may hold anything."""
    assert broken({"name": value, "email": value}) == {"name": VISIBLE_RULE, "email": EMAIL_RULE}


@given(st.text())
def test_visible_text_stays_visible_with_blanks_around(text: str) -> None:
    """And an address is one with or without them."""
    assert is_visible(f" {text}\u200b") == is_visible(text)
    assert is_email(f"{text}@b") == (is_visible(text) and "@" not in text)
