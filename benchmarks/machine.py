"""What the numbers were measured on, and with which versions."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from benchmarks.cores import Cores

PACKAGES = ("aiohttp", "msgspec", "redis", "hiredis", "uvloop", "structlog", "fastapi", "asyncpg")
NODE_PACKAGES = ("fastify", "ioredis")
_MODULES = Path(__file__).parent / "peers" / "node_modules"


def describe(redis_version: str, cores: Cores) -> dict[str, str]:
    """Return the machine and the versions in use, by what they are called in the table."""
    release = ".".join(platform.release().split(".")[:2])
    used = f"{len(cores.used)} of {os.cpu_count()} cores used"
    described = {
        "processor": f"{_processor()}, {used}{_virtual()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{_distribution()}, {platform.system()} {release}, {platform.machine()}",
        "Redis": redis_version,
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in _installed()),
    }
    node = shutil.which("node")
    if node:
        packages = ", ".join(f"{name} {_node_version(name)}" for name in NODE_PACKAGES)
        described["Node"] = f"{_said(node, '--version')}: {packages}"
    return described


def commit() -> str:
    """Return which commit is measured, with a mark if there are changes on top; or unknown."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    # The table of the last run is no change to what is measured.
    changes = _said(git, "status", "--porcelain", "--", "reservesvc", "lua", "benchmarks")
    name = _said(git, "rev-parse", "--short", "HEAD") or "unknown"
    return f"{name} with changes" if changes else name


def _installed() -> list[str]:
    found = []
    for name in PACKAGES:
        try:
            version(name)
        except ModuleNotFoundError:
            continue
        found.append(name)
    return found


def _said(*command: str) -> str:
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1]
    )
    return run.stdout.strip()


def _node_version(name: str) -> str:
    manifest = _MODULES / name / "package.json"
    if not manifest.exists():
        return "not installed"
    text = manifest.read_text()
    return text.partition('"version": "')[2].partition('"')[0]


def _processor() -> str:
    return _line_of("/proc/cpuinfo", "model name") or platform.processor() or "unknown"


def _virtual() -> str:
    flags = (_line_of("/proc/cpuinfo", "flags") or "").split()
    return " (virtual machine)" if "hypervisor" in flags else ""


def _distribution() -> str:
    return (_line_of("/etc/os-release", "PRETTY_NAME", "=") or "unknown").strip('"')


def _line_of(path: str, name: str, separator: str = ":") -> str | None:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    pairs = (line.partition(separator) for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() == name), None)
