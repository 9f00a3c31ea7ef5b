"""Keys: a header that was seen before is let in as it was then, and no other is."""

import hashlib

import pytest

from reservesvc.api.auth import SEEN_MAX, Keys, RouteScope
from reservesvc.api.problems import RefusedError
from reservesvc.apikeys import ApiKey

HEADER = "Bearer shop-secret"


@pytest.fixture
def keys() -> Keys:
    """Return the keys of one widget."""
    return Keys([ApiKey("shop", "widget", hashlib.sha256(b"shop-secret").digest())])


def test_a_header_seen_before_still_opens_no_more(keys: Keys) -> None:
    """What is remembered is who sent it, not what it was let in to."""
    assert keys.admit([HEADER], "widget") == keys.admit([HEADER], "widget")
    for _ in range(2):
        with pytest.raises(RefusedError) as refused:
            keys.admit([HEADER], "admin")
        assert refused.value.problem.code == "forbidden"


@pytest.mark.parametrize("headers", [[], [""], ["Bearer shop-secreT"], ["Bearer shop-secret2"]])
def test_a_refused_header_stays_refused(keys: Keys, headers: list[str]) -> None:
    """Also when it is sent again, and after the right one was."""
    for _ in range(2):
        with pytest.raises(RefusedError) as refused:
            keys.admit(headers, "widget")
        assert refused.value.problem.code == "unauthorized"
        keys.admit([HEADER], "widget")


@pytest.mark.parametrize("scope", ["public", "widget", "admin"])
def test_several_headers_are_refused(keys: Keys, scope: RouteScope) -> None:
    """Whichever of them is right: which one counts would be a guess."""
    for headers in ([HEADER, HEADER], [HEADER, "Bearer x"], ["Bearer x", HEADER]):
        with pytest.raises(RefusedError) as refused:
            keys.admit(headers, scope)
        assert refused.value.problem.code == "repeated_header"


def test_many_spellings_of_a_key_take_no_more_memory(keys: Keys) -> None:
    """Blanks around the key are as many as somebody likes."""
    for blanks in range(2 * SEEN_MAX + 1):
        keys.admit([f"Bearer {' ' * blanks}shop-secret"], "widget")
    assert len(keys._seen) <= SEEN_MAX
