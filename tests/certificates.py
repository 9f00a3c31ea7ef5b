"""Certificates for tests, made by the openssl command and trusted by nobody else."""

import shutil
import subprocess
from functools import partial
from pathlib import Path

from tests.programs import needed

_DAYS = "2"


class Authority:
    """A certificate authority with its files in a directory.

    Args:
        directory: where the files are put.
        name: of the authority, and of its files.

    """

    def __init__(self, directory: Path, name: str = "authority") -> None:
        needed(partial(shutil.which, "openssl"), "openssl")
        self._directory = directory
        self.certificate, self._key = self._paths(name)
        _run(*_new_key(self._key), "-x509", "-subj", f"/CN={name}", "-out", self.certificate)

    def issue(self, name: str, names: str = "DNS:localhost,IP:127.0.0.1") -> tuple[Path, Path]:
        """Return the files of a certificate and of its key, valid for the hosts `names`."""
        certificate, key = self._paths(name)
        signing = ("-CA", self.certificate, "-CAkey", self._key)
        told = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
        _run(*_new_key(key), "-x509", *signing, *told, "-out", certificate)
        return certificate, key

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._directory / f"{name}.pem", self._directory / f"{name}.key"


def _new_key(file: Path) -> tuple[str | Path, ...]:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    return ("req", *curve, "-noenc", "-keyout", file, "-days", _DAYS)


def _run(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
