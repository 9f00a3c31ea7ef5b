"""The header of every script says what its body does."""

import re

import pytest

from reservesvc.reservations.scripts import NAMES, folder, load, source
from tests.lua.headers import header_of

_BINDING = re.compile(
    r"^local ((?:\w+, )*\w+) ?=\s+((?:(?:KEYS|ARGV)\[\d+\]|tonumber\(ARGV\[\d+\]\)|, |,\n +)+)$",
    re.MULTILINE,
)


def bindings(name: str, table: str) -> list[tuple[int, str]]:
    """Return (number, local's name) for every `KEYS[n]` or `ARGV[n]` the first lines bind."""
    found = []
    for names, values in _BINDING.findall(source(name)):
        numbers = re.findall(r"(KEYS|ARGV)\[(\d+)\]", values)
        for local, (kind, number) in zip(names.split(", "), numbers, strict=True):
            if kind == table:
                found.append((int(number), local))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_keys_are_bound_in_order_to_the_announced_names(name: str) -> None:
    """`KEYS[n]` goes to the local KEY_<NAME> that line n of the header announces."""
    expected = [(i, f"KEY_{key.upper()}") for i, key in enumerate(header_of(name).keys, 1)]
    assert bindings(name, "KEYS") == expected


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_bound_in_order_to_the_announced_names(name: str) -> None:
    """`ARGV[n]` goes to the local that line n of the header announces, or `_` if unused."""
    for number, local in bindings(name, "ARGV"):
        announced = header_of(name).arguments[number - 1].upper()
        assert local in {announced, announced.removesuffix("_MS"), "_"}
    assert [n for n, _ in bindings(name, "ARGV")] == list(
        range(1, len(header_of(name).arguments) + 1)
    )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_read_from_keys_or_argv_below_the_bindings(name: str) -> None:
    """After the first lines a script speaks only in names."""
    body = load(name).body.decode()
    bound = "".join(found[0] for found in _BINDING.finditer(body))
    assert body.count("KEYS[") == bound.count("KEYS[")
    assert body.count("ARGV[") == bound.count("ARGV[")


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_the_announced_ones(name: str) -> None:
    """Every answer begins with a name the header lists, and every listed name is answered."""
    body = load(name).body.decode()
    answered = set(re.findall(r"(?:return|answer =|and|or) \{'(\w+)'", body))
    assert answered == set(header_of(name).answers)


def test_every_script_file_has_a_caller() -> None:
    """No script lies about unused, none is missing."""
    files = {file.name for file in folder().iterdir() if file.name.endswith(".lua")}
    assert files == {f"{name}.lua" for name in NAMES}
