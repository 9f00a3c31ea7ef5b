"""The configuration: environment and flags in, one frozen and validated value out.

Knows how settings combine; what each one is stands in the table of `settings`.
"""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from reservesvc import apikeys
from reservesvc import config_values as values
from reservesvc.apikeys import ApiKey
from reservesvc.config_table import PREFIX, SETTINGS, Setting
from reservesvc.config_values import Url
from reservesvc.errors import ConfigError

_SIMILAR = 0.8


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
    socket_fd: int | None
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


def load(
    argv_flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    read_text: Callable[[Path], str] = Path.read_text,
) -> Config:
    """Return the configuration; a flag wins over the environment, that over the default.

    A variable that is empty counts as not set, since env files write it so.

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
    return config


def load_store(argv_flags: Mapping[str, str | None], environ: Mapping[str, str]) -> StorePlace:
    """Return where the booking store is, and judge no other setting.

    Raises:
        ConfigError: as `load`.

    """
    _refuse_misspelt(environ)
    found = {s.field: _value(s, _name(s, argv_flags), argv_flags, environ) for s in STORE_SETTINGS}
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
        text = environ.get(setting.variable, "")
        if not text:
            return setting.default
    try:
        return setting.parse(text)
    except ValueError as error:
        message = f"{name} {error}."
        raise ConfigError(message) from None


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
    """Refuse a variable that is nearly a setting, such as RESERVESVC_REDISURL.

    Passed over in silence, it would start a server on an empty Redis of its own.
    """
    known = [setting.variable for setting in SETTINGS]
    for variable in environ:
        if variable in known or not variable.startswith(PREFIX):
            continue
        suffixes = [name.removeprefix(PREFIX) for name in known]
        near = difflib.get_close_matches(variable.removeprefix(PREFIX), suffixes, 1, _SIMILAR)
        if near:
            message = f"{variable} is no setting; did you mean {PREFIX}{near[0]}?"
            raise ConfigError(message)
