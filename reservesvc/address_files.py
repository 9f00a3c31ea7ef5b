"""The files that an address's options name, looked at before a connection needs them."""

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

_READ = (
    *("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"),
    *("sslrootcert", "sslcrl", "sslcert", "sslkey", "passfile"),
)
_AUTHORITIES = ("ssl_ca_certs", "sslrootcert", "sslcrl")
_OWN = (("ssl_certfile", "ssl_keyfile", "ssl_password"), ("sslcert", "sslkey", "sslpassword"))
_VERIFYING = ("verify-ca", "verify-full")
_ROOT_VARIABLE = "PGSSLROOTCERT"


def problem(options: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> str | None:
    """Return why the options cannot be used together with the files they name, or None.

    Args:
        options: by name, as `address_options.parse` returns them.
        environ: where libpq's variables are.

    """
    texts = {name: value for name, value in options.items() if isinstance(value, str)}
    return next(_problems(texts, environ), None)


def _problems(options: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    for name in (name for name in _READ if name in options):
        if why := _unreadable(options[name]):
            yield f"has an option {name} that names {options[name]}, which cannot be read: {why}"
    directory = options.get("ssl_ca_path")
    if directory is not None and not Path(directory).is_dir():
        yield f"has an option ssl_ca_path that names {directory}, which is no directory"
    yield from _no_authorities(options)
    for names in _OWN:
        yield from _no_certificate(options, *names)
    yield from _contradictions(options, environ)


def _unreadable(path: str) -> str | None:
    try:
        with Path(path).open("rb"):
            return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return getattr(error, "strerror", None) or "it is no path"


def _no_authorities(options: Mapping[str, str]) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in (name for name in _AUTHORITIES if name in options):
        try:
            context.load_verify_locations(cafile=options[name])
        except (OSError, ValueError):
            yield f"has an option {name} that names {options[name]}, which holds no PEM certificate"
    if "ssl_ca_data" in options:
        try:
            context.load_verify_locations(cadata=options["ssl_ca_data"])
        except (OSError, ValueError):
            yield "has an option ssl_ca_data that holds no PEM certificate"


def _no_certificate(
    options: Mapping[str, str], certificate: str, key: str, password: str
) -> Iterator[str]:
    if certificate not in options:
        yield from (
            f"has the option {name} without {certificate}"
            for name in (key, password)
            if name in options
        )
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(
            options[certificate], options.get(key), lambda: options.get(password, "")
        )
    except (OSError, ValueError):
        yield (
            f"has an option {certificate} that cannot be used: it has to name a PEM certificate "
            f"and {key} its private key, and {password} has to be the key's password, if it has one"
        )


def _contradictions(options: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    mode = options.get("sslmode", "prefer")
    has_root = "sslrootcert" in options or environ.get(_ROOT_VARIABLE)
    if mode in _VERIFYING and not has_root and not _default_root().exists():
        yield (
            f"has sslmode={mode} and no sslrootcert, the file with the certificate of the "
            "authority to trust"
        )
    if options.get("sslnegotiation") == "direct" and mode not in ("require", *_VERIFYING):
        yield "has sslnegotiation=direct, which needs sslmode=require, verify-ca or verify-full"
    low, high = (options.get(f"ssl_{end}_protocol_version") for end in ("min", "max"))
    if low and high and low > high:
        yield "has an option ssl_min_protocol_version that is above ssl_max_protocol_version"


def _default_root() -> Path:
    return Path("~/.postgresql/root.crt").expanduser()
