"""The configuration: environment and flags in, one frozen and validated value out.

Knows how settings combine; what each one is stands in the table of `settings`.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from reservesvc import address_files, apikeys
from reservesvc import config_values as values
from reservesvc.apikeys import ApiKey
from reservesvc.config_table import PREFIX, SETTINGS, Setting
from reservesvc.config_values import Url
from reservesvc.errors import ConfigError

_SIMILAR = 0.6
_TEST_PREFIX = f"{PREFIX}TEST_"
"""Variables of the tests, which servers that they start inherit"""
_OF_KUBERNETES = re.compile(
    rf"{PREFIX}(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)"
)
"""What Kubernetes sets in every pod beside a service called reservesvc, or reservesvc-something
(its docs, "Service", environment variables)"""
_KUBERNETES_PORT = re.compile(r"(tcp|udp|sctp)://[0-9A-Fa-f.:\[\]]+:[0-9]+")
"""What it sets <SERVICE>_PORT to"""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_AFTER_COMMA = re.compile(r",\s+")
"""In a list: one item a line, as YAML's block literals have it"""
_QUOTES = ('"', "'")


class StorePlace(Struct, frozen=True, kw_only=True):
    """Where the booking store is; as text without a password."""

    store_url: Url | None
    data_dir: Path

    @property
    def postgres_url(self) -> str | None:
        """The PostgreSQL database, password and all; None for a SQLite file."""
        is_postgres = self.store_url is not None and values.is_postgres(self.store_url)
        return self.store_url.reveal() if self.store_url and is_postgres else None

    @property
    def path(self) -> Path:
        """The SQLite file."""
        if self.store_url is None:
            return self.data_dir / "bookings.sqlite3"
        return values.store_path(self.store_url)

    def __str__(self) -> str:
        """Return the place for people and logs."""
        return str(self.store_url if self.postgres_url else self.path)


STORE_SETTINGS = tuple(s for s in SETTINGS if s.field in StorePlace.__struct_fields__)
"""The settings that say where the booking store is"""


_NEEDED_TO_LOOK = {
    "redis_url",
    "store_url",
    "store_pool_max",
    "data_dir",
    "key_prefix",
    "deadline_ms",
    "grace_ms",
    "duration_max_s",
    "past_max_s",
}
DOCTOR_SETTINGS = tuple(s for s in SETTINGS if s.field in _NEEDED_TO_LOOK)
"""The settings that say what there is to look at, and how long things stay there"""


class Config(Struct, frozen=True, kw_only=True):
    """Everything the service can be told; `config_table.SETTINGS` explains each field."""

    host: str
    port: int
    workers: int
    socket_fd: tuple[int, ...] | None
    """None: listen on host and port"""
    redis_url: Url | None
    """None: the embedded Redis"""
    redis_wait: int
    """0: no replica is waited for"""
    store_url: Url | None
    """None: SQLite in the data directory; see `store`"""
    store_pool_max: int
    api_keys: tuple[ApiKey, ...]
    """those of the keys file among them; empty: no key is asked for"""
    api_keys_file: Path | None
    cors_origins: tuple[str, ...]
    """whose pages may call from a browser; `*` for all"""
    data_dir: Path
    key_prefix: str
    log_format: str
    log_level: str
    deadline_ms: int
    grace_ms: int
    duration_max_s: int
    slot_max_s: int
    past_max_s: int
    ahead_max_s: int
    body_max_bytes: int
    keepalive_s: int
    shutdown_s: int

    @property
    def store(self) -> StorePlace:
        """Where the booking store is."""
        return StorePlace(store_url=self.store_url, data_dir=self.data_dir)


def read_utf8(file: Path) -> str:
    """Return the text of a file in UTF-8, without the byte order mark that some editors write."""
    return file.read_text(encoding="utf-8-sig")


def load(
    argv_flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    read_text: Callable[[Path], str] = read_utf8,
) -> Config:
    """Return the configuration; a flag wins over the environment, that over the default.

    A variable that is empty counts as not set, since env files write it so. Space and quotes
    around a variable's value are taken off, for some readers of env files leave them there.

    Args:
        argv_flags: text by field name (`"port": "8080"`); None where not given.
        environ: the environment, with the names' prefix.
        read_text: reads the keys file.

    Raises:
        ConfigError: a setting cannot be used; the message is a sentence naming it.

    """
    _refuse_misspelt(environ)
    names = {s.field: _name(s, argv_flags) for s in SETTINGS}
    found = {s.field: _value(s, names[s.field], argv_flags, environ) for s in SETTINGS}
    found["api_keys"] = _all_keys(found["api_keys"], found["api_keys_file"], names, read_text)
    config = Config(**found)
    _check_together(config, names)
    _check_files(names, found)
    _check_path(names["data_dir"], config.data_dir)
    return config


def load_store(argv_flags: Mapping[str, str | None], environ: Mapping[str, str]) -> StorePlace:
    """Return where the booking store is, and judge no other setting.

    Raises:
        ConfigError: as `load`.

    """
    _refuse_misspelt(environ)
    names = {s.field: _name(s, argv_flags) for s in STORE_SETTINGS}
    found = {s.field: _value(s, names[s.field], argv_flags, environ) for s in STORE_SETTINGS}
    _check_files(names, found)
    _check_path(names["data_dir"], found["data_dir"])
    return StorePlace(**found)


def _name(setting: Setting, argv_flags: Mapping[str, str | None]) -> str:
    """Return what the person who set it calls the setting."""
    return setting.variable if argv_flags.get(setting.field) is None else setting.flag


def _value(
    setting: Setting,
    name: str,
    argv_flags: Mapping[str, str | None],
    environ: Mapping[str, str],
) -> Any:  # noqa: ANN401  (each setting has a type of its own)
    text = argv_flags.get(setting.field)
    if text is None:
        text = _from_environ(setting.variable, environ)
        if not text:
            return setting.default
    try:
        _check_text(text)
        return setting.parse(text)
    except ValueError as error:
        message = f"{name} {error}."
        raise ConfigError(message) from None


def _from_environ(variable: str, environ: Mapping[str, str]) -> str:
    """Return what a variable holds, without space and quotes around it."""
    text = environ.get(variable, "").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        text = text[1:-1].strip()
    return "" if _is_of_kubernetes(variable, text) else text


def _is_of_kubernetes(variable: str, text: str) -> bool:
    """Tell whether Kubernetes set the variable, not the operator."""
    if variable.endswith("_PORT") and _KUBERNETES_PORT.fullmatch(text):
        return True
    return _OF_KUBERNETES.fullmatch(variable) is not None


def _check_text(text: str) -> None:
    """Refuse what no setting can hold; what it is stays unsaid, for it may be a secret."""
    if _CONTROLS.search(_AFTER_COMMA.sub(",", text)):
        message = "contains a line break or another control character"
        raise ValueError(message)
    if not _is_utf8(text):
        message = "is not UTF-8"
        raise ValueError(message)


def _is_utf8(text: str) -> bool:
    """Tell whether the bytes that the system gave us were UTF-8 (see os.fsdecode)."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _check_files(names: Mapping[str, str], found: Mapping[str, Any]) -> None:
    """Refuse an address with options that cannot be used together with the files they name."""
    for field in ("redis_url", "store_url"):
        url: Url | None = found.get(field)
        why = url and address_files.problem(url.options)
        if why:
            message = f"{names[field]} {why}."
            raise ConfigError(message)


def _check_path(name: str, path: Path) -> None:
    """Refuse a directory below one whose name is not UTF-8, which no URL can hold."""
    if not _is_utf8(str(path.absolute())):
        message = f"{name} is a directory whose path is not UTF-8."
        raise ConfigError(message)


def _all_keys(
    listed: tuple[ApiKey, ...],
    file: Path | None,
    names: Mapping[str, str],
    read_text: Callable[[Path], str],
) -> tuple[ApiKey, ...]:
    """Return the keys of the list and of the file together."""
    if file is None:
        return listed
    name = f"{names['api_keys_file']} ({file})"
    try:
        return apikeys.merge(listed, apikeys.parse_file(read_text(file)))
    except OSError as error:
        message = f"{name} cannot be read: {error.strerror}."
    except UnicodeDecodeError:
        message = f"{name} is no text file in UTF-8."
    except ValueError as error:
        message = f"{name} {error}."
    raise ConfigError(message) from None


def _check_together(config: Config, names: Mapping[str, str]) -> None:
    """Refuse settings that are fine one by one."""
    if config.grace_ms <= config.deadline_ms:
        message = (
            f"{names['grace_ms']} must be more than {names['deadline_ms']}, which is "
            f"{config.deadline_ms}, for a hand-off that began in time must be able to finish; "
            f"it is {config.grace_ms}."
        )
        raise ConfigError(message)
    if config.redis_wait and config.redis_url is None:
        message = (
            f"{names['redis_wait']} is {config.redis_wait}, and the embedded Redis has no "
            f"replicas: set {PREFIX}REDIS_URL to a Redis that has."
        )
        raise ConfigError(message)
    if not config.api_keys and not values.is_loopback(config.host):
        message = (
            f"{names['host']} is {config.host}, where other machines can reach the server, and "
            f"no API key is configured: set {PREFIX}API_KEYS or {PREFIX}API_KEYS_FILE, or listen "
            "on 127.0.0.1."
        )
        raise ConfigError(message)


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Refuse a variable that looks like a setting and is none, such as RESERVESVC_REDISURL.

    Ignored, it would start a server on an empty Redis of its own.
    """
    known = [setting.variable for setting in SETTINGS]
    for variable, text in environ.items():
        is_foreign = not variable.startswith(PREFIX) or variable.startswith(_TEST_PREFIX)
        if variable in known or is_foreign or _is_of_kubernetes(variable, text):
            continue
        message = f"{variable} is not a setting; {_nearest(variable, known)}"
        raise ConfigError(message)


def _nearest(variable: str, known: Sequence[str]) -> str:
    """Return which setting may be meant."""
    suffixes = [name.removeprefix(PREFIX) for name in known]
    near = difflib.get_close_matches(variable.removeprefix(PREFIX), suffixes, 1, _SIMILAR)
    if near:
        return f"did you mean {PREFIX}{near[0]}?"
    return "`reservesvc serve --help` lists them all."
