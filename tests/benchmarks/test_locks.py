"""What the peers are installed from: exact, hashed, and from nowhere in particular."""

import re

from tests.packaging.project import lock_text, pinned


def test_the_python_lock_names_no_place() -> None:
    """No address of an index, and every requirement has a hash."""
    text = lock_text("benchmarks")
    assert "://" not in text
    assert "--index" not in text
    assert text.splitlines()[1] == "#    make lock"
    logical = text.replace("\\\n", " ").splitlines()
    requirements = [line for line in logical if line and not line.lstrip().startswith("#")]
    assert len(requirements) == len(pinned("benchmarks")) > 0
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", line) for line in requirements)


def test_the_python_lock_agrees_with_the_service() -> None:
    """Installing the peers changes no package that the service or its tests use."""
    ours, theirs = pinned("development"), pinned("benchmarks")
    assert {name: theirs[name] for name in ours.keys() & theirs.keys()} == {
        name: ours[name] for name in ours.keys() & theirs.keys()
    }
