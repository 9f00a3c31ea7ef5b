"""The settings, a row each: environment, flags, `--help` and docs/settings.md come from here.

To add a setting, add a row here and a field to `config.Config`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from reservesvc import address_options, apikeys
from reservesvc import config_values as values

PREFIX = "RESERVESVC_"
"""Before every setting's name in the environment."""

_DAY_S = 86_400


class Setting(Struct, frozen=True):
    """One row: how a setting is called, read and explained."""

    group: str
    name: str
    """as in the environment, without the prefix"""
    default: Any
    """the value where nobody says"""
    parse: Callable[[str], Any]
    """text → value; raises ValueError with the rest of a sentence"""
    form: str
    """what to write, in a word"""
    help: str
    default_shown: str = ""
    """the default in words, where its value says too little"""

    @property
    def field(self) -> str:
        """Its name in `Config`."""
        return self.name.lower()

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.name

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.field.replace("_", "-")

    @property
    def default_text(self) -> str:
        """Its default for people."""
        return self.default_shown or str(self.default)


_LISTENING = "Listening"
_HOST_HELP = "the address to listen on; 0.0.0.0 is all of IPv4, :: all of IPv6 and IPv4"
_USED = "What it uses"
_CALLERS = "Who may call"
_TIMES = "Times and limits"
_LOGS = "Logs"

SETTINGS = (
    Setting(_LISTENING, "HOST", "127.0.0.1", values.host, "ADDRESS", _HOST_HELP),
    Setting(
        _LISTENING,
        "PORT",
        8080,
        values.number(0, 65_535),
        "NUMBER",
        "the TCP port to listen on; 0 takes any free one",
    ),
    Setting(
        _LISTENING,
        "WORKERS",
        1,
        values.number(1, 64),
        "NUMBER",
        "how many processes answer requests; as many as there are cores to spare",
    ),
    Setting(
        _LISTENING,
        "SOCKET_FD",
        None,
        values.descriptors,
        "NUMBER,…",
        "listening sockets inherited from the process that starts the service, instead of an "
        "address",
    ),
    Setting(
        _USED,
        "REDIS_URL",
        None,
        values.redis_url,
        "URL",
        "the Redis, 7.0 or later: redis://host:port or unix:///path/of/the.sock; "
        "redis+sentinel://host:port,host:port/service or redis+cluster://host:port,host:port; "
        "with rediss in place of redis for TLS",
        "a server of its own in the data directory",
    ),
    Setting(
        _USED,
        "REDIS_WAIT",
        0,
        values.number(0, 8),
        "NUMBER",
        "how many replicas must have a reservation before it is answered 201; those that do not "
        "within a quarter of the deadline make it a 503 of unknown outcome",
    ),
    Setting(
        _USED,
        "STORE_URL",
        None,
        values.store_url,
        "URL",
        "the booking store: postgresql://user:password@host/database, "
        "sqlite:///relative/path or sqlite:////absolute/path",
        "bookings.sqlite3 in the data directory",
    ),
    Setting(
        _USED,
        "STORE_POOL_MAX",
        10,
        values.number(1, 1_000),
        "NUMBER",
        "the most connections to PostgreSQL; whoever finds them all in use for a quarter of the "
        "deadline is answered 503",
    ),
    Setting(
        _USED,
        "DATA_DIR",
        Path("reservesvc-data"),
        Path,
        "DIR",
        "where the embedded Redis and the SQLite store keep their files",
        "./reservesvc-data",
    ),
    Setting(
        _USED,
        "KEY_PREFIX",
        "",
        values.key_prefix,
        "TEXT",
        "what goes in front of every Redis key",
        "nothing",
    ),
    Setting(
        _CALLERS,
        "API_KEYS",
        (),
        apikeys.parse_list,
        "KEYS",
        "`name:scope:secret`, comma-separated, scope being widget, service or admin, the secret "
        "at least 16 characters long (`openssl rand -hex 32` makes one); "
        "other users of the machine can see a flag's value, so prefer the variable or the file",
        "none, with which only a loopback address is served",
    ),
    Setting(
        _CALLERS,
        "API_KEYS_FILE",
        None,
        Path,
        "FILE",
        "a file with a line `name:scope:sha256$<hex>` for each key, the hex being that of "
        "`printf %s secret | sha256sum`; # begins a comment",
        "none",
    ),
    Setting(
        _CALLERS,
        "CORS_ORIGINS",
        (),
        values.origins,
        "ORIGINS",
        "the origins, comma-separated, whose pages may make a widget's calls from a browser, as "
        "`https://shop.example`; `*` for every origin",
        "none",
    ),
    Setting(
        _TIMES,
        "DEADLINE_MS",
        2_000,
        values.number(50, 60_000),
        "NUMBER",
        "how long a request may take before it is answered 503, in milliseconds",
    ),
    Setting(
        _TIMES,
        "GRACE_MS",
        10_000,
        values.number(100, 600_000),
        "NUMBER",
        "how long a hand-off that began in time may still finish, in milliseconds; "
        "more than the deadline",
    ),
    Setting(
        _TIMES,
        "DURATION_MAX_S",
        _DAY_S,
        values.number(1, 31 * _DAY_S),
        "NUMBER",
        "the longest a reservation may hold a slot, in seconds",
    ),
    Setting(
        _TIMES,
        "SLOT_MAX_S",
        31 * _DAY_S,
        values.number(1, 366 * _DAY_S),
        "NUMBER",
        "the longest slot, in seconds",
    ),
    Setting(
        _TIMES,
        "PAST_MAX_S",
        366 * _DAY_S,
        values.number(0, 3_660 * _DAY_S),
        "NUMBER",
        "how long ago a slot may have ended, in seconds",
    ),
    Setting(
        _TIMES,
        "AHEAD_MAX_S",
        3_660 * _DAY_S,
        values.number(_DAY_S, 36_600 * _DAY_S),
        "NUMBER",
        "how far ahead a slot may end, and a search for free slots may begin, in seconds",
    ),
    Setting(
        _TIMES,
        "BODY_MAX_BYTES",
        65_536,
        values.number(1_024, 16_777_216),
        "NUMBER",
        "the largest request body, in bytes",
    ),
    Setting(
        _TIMES,
        "KEEPALIVE_S",
        75,
        values.number(1, 3_600),
        "NUMBER",
        "how long an idle connection stays open, in seconds",
    ),
    Setting(
        _TIMES,
        "SHUTDOWN_S",
        30,
        values.number(0, 600),
        "NUMBER",
        "how long requests in flight may finish after SIGTERM, in seconds",
    ),
    Setting(
        _LOGS,
        "LOG_FORMAT",
        "auto",
        values.choice("auto", "console", "json"),
        "WORD",
        "auto, console or json; auto is console on a terminal and json elsewhere",
    ),
    Setting(
        _LOGS,
        "LOG_LEVEL",
        "info",
        values.choice("debug", "info", "warning", "error"),
        "WORD",
        "debug, info, warning or error",
    ),
)


def as_markdown() -> str:
    """Return the page docs/settings.md."""
    rows = [
        f"| `{s.variable}` | `{s.flag}` | {_cell(s.help)} | {_cell(s.default_text)} |"
        for s in SETTINGS
    ]
    return "\n".join((_PAGE_HEAD, *rows, "", _OPTIONS_HEAD, *_option_rows(), ""))


def _option_rows() -> Iterator[str]:
    """Yield a row for each option, with the schemes that take it."""
    schemes: dict[address_options.Option, list[str]] = {}
    for scheme, options in address_options.OPTIONS.items():
        for option in options:
            schemes.setdefault(option, []).append(scheme)
    for option, takers in schemes.items():
        kinds = ", ".join(_kinds(set(takers)))
        yield f"| `{option.name}` | {kinds} | {option.rule} | {option.meaning} |"


def _kinds(schemes: set[str]) -> Iterator[str]:
    """Yield what people call the schemes, the widest names first."""
    for kind, members in _KINDS.items():
        if schemes.issuperset(members):
            schemes = schemes.difference(members)
            yield kind


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_PAGE_HEAD = """\
# Settings

Each is a variable in the environment and a flag of `reservesvc serve`; the flag wins. An empty
variable counts as not set. What cannot be used is refused at the start, with a sentence that
names the setting and exit status 2; so is every other variable that begins with `RESERVESVC_`,
but for those that Kubernetes sets beside a service called reservesvc (`RESERVESVC_SERVICE_HOST`,
`RESERVESVC_PORT=tcp://…` and their kin, which are ignored) and the tests' own `RESERVESVC_TEST_…`.
Space and quotes around a variable's value are taken off, as some readers of env files leave them.

This page is written by `make docs` from `reservesvc/config_table.py`.

| variable | flag | meaning | default |
| --- | --- | --- | --- |"""

_ALL_REDIS = tuple(scheme for scheme in address_options.OPTIONS if "postgres" not in scheme)
_KINDS = {
    "every Redis": _ALL_REDIS,
    "Redis by TCP": tuple(scheme for scheme in _ALL_REDIS if scheme != "unix"),
    "Redis by TLS": tuple(scheme for scheme in _ALL_REDIS if scheme.startswith("rediss")),
    "Sentinels": ("redis+sentinel", "rediss+sentinel"),
    "PostgreSQL": ("postgresql",),
}
"""What people call the schemes"""
_OPTIONS_HEAD = """\
## Options of addresses

`RESERVESVC_REDIS_URL` and `RESERVESVC_STORE_URL` take options after a `?`, as
`rediss://redis.internal:6380/0?ssl_ca_certs=/etc/ssl/ours.pem`. Any other option is refused at the
start by its name, also one that the drivers know: they would ignore it, or it would undo what the
service relies on. So is a file that is missing or holds something else. In a value `&`, `#`, `@`
and `%` are written `%26`, `%23`, `%40` and `%25`.

| option | of | must be | meaning |
| --- | --- | --- | --- |"""
