"""The Dockerfile and the compose file, as far as they can be judged without Docker."""

import json
import re
from fnmatch import fnmatch

import pytest

from tests.packaging.project import ROOT, files, lock_text

_DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
_COPIED = [
    source
    for line in re.findall(r"^COPY (?!--from)(.*)$", _DOCKERFILE, re.MULTILINE)
    for source in line.split()[:-1]
]


def instruction(name: str) -> str:
    """Return what the last instruction of this name says."""
    found: list[str] = re.findall(rf"^{name} (.*)$", _DOCKERFILE, re.MULTILINE)
    return found[-1]


@pytest.mark.parametrize("source", _COPIED)
def test_what_is_copied_is_there(source: str) -> None:
    """Each source of a COPY exists and is let through by .dockerignore."""
    assert (ROOT / source).exists()
    ignored, *allowed = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert ignored == "*"
    assert f"!{source}" in allowed


def test_what_is_built_from_is_copied() -> None:
    """The wheel's parts and the locks that RUN steps read are among what is copied."""
    read = set(re.findall(r"-r (\S+)", _DOCKERFILE)) | {"pyproject.toml", "README.md"}
    assert read <= set(_COPIED)
    assert {"reservesvc", "lua"} <= set(_COPIED)


def test_every_package_is_checked_by_its_hash() -> None:
    """Nothing is installed from an index unless the lock has its hash."""
    installs = re.findall(r"pip install (.*?)(?:&&|$)", _DOCKERFILE, re.MULTILINE)
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert "hatchling" in lock_text("build")


def test_the_service_is_not_root() -> None:
    """The image runs as a user of its own, directly and not under a shell."""
    assert instruction("USER") not in {"root", "0"}
    assert json.loads(instruction("ENTRYPOINT")) == ["reservesvc"]
    assert json.loads(instruction("CMD")) == ["serve"]
    assert "8080" in instruction("EXPOSE")


def test_the_health_check_is_python() -> None:
    """The health check asks /readyz with what the image has, and compiles."""
    command = json.loads(instruction("HEALTHCHECK").partition(" CMD ")[2])
    assert command[:2] == ["python", "-c"]
    assert "/readyz" in command[2]
    compile(command[2], "HEALTHCHECK", "exec")


def test_compose_gives_redis_what_reservations_need() -> None:
    """The Redis beside the service evicts nothing and keeps its writes."""
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    words = re.findall(r"^ +- \"?([\w-]+)\"?$", text, re.MULTILINE)
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"
    assert words[words.index("--appendonly") + 1] == "yes"


def test_no_key_is_in_the_repository() -> None:
    """The file with the keys is named by compose, made by the operator, ignored by git."""
    assert "env_file: api-keys.env" in (ROOT / "deploy" / "compose.yaml").read_text()
    assert "deploy/api-keys.env" in (ROOT / ".gitignore").read_text().splitlines()
    assert not any(fnmatch(name, "*.env") for name in files("deploy") - {"deploy/api-keys.env"})
